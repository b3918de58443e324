// The round trips of what programs do, from the Nt call on: lab/fsd makes WinFsp's calls, its own caches off
// as the service sets them, on the stock daemon with cache=auto.
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <functional>

#include "lab/fsd/fsd.h"
#include "lab/fsd/volume_file_system.h"
#include "nt/info_class.h"
#include "tests/behaviour/volume_parameters.h"
#include "tests/support/daemon_volume.h"

namespace tests {
namespace {

using lab::fsd::FileId;
using nt::Disposition;
using nt::Status;

constexpr std::uint32_t kRead = nt::access::kGenericRead | nt::access::kSynchronize;
constexpr std::uint32_t kWrite = nt::access::kGenericWrite | nt::access::kSynchronize;
constexpr std::uint32_t kAttributes = nt::access::kReadAttributes | nt::access::kSynchronize;
constexpr std::uint32_t kDelete = nt::access::kDelete | kAttributes;
constexpr std::uint32_t kSynchronous = nt::create_option::kSynchronousIoNonalert;
constexpr std::uint32_t kFile = kSynchronous | nt::create_option::kNonDirectoryFile;
constexpr std::uint32_t kDirectory = kSynchronous | nt::create_option::kDirectoryFile;

class NtRoundTrips : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(host_);
        std::filesystem::create_directories(host_.directory() / "a/b/c");
        host_.make_file("a/b/c/file", std::string(4096, 'x'));
        file_system_ = std::make_unique<lab::fsd::VolumeFileSystem>(host_.volume(), u"label");
        fsd_ = std::make_unique<lab::fsd::Fsd>(*file_system_, behaviour::volume_parameters());
    }

    FileId create(std::u16string_view name, std::uint32_t access, Disposition disposition,
                  std::uint32_t options) {
        const auto result = fsd_->create({.name = name,
                                          .desired_access = access,
                                          .share_access = nt::share::kAll,
                                          .disposition = disposition,
                                          .options = options});
        EXPECT_EQ(result.io.status, Status::kSuccess);
        return result.file;
    }
    void get_attributes(std::u16string_view name) {
        const FileId file = create(name, kAttributes, Disposition::kOpen, kSynchronous);
        std::byte info[56];
        EXPECT_EQ(fsd_->query_information(file, nt::file_class::kNetworkOpen, info).status, Status::kSuccess);
        fsd_->close_handle(file);
    }
    void open_read_close() {
        const FileId file = create(u"\\a\\b\\c\\file", kRead, Disposition::kOpen, kFile);
        std::vector<std::byte> buffer(4096);
        EXPECT_EQ(fsd_->read(file, buffer, std::nullopt).information, 4096U);
        fsd_->close_handle(file);
    }
    void create_always(std::u16string_view name) {
        const FileId file = create(name, kWrite, Disposition::kOverwriteIf, kFile);
        const std::vector<std::byte> data(4096, std::byte{'y'});
        EXPECT_EQ(fsd_->write(file, data, std::nullopt).information, 4096U);
        fsd_->close_handle(file);
    }
    void delete_by_disposition(std::u16string_view name, std::uint32_t options) {
        const FileId file = create(name, kDelete, Disposition::kOpen, options);
        const std::byte yes[1] = {std::byte{1}};
        EXPECT_EQ(fsd_->set_information(file, nt::file_class::kDisposition, yes).status, Status::kSuccess);
        fsd_->close_handle(file);
    }
    void delete_on_close(std::u16string_view name) {
        fsd_->close_handle(
            create(name, kDelete, Disposition::kOpen, kFile | nt::create_option::kDeleteOnClose));
    }

