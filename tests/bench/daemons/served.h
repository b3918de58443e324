// A directory served by one of the daemons to the lean driver, and the rows as requests to it.
// Must never know: which daemon it is, or what its figures are compared with.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lab/channel/daemon.h"
#include "tests/bench/daemons/fuse_driver.h"
#include "tests/bench/daemons/rows.h"

namespace bench {

// A daemon to measure: its name in the table, its binary and further arguments.
struct Contender {
    std::string name;
    std::string binary;
    std::vector<std::string> arguments;
};

class Served {
  public:
    // Starts the daemon on `directory` and says INIT. Throws Failure.
    Served(const Contender& contender, const std::string& directory, std::vector<std::string> arguments = {});
    Served(const Served&) = delete;
    Served& operator=(const Served&) = delete;

    // All rows in memory; the directory is one of prepare_memory(). Must not outlive this.
    Runs memory_rows();
    // The rows on disk; the directory is one of prepare_disk().
    Runs disk_rows();

  private:
    // Processor time of the daemon and the clock, until taken.
    class Stopwatch;
    // Whether the daemon knows a directory's entries already when they are read.
    enum class Entries { kNew, kKnown };
    // Calls in flight, one or more a slot.
    using Calls = std::vector<std::unique_ptr<Call>>;

    void init();
    fuse::EntryOut look_up(fuse::NodeId parent, const std::string& name);
    fuse::FileHandle open(fuse::NodeId node, std::uint32_t flags, fuse::Opcode opcode = fuse::Opcode::kOpen);
    Calls make_calls(std::size_t count);

    std::function<Taken(std::size_t)> get_attr(std::size_t in_flight);
    std::function<Taken(std::size_t)> look_up(std::size_t in_flight);
    std::function<Taken(std::size_t)> random_read(const std::string& file, std::size_t file_bytes,
                                                  std::size_t in_flight, std::uint32_t flags);
    std::function<Taken(std::size_t)> long_read();
    std::function<Taken(std::size_t)> long_write();
    std::function<Taken(std::size_t)> create(std::size_t in_flight);
    std::function<Taken(std::size_t)> read_directory(Entries entries, bool with_forgets);

    std::unique_ptr<lab::Daemon> daemon_;
    std::unique_ptr<FuseDriver> driver_;
    clockid_t cpu_clock_{};
};

}  // namespace bench
