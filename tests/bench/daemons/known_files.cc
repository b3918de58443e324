// What it costs a daemon that its guest knows very many files: descriptors and memory for each.
//   known_files DIRECTORY COUNT DAEMON [ARGUMENT...]    a directory on tmpfs
// Exit code 1 if it is more than is promised: 1,000 descriptors, 300 bytes a file.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "fuse/request.h"
#include "lab/channel/daemon.h"
#include "tests/bench/daemons/fuse_driver.h"
#include "tests/bench/scratch_directory.h"
#include "vhost_user/fd.h"

namespace {

constexpr std::size_t kFilesInDirectory = 10000;
constexpr std::size_t kMostDescriptors = 1000;
constexpr double kMostBytes = 300;

std::string directory_name(std::size_t file) {
    return "d" + std::to_string(file / kFilesInDirectory);
}
std::string file_name(std::size_t file) {
    return "a-file-" + std::to_string(file);
}

void make_files(const std::string& root, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::string directory = root + "/" + directory_name(i);
        if (i % kFilesInDirectory == 0) std::filesystem::create_directory(directory);
        const vhost_user::Fd fd(
            ::open((directory + "/" + file_name(i)).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        if (!fd) throw bench::Failure("cannot make file " + std::to_string(i));
    }
}

// Resident, in bytes.
double memory_of(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/statm");
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    if (!(file >> all >> resident)) throw bench::Failure("the daemon's memory cannot be read");
    return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

class Guest {
  public:
    explicit Guest(const std::string& socket) : driver_(socket), call_(driver_.make_call()) {
        driver_.prepare(*call_, fuse::Opcode::kInit, fuse::kNoNode,
                        fuse::InitIn{.major = fuse::kMajorVersion,
                                     .minor = fuse::kMinorVersion,
                                     .max_readahead = 131072,
                                     .flags = static_cast<std::uint32_t>(fuse::init_flag::kMaxPages)},
                        {}, sizeof(fuse::InitOut));
        driver_.transact(*call_);
    }
    fuse::NodeId look_up(fuse::NodeId parent, const std::string& name) {
        driver_.prepare(*call_, fuse::Opcode::kLookup, parent, fuse::NoArguments{}, name,
                        sizeof(fuse::EntryOut));
        driver_.transact(*call_);
        return call_->body_as<fuse::EntryOut>().node;
    }
    void get_attributes(fuse::NodeId node) {
        driver_.prepare(*call_, fuse::Opcode::kGetAttr, node, fuse::GetAttrIn{}, {}, sizeof(fuse::AttrOut));
        driver_.transact(*call_);
    }

  private:
    bench::FuseDriver driver_;
    std::unique_ptr<bench::Call> call_;
};

int run(const std::string& where, std::size_t count, const std::string& binary,
        std::vector<std::string> arguments) {
    const auto directory = bench::ScratchDirectory::make(where);
    if (!directory) throw bench::Failure(directory.error());
    make_files(directory->path(), count);
    auto daemon = lab::Daemon::start(
        {.directory = directory->path(), .binary = binary, .arguments = std::move(arguments)});
    if (!daemon) throw bench::Failure(daemon.error());
    const bench::Watchdog watchdog;
    Guest guest((*daemon)->socket_path());
    const double before = memory_of((*daemon)->serving_pid());
    std::vector<fuse::NodeId> known;
    fuse::NodeId parent{};
    for (std::size_t i = 0; i < count; ++i) {
        if (i % kFilesInDirectory == 0) parent = guest.look_up(fuse::kRootNodeId, directory_name(i));
        known.push_back(guest.look_up(parent, file_name(i)));
    }
    const double each = (memory_of((*daemon)->serving_pid()) - before) / static_cast<double>(count);
    const auto descriptors = (*daemon)->descriptor_count();
    if (!descriptors) throw bench::Failure(descriptors.error());
    for (std::size_t i = 0; i < count; i += 997)  // all are known still
        guest.get_attributes(known[i]);
    const bool holds = *descriptors < kMostDescriptors && each <= kMostBytes;
    fmt::print("{} known files: {} descriptors (fewer than {}), {:.0f} bytes each (at most {:.0f}): {}\n",
               count, *descriptors, kMostDescriptors, each, kMostBytes, holds ? "holds" : "MISSED");
    return holds ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        fmt::print(stderr, "usage: known_files DIRECTORY COUNT DAEMON [ARGUMENT...]\n");
        return 2;
    }
    try {
        return run(argv[1], std::strtoull(argv[2], nullptr, 10), argv[3], {argv + 4, argv + argc});
    } catch (const bench::Failure& failure) {
        fmt::print(stderr, "known_files: {}\n", failure.what());
        return 2;
    }
}
