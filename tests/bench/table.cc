#include "tests/bench/table.h"

#include <fmt/format.h>

#include <cstdio>

namespace bench {

bool Table::ReportContext(const Context& context) {
    fmt::print("{} CPUs at {:.1f} GHz, load {:.1f}\n\n", context.cpu_info.num_cpus,
               context.cpu_info.cycles_per_second / 1e9,
               context.cpu_info.load_avg.empty() ? 0.0 : context.cpu_info.load_avg.front());
    return true;
}

void Table::ReportRuns(const std::vector<Run>& runs) {
    for (const Run& run : runs) {
        if (run.error_occurred) {
            fmt::print(stderr, "{}: {}\n", run.run_name.function_name, run.error_message);
            failed_ = true;
        } else if (run.run_type == Run::RT_Aggregate && run.aggregate_name == "median") {
            microseconds_[run.run_name.function_name] = run.GetAdjustedRealTime() / 1e3;
        }
    }
}

void Table::print(const std::vector<std::string>& names,
                  const std::map<std::string, std::string>& messages) const {
    fmt::print("| {:<46} | {:>10} | {:>10} | {:>5} | {:>8} |\n", "operation", "volume, µs", "native, µs",
               "ratio", "messages");
    fmt::print("|{:-<48}|{:->11}:|{:->11}:|{:->6}:|{:->9}:|\n", "", "", "", "", "");
    for (const std::string& name : names) {
        const auto volume = microseconds_.find(name + "|volume");
        const auto native = microseconds_.find(name + "|native");
        if (volume == microseconds_.end() || native == microseconds_.end()) continue;
        fmt::print("| {:<46} | {:>10.2f} | {:>10.2f} | {:>5.1f} | {:>8} |\n", name, volume->second,
                   native->second, volume->second / native->second, messages.at(name));
    }
}

}  // namespace bench
