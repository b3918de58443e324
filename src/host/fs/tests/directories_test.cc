// Reading directories.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "host/fs/test_guest.h"

namespace host {
namespace {

using fuse::Errno;
using fuse::FileHandle;
using fuse::NodeId;
using fuse::Opcode;

struct Record {
    fuse::EntryOut entry;
    fuse::Dirent dirent;
    std::string name;
};

class DirectoriesTest : public testing::Test {
  protected:
    void start(ServerOptions options = {}) {
        guest_.emplace(directory_.path(), std::move(options));
        ASSERT_EQ(guest_->init().error, Errno::kNone);
    }
    FileHandle opendir(NodeId node = fuse::kRootNodeId) {
        const auto answer = guest_->ask(Opcode::kOpenDir, node, fuse::OpenIn{});
        EXPECT_EQ(answer.error, Errno::kNone);
        return answer.as<fuse::OpenOut>().fh;
    }
    Answer read(Opcode opcode, FileHandle handle, std::uint64_t offset, std::uint32_t size) {
        return guest_->ask(opcode, fuse::kRootNodeId,
                           fuse::ReadIn{.fh = handle, .offset = offset, .size = size});
    }
    static std::vector<Record> records(Opcode opcode, const Answer& answer) {
        std::vector<Record> result;
        for (std::size_t at = 0; at < answer.body.size();) {
            Record record{};
            if (opcode == Opcode::kReadDirPlus) {
                const auto plus = answer.as<fuse::DirentPlus>(at);
                record.entry = plus.entry;
                record.dirent = plus.dirent;
                record.name = answer.text().substr(at + sizeof plus, plus.dirent.namelen);
                at += fuse::direntplus_bytes(record.name.size());
            } else {
                record.dirent = answer.as<fuse::Dirent>(at);
                record.name = answer.text().substr(at + sizeof record.dirent, record.dirent.namelen);
                at += fuse::dirent_bytes(record.name.size());
            }
            result.push_back(std::move(record));
        }
        return result;
    }
    std::multiset<std::string> read_all(Opcode opcode, FileHandle handle, std::uint32_t room) {
        std::multiset<std::string> names;
        std::uint64_t offset = 0;
        for (;;) {
            const auto answer = read(opcode, handle, offset, room);
            EXPECT_EQ(answer.error, Errno::kNone);
            EXPECT_LE(answer.body.size(), room);
            if (answer.body.empty()) return names;
            for (const auto& record : records(opcode, answer)) {
                names.insert(record.name);
                offset = record.dirent.off;
                if (record.entry.node != fuse::kNoNode) guest_->forget(record.entry.node);
            }
        }
    }

