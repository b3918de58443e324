// One or two virtiofsd side by side, beside native system calls, all on one processor that they share:
//   daemon_bench --memory DIR --disk DIR --daemon NAME=BINARY[,ARG...] [--daemon ...] [--row TEXT]
//   [--repetitions N]
// The first daemon is the yardstick, the second is judged: exit code 1 if it misses what it must reach.
// The scheduler's policy is the caller's. With the usual one a daemon's first interrupt puts the front-end in
// its place; under `chrt -b 0` it goes on until it has nothing left to do, which helps most a daemon that
// interrupts often.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sched.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "tests/bench/daemons/figures.h"
#include "tests/bench/daemons/native.h"
#include "tests/bench/daemons/served.h"
#include "tests/bench/scratch_directory.h"

namespace {

constexpr double kSeconds = 0.1;  // each repetition at least
constexpr char kUsage[] =
    "usage: daemon_bench --memory DIRECTORY --disk DIRECTORY --daemon NAME=BINARY[,ARGUMENT...] [--daemon "
    "...]\n"
    "           [--row TEXT] [--repetitions N]\n"
    "  --memory, --disk   where to make the files: on tmpfs, and on a disk\n"
    "  --daemon           up to two; the first is the yardstick\n"
    "  --row              only rows with this text in their name\n";

struct Options {
    std::string memory;
    std::string disk;
    std::vector<bench::Contender> daemons;
    std::string row;
    int repetitions = 9;
};

bench::Contender contender_of(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
        throw bench::Failure("--daemon wants NAME=BINARY, not " + text);
    std::vector<std::string> words;
    for (std::size_t at = equals + 1;;) {
        const std::size_t comma = text.find(',', at);
        words.push_back(text.substr(at, comma == std::string::npos ? comma : comma - at));
        if (comma == std::string::npos) break;
        at = comma + 1;
    }
    return {.name = text.substr(0, equals),
            .binary = words.front(),
            .arguments = {words.begin() + 1, words.end()}};
}

Options options_of(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (i + 1 == argc) throw bench::Failure(kUsage);
        const std::string value = argv[++i];
        if (name == "--memory") {
            options.memory = std::filesystem::absolute(value);
        } else if (name == "--disk") {
            options.disk = std::filesystem::absolute(value);
        } else if (name == "--daemon") {
            options.daemons.push_back(contender_of(value));
        } else if (name == "--row") {
            options.row = value;
        } else if (name == "--repetitions") {
            options.repetitions = std::max(2, std::atoi(value.c_str()));  // NOLINT(cert-err34-c)
        } else {
            throw bench::Failure(kUsage);
        }
    }
    if (options.memory.empty() || options.disk.empty() || options.daemons.empty() ||
        options.daemons.size() > 2) {
        throw bench::Failure(kUsage);
    }
    return options;
}

// This process and whatever it starts: the last processor that it may use, where the system itself does
// least.
void stay_on_one_processor() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) throw bench::Failure("no processor affinity");
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0; --cpu) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        CPU_ZERO(&allowed);
        CPU_SET(cpu, &allowed);
        break;
    }
    if (::sched_setaffinity(0, sizeof allowed, &allowed) != 0) throw bench::Failure("no processor affinity");
}

struct Way {
    std::string name;
    bench::Runs runs;
};

void add_benchmark(const bench::DaemonRow& row, const Way& way, int repetitions) {
    const auto& action = way.runs.at(row.name);
    const auto run = [&row, &action](benchmark::State& state) {
        const bench::Watchdog watchdog;
        bench::Taken sum;
        try {
            for (auto _ : state) {
                const bench::Taken taken = action(row.operations);
                state.SetIterationTime(taken.seconds);
                sum.seconds += taken.seconds;
                sum.cpu += taken.cpu;
            }
        } catch (const bench::Failure& failure) {
            state.SkipWithError(failure.what());
            return;
        }
        const double operations =
            static_cast<double>(state.iterations()) * static_cast<double>(row.operations);
        state.counters["operation"] = sum.seconds / operations;
        state.counters["cpu"] = sum.cpu / operations;
    };
    benchmark::RegisterBenchmark((std::string(row.name) + "|" + way.name).c_str(), run)
        ->UseManualTime()
        ->MinTime(kSeconds)
        ->Repetitions(repetitions)
        ->ReportAggregatesOnly();
}

int run(const Options& options) {
    stay_on_one_processor();
    const auto memory = bench::ScratchDirectory::make(options.memory);
    if (!memory) throw bench::Failure(memory.error());
    const auto disk = bench::ScratchDirectory::make(options.disk);
    if (!disk) throw bench::Failure(disk.error());
    bench::prepare_memory(memory->path());
    bench::prepare_disk(disk->path());

    std::vector<std::unique_ptr<bench::Served>> served;
    std::vector<Way> ways{{.name = "native", .runs = bench::native_memory_rows(memory->path())}};
    ways[0].runs.merge(bench::native_disk_rows(disk->path()));
    std::vector<std::string> names;
    for (const bench::Contender& daemon : options.daemons) {
        names.push_back(daemon.name);
        served.push_back(std::make_unique<bench::Served>(daemon, memory->path()));
        ways.push_back({.name = daemon.name, .runs = served.back()->memory_rows()});
        served.push_back(std::make_unique<bench::Served>(daemon, disk->path(),
                                                         std::vector<std::string>{"-o", "allow_direct_io"}));
        ways.back().runs.merge(served.back()->disk_rows());
    }

    // A row at a time, so that its repetitions of all ways lie close together and alternate.
    bench::Figures figures;
    for (const bench::DaemonRow& row : bench::kDaemonRows) {
        if (std::string(row.name).find(options.row) == std::string::npos) continue;
        benchmark::ClearRegisteredBenchmarks();
        for (const Way& way : ways)
            add_benchmark(row, way, options.repetitions);
        benchmark::RunSpecifiedBenchmarks(&figures);
    }
    figures.print_table(names);
    const bool holds = names.size() < 2 || figures.print_demands(names[1], names[0]);
    return holds && !figures.failed() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<char*> arguments(argv, argv + argc);
    std::string interleaved = "--benchmark_enable_random_interleaving=true";
    arguments.insert(arguments.begin() + 1, interleaved.data());
    int count = static_cast<int>(arguments.size());
    arguments.push_back(nullptr);
    benchmark::Initialize(&count, arguments.data());
    try {
        return run(options_of(count, arguments.data()));
    } catch (const bench::Failure& failure) {
        fmt::print(stderr, "daemon_bench: {}\n", failure.what());
        return 1;
    }
}
