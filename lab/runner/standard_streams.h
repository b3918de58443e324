// The standard streams of a process that goes on alone.
#pragma once

#include <fcntl.h>
#include <unistd.h>

namespace lab {

// This process' standard streams become /dev/null: nobody waits for the end of its output.
inline void release_standard_streams() {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return;
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        dup2(null, stream);
    if (null > STDERR_FILENO) close(null);
}

}  // namespace lab