    // Runs `action` in the state that `prepare` leaves: at most `most` messages are waited for. Lifetimes are
    // a second: a try that took longer, on a busy machine, says nothing and is made again.
    void expect_at_most(std::uint64_t most, const std::function<void()>& prepare,
                        const std::function<void()>& action) {
        for (int attempt = 0; attempt < 50; ++attempt) {
            const auto began = std::chrono::steady_clock::now();
            prepare();
            host_.counting().reset();
            action();
            const auto counts = host_.counting().snapshot();
            if (std::chrono::steady_clock::now() - began > std::chrono::milliseconds(900)) continue;
            EXPECT_LE(counts.waited_for(), most) << counts.text();
            std::cout << "    messages: " << counts.text() << "\n";
            return;
        }
        FAIL() << "the machine is too busy: no try took less than a second";
    }
    void know(std::u16string_view name) { get_attributes(name); }

    DaemonVolume host_;
    std::unique_ptr<lab::fsd::VolumeFileSystem> file_system_;
    std::unique_ptr<lab::fsd::Fsd> fsd_;
};

TEST_F(NtRoundTrips, GetAttributes_FourColdNoneWarm) {
    get_attributes(u"\\a\\b\\c\\file");
    EXPECT_LE(host_.counting().snapshot().waited_for(), 4U) << host_.counting().snapshot().text();
    expect_at_most(
        0, [&] { know(u"\\a\\b\\c\\file"); }, [&] { get_attributes(u"\\a\\b\\c\\file"); });
}

TEST_F(NtRoundTrips, OpenReadClose_SixColdTwoWarm) {
    open_read_close();
    EXPECT_LE(host_.counting().snapshot().waited_for(), 6U) << host_.counting().snapshot().text();
    expect_at_most(
        2, [&] { know(u"\\a\\b\\c\\file"); }, [&] { open_read_close(); });
}

TEST_F(NtRoundTrips, CreateAlways_ThreeForANewAndForAKnownFile) {
    expect_at_most(
        3,
        [&] {
            std::filesystem::remove(host_.directory() / "a/b/c/new");
            know(u"\\a\\b\\c");
        },
        [&] { create_always(u"\\a\\b\\c\\new"); });
    expect_at_most(
        3, [&] { know(u"\\a\\b\\c\\file"); }, [&] { create_always(u"\\a\\b\\c\\file"); });
}

TEST_F(NtRoundTrips, Delete_OneEitherWay) {
    const auto prepare = [&] {
        host_.make_file("a/b/c/old", "");
        know(u"\\a\\b\\c\\old");
    };
    expect_at_most(1, prepare, [&] { delete_on_close(u"\\a\\b\\c\\old"); });
    EXPECT_FALSE(std::filesystem::exists(host_.directory() / "a/b/c/old"));
    expect_at_most(1, prepare, [&] { delete_by_disposition(u"\\a\\b\\c\\old", kFile); });
    EXPECT_FALSE(std::filesystem::exists(host_.directory() / "a/b/c/old"));
}

TEST_F(NtRoundTrips, MissingName_One) {
    expect_at_most(
        1, [&] { know(u"\\a\\b\\c"); },
        [&] {
            const auto result = fsd_->create({.name = u"\\a\\b\\c\\missing",
                                              .desired_access = kAttributes,
                                              .share_access = nt::share::kAll,
                                              .options = kSynchronous});
            EXPECT_EQ(result.io.status, Status::kObjectNameNotFound);
        });
}

TEST_F(NtRoundTrips, Directories_TwoToMakeThreeToRemove) {
    expect_at_most(
        2,
        [&] {
            std::filesystem::remove(host_.directory() / "a/b/c/dir");
            know(u"\\a\\b\\c");
        },
        [&] {
            fsd_->close_handle(create(u"\\a\\b\\c\\dir", kAttributes, Disposition::kCreate, kDirectory));
        });
    expect_at_most(
        3,
        [&] {
            std::filesystem::create_directory(host_.directory() / "a/b/c/dir");
            know(u"\\a\\b\\c\\dir");
        },
        [&] { delete_by_disposition(u"\\a\\b\\c\\dir", kDirectory); });
}

