// A private corner of the machine for one lab run: pid and mount namespaces of its own, so that everything a
// run started is gone when it ends, however it ends, and several runs do not see each other's files and
// shared memory.
#pragma once

#include <functional>
#include <string>

namespace lab {

struct SandboxMounts {
    std::string scratch;       // an empty directory; becomes a private tmpfs
    std::string prefix_lower;  // Wine prefix template, read only
    std::string prefix;        // an empty directory; becomes a writable overlay of the template
};

// Runs `body` as the first process of new namespaces and returns its result as an exit code. SIGINT, SIGTERM
// and SIGHUP, and this process's own death by whatever means, end everything inside at once; the exit code is
// then 128 + signal. Failures to set up are reported on stderr and give 125.
int run_in_sandbox(const SandboxMounts& mounts, const std::function<int()>& body);

}  // namespace lab
