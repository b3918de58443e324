// Runs that outlive their program (lab/run --keep): a background process holds the sandbox until it is told
// to end. Known by that process' id. Must never know what runs inside.
#pragma once

#include <sys/types.h>

#include <expected>
#include <functional>
#include <string>
#include <vector>

namespace lab {

// Where runs of one build note that they are kept: a file each, named by its id.
struct KeptRuns {
    std::string directory;  // exists
    std::string scratch;    // the sandbox's, see SandboxMounts

    // Notes that the run of that id is kept; `what` tells people which one it is. Called inside its sandbox.
    void add(pid_t id, const std::string& what) const;
    void remove(pid_t id) const;
    // A line for each run that is kept, "ID: WHAT"; forgets those that are gone.
    std::vector<std::string> list() const;
    // Whether it is one of them; otherwise a sentence that names those there are.
    std::expected<void, std::string> check(pid_t id) const;

    // Tells a run to end and waits until everything in it is gone.
    std::expected<void, std::string> end(pid_t id) const;
    // Inside the sandbox: whether end() was called.
    bool told_to_end() const;
};

// Runs `body` in a background process and gives it a function that hands the program's exit code over: this
// process then returns that code at once, and the background process goes on. If `body` ends without, its
// result is returned. SIGINT, SIGTERM and SIGHUP go to the background process until the code is there.
int run_in_background(const std::function<int(const std::function<void(int)>& hand_over)>& body);

// Runs `body` among the processes of a kept run's sandbox and returns its result. 125 after a message when it
// cannot be entered.
int run_inside(pid_t id, const std::function<int()>& body);

}  // namespace lab
