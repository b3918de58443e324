// Replies of a host that a fuzz input decides: mostly plausible ones, so that a session gets far, some
// changed in places, some raw, errors, and losses. Must never know: who asks, or what for.
#pragma once

#include "lab/channel/scripted_host.h"
#include "tests/fuzz/input.h"

namespace tests {

// Once the input has ended every answer is a plausible one that ends what it belongs to (an empty listing, no
// data).
lab::Answer reply_from(Input& input, const lab::ScriptedRequest& request);

}  // namespace tests
