// Child processes of the lab: started with explicit environment and log, waited for with deadlines.
// Must never know what the children are.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lab {

struct ProcessSpec {
    std::vector<std::string> arguments;              // arguments[0] is the program's path
    std::map<std::string, std::string> environment;  // added to this process's own
    std::string log_file;                            // stdout and stderr are appended here; empty: inherited
    bool inherit_stdin = false;                      // otherwise /dev/null
};

// A running child. The destructor kills it (SIGKILL) and reaps it.
class Process {
  public:
    // Fails with a sentence that names the program and the reason, also when exec fails.
    static std::expected<Process, std::string> start(const ProcessSpec& spec);

    Process(Process&& other) noexcept;
    Process& operator=(Process&& other) noexcept;
    ~Process();

    pid_t pid() const { return pid_; }
    // The exit code (128 + signal for a killed child) once it has ended, nullopt while it runs.
    std::optional<int> poll();
    // Waits for its end; nullopt when the time is over.
    std::optional<int> wait_for(std::chrono::milliseconds timeout);
    int wait();
    void signal(int number) const;
    // Its descendants as well.
    void signal_family(int number) const;

  private:
    explicit Process(pid_t pid) : pid_(pid) {}
    pid_t pid_ = -1;
    std::optional<int> exit_code_;
};

// The last `lines` lines of a text file, for error messages; empty if there is none.
std::string tail_of(const std::string& file, std::size_t lines);

}  // namespace lab
