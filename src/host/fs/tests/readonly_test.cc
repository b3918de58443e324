// A read-only server: nothing that modifies is done, whatever the guest's own mount says.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "host/fs/test_guest.h"

namespace host {
namespace {

using fuse::Errno;
using fuse::NodeId;
using fuse::Opcode;
namespace flag = fuse::open_flag;

TEST(ReadOnlyServer, RefusesEverythingThatModifies_AndServesTheRest) {
    TestDirectory directory;
    directory.write("a", "12345");
    directory.write("b", "");
    TestGuest guest(directory.path(), {.readonly = true, .xattr = true, .writeback = true});
    guest.init();
    const NodeId a = guest.node("a");
    struct stat before {};
    ::stat(directory.path("a").c_str(), &before);
    const auto opened = guest.open(a);
    ASSERT_EQ(opened.error, Errno::kNone);
    const auto fh = opened.as<fuse::OpenOut>().fh;
    EXPECT_EQ(guest.read(a, fh, 0, 10).text(), "12345");

    EXPECT_EQ(guest.create("new").error, Errno::kEROFS);
    EXPECT_EQ(guest.create("a").error, Errno::kEROFS);
    EXPECT_EQ(guest.mkdir("new").error, Errno::kEROFS);
    EXPECT_EQ(guest.mknod("new", S_IFREG | 0600).error, Errno::kEROFS);
    EXPECT_EQ(guest.symlink("new", "x").error, Errno::kEROFS);
    EXPECT_EQ(
        guest.ask(Opcode::kTmpfile, fuse::kRootNodeId, fuse::CreateIn{.flags = 2}, std::string_view("/"))
            .error,
        Errno::kEROFS);
    EXPECT_EQ(guest.unlink("a").error, Errno::kEROFS);
    EXPECT_EQ(guest.ask(Opcode::kRmdir, fuse::kRootNodeId, std::string_view("a")).error, Errno::kEROFS);
    const std::string_view from = "a";
    const std::string_view to = "z";
    EXPECT_EQ(
        guest.ask(Opcode::kRename, fuse::kRootNodeId, fuse::RenameIn{.newdir = fuse::kRootNodeId}, from, to)
            .error,
        Errno::kEROFS);
    EXPECT_EQ(
        guest.ask(Opcode::kRename2, fuse::kRootNodeId, fuse::Rename2In{.newdir = fuse::kRootNodeId}, from, to)
            .error,
        Errno::kEROFS);
    EXPECT_EQ(guest.ask(Opcode::kLink, fuse::kRootNodeId, fuse::LinkIn{.oldnode = a}, to).error,
              Errno::kEROFS);
    EXPECT_EQ(guest.setattr(a, {.valid = fuse::set_attr::kSize}).error, Errno::kEROFS);
    EXPECT_EQ(guest.setattr(a, {.valid = fuse::set_attr::kAtimeNow}).error, Errno::kEROFS);
    EXPECT_EQ(
        guest.ask(Opcode::kSetXattr, a, fuse::SetXattrIn{.size = 1}, std::string_view("user.x\0v", 8)).error,
        Errno::kEROFS);
    EXPECT_EQ(guest.ask(Opcode::kRemoveXattr, a, std::string_view("user.x")).error, Errno::kEROFS);
    for (const std::uint32_t flags : {flag::kWriteOnly, flag::kReadWrite, flag::kReadOnly | flag::kTruncate,
                                      flag::kAccessMask, flag::kWriteOnly | flag::kAppend}) {
        EXPECT_EQ(guest.open(a, flags).error, Errno::kEROFS) << flags;
    }
    EXPECT_EQ(guest.write(a, fh, 0, "x").error, Errno::kEROFS);
    EXPECT_EQ(guest.ask(Opcode::kFallocate, a, fuse::FallocateIn{.fh = fh, .length = 100}).error,
              Errno::kEROFS);
    EXPECT_EQ(guest.ask(Opcode::kCopyFileRange, a, fuse::CopyFileRangeIn{.fh_in = fh, .fh_out = fh, .len = 1})
                  .error,
              Errno::kEROFS);
    EXPECT_EQ(guest.ask(Opcode::kAccess, a, fuse::AccessIn{.mask = W_OK}).error, Errno::kEROFS);
    EXPECT_EQ(guest.ask(Opcode::kFsync, a, fuse::FsyncIn{.fh = fh}).error, Errno::kNone);

    struct stat after {};
    ::stat(directory.path("a").c_str(), &after);
    EXPECT_EQ(after.st_size, 5);
    EXPECT_EQ(after.st_ctim.tv_sec, before.st_ctim.tv_sec);
    EXPECT_EQ(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
    std::size_t names = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory.path()))
        ++names;
    EXPECT_EQ(names, 2U);
}

}  // namespace
}  // namespace host