    TestDirectory directory_;
    std::optional<TestGuest> guest_;
};

TEST_F(DirectoriesTest, ManyEntriesInSmallRooms_AreEachReadOnce) {
    std::multiset<std::string> expected{".", ".."};
    for (int i = 0; i < 10'000; ++i) {
        const std::string name = "a-name-" + std::to_string(i);
        directory_.write(name, "");
        expected.insert(name);
    }
    start();
    for (const auto opcode : {Opcode::kReadDir, Opcode::kReadDirPlus}) {
        for (const std::uint32_t room : {200U, 4096U, 65520U}) {
            const FileHandle handle = opendir();
            EXPECT_EQ(read_all(opcode, handle, room), expected);
            guest_->ask(Opcode::kReleaseDir, fuse::kRootNodeId, fuse::ReleaseIn{.fh = handle});
        }
    }
    EXPECT_EQ(guest_->server().nodes().size(), 0U);
}

TEST_F(DirectoriesTest, Plus_TakesReferencesOnlyForWhatItHandsOut) {
    for (int i = 0; i < 10; ++i)
        directory_.write("name" + std::to_string(i), "");
    start();
    const FileHandle handle = opendir();
    const auto all = records(Opcode::kReadDirPlus, read(Opcode::kReadDirPlus, handle, 0, 700));
    std::size_t nodes = 0;
    for (const auto& record : all) {
        const bool dots = record.name == "." || record.name == "..";
        EXPECT_EQ(record.entry.node == fuse::kNoNode, dots) << record.name;
        nodes += dots ? 0 : 1;
    }
    EXPECT_EQ(guest_->server().nodes().size(), nodes);
    EXPECT_EQ(read(Opcode::kReadDirPlus, handle, all.back().dirent.off, 100).error, Errno::kEINVAL);
    EXPECT_EQ(guest_->server().nodes().size(), nodes);
}

TEST_F(DirectoriesTest, Seeking_LeadsBackToWhereItWas) {
    for (int i = 0; i < 500; ++i)
        directory_.write(std::to_string(i), "");
    start();
    const FileHandle handle = opendir();
    std::map<std::uint64_t, std::string> after;  // offset -> the name there
    std::uint64_t offset = 0;
    for (;;) {
        const auto some = records(Opcode::kReadDir, read(Opcode::kReadDir, handle, offset, 1000));
        if (some.empty()) break;
        for (const auto& record : some) {
            after[offset] = record.name;
            offset = record.dirent.off;
        }
    }
    EXPECT_EQ(after.size(), 502U);
    std::vector<std::uint64_t> places;
    for (const auto& [place, name] : after)
        places.push_back(place);
    std::reverse(places.begin(), places.end());
    for (const auto place : places) {
        const auto some = records(Opcode::kReadDir, read(Opcode::kReadDir, handle, place, 300));
        ASSERT_FALSE(some.empty());
        EXPECT_EQ(some.front().name, after[place]);
    }
    EXPECT_EQ(read(Opcode::kReadDir, handle, UINT64_MAX, 300).error, Errno::kEINVAL);
    EXPECT_EQ(read_all(Opcode::kReadDir, handle, 1000).size(), 502U);
}

TEST_F(DirectoriesTest, RewoundDirectory_ShowsWhatHasChanged) {
    directory_.write("old", "");
    start();
    const FileHandle handle = opendir();
    EXPECT_EQ(read_all(Opcode::kReadDir, handle, 4096).count("new"), 0U);
    directory_.write("new", "");
    std::filesystem::remove(directory_.path("old"));
    const auto names = read_all(Opcode::kReadDir, handle, 4096);
    EXPECT_EQ(names.count("new"), 1U);
    EXPECT_EQ(names.count("old"), 0U);
}

TEST_F(DirectoriesTest, EntriesRemovedMeanwhile_ComeWithoutNode_AndTheRestIsComplete) {
    for (int i = 0; i < 200; ++i)
        directory_.write("stays" + std::to_string(i), "");
    for (int i = 0; i < 200; ++i)
        directory_.write("goes" + std::to_string(i), "");
    start();
    const FileHandle handle = opendir();
    const auto first = records(Opcode::kReadDirPlus, read(Opcode::kReadDirPlus, handle, 0, 400));
    for (int i = 0; i < 200; ++i)
        std::filesystem::remove(directory_.path("goes" + std::to_string(i)));
    std::set<std::string> stays;
    std::uint64_t offset = 0;
    for (;;) {
        const auto some = records(Opcode::kReadDirPlus, read(Opcode::kReadDirPlus, handle, offset, 4096));
        if (some.empty()) break;
        for (const auto& record : some) {
            offset = record.dirent.off;
            if (record.name.starts_with("stays")) {
                EXPECT_NE(record.entry.node, fuse::kNoNode);
                stays.insert(record.name);
            } else {
                EXPECT_EQ(record.entry.node, fuse::kNoNode);
            }
        }
    }
    EXPECT_EQ(stays.size(), 200U);
}

TEST_F(DirectoriesTest, OfFilesAndOfHandlesOfFiles_NothingIsRead) {
    directory_.write("a", "");
    start();
    const NodeId a = guest_->node("a");
    EXPECT_EQ(guest_->ask(Opcode::kOpenDir, a, fuse::OpenIn{}).error, Errno::kENOTDIR);
    const auto file = guest_->open(a).as<fuse::OpenOut>().fh;
    EXPECT_EQ(read(Opcode::kReadDir, file, 0, 4096).error, Errno::kEBADF);
    EXPECT_EQ(guest_->ask(Opcode::kReleaseDir, a, fuse::ReleaseIn{.fh = file}).error, Errno::kEBADF);
    const FileHandle directory = opendir();
    EXPECT_EQ(guest_->read(a, directory, 0, 1).error, Errno::kEBADF);
    EXPECT_EQ(guest_->release(a, directory).error, Errno::kEBADF);
    EXPECT_EQ(guest_->ask(Opcode::kFsyncDir, fuse::kRootNodeId, fuse::FsyncIn{.fh = directory}).error,
              Errno::kNone);
    EXPECT_EQ(guest_->ask(Opcode::kReleaseDir, fuse::kRootNodeId, fuse::ReleaseIn{.fh = directory}).error,
              Errno::kNone);
    EXPECT_EQ(read(Opcode::kReadDir, directory, 0, 4096).error, Errno::kEBADF);
}

}  // namespace
}  // namespace host
