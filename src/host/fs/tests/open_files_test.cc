// Open files: reading, writing and what else is done with them.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "host/async_io.h"
#include "host/fs/test_guest.h"

namespace host {
namespace {

using fuse::Errno;
using fuse::FileHandle;
using fuse::NodeId;
using fuse::Opcode;
namespace flag = fuse::open_flag;

// Without a ring (everything waits in serve()), and with one.
class OpenFilesTest : public testing::TestWithParam<bool> {
  protected:
    void start(ServerOptions options = {}, std::uint64_t flags = ~std::uint64_t{0}) {
        if (GetParam()) {
            auto io = AsyncIo::create(16, 2);
            if (!io) GTEST_SKIP() << "no io_uring here";
            io_ = std::move(*io);
        }
        guest_.emplace(directory_.path(), std::move(options), io_.get());
        ASSERT_EQ(guest_->init(flags).error, Errno::kNone);
    }
    FileHandle open(NodeId node, std::uint32_t flags = flag::kReadWrite) {
        const auto answer = guest_->open(node, flags);
        EXPECT_EQ(answer.error, Errno::kNone);
        return answer.as<fuse::OpenOut>().fh;
    }
    std::string content(const std::string& name) {
        std::string text(1 << 16, '\0');
        const vhost_user::Fd fd(::open(directory_.path(name).c_str(), O_RDONLY | O_CLOEXEC));
        text.resize(
            static_cast<std::size_t>(std::max<ssize_t>(0, ::read(fd.get(), text.data(), text.size()))));
        return text;
    }

