// The volume on Debian's virtiofsd beside native system calls on the same directory, in memory:
//   volume_bench [DIRECTORY]    a directory on tmpfs; default /dev/shm
// Prints medians of repetitions in Markdown. All of Google Benchmark's options are taken, too.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "tests/bench/operations.h"
#include "tests/bench/table.h"

namespace {

using bench::Operation;

constexpr int kRepetitions = 5;
constexpr double kSeconds = 0.1;  // each repetition at least

void add_benchmark(const std::string& name, int threads, const std::function<bool(int)>& action) {
    benchmark::RegisterBenchmark(name.c_str(),
                                 [action](benchmark::State& state) {
                                     for (auto _ : state) {
                                         if (action(state.thread_index())) continue;
                                         state.SkipWithError("it did not do what it should");
                                         break;
                                     }
                                 })
        ->Threads(threads)
        ->UseRealTime()
        ->MinTime(kSeconds)
        ->Repetitions(kRepetitions)
        ->ReportAggregatesOnly();
}

// "waited for / all", of a few operations in a row after two more: what is known by then stays known.
std::string messages_of(const Operation& operation) {
    constexpr int kOperations = 8;
    for (int i = 0; i < 2; ++i)
        static_cast<void>(operation.by_volume(0));
    const auto before = operation.counting->snapshot();
    for (int i = 0; i < kOperations; ++i)
        static_cast<void>(operation.by_volume(0));
    const auto sent = operation.counting->snapshot() - before;
    return fmt::format("{:.3g} / {:.3g}", static_cast<double>(sent.waited_for()) / kOperations,
                       static_cast<double>(sent.total()) / kOperations);
}

int fail(const std::string& why) {
    fmt::print(stderr, "volume_bench: {}\n", why);
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) return fail("usage: volume_bench [DIRECTORY]");
    auto directory = bench::ScratchDirectory::make(argc == 2 ? argv[1] : "/dev/shm");
    if (!directory) return fail(directory.error());
    auto known = bench::Share::start(directory->path(), "auto");
    if (!known) return fail(known.error());
    auto fresh = bench::Share::start(directory->path(), "none");
    if (!fresh) return fail(fresh.error());
    auto workload = bench::Workload::make(directory->path(), **known, **fresh);
    if (!workload) return fail(workload.error());

    std::vector<std::string> names;
    std::map<std::string, std::string> messages;
    for (const Operation& operation : (*workload)->operations()) {
        names.push_back(operation.name);
        add_benchmark(operation.name + "|volume", operation.threads, operation.by_volume);
        add_benchmark(operation.name + "|native", operation.threads, operation.natively);
        messages[operation.name] = messages_of(operation);
    }
    bench::Table table;
    benchmark::RunSpecifiedBenchmarks(&table);
    table.print(names, messages);
    benchmark::Shutdown();
    return table.failed() ? 1 : 0;
}
