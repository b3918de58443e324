// Many threads on one server, as queues have them.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "host/fs/test_guest.h"

namespace host {
namespace {

using fuse::Errno;
using fuse::FileHandle;
using fuse::NodeId;
using fuse::Opcode;

constexpr int kThreads = 24;
constexpr int kSteps = 1000;

// What one thread does, by chance, with ids and handles that others may use and end at the same time.
class Walker {
  public:
    Walker(FuseServer& server, unsigned seed, AsyncIo* io) : guest_(server, io), random_(seed) {}

    void step() {
        const std::string name(1, static_cast<char>('a' + below(6)));
        const NodeId node = any_node();
        const FileHandle file = any(files_);
        const FileHandle directory = any(directories_);
        switch (below(26)) {
            case 0:
            case 1:
            case 2:
                return known(guest_.lookup(name, node));
            case 3:
                return opened(guest_.create(name, 0644, fuse::open_flag::kReadWrite, node));
            case 4:
                return known(guest_.mkdir(name, 0755, node));
            case 5:
                guest_.unlink(name, node);
                return;
            case 6:
                guest_.ask(Opcode::kRmdir, node, std::string_view(name));
                return;
            case 7:
                guest_.ask(Opcode::kRename2, node, fuse::Rename2In{.newdir = any_node(), .flags = below(3)},
                           std::string_view(name), std::string_view("a"));
                return;
            case 8:
                return known(guest_.ask(Opcode::kLink, node, fuse::LinkIn{.oldnode = any_node()},
                                        std::string_view(name)));
            case 9:
                return known(guest_.symlink(name, "..", node));
            case 10:
                guest_.forget(node, 1 + below(3));
                return;
            case 11: {
                const fuse::BatchForgetIn batch{.count = 2};
                guest_.ask(Opcode::kBatchForget, NodeId{}, batch, fuse::ForgetOne{.node = node, .nlookup = 1},
                           fuse::ForgetOne{.node = any_node(), .nlookup = 1});
                return;
            }
            case 12: {
                const auto answer = guest_.open(node, fuse::open_flag::kReadWrite);
                if (answer.error == Errno::kNone) files_.push_back(answer.as<fuse::OpenOut>().fh);
                return;
            }
            case 13:
                guest_.release(node, file);
                return;
            case 14:
                guest_.write(node, file, below(5000), "some data");
                return;
            case 15:
                guest_.read(node, file, below(5000), 4096);
                return;
            case 16:
                guest_.setattr(node, {.valid = fuse::set_attr::kSize, .size = below(9000)});
                return;
            case 17:
            case 18:
                guest_.getattr(node);
                return;
            case 19: {
                const auto answer = guest_.ask(Opcode::kOpenDir, node, fuse::OpenIn{});
                if (answer.error == Errno::kNone) directories_.push_back(answer.as<fuse::OpenOut>().fh);
                return;
            }
            case 20:
                guest_.ask(Opcode::kReadDirPlus, node, fuse::ReadIn{.fh = directory, .size = 2048});
                return;
            case 21:
                guest_.ask(Opcode::kReleaseDir, node, fuse::ReleaseIn{.fh = directory});
                return;
            case 22:
            case 23: {
                const fuse::FileLock range{.start = below(9), .end = 9 + below(9), .type = below(3)};
                guest_.ask(Opcode::kSetLk, node, fuse::LkIn{.fh = file, .owner = below(4), .lk = range});
                return;
            }
            case 24:
                guest_.ask(Opcode::kFlush, node, fuse::FlushIn{.fh = file, .lock_owner = below(4)});
                return;
            default:
                guest_.ask(Opcode::kFsync, node, fuse::FsyncIn{.fh = file});
                return;
        }
    }
    void start_again() {
        if (below(2) == 0) guest_.ask(Opcode::kDestroy, NodeId{});
        guest_.init();
    }

  private:
    std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
    NodeId any_node() { return nodes_.empty() || below(4) == 0 ? fuse::kRootNodeId : any(nodes_); }
    template <typename T>
    T any(const std::vector<T>& from) {
        return from.empty() ? T{}
                            : from[from.size() - 1 -
                                   below(static_cast<std::uint32_t>(std::min<std::size_t>(from.size(), 20)))];
    }
    void known(const Answer& answer) {
        if (answer.error == Errno::kNone) nodes_.push_back(answer.as<fuse::EntryOut>().node);
    }
    void opened(const Answer& answer) {
        known(answer);
        if (answer.error == Errno::kNone) files_.push_back(answer.as<fuse::CreateOut>().open.fh);
    }

    TestGuest guest_;
    std::minstd_rand random_;
    std::vector<NodeId> nodes_;
    std::vector<FileHandle> files_;
    std::vector<FileHandle> directories_;
};

TEST(Concurrency, AnyRequestsOnManyThreads_LeaveAServerThatServes) {
    TestDirectory directory;
    std::unique_ptr<FuseServer> server;
    {
        ServerRoots roots{
            .directory = vhost_user::Fd(::open(directory.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
            .proc_self_fd = vhost_user::Fd(::open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC))};
        auto made = FuseServer::create({.descriptor_budget = 16, .posix_locks = true}, std::move(roots));
        ASSERT_TRUE(made.has_value());
        server = std::move(*made);
    }
    std::vector<std::thread> threads;
    for (unsigned number = 0; number < kThreads; ++number) {
        threads.emplace_back([&server, number] {
            ASSERT_EQ(::unshare(CLONE_FS), 0);
            auto io = AsyncIo::create(16, 1);
            AsyncIo* const ring = io && number % 2 == 0 ? io->get() : nullptr;
            Walker walker(*server, number + 1, ring);
            if (number == 0) walker.start_again();
            for (int step = 0; step < kSteps; ++step) {
                walker.step();
                if (number == 0 && step % 500 == 499) walker.start_again();
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    std::thread([&] {
        ASSERT_EQ(::unshare(CLONE_FS), 0);
        TestGuest guest(*server);
        ASSERT_EQ(guest.init().error, Errno::kNone);
        EXPECT_EQ(server->nodes().size(), 0U);
        EXPECT_EQ(server->nodes().descriptors(), 0U);
        EXPECT_EQ(guest.create("last").error, Errno::kNone);
    }).join();
}

}  // namespace
}  // namespace host
