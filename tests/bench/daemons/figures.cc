#include "tests/bench/daemons/figures.h"

#include <fmt/format.h>

#include <utility>

namespace bench {
namespace {

struct Demand {
    const char* row;
    double least_speed;       // times the yardstick's
    double most_cpu = 0;      // times the yardstick's per operation; 0: not asked
    double wanted_speed = 0;  // reported only; 0: nothing
};

constexpr Demand kDemands[] = {
    {kGetAttr1, 1.0, 0, 1.15}, {kGetAttr16, 1.8, 0.5}, {kLookup1, 1.0, 0, 1.15}, {kLookup16, 3.0, 0.5},
    {kRead1, 1.0, 0, 1.15},    {kRead16, 2.5, 0.5},    {kLongRead, 0.9},         {kLongWrite, 0.9},
    {kCreate1, 1.0, 0, 1.15},  {kCreate8, 1.6},        {kReadDirPlusKnown, 1.4}, {kReadDirPlusForget, 1.0},
    {kDirect1, 1.0},           {kDirect16, 2.0, 0.5},
};

std::string speed_of(const DaemonRow& row, const Taken& taken) {
    const double per_second = 1 / taken.seconds;
    if (row.unit == Unit::kGigabytes) return fmt::format("{:.1f} GB/s", per_second * 1048576 / 1e9);
    return fmt::format("{:.{}f}", per_second / 1e3, per_second < 1e5 ? 1 : 0);
}

}  // namespace

bool Figures::ReportContext(const Context& context) {
    if (std::exchange(context_told_, true)) return true;
    fmt::print("{} CPUs at {:.1f} GHz, load {:.1f}; front-end and daemons share one\n\n",
               context.cpu_info.num_cpus, context.cpu_info.cycles_per_second / 1e9,
               context.cpu_info.load_avg.empty() ? 0.0 : context.cpu_info.load_avg.front());
    return true;
}

void Figures::ReportRuns(const std::vector<Run>& runs) {
    for (const Run& run : runs) {
        if (run.error_occurred) {
            fmt::print(stderr, "{}: {}\n", run.run_name.function_name, run.error_message);
            failed_ = true;
        } else if (run.run_type == Run::RT_Aggregate && run.aggregate_name == "median") {
            medians_[run.run_name.function_name] = {.seconds = run.counters.at("operation"),
                                                    .cpu = run.counters.at("cpu")};
        }
    }
}

const Taken* Figures::find(const std::string& row, const std::string& way) const {
    const auto found = medians_.find(row + "|" + way);
    return found == medians_.end() ? nullptr : &found->second;
}

double Figures::speed_ratio(const std::string& row, const std::string& ours,
                            const std::string& yardstick) const {
    const Taken* const mine = find(row, ours);
    const Taken* const theirs = find(row, yardstick);
    return mine == nullptr || theirs == nullptr ? 0 : theirs->seconds / mine->seconds;
}

double Figures::cpu_ratio(const std::string& row, const std::string& ours,
                          const std::string& yardstick) const {
    const Taken* const mine = find(row, ours);
    const Taken* const theirs = find(row, yardstick);
    return mine == nullptr || theirs == nullptr ? 0 : mine->cpu / theirs->cpu;
}

void Figures::print_table(const std::vector<std::string>& daemons) const {
    fmt::print("Thousand operations a second (daemon's processor microseconds an operation)\n\n");
    fmt::print("| {:<46} | {:>10} |", "operation", "native");
    for (const std::string& daemon : daemons)
        fmt::print(" {:>18} |", daemon);
    if (daemons.size() == 2) fmt::print(" {:>6} | {:>6} |", "speed", "cpu");
    fmt::print("\n|{:-<48}|{:->11}:|", "", "");
    for (std::size_t i = 0; i < daemons.size(); ++i)
        fmt::print("{:->19}:|", "");
    if (daemons.size() == 2) fmt::print("{:->7}:|{:->7}:|", "", "");
    fmt::print("\n");
    for (const DaemonRow& row : kDaemonRows) {
        const Taken* const native = find(row.name, "native");
        if (native == nullptr) continue;
        fmt::print("| {:<46} | {:>10} |", row.name, speed_of(row, *native));
        for (const std::string& daemon : daemons) {
            const Taken* const taken = find(row.name, daemon);
            fmt::print(" {:>18} |", taken == nullptr ? "failed"
                                                     : fmt::format("{} ({:.2f})", speed_of(row, *taken),
                                                                   taken->cpu * 1e6));
        }
        if (daemons.size() == 2) {
            fmt::print(" {:>5.2f}x | {:>5.2f}x |", speed_ratio(row.name, daemons[1], daemons[0]),
                       cpu_ratio(row.name, daemons[1], daemons[0]));
        }
        fmt::print("\n");
    }
}

bool Figures::print_demands(const std::string& ours, const std::string& yardstick) const {
    bool all = true;
    const auto line = [&](bool holds, const std::string& what) {
        fmt::print("- {}: {}\n", what, holds ? "holds" : "MISSED");
        all = all && holds;
    };
    fmt::print("\nDemanded of {} beside {}:\n\n", ours, yardstick);
    for (const Demand& demand : kDemands) {
        if (find(demand.row, "native") == nullptr) continue;
        const double speed = speed_ratio(demand.row, ours, yardstick);
        line(speed >= demand.least_speed,
             fmt::format("{}: {:.2f}x the speed, at least {:.1f}x", demand.row, speed, demand.least_speed));
        if (demand.wanted_speed != 0) {
            fmt::print("  - wanted {:.2f}x: {}\n", demand.wanted_speed,
                       speed >= demand.wanted_speed ? "holds" : "not yet");
        }
        if (demand.most_cpu != 0) {
            const double cpu = cpu_ratio(demand.row, ours, yardstick);
            line(cpu != 0 && cpu <= demand.most_cpu,
                 fmt::format("{}: {:.2f}x the processor time, at most {:.1f}x", demand.row, cpu,
                             demand.most_cpu));
        }
    }
    return all;
}

}  // namespace bench
