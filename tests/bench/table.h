// Collects the medians of a run and prints them as a table: native, volume, lab side by side.
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
    // Beside the times, of an operation by the volume, as text.
    struct Counts {
        std::string messages;       // of an operation
        std::string notifications;  // for 1,000 messages
    };

    bool ReportContext(const Context& context) override;
    void ReportRuns(const std::vector<Run>& runs) override;
    void Finalize() override {}

    // How many operations a run of that name stands for; 1 if it was not said.
    void set_items(const std::string& name, std::size_t items) { items_[name] = items; }
    // Figures of the lab, as its program printed them (rows.h). False if there is no such file.
    bool read_lab(const std::string& path);

    // One row for each name that ran both ways, in Markdown.
    void print(const std::vector<std::string>& names, const std::map<std::string, Counts>& counts) const;
    bool failed() const { return failed_; }

  private:
    std::map<std::string, double> microseconds_;  // medians of runs, by benchmark
    std::map<std::string, std::size_t> items_;
    std::map<std::string, double> lab_;  // microseconds of an operation, by name
    bool failed_ = false;
};

}  // namespace bench
