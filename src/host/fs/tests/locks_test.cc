// Locks: of ranges by owners, of whole files, and waiting for them.
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "host/async_io.h"
#include "host/fs/test_guest.h"

namespace host {
namespace {

using fuse::Errno;
using fuse::FileHandle;
using fuse::NodeId;
using fuse::Opcode;

class LocksTest : public testing::Test {
  protected:
    void start(ServerOptions options = {.posix_locks = true, .flock = true}) {
        auto io = AsyncIo::create(16, 2);
        if (!io) GTEST_SKIP() << "no io_uring here";
        io_ = std::move(*io);
        directory_.write("a", "0123456789");
        guest_.emplace(directory_.path(), std::move(options), io_.get());
        ASSERT_EQ(guest_->init().error, Errno::kNone);
        node_ = guest_->node("a");
        file_ = open();
    }
    FileHandle open() { return guest_->open(node_, fuse::open_flag::kReadWrite).as<fuse::OpenOut>().fh; }
    fuse::LkIn lock(std::uint64_t owner, std::uint32_t type, std::uint64_t start = 0,
                    std::uint64_t end = INT64_MAX) {
        return {.fh = file_, .owner = owner, .lk = {.start = start, .end = end, .type = type, .pid = 42}};
    }
    fuse::LkIn whole(FileHandle file, std::uint32_t type) {
        return {.fh = file, .owner = 1, .lk = {.end = INT64_MAX, .type = type}, .lk_flags = fuse::kLkFlock};
    }
    Errno set(const fuse::LkIn& in) { return guest_->ask(Opcode::kSetLk, node_, in).error; }
    fuse::FileLock get(const fuse::LkIn& in) {
        return guest_->ask(Opcode::kGetLk, node_, in).as<fuse::LkOut>().lk;
    }
    // Asks and waits; the exchange ends later.
    std::unique_ptr<TestExchange> wait_for(const fuse::LkIn& in) {
        auto exchange =
            std::make_unique<TestExchange>(guest_->request_of(Opcode::kSetLkWait, node_, in), 100);
        guest_->worker().serve(*exchange);
        return exchange;
    }
    void some_time_passes() {
        for (int i = 0; i < 5; ++i) {
            io_->submit();
            pollfd ready{.fd = io_->fd(), .events = POLLIN, .revents = 0};
            ::poll(&ready, 1, 20);
            io_->reap();
        }
    }
    void TearDown() override {
        if (!guest_) return;
        guest_->worker().stop_waiting();
        for (int i = 0; io_->in_flight() != 0 && i < 1000; ++i)
            some_time_passes();
        EXPECT_EQ(io_->in_flight(), 0U);
    }

