// The parts of a lab run: processes that run beside the program, each with a log of its own, and each needed
// to the end. Must never know what they do.
#pragma once

#include <expected>
#include <functional>
#include <list>
#include <string>

#include "lab/runner/process.h"

namespace lab {

struct Part {
    std::string name;
    std::string log;  // a file
    Process process;
    bool end_is_wanted = false;
};

class Parts {
  public:
    // Logs go to that directory, as NAME.log.
    explicit Parts(std::string directory) : directory_(std::move(directory)) {}

    // Starts a part and waits until it is ready. The error says what happened, and what the part printed. The
    // result stays valid.
    std::expected<Part*, std::string> start(const std::string& name, ProcessSpec spec,
                                            const std::function<bool()>& ready);
    // Waits for what parts that run already, or programs that came and went, bring about. The error is
    // `missing` with the end of that log, or tells of a part that ended.
    std::expected<void, std::string> wait_until(const std::function<bool()>& done, const std::string& missing,
                                                const std::string& log);
    // The same for a part whose end was wanted.
    std::expected<void, std::string> restart(Part& part, ProcessSpec spec,
                                             const std::function<bool()>& ready);
    // A part that is not there any more although its end is not wanted, or null.
    Part* ended();
    // On stderr, the end of each log.
    void show_logs() const;

  private:
    static std::expected<void, std::string> wait_until_ready(Part& part, const std::function<bool()>& ready);

    std::string directory_;
    std::list<Part> parts_;
};

}  // namespace lab