TEST_F(NtRoundTrips, Rename_TwoByFullPath) {
    expect_at_most(
        2,
        [&] {
            std::filesystem::remove(host_.directory() / "a/b/c/to");
            host_.make_file("a/b/c/from", "");
            know(u"\\a\\b\\c\\from");
        },
        [&] {
            const FileId file = create(u"\\a\\b\\c\\from", kDelete, Disposition::kOpen, kFile);
            EXPECT_EQ(fsd_->rename(file, {.new_name = u"\\a\\b\\c\\to"}).status, Status::kSuccess);
            fsd_->close_handle(file);
        });
    EXPECT_TRUE(std::filesystem::exists(host_.directory() / "a/b/c/to"));
}

TEST_F(NtRoundTrips, OpenReadCloseThroughALink_OneMoreForItsTargetAndTwoWarm) {
    std::filesystem::create_symlink("../c/file", host_.directory() / "a/b/c/link");
    const auto through_link = [&] {
        const FileId file = create(u"\\a\\b\\c\\link", kRead, Disposition::kOpen, kFile);
        std::vector<std::byte> buffer(4096);
        EXPECT_EQ(fsd_->read(file, buffer, std::nullopt).information, 4096U);
        fsd_->close_handle(file);
    };
    // LOOKUP and READLINK of the link, LOOKUP of its target; OPEN and READ.
    expect_at_most(
        5,
        [&] {
            std::filesystem::remove(host_.directory() / "a/b/c/link");
            std::filesystem::create_symlink("../c/file", host_.directory() / "a/b/c/link");
            know(u"\\a\\b\\c");
        },
        through_link);
    expect_at_most(2, through_link, through_link);
}

TEST_F(NtRoundTrips, ListingOfAThousandLinks_OneReadLinkEachAllAtOnce) {
    std::filesystem::create_directories(host_.directory() / "links/target");
    for (int i = 0; i < 1000; ++i)
        std::filesystem::create_symlink("target", host_.directory() / ("links/l" + std::to_string(i)));
    know(u"\\links");
    const FileId directory = create(u"\\links", kRead, Disposition::kOpen, kDirectory);
    host_.counting().reset();
    std::vector<std::byte> buffer(1024 * 1024);
    EXPECT_EQ(fsd_->query_directory(directory, {.information_class = nt::file_class::kBothDirectory}, buffer)
                  .status,
              Status::kSuccess);
    const auto counts = host_.counting().snapshot();
    EXPECT_EQ(counts.of(fuse::Opcode::kReadLink), 1000U);
    // What is known of the directory lives for a second.
    EXPECT_LE(counts.of(fuse::Opcode::kLookup), 50U) << counts.text();
    fsd_->close_handle(directory);
}

TEST_F(NtRoundTrips, ListingOfTenThousandFiles_OneOpenAndAtMostFiveReads) {
    std::filesystem::create_directory(host_.directory() / "many");
    for (int i = 0; i < 10000; ++i)
        host_.make_file("many/file" + std::to_string(10000 + i), "");
    know(u"\\many");
    const FileId directory = create(u"\\many", kRead, Disposition::kOpen, kDirectory);
    host_.counting().reset();
    std::vector<std::byte> buffer(64 * 1024);
    std::size_t entries = 0;
    for (;;) {
        const auto io =
            fsd_->query_directory(directory, {.information_class = nt::file_class::kNames}, buffer);
        if (io.status == Status::kNoMoreFiles) break;
        ASSERT_EQ(io.status, Status::kSuccess);
        for (std::size_t at = 0;;) {
            std::uint32_t next = 0;
            std::memcpy(&next, buffer.data() + at, sizeof next);
            ++entries;
            if (next == 0) break;
            at += next;
        }
    }
    const auto counts = host_.counting().snapshot();
    EXPECT_EQ(entries, 10002U);
    EXPECT_EQ(counts.of(fuse::Opcode::kOpenDir), 1U);
    EXPECT_LE(counts.of(fuse::Opcode::kReadDirPlus), 5U);
    EXPECT_LE(counts.waited_for(), 6U) << counts.text();
    fsd_->close_handle(directory);
}

}  // namespace
}  // namespace tests
