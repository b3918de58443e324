// The rows as system calls on the same directories: the limit for any daemon. Must never know: daemons.
#pragma once

#include <string>

#include "tests/bench/daemons/rows.h"

namespace bench {

// Makes what the rows find in their directory, if it is not there. Throws Failure.
void prepare_memory(const std::string& directory);
void prepare_disk(const std::string& directory);

// System calls are made one by one, whatever a row says is in flight; O_DIRECT reads alone go through
// io_uring.
Runs native_memory_rows(const std::string& directory);
Runs native_disk_rows(const std::string& directory);

}  // namespace bench