    TestDirectory directory_;
    std::unique_ptr<AsyncIo> io_;
    std::optional<TestGuest> guest_;
    NodeId node_{};
    FileHandle file_{};
};

TEST_F(LocksTest, AreForAgreedKindsOnly) {
    start({});
    EXPECT_EQ(set(lock(1, F_WRLCK)), Errno::kENOSYS);
    EXPECT_EQ(set(whole(file_, F_WRLCK)), Errno::kENOSYS);
    EXPECT_EQ(guest_->ask(Opcode::kGetLk, node_, lock(1, F_WRLCK)).error, Errno::kENOSYS);
}

TEST_F(LocksTest, OfDifferentOwners_ExcludeEachOther) {
    start();
    EXPECT_EQ(set(lock(1, F_WRLCK, 0, 9)), Errno::kNone);
    EXPECT_EQ(set(lock(1, F_WRLCK, 5, 14)), Errno::kNone);  // its own is no hindrance
    EXPECT_EQ(set(lock(2, F_WRLCK, 14, 20)), Errno::kEAGAIN);
    EXPECT_EQ(set(lock(2, F_RDLCK, 0, 0)), Errno::kEAGAIN);
    EXPECT_EQ(set(lock(2, F_WRLCK, 15, INT64_MAX)), Errno::kNone);
    EXPECT_EQ(set(lock(1, F_UNLCK, 0, 4)), Errno::kNone);
    EXPECT_EQ(set(lock(2, F_RDLCK, 0, 4)), Errno::kNone);
    EXPECT_EQ(set(lock(1, F_RDLCK, 0, 4)), Errno::kNone);
    EXPECT_EQ(set(lock(1, F_WRLCK, 0, 4)), Errno::kEAGAIN);
}

TEST_F(LocksTest, Getlk_TellsWhatIsInTheWay) {
    start();
    EXPECT_EQ(get(lock(2, F_WRLCK)).type, static_cast<unsigned>(F_UNLCK));
    ASSERT_EQ(set(lock(1, F_WRLCK, 3, 7)), Errno::kNone);
    const auto found = get(lock(2, F_RDLCK));
    EXPECT_EQ(found.type, static_cast<unsigned>(F_WRLCK));
    EXPECT_EQ(found.start, 3U);
    EXPECT_EQ(found.end, 7U);
    EXPECT_EQ(get(lock(1, F_WRLCK)).type, static_cast<unsigned>(F_UNLCK));
    ASSERT_EQ(set(lock(1, F_RDLCK, 100, INT64_MAX)), Errno::kNone);
    EXPECT_EQ(get(lock(2, F_WRLCK, 50, INT64_MAX)).end, static_cast<std::uint64_t>(INT64_MAX));
}

TEST_F(LocksTest, FlushOfTheirOwner_AndReleaseAndForget_GiveThemUp) {
    start();
    const FileHandle other = open();
    const auto flush = [&](std::uint64_t owner) {
        return guest_->ask(Opcode::kFlush, node_, fuse::FlushIn{.fh = other, .lock_owner = owner}).error;
    };
    ASSERT_EQ(set(lock(1, F_WRLCK)), Errno::kNone);
    EXPECT_EQ(flush(2), Errno::kNone);
    EXPECT_EQ(set(lock(2, F_WRLCK)), Errno::kEAGAIN);
    EXPECT_EQ(flush(1), Errno::kNone);
    EXPECT_EQ(set(lock(2, F_WRLCK)), Errno::kNone);
    EXPECT_EQ(guest_->ask(Opcode::kRelease, node_, fuse::ReleaseIn{.fh = other, .lock_owner = 2}).error,
              Errno::kNone);
    EXPECT_EQ(set(lock(3, F_WRLCK)), Errno::kNone);
    guest_->forget(node_, UINT64_MAX);
    node_ = guest_->node("a");
    EXPECT_EQ(set(lock(4, F_WRLCK)), Errno::kNone);
    ASSERT_EQ(guest_->init().error, Errno::kNone);
    node_ = guest_->node("a");
    file_ = open();
    EXPECT_EQ(set(lock(5, F_WRLCK)), Errno::kNone);
}

TEST_F(LocksTest, AreSeenByTheHostsOwnPrograms) {
    start();
    ASSERT_EQ(set(lock(1, F_WRLCK, 0, 9)), Errno::kNone);
    const vhost_user::Fd host(::open(directory_.path("a").c_str(), O_RDWR | O_CLOEXEC));
    struct flock wanted {};
    wanted.l_type = F_WRLCK;
    EXPECT_EQ(::fcntl(host.get(), F_SETLK, &wanted), -1);
    wanted.l_start = 10;
    EXPECT_EQ(::fcntl(host.get(), F_SETLK, &wanted), 0);
    EXPECT_EQ(set(lock(2, F_RDLCK, 10, 10)), Errno::kEAGAIN);
}

TEST_F(LocksTest, ImpossibleOnes_AreRefused) {
    start();
    EXPECT_EQ(set(lock(1, 7)), Errno::kEINVAL);
    EXPECT_EQ(set(lock(1, F_WRLCK, 5, 4)), Errno::kEINVAL);
    EXPECT_EQ(set(lock(1, F_WRLCK, 0, UINT64_MAX)), Errno::kEINVAL);
    EXPECT_EQ(set(lock(1, F_WRLCK, UINT64_MAX, UINT64_MAX)), Errno::kEINVAL);
    EXPECT_EQ(set(lock(1, F_WRLCK, INT64_MAX, INT64_MAX)), Errno::kNone);
    EXPECT_EQ(set(whole(file_, 9)), Errno::kEINVAL);
    file_ = FileHandle{12345};
    EXPECT_EQ(set(lock(1, F_WRLCK)), Errno::kEBADF);
    EXPECT_EQ(guest_->ask(Opcode::kGetLk, node_, lock(1, F_WRLCK)).error, Errno::kEBADF);
}

TEST_F(LocksTest, OwnersWithoutEnd_RunOutOfLocks_NotOfDescriptorsForOthers) {
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit low{.rlim_cur = 160, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &low);
    start();
    Errno last{};
    for (std::uint64_t owner = 1; owner < 200 && last == Errno::kNone; ++owner)
        last = set(lock(owner, F_RDLCK));
    EXPECT_EQ(last, Errno::kENOLCK);
    EXPECT_EQ(guest_->lookup("a").error, Errno::kNone);
    EXPECT_EQ(guest_->setattr(node_, {.valid = fuse::set_attr::kSize}).error, Errno::kNone);
    ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(LocksTest, OfWholeFiles_BelongToTheOpenFile) {
    start();
    const FileHandle other = open();
    EXPECT_EQ(set(whole(file_, F_WRLCK)), Errno::kNone);
    EXPECT_EQ(set(whole(other, F_RDLCK)), Errno::kEAGAIN);
    EXPECT_EQ(set(whole(file_, F_RDLCK)), Errno::kNone);
    EXPECT_EQ(set(whole(other, F_RDLCK)), Errno::kNone);
    EXPECT_EQ(set(whole(file_, F_WRLCK)), Errno::kEAGAIN);
    EXPECT_EQ(guest_
                  ->ask(Opcode::kRelease, node_,
                        fuse::ReleaseIn{.fh = other, .release_flags = fuse::kReleaseFlockUnlock})
                  .error,
              Errno::kNone);
    EXPECT_EQ(set(whole(file_, F_WRLCK)), Errno::kNone);
    EXPECT_EQ(set(lock(9, F_WRLCK)), Errno::kNone);  // the other kind
}

TEST_F(LocksTest, Waiting_EndsAsSoonAsTheOtherOwnerGivesUp) {
    start();
    ASSERT_EQ(set(lock(1, F_WRLCK, 0, 9)), Errno::kNone);
    const auto second = wait_for(lock(2, F_WRLCK, 5, 5));
    some_time_passes();
    EXPECT_EQ(second->finished(), 0);
    EXPECT_EQ(set(lock(1, F_UNLCK, 0, 4)), Errno::kNone);
    EXPECT_EQ(second->finished(), 0);
    EXPECT_EQ(set(lock(1, F_UNLCK, 5, 5)), Errno::kNone);
    EXPECT_EQ(second->finished(), 1);
    EXPECT_EQ(second->answer().error, Errno::kNone);
    EXPECT_EQ(set(lock(1, F_WRLCK, 5, 5)), Errno::kEAGAIN);
}

TEST_F(LocksTest, Waiting_ForAProgramOfTheHost_EndsToo) {
    start();
    vhost_user::Fd host(::open(directory_.path("a").c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::flock(host.get(), LOCK_EX), 0);
    const auto waiting = wait_for(whole(file_, F_WRLCK));
    some_time_passes();
    EXPECT_EQ(waiting->finished(), 0);
    host.reset();
    guest_->finish(*waiting);
    EXPECT_EQ(waiting->answer().error, Errno::kNone);
}

TEST_F(LocksTest, Waiting_IsInterrupted) {
    start();
    ASSERT_EQ(set(lock(1, F_WRLCK)), Errno::kNone);
    const auto second = wait_for(lock(2, F_WRLCK));
    const std::uint64_t unique = guest_->last_unique();
    const auto third = wait_for(lock(3, F_WRLCK));
    guest_->ask(Opcode::kInterrupt, NodeId{}, fuse::InterruptIn{.unique = 9999});
    EXPECT_EQ(second->finished(), 0);
    guest_->ask(Opcode::kInterrupt, NodeId{}, fuse::InterruptIn{.unique = unique});
    EXPECT_EQ(second->finished(), 1);
    EXPECT_EQ(second->answer().error, Errno::kEINTR);
    EXPECT_EQ(third->finished(), 0);
    EXPECT_EQ(set(lock(1, F_UNLCK)), Errno::kNone);
    EXPECT_EQ(third->answer().error, Errno::kNone);
}

TEST_F(LocksTest, Waiting_IsInterruptedFromAnotherQueue) {
    start();
    ASSERT_EQ(set(lock(1, F_WRLCK)), Errno::kNone);
    const auto waiting = wait_for(lock(2, F_WRLCK));
    const std::uint64_t unique = guest_->last_unique();
    std::thread([&] {
        ::unshare(CLONE_FS);
        TestGuest other(guest_->server());
        other.ask(Opcode::kInterrupt, NodeId{}, fuse::InterruptIn{.unique = unique});
    }).join();
    guest_->finish(*waiting);
    EXPECT_EQ(waiting->answer().error, Errno::kEINTR);
}

TEST_F(LocksTest, Waiting_EndsWithTheNode_TheSessionAndTheWorker) {
    start();
    ASSERT_EQ(set(whole(open(), F_WRLCK)), Errno::kNone);
    const auto forgotten = wait_for(whole(file_, F_WRLCK));
    guest_->forget(node_, UINT64_MAX);
    guest_->finish(*forgotten);
    EXPECT_EQ(forgotten->answer().error, Errno::kEINTR);
    const auto reset = wait_for(whole(file_, F_WRLCK));
    ASSERT_EQ(guest_->init().error, Errno::kNone);
    guest_->finish(*reset);
    EXPECT_EQ(reset->answer().error, Errno::kEINTR);
    node_ = guest_->node("a");
    file_ = open();
    ASSERT_EQ(set(whole(open(), F_WRLCK)), Errno::kNone);
    const auto stopped = wait_for(whole(file_, F_WRLCK));
    guest_->worker().stop_waiting();
    EXPECT_EQ(stopped->answer().error, Errno::kEINTR);
}

TEST_F(LocksTest, WaitingOfMoreThanThereIsRoomFor_IsRefused) {
    start();
    ASSERT_EQ(set(lock(1, F_WRLCK)), Errno::kNone);
    std::vector<std::unique_ptr<TestExchange>> waiting;
    for (std::uint64_t i = 0; i < 300; ++i)
        waiting.push_back(wait_for(lock(2, F_WRLCK)));
    EXPECT_EQ(waiting.front()->finished(), 0);
    EXPECT_EQ(waiting.back()->answer().error, Errno::kENOLCK);
    guest_->worker().stop_waiting();
    for (const auto& exchange : waiting)
        EXPECT_EQ(exchange->finished(), 1);
}

TEST_F(LocksTest, WithoutARing_ThereIsNoWaiting) {
    start();
    std::thread([&] {
        ::unshare(CLONE_FS);
        TestGuest other(guest_->server());
        ASSERT_EQ(set(lock(1, F_WRLCK)), Errno::kNone);
        EXPECT_EQ(other.ask(Opcode::kSetLkWait, node_, lock(2, F_WRLCK)).error, Errno::kENOLCK);
        EXPECT_EQ(other.ask(Opcode::kSetLkWait, node_, lock(1, F_RDLCK)).error, Errno::kNone);
    }).join();
}

}  // namespace
}  // namespace host
