// The medians of a run, the table of them, and whether they are what is demanded of our daemon.
// Must never know: how the rows are run.
#pragma once

#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <vector>

#include "tests/bench/daemons/rows.h"

namespace bench {

// Benchmarks are called "<row>|<way>" and carry a counter "operation" (seconds of one) and "cpu" (the
// daemon's).
class Figures final : public benchmark::BenchmarkReporter {
  public:
    bool ReportContext(const Context& context) override;
    void ReportRuns(const std::vector<Run>& runs) override;
    void Finalize() override {}

    // In Markdown: natively, then the daemons; with two of them the second one's ratios to the first.
    void print_table(const std::vector<std::string>& daemons) const;
    // Each demand on `ours` beside `yardstick` and whether it holds. False if one that must hold is missed,
    // or if a row that it needs has failed; rows that were left out are not judged.
    bool print_demands(const std::string& ours, const std::string& yardstick) const;
    bool failed() const { return failed_; }

  private:
    const Taken* find(const std::string& row, const std::string& way) const;
    double speed_ratio(const std::string& row, const std::string& ours, const std::string& yardstick) const;
    double cpu_ratio(const std::string& row, const std::string& ours, const std::string& yardstick) const;

    std::map<std::string, Taken> medians_;  // of one operation, by benchmark
    bool failed_ = false;
    bool context_told_ = false;
};

}  // namespace bench
