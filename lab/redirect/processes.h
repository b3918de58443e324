// New processes: each child gets this DLL; programs and current directories on an emulated volume are
// replaced by what Wine's Unix side can use. Must never know: how injection works.
#pragma once

#include "lab/redirect/mounts.h"

namespace lab::redirect {

void start_processes(const Session& session);

}  // namespace lab::redirect
