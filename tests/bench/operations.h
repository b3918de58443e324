// The operations that are measured, each by way of the volume and by native system calls on the same
// directory. Must never know: how they are measured.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/bench/share.h"

namespace bench {

struct Operation {
    std::string name;
    int threads = 1;
    // Run it once, on the thread of that number. False if it did not do what it should.
    std::function<bool(int thread)> by_volume;
    std::function<bool(int thread)> natively;
    const Share* share = nullptr;        // by_volume's
    std::size_t items = 1;               // that one run stands for; times are given for each
    std::int64_t runs = 0;               // of a repetition; 0: as many as take long enough
    std::function<void()> prepare = {};  // before each run, not measured
};

inline constexpr int kMostThreads = 16;

// What CreateFile makes WinFsp call; nullptr if it fails.
guest::File* open_file(guest::Volume& volume, std::u16string_view path, std::uint32_t access,
                       std::uint32_t options = 0);

// What single operations work on. The operations must not outlive it, nor it the shares.
class Workload {
  public:
    // `known`: a share with a cache, `fresh`: one without, both of `directory`.
    static std::expected<std::unique_ptr<Workload>, std::string> make(const std::string& directory,
                                                                      Share& known, Share& fresh);
    ~Workload();
    Workload(const Workload&) = delete;
    Workload& operator=(const Workload&) = delete;

    std::vector<Operation> operations();

  private:
    struct OpenEverywhere {
        guest::File* known = nullptr;
        guest::File* fresh = nullptr;
        int native = -1;
    };
    Workload(const std::string& directory, Share& known, Share& fresh)
        : directory_(directory), known_(known), fresh_(fresh) {}
    std::string prepare();

    const std::string directory_;
    Share& known_;
    Share& fresh_;
    std::vector<OpenEverywhere> small_;  // one of each thread
};

}  // namespace bench
