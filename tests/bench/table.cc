#include "tests/bench/table.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tests/bench/rows.h"

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

bool Table::read_lab(const std::string& path) {
    std::ifstream file(path);
    const std::string prefix = kFigurePrefix;
    for (std::string line; std::getline(file, line);) {
        while (!line.empty() && line.back() == '\r')
            line.pop_back();
        const std::size_t colon = line.find(": ", prefix.size());
        if (!line.starts_with(prefix) || colon == std::string::npos) continue;
        lab_[line.substr(colon + 2)] = std::strtod(line.c_str() + prefix.size(), nullptr);
    }
    return !lab_.empty();
}

void Table::print(const std::vector<std::string>& names, const std::map<std::string, Counts>& counts) const {
    constexpr const char* kRow = "| {:<52} | {:>9} | {:>9} | {:>5} | {:>9} | {:>6} | {:>11} | {:>11} |\n";
    fmt::print(fmt::runtime(kRow), "operation", "native", "volume", "ratio", "lab", "ratio", "messages",
               "notified");
    fmt::print("|{:-<54}|{:->10}:|{:->10}:|{:->6}:|{:->10}:|{:->7}:|{:->12}:|{:->12}:|\n", "", "", "", "", "",
               "", "", "");
    for (const std::string& name : names) {
        const auto volume = microseconds_.find(name + "|volume");
        const auto native = microseconds_.find(name + "|native");
        if (volume == microseconds_.end() || native == microseconds_.end()) continue;
        const auto items = items_.find(name);
        const auto each = static_cast<double>(items == items_.end() ? 1 : items->second);
        const double native_time = native->second / each;
        const double volume_time = volume->second / each;
        const auto lab = lab_.find(name);
        const bool in_lab = lab != lab_.end();
        const Counts& counted = counts.at(name);
        fmt::print(fmt::runtime(kRow), name, fmt::format("{:.2f}", native_time),
                   fmt::format("{:.2f}", volume_time), fmt::format("{:.1f}", volume_time / native_time),
                   in_lab ? fmt::format("{:.2f}", lab->second) : "",
                   in_lab ? fmt::format("{:.1f}", lab->second / native_time) : "", counted.messages,
                   counted.notifications);
    }
}

}  // namespace bench
