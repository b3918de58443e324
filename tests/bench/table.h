// Collects the medians of a run and prints them as a table, volume beside native.
// Must never know: what the operations are.
#pragma once

#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <vector>

namespace bench {

// Benchmarks are called "<operation>|volume" and "<operation>|native"; of each the median of its repetitions
// counts.
class Table final : public benchmark::BenchmarkReporter {
  public:
    bool ReportContext(const Context& context) override;
    void ReportRuns(const std::vector<Run>& runs) override;
    void Finalize() override {}

    // One row for each name that ran both ways, in Markdown. `messages` are by operation.
    void print(const std::vector<std::string>& names,
               const std::map<std::string, std::string>& messages) const;
    bool failed() const { return failed_; }

  private:
    std::map<std::string, double> microseconds_;  // medians by benchmark
    bool failed_ = false;
};

}  // namespace bench
