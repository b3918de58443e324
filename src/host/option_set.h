// The daemon's settings by name, whichever form of command line they came in; what one of them means for
// others. Must never know: command lines.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "host/option_values.h"

namespace host {

// Settings given so far. Of one given several times the last counts, except where two can only be a mistake.
class OptionSet {
  public:
    struct Setting {
        std::string_view name;   // long, without dashes: "shared-dir"
        std::string_view value;  // what help calls its value; empty: it takes none
        std::string_view group;  // heading in help; empty: not shown
        std::string_view help;
        Parsed<void> (*apply)(OptionSet& options, std::string_view value);
    };
    static std::span<const Setting> settings();
    static const Setting* find(std::string_view name);

    // What all settings together say; the error is a sentence for the user.
    Parsed<ProcessOptions> finish() const;

  private:
    struct Apply;  // the settings' meanings

    ProcessOptions options_;
    std::optional<bool> xattr_;
    std::optional<bool> readdirplus_;
    std::optional<bool> killpriv_v2_;
    std::optional<std::chrono::nanoseconds> timeout_;
    bool has_fd_ = false;
};

}  // namespace host
