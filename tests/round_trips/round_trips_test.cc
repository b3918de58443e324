// The round trips of what programs do, through the calls that WinFsp makes of a file system, on the stock
// daemon with cache=auto: names and attributes live one second, missing names not at all, there is one
// request queue.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "tests/support/daemon_volume.h"

namespace tests {
namespace {

using guest::DirectoryEntry;
using guest::File;
using nt::Status;

constexpr std::u16string_view kPath = u"\\a\\b\\c\\file";
constexpr std::u16string_view kDirectory = u"\\a\\b\\c";
constexpr std::uint32_t kAttributesOnly = nt::access::kReadAttributes;
constexpr std::uint32_t kRead = nt::access::kFileGenericRead;
constexpr std::uint32_t kWrite = nt::access::kWriteData | nt::access::kReadAttributes;
constexpr std::uint32_t kDelete = nt::access::kDelete | nt::access::kReadAttributes;

class RoundTrips : public testing::Test {
  protected:
    explicit RoundTrips(const DaemonVolume::Setup& setup = {}) : host_(setup) {}
    void SetUp() override {
        ASSERT_TRUE(host_);
        std::filesystem::create_directories(host_.directory() / "a/b/c");
        host_.make_file("a/b/c/file", std::string(4096, 'x'));
    }
    guest::Volume& volume() { return host_.volume(); }

    // Runs `action` in the state that `prepare` leaves and expects that many round trips. What is known lives
    // for a second: a try that took longer, on a busy machine, says nothing and is made again.
    void expect_warm(std::uint64_t trips, const std::function<void()>& prepare,
                     const std::function<void()>& action) {
        for (int attempt = 0; attempt < 50; ++attempt) {
            const auto began = std::chrono::steady_clock::now();
            prepare();
            host_.counting().reset();
            action();
            const auto counts = host_.counting().snapshot();
            if (std::chrono::steady_clock::now() - began > std::chrono::milliseconds(900)) continue;
            EXPECT_EQ(counts.waited_for(), trips) << counts.text();
            return;
        }
        FAIL() << "the machine is too busy: no try took less than a second";
    }

    void know(std::u16string_view path) { EXPECT_TRUE(volume().attributes_of(path)); }
    File* open(std::u16string_view path, std::uint32_t access, std::uint32_t options = 0) {
        EXPECT_TRUE(volume().attributes_of(path));
        const auto opened = volume().open(path, {.options = options, .granted_access = access});
        EXPECT_TRUE(opened);
        return opened ? opened->file : nullptr;
    }
    void write(File& file) {
        const std::string data(4096, 'y');
        const auto written = volume().write(file, std::as_bytes(std::span(data)), {});
        ASSERT_TRUE(written);
        EXPECT_EQ(written->info.file_size, 4096U);
    }
    void get_attributes(std::u16string_view path) {
        File* file = open(path, kAttributesOnly);
        EXPECT_TRUE(volume().file_info(*file));
        volume().close(file);
    }
    void open_read_close() {
        File* file = open(kPath, kRead);
        EXPECT_TRUE(volume().file_info(*file));
        std::vector<std::byte> buffer(4096);
        EXPECT_EQ(volume().read(*file, buffer, 0), 4096U);
        volume().close(file);
    }
    void remove(std::u16string_view path, std::uint32_t options = 0) {
        File* file = open(path, kDelete, options);
        EXPECT_TRUE(volume().can_delete(*file, path));
        volume().cleanup(*file, path, {.remove = true});
        volume().close(file);
    }
    std::size_t list(File& directory) {
        std::size_t entries = 0;
        EXPECT_EQ(volume().read_directory(directory, std::nullopt,
                                          [&](const DirectoryEntry&) { return ++entries > 0; }),
                  true);
        return entries;
    }

