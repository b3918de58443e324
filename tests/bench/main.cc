// The volume on Debian's virtiofsd beside native system calls on the same directory, in memory, and beside
// what a Windows program in the lab measured before:
//   volume_bench DIRECTORY [LAB_FIGURES]    a directory on tmpfs; the output of bench.exe
// Prints medians of repetitions in Markdown. All of Google Benchmark's options are taken, too.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "tests/bench/common_work.h"
#include "tests/bench/operations.h"
#include "tests/bench/table.h"

namespace {

using bench::Operation;

constexpr int kRepetitions = 5;
constexpr double kSeconds = 0.1;  // each repetition at least

// What the channel did during the measured runs of one operation.
using ChannelWork = std::map<std::string, lab::ChannelCounts>;

void add_benchmark(const Operation& operation, const char* way, const std::function<bool(int)>& action,
                   lab::ChannelCounts* sum) {
    const auto run = [&prepare = operation.prepare, share = operation.share, action,
                      sum](benchmark::State& state) {
        const bool counts = sum != nullptr && state.thread_index() == 0;
        const lab::ChannelCounts before = counts ? share->channel().counts() : lab::ChannelCounts{};
        for (auto _ : state) {
            if (prepare) {
                state.PauseTiming();
                prepare();
                state.ResumeTiming();
            }
            if (action(state.thread_index())) continue;
            state.SkipWithError("it did not do what it should");
            break;
        }
        if (counts) *sum += share->channel().counts() - before;
    };
    auto* const added = benchmark::RegisterBenchmark((operation.name + "|" + way).c_str(), run)
                            ->Threads(operation.threads)
                            ->UseRealTime()
                            ->Repetitions(kRepetitions)
                            ->ReportAggregatesOnly();
    if (operation.runs != 0) {
        added->Iterations(operation.runs);
    } else {
        added->MinTime(kSeconds);
    }
}

// "waited for / all", of a few operations in a row after two more: what is known by then stays known.
std::string messages_of(const Operation& operation) {
    const int runs = operation.items > 1 ? 1 : 8;
    const auto run = [&] {
        if (operation.prepare) operation.prepare();
        static_cast<void>(operation.by_volume(0));
    };
    for (int i = 0; i < runs / 4; ++i)
        run();
    const auto before = operation.share->counting().snapshot();
    for (int i = 0; i < runs; ++i)
        run();
    const auto sent = operation.share->counting().snapshot() - before;
    const double operations = static_cast<double>(operation.items) * runs;
    return fmt::format("{:.2g} / {:.2g}", static_cast<double>(sent.waited_for()) / operations,
                       static_cast<double>(sent.total()) / operations);
}

// "kicks / interrupts" for 1,000 messages.
std::string notifications_of(const lab::ChannelCounts& counts) {
    if (counts.messages == 0) return "";
    const double thousands = static_cast<double>(counts.messages) / 1000;
    return fmt::format("{:.0f} / {:.0f}", static_cast<double>(counts.kicks) / thousands,
                       static_cast<double>(counts.interrupts) / thousands);
}

int fail(const std::string& why) {
    fmt::print(stderr, "volume_bench: {}\n", why);
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (argc < 2 || argc > 3 || argv[1][0] == '-') return fail("usage: volume_bench DIRECTORY [LAB_FIGURES]");
    bench::Table table;
    if (argc == 3 && !table.read_lab(argv[2])) return fail(fmt::format("{}: no figures of the lab", argv[2]));
    const std::string directory = argv[1];
    auto known = bench::Share::start(directory, "auto", {.buffer_bytes = 4 * bench::kMegabyte});
    if (!known) return fail(known.error());
    auto fresh = bench::Share::start(directory, "none");
    if (!fresh) return fail(fresh.error());
    auto flags = bench::Share::start(directory, "auto", {.event_index = false});
    if (!flags) return fail(flags.error());
    auto single = bench::Workload::make(directory, **known, **fresh);
    if (!single) return fail(single.error());
    auto common = bench::CommonWork::make(directory, **known, **flags);
    if (!common) return fail(common.error());

    std::vector<Operation> operations = (*common)->operations();
    for (Operation& operation : (*single)->operations())
        operations.push_back(std::move(operation));
    std::vector<std::string> names;
    std::map<std::string, bench::Table::Counts> counts;
    ChannelWork work;
    for (const Operation& operation : operations) {
        names.push_back(operation.name);
        table.set_items(operation.name, operation.items);
        add_benchmark(operation, "volume", operation.by_volume, &work[operation.name]);
        add_benchmark(operation, "native", operation.natively, nullptr);
        counts[operation.name].messages = messages_of(operation);
    }
    benchmark::RunSpecifiedBenchmarks(&table);
    for (const Operation& operation : operations)
        counts[operation.name].notifications = notifications_of(work[operation.name]);
    table.print(names, counts);
    benchmark::Shutdown();
    return table.failed() ? 1 : 0;
}