    // On a disk, where the build is: temporary directories may be in memory.
    TestDirectory directory_{std::filesystem::read_symlink("/proc/self/exe").parent_path()};
    std::unique_ptr<AsyncIo> io_;
    std::optional<TestGuest> guest_;
};
INSTANTIATE_TEST_SUITE_P(Rings, OpenFilesTest, testing::Bool(),
                         [](const auto& run) { return run.param ? "WithRing" : "WithoutRing"; });

TEST_P(OpenFilesTest, Reads_EndAtTheEndOfTheFile) {
    directory_.write("a", "0123456789");
    start();
    const NodeId a = guest_->node("a");
    const FileHandle handle = open(a);
    EXPECT_EQ(guest_->read(a, handle, 0, 4).text(), "0123");
    EXPECT_EQ(guest_->read(a, handle, 8, 4).text(), "89");
    EXPECT_EQ(guest_->read(a, handle, 10, 4).text(), "");
    EXPECT_EQ(guest_->read(a, handle, 1 << 30, 4).text(), "");
    EXPECT_EQ(guest_->read(a, handle, 0, 0).text(), "");
    EXPECT_EQ(guest_->read(a, handle, 0, UINT32_MAX).text(), "0123456789");
    EXPECT_EQ(guest_->read(a, handle, UINT64_MAX, 1).error, Errno::kEINVAL);
    EXPECT_EQ(guest_->read(a, handle, INT64_MAX, 1).text(), "");
}

TEST_P(OpenFilesTest, SparseFiles_ReadAsZeros_AndTellOfTheirHoles) {
    directory_.write("a", "");
    start();
    const NodeId a = guest_->node("a");
    const FileHandle handle = open(a);
    constexpr std::uint64_t kFar = 1 << 20;
    EXPECT_EQ(guest_->write(a, handle, kFar, "end").as<fuse::WriteOut>().size, 3U);
    EXPECT_EQ(guest_->read(a, handle, kFar - 4, 100).text(), std::string(4, '\0') + "end");
    const auto seek = [&](std::uint64_t offset, std::uint32_t whence) {
        return guest_->ask(Opcode::kLseek, a,
                           fuse::LseekIn{.fh = handle, .offset = offset, .whence = whence});
    };
    EXPECT_EQ(seek(0, fuse::kSeekData).as<fuse::LseekOut>().offset, kFar);
    EXPECT_EQ(seek(0, fuse::kSeekHole).as<fuse::LseekOut>().offset, 0U);
    EXPECT_EQ(seek(kFar + 3, fuse::kSeekData).error, Errno::kENXIO);
    EXPECT_NE(seek(UINT64_MAX, fuse::kSeekData).error, Errno::kNone);
    EXPECT_EQ(seek(0, SEEK_END).error, Errno::kEINVAL);
}

TEST_P(OpenFilesTest, Appending_IsDoneByTheHost_UnlessTheGuestCachesWrites) {
    for (const bool writeback : {false, true}) {
        directory_.write("a", "12345");
        start({.writeback = writeback});
        const NodeId a = guest_->node("a");
        const FileHandle handle = open(a, flag::kWriteOnly | flag::kAppend);
        directory_.write("a", "1234567");
        EXPECT_EQ(guest_->write(a, handle, 5, "ab").error, Errno::kNone);
        EXPECT_EQ(content("a"), writeback ? "12345ab" : "1234567ab");
        // The guest's kernel reads what it completes.
        EXPECT_EQ(guest_->read(a, handle, 0, 1).error, writeback ? Errno::kNone : Errno::kEBADF);
    }
}

TEST_P(OpenFilesTest, Writing_TakesSetUserIdBitsAwayWhenTheGuestAsksForItOnly) {
    start({.killpriv_v2 = true});
    for (const bool kill : {false, true}) {
        const auto made = guest_->create("a", 0755).as<fuse::CreateOut>();
        ASSERT_EQ(::chmod(directory_.path("a").c_str(), 06755), 0);
        EXPECT_EQ(
            guest_->write(made.entry.node, made.open.fh, 0, "x", kill ? fuse::kWriteKillSuidGid : 0).error,
            Errno::kNone);
        struct stat status {};
        ::stat(directory_.path("a").c_str(), &status);
        EXPECT_EQ(status.st_mode & 07777U, kill ? 0755U : 06755U);
        guest_->unlink("a");
    }
}

TEST_P(OpenFilesTest, DirectIo_ReadsAndWritesAroundTheCache) {
    start({.allow_direct_io = true});
    // The test's memory is not aligned for a disk, but what the host makes of it is its own error.
    const auto made = guest_->create("a", 0644, flag::kReadWrite | flag::kDirect);
    if (made.error == Errno::kEINVAL) GTEST_SKIP() << "no O_DIRECT here";
    const auto out = made.as<fuse::CreateOut>();
    EXPECT_NE(out.open.open_flags & fuse::opened_flag::kDirectIo, 0U);
    struct Block {
        alignas(4096) std::byte bytes[4096];
    };
    const auto memory = std::make_unique<Block[]>(2);
    class Aligned final : public Exchange {
      public:
        Aligned(std::vector<std::byte> head, std::span<std::byte> out, std::span<std::byte> in)
            : head_(std::move(head)) {
            asked_ = {{head_.data(), head_.size()}, {out.data(), out.size()}};
            answered_ = {{reply_, sizeof reply_}, {in.data(), in.size()}};
            request = asked_;
            request_bytes = head_.size() + out.size();
            reply = answered_;
            reply_bytes = sizeof reply_ + in.size();
        }
        void finish(std::uint32_t bytes) noexcept override { written = bytes; }
        void before_blocking() noexcept override {}
        std::optional<std::uint32_t> written;
        fuse::Errno error() const {
            fuse::OutHeader header;
            std::memcpy(&header, reply_, sizeof header);
            return static_cast<fuse::Errno>(-header.error);
        }

      private:
        std::vector<std::byte> head_;
        std::byte reply_[sizeof(fuse::OutHeader)] = {};
        std::vector<iovec> asked_, answered_;
    };
    const auto serve = [&](Aligned& exchange) {
        guest_->worker().serve(exchange);
        for (int wait = 0; !exchange.written && wait < 1000; ++wait) {
            io_->submit();
            pollfd ready{.fd = io_->fd(), .events = POLLIN, .revents = 0};
            if (io_->reap() == 0) ::poll(&ready, 1, 10);
        }
        ASSERT_TRUE(exchange.written.has_value());
    };
    std::memset(memory[0].bytes, 'x', 4096);
    auto head =
        guest_->request_of(Opcode::kWrite, out.entry.node, fuse::WriteIn{.fh = out.open.fh, .size = 4096});
    const std::uint32_t length = 80 + 4096;
    std::memcpy(head.data(), &length, sizeof length);
    Aligned write(std::move(head), memory[0].bytes, std::as_writable_bytes(std::span(memory[1].bytes, 8)));
    serve(write);
    EXPECT_EQ(write.error(), Errno::kNone);
    EXPECT_EQ(content("a"), std::string(4096, 'x'));
    ASSERT_EQ(::truncate(directory_.path("a").c_str(), 1000), 0);
    Aligned read(
        guest_->request_of(Opcode::kRead, out.entry.node, fuse::ReadIn{.fh = out.open.fh, .size = 4096}), {},
        memory[1].bytes);
    serve(read);
    EXPECT_EQ(read.error(), Errno::kNone);
    EXPECT_EQ(*read.written, sizeof(fuse::OutHeader) + 1000);
    EXPECT_EQ(std::memcmp(memory[0].bytes, memory[1].bytes, 1000), 0);
}

TEST_P(OpenFilesTest, DirectIo_WithoutTheOption_IsOrdinary) {
    directory_.write("a", "12345");
    start();
    const NodeId a = guest_->node("a");
    const auto opened =
        guest_->open(a, flag::kReadWrite | flag::kDirect | flag::kNonBlock).as<fuse::OpenOut>();
    EXPECT_EQ(guest_->read(a, opened.fh, 1, 3).text(), "234");
}

TEST_P(OpenFilesTest, SyncedWrites_AreWhole) {
    directory_.write("a", "");
    start();
    const NodeId a = guest_->node("a");
    const FileHandle handle = open(a, flag::kReadWrite | flag::kSync);
    const std::string data(50'000, 'y');
    EXPECT_EQ(guest_->write(a, handle, 0, data).as<fuse::WriteOut>().size, data.size());
    EXPECT_EQ(content("a"), data);
    EXPECT_EQ(guest_->ask(Opcode::kFsync, a, fuse::FsyncIn{.fh = handle}).error, Errno::kNone);
    EXPECT_EQ(guest_->ask(Opcode::kFsync, a, fuse::FsyncIn{.fh = handle, .fsync_flags = 1}).error,
              Errno::kNone);
}

TEST_P(OpenFilesTest, Fallocate_MakesRoomAndHoles) {
    directory_.write("a", std::string(8192, 'z'));
    start();
    const NodeId a = guest_->node("a");
    const FileHandle handle = open(a);
    const auto fallocate = [&](std::uint32_t mode, std::uint64_t offset, std::uint64_t length) {
        return guest_
            ->ask(Opcode::kFallocate, a,
                  fuse::FallocateIn{.fh = handle, .offset = offset, .length = length, .mode = mode})
            .error;
    };
    EXPECT_EQ(fallocate(0, 0, 16384), Errno::kNone);
    EXPECT_EQ(content("a").size(), 16384U);
    EXPECT_EQ(fallocate(fuse::kFallocatePunchHole | fuse::kFallocateKeepSize, 0, 4096), Errno::kNone);
    EXPECT_EQ(content("a").substr(0, 4097), std::string(4096, '\0') + "z");
    EXPECT_EQ(fallocate(0, UINT64_MAX, 1), Errno::kEFBIG);
    EXPECT_EQ(fallocate(0, 0, 0), Errno::kEINVAL);
    EXPECT_NE(fallocate(UINT32_MAX, 0, 1), Errno::kNone);
}

TEST_P(OpenFilesTest, CopyFileRange_CopiesOnTheHost) {
    directory_.write("a", "0123456789");
    directory_.write("b", "");
    start();
    const NodeId a = guest_->node("a");
    const NodeId b = guest_->node("b");
    const FileHandle from = open(a);
    const FileHandle to = open(b);
    const auto copy = [&](fuse::CopyFileRangeIn in) {
        in.fh_in = from;
        in.node_out = b;
        in.fh_out = to;
        return guest_->ask(Opcode::kCopyFileRange, a, in);
    };
    EXPECT_EQ(copy({.off_in = 2, .off_out = 1, .len = 100}).as<fuse::WriteOut>().size, 8U);
    EXPECT_EQ(content("b"), std::string(1, '\0') + "23456789");
    EXPECT_EQ(copy({.off_in = UINT64_MAX, .len = 1}).error, Errno::kEINVAL);
    EXPECT_EQ(copy({.len = 1, .flags = 1}).error, Errno::kEINVAL);
    EXPECT_NE(copy({.off_out = INT64_MAX, .len = UINT64_MAX}).error, Errno::kNone);
}

TEST_P(OpenFilesTest, Release_EndsTheHandle) {
    directory_.write("a", "1");
    start();
    const NodeId a = guest_->node("a");
    const FileHandle handle = open(a);
    EXPECT_EQ(guest_->ask(Opcode::kFlush, a, fuse::FlushIn{.fh = handle}).error, Errno::kNone);
    EXPECT_EQ(guest_->release(a, handle).error, Errno::kNone);
    EXPECT_EQ(guest_->release(a, handle).error, Errno::kEBADF);
    EXPECT_EQ(guest_->read(a, handle, 0, 1).error, Errno::kEBADF);
    EXPECT_EQ(guest_->write(a, handle, 0, "x").error, Errno::kEBADF);
    EXPECT_EQ(guest_->ask(Opcode::kFlush, a, fuse::FlushIn{.fh = handle}).error, Errno::kEBADF);
}

TEST_P(OpenFilesTest, WriteThatSpeaksOfMoreThanItBrings_IsRefused) {
    directory_.write("a", "1");
    start();
    const NodeId a = guest_->node("a");
    const FileHandle handle = open(a);
    for (const std::uint32_t size : {1U, 4096U, UINT32_MAX}) {
        EXPECT_EQ(guest_->ask(Opcode::kWrite, a, fuse::WriteIn{.fh = handle, .size = size}).error,
                  Errno::kEINVAL);
    }
    EXPECT_EQ(guest_->write(a, handle, UINT64_MAX, "x").error, Errno::kEINVAL);
    EXPECT_NE(guest_->write(a, handle, INT64_MAX, "x").error, Errno::kNone);
    EXPECT_EQ(content("a"), "1");
}

TEST_P(OpenFilesTest, WhenTheGuestHasOpenedAllItMay_EverythingElseGoesOn) {
    for (int i = 0; i < 50; ++i)
        directory_.write(std::to_string(i), "x");
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit low{.rlim_cur = 160, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &low);
    start();
    if (!guest_) return;
    std::vector<std::pair<NodeId, FileHandle>> opened;
    Errno last{};
    for (int i = 0; i < 200; ++i) {
        const NodeId node = guest_->node(std::to_string(i % 50));
        const auto answer = guest_->open(node);
        last = answer.error;
        if (last != Errno::kNone) break;
        opened.emplace_back(node, answer.as<fuse::OpenOut>().fh);
    }
    EXPECT_EQ(last, Errno::kEMFILE);
    EXPECT_GT(opened.size(), 60U);
    // A few numbers come free when nodes give theirs up.
    int more = 0;
    while (more < 20 &&
           guest_->ask(Opcode::kOpenDir, fuse::kRootNodeId, fuse::OpenIn{}).error == Errno::kNone)
        ++more;
    EXPECT_LT(more, 20);
    for (int i = 0; i < 50; ++i) {
        const auto found = guest_->lookup(std::to_string(i));
        EXPECT_EQ(found.error, Errno::kNone);
        const NodeId node = found.as<fuse::EntryOut>().node;
        EXPECT_EQ(guest_->getattr(node).error, Errno::kNone);
        EXPECT_EQ(guest_->setattr(node, {.valid = fuse::set_attr::kSize, .size = 0}).error, Errno::kNone);
    }
    for (std::size_t i = 0; i < 4; ++i)
        EXPECT_EQ(guest_->release(opened[i].first, opened[i].second).error, Errno::kNone);
    EXPECT_EQ(guest_->open(opened.front().first).error, Errno::kNone);
    ::setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace host