    DaemonVolume host_;
};

TEST_F(RoundTrips, GetAttributes_FourColdAndNoneWarm) {
    get_attributes(kPath);
    EXPECT_EQ(host_.counting().snapshot().waited_for(), 4U) << host_.counting().snapshot().text();
    expect_warm(
        0, [&] { know(kPath); }, [&] { get_attributes(kPath); });
}

TEST_F(RoundTrips, OpenReadClose_SixColdAndTwoWarm) {
    open_read_close();
    EXPECT_EQ(host_.counting().snapshot().waited_for(), 6U) << host_.counting().snapshot().text();
    expect_warm(
        2, [&] { know(kPath); }, [&] { open_read_close(); });
}

TEST_F(RoundTrips, CreateAlwaysOfANewFile_Three) {
    expect_warm(
        3,
        [&] {
            std::filesystem::remove(host_.directory() / "a/b/c/new");
            know(kDirectory);
        },
        [&] {
            EXPECT_FALSE(volume().attributes_of(u"\\a\\b\\c\\new"));
            const auto made = volume().create(u"\\a\\b\\c\\new", {.granted_access = kWrite});
            ASSERT_TRUE(made);
            write(*made->file);
            volume().close(made->file);
        });
    EXPECT_EQ(host_.content("a/b/c/new"), std::string(4096, 'y'));
}

TEST_F(RoundTrips, CreateAlwaysOfAKnownFile_Three) {
    expect_warm(
        3, [&] { know(kPath); },
        [&] {
            File* file = open(kPath, kWrite);
            EXPECT_TRUE(volume().overwrite(*file, 0, false, 0));
            write(*file);
            volume().close(file);
        });
    EXPECT_EQ(host_.content("a/b/c/file"), std::string(4096, 'y'));
}

TEST_F(RoundTrips, DeleteOfAKnownFile_One) {
    expect_warm(
        1,
        [&] {
            host_.make_file("a/b/c/old", "");
            know(u"\\a\\b\\c\\old");
        },
        [&] { remove(u"\\a\\b\\c\\old"); });
    EXPECT_FALSE(std::filesystem::exists(host_.directory() / "a/b/c/old"));
}

TEST_F(RoundTrips, MissingName_One) {
    expect_warm(
        1, [&] { know(kDirectory); },
        [&] { EXPECT_EQ(volume().attributes_of(u"\\a\\b\\c\\no"), nt::fail(Status::kObjectNameNotFound)); });
}

TEST_F(RoundTrips, MakeDirectory_Two) {
    expect_warm(
        2,
        [&] {
            std::filesystem::remove(host_.directory() / "a/b/c/new");
            know(kDirectory);
        },
        [&] {
            EXPECT_FALSE(volume().attributes_of(u"\\a\\b\\c\\new"));
            const auto made = volume().create(
                u"\\a\\b\\c\\new",
                {.options = nt::create_option::kDirectoryFile, .granted_access = kAttributesOnly});
            ASSERT_TRUE(made);
            volume().close(made->file);
        });
}

TEST_F(RoundTrips, RemoveOfAKnownEmptyDirectory_Three) {
    expect_warm(
        3,
        [&] {
            std::filesystem::create_directory(host_.directory() / "a/b/c/old");
            know(u"\\a\\b\\c\\old");
        },
        [&] { remove(u"\\a\\b\\c\\old", nt::create_option::kDirectoryFile); });
    EXPECT_FALSE(std::filesystem::exists(host_.directory() / "a/b/c/old"));
}

TEST_F(RoundTrips, RenameOfAKnownFile_Two) {
    expect_warm(
        2,
        [&] {
            std::filesystem::remove(host_.directory() / "a/b/c/to");
            host_.make_file("a/b/c/from", "");
            know(u"\\a\\b\\c\\from");
        },
        [&] {
            File* file = open(u"\\a\\b\\c\\from", kDelete);
            EXPECT_FALSE(volume().attributes_of(u"\\a\\b\\c\\to"));
            EXPECT_TRUE(volume().rename(*file, u"\\a\\b\\c\\from", u"\\a\\b\\c\\to", false));
            volume().close(file);
        });
}

TEST_F(RoundTrips, ListingOfTenThousandFiles_OneOpenAndAtMostFiveReads) {
    std::filesystem::create_directory(host_.directory() / "many");
    for (int i = 0; i < 10000; ++i)
        host_.make_file("many/file" + std::to_string(10000 + i), "");
    know(u"\\many");
    File* directory = open(u"\\many", kRead, nt::create_option::kDirectoryFile);
    host_.counting().reset();
    EXPECT_EQ(list(*directory), 10002U);
    const auto counts = host_.counting().snapshot();
    EXPECT_LE(counts.waited_for(), 6U) << counts.text();
    EXPECT_EQ(counts.of(fuse::Opcode::kOpenDir), 1U);
    EXPECT_LE(counts.of(fuse::Opcode::kReadDirPlus), 5U);
    volume().close(directory);
}

// On a daemon that shows by its descriptors which nodes the guest holds.
class References : public RoundTrips {
  protected:
    References() : RoundTrips({.arguments = lab::descriptor_for_each_node()}) {}
};

TEST_F(References, AWalkOfAHundredThousandFiles_KeepsTheDaemonBelowSixThousandDescriptors) {
    for (int i = 0; i < 10; ++i) {
        for (int j = 0; j < 10; ++j) {
            const std::string directory = "tree/" + std::to_string(i) + "/" + std::to_string(j);
            std::filesystem::create_directories(host_.directory() / directory);
            for (int k = 0; k < 1000; ++k)
                host_.make_file(directory + "/file" + std::to_string(k), "");
        }
    }
    std::atomic<bool> done = false;
    std::size_t most = 0;
    std::thread sampler([&] {
        while (!done)
            most = std::max(most, host_.daemon().descriptor_count().value_or(SIZE_MAX));
    });
    std::size_t files = 0;
    std::vector<std::u16string> directories{u"\\tree"};
    while (!directories.empty()) {
        const std::u16string path = std::move(directories.back());
        directories.pop_back();
        File* directory = open(path, kRead, nt::create_option::kDirectoryFile);
        std::vector<std::u16string> names;
        EXPECT_EQ(volume().read_directory(*directory, std::nullopt,
                                          [&](const DirectoryEntry& entry) {
                                              if (entry.name != u"." && entry.name != u"..") {
                                                  names.emplace_back(entry.name);
                                              }
                                              return true;
                                          }),
                  true);
        volume().close(directory);
        const std::u16string inside = path + u"\\";
        for (const std::u16string& name : names) {
            const std::u16string child = inside + name;
            const auto attributes = volume().attributes_of(child);
            ASSERT_TRUE(attributes);
            if ((*attributes & nt::file_attribute::kDirectory) != 0) {
                directories.push_back(child);
            } else {
                ++files;
            }
        }
    }
    done = true;
    sampler.join();
    EXPECT_EQ(files, 100000U);
    EXPECT_LT(most, 6000U);
    EXPECT_GT(most, 100U);  // the sampler did see the daemon work
    volume().session().forget_idle();
    EXPECT_LT(host_.daemon().descriptor_count().value(), 100U);
}

TEST(WithoutCache, ListingsAndFiles_WorkOnAHostThatGrantsNothing) {
    DaemonVolume host("none");
    ASSERT_TRUE(host);
    for (int i = 0; i < 600; ++i)
        host.make_file("f" + std::to_string(i), "content");
    const auto directory = host.volume().open(u"\\", {.granted_access = kRead});
    ASSERT_TRUE(directory);
    std::size_t entries = 0;
    EXPECT_EQ(host.volume().read_directory(*directory->file, std::nullopt,
                                           [&](const DirectoryEntry& entry) {
                                               EXPECT_EQ(entry.info.file_size, 7U);
                                               return ++entries > 0;
                                           }),
              true);
    EXPECT_EQ(entries, 600U);
    EXPECT_EQ(host.counting().snapshot().of(fuse::Opcode::kReadDirPlus), 0U);
    host.volume().close(directory->file);
    host.volume().session().forget_idle();
    EXPECT_LT(host.daemon().descriptor_count().value(), 100U);
}

TEST(DaemonLost, WhatIsUnderWayAndLater_FailsWithDeviceRemoved) {
    DaemonVolume host;
    ASSERT_TRUE(host);
    host.make_file("f", "content");
    const auto opened = host.volume().open(u"\\f", {.granted_access = kRead});
    ASSERT_TRUE(opened);
    host.daemon().kill();
    std::byte buffer[7];
    EXPECT_EQ(host.volume().read(*opened->file, buffer, 0), nt::fail(Status::kDeviceRemoved));
    EXPECT_EQ(host.volume().attributes_of(u"\\g"), nt::fail(Status::kDeviceRemoved));
    host.volume().close(opened->file);
}

TEST(DaemonStopped, ShutDown_EndsAWaitForIt) {
    DaemonVolume host;
    ASSERT_TRUE(host);
    host.daemon().pause();
    nt::Result<std::uint32_t> result = 0U;
    std::thread caller([&] { result = host.volume().attributes_of(u"\\f"); });
    while (host.counting().snapshot().of(fuse::Opcode::kLookup) == 0)
        std::this_thread::yield();
    host.volume().shut_down();
    caller.join();
    EXPECT_EQ(result, nt::fail(Status::kCancelled));
    host.daemon().resume();
}

}  // namespace
}  // namespace tests
