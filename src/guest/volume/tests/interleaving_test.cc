// Many threads on one volume, and answers that overtake each other.
#include <random>
#include <thread>

#include "guest/volume/tests/volume_fixture.h"
#include "nt/reparse.h"

namespace guest::test {
namespace {

using nt::Status;

class Interleavings : public VolumeTest {};

TEST_F(Interleavings, ALookupThatWasOvertakenByADelete_IsNotRemembered) {
    start({.threads = 2});
    host().make_file("f", "x");
    const auto opened = open(u"\\f", kDelete);
    ASSERT_TRUE(opened);
    // The host looks up, then deletes; the answers arrive the other way round.
    std::mutex gate;
    gate.lock();
    host().set_forger([&](fuse::Opcode opcode, std::vector<std::byte> reply) {
        if (opcode == fuse::Opcode::kLookup) const std::lock_guard wait(gate);
        return reply;
    });
    volume().session().nodes().distrust(volume().session().nodes().root(), "f");
    const std::size_t before = host().count(fuse::Opcode::kLookup);
    std::thread looker([&] { EXPECT_TRUE(volume().attributes_of(u"\\f")); });
    while (host().count(fuse::Opcode::kLookup) == before)
        std::this_thread::yield();
    volume().cleanup(*opened->file, u"\\f", {.remove = true});
    gate.unlock();
    looker.join();
    host().set_forger(nullptr);
    EXPECT_EQ(volume().attributes_of(u"\\f"), nt::fail(Status::kObjectNameNotFound));
    volume().close(opened->file);
}

TEST_F(Interleavings, AttributesThatWereAskedForBeforeAWrite_DoNotUndoIt) {
    start({.threads = 2});
    host().make_file("f", "x");
    const auto opened = open(u"\\f", kWrite);
    ASSERT_TRUE(opened);
    std::mutex gate;
    gate.lock();
    host().set_forger([&](fuse::Opcode opcode, std::vector<std::byte> reply) {
        if (opcode == fuse::Opcode::kGetAttr) const std::lock_guard wait(gate);
        return reply;
    });
    NodeTable& nodes = volume().session().nodes();
    nodes.distrust_attributes(nodes.find(nodes.root(), "f").node);
    std::thread asker([&] { EXPECT_TRUE(volume().file_info(*opened->file)); });
    while (host().count(fuse::Opcode::kGetAttr) == 0)
        std::this_thread::yield();
    EXPECT_EQ(write(*opened->file, "12345")->info.file_size, 5U);
    gate.unlock();
    asker.join();
    host().set_forger(nullptr);
    EXPECT_EQ(volume().file_info(*opened->file)->file_size, 5U);
    volume().close(opened->file);
}

TEST_F(Interleavings, AppendsOfManyThreads_AllArriveWhole) {
    start({.threads = 3, .shuffle = true});
    host().make_file("log", "");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([this, t] {
            const auto opened = open(u"\\log", t % 2 == 0 ? nt::access::kAppendData : kReadWrite);
            ASSERT_TRUE(opened);
            for (int i = 0; i < 100; ++i) {
                EXPECT_TRUE(write(*opened->file, std::string(10, static_cast<char>('a' + t)),
                                  {.to_end_of_file = true}));
            }
            volume().close(opened->file);
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    const std::string log = *host().content("log");
    ASSERT_EQ(log.size(), 4000U);
    for (std::size_t at = 0; at < log.size(); at += 10) {
        EXPECT_EQ(log.substr(at, 10), std::string(10, log[at]));
    }
}

TEST_F(Interleavings, OneName_CreatedByManyThreads_IsMadeOnce) {
    start({.threads = 3, .shuffle = true});
    for (int round = 0; round < 50; ++round) {
        const std::u16string path = u"\\f" + std::u16string(1, static_cast<char16_t>(0x4E00 + round));
        std::atomic<int> made = 0;
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                const auto created = volume().create(path, {.granted_access = kWrite});
                if (!created) {
                    EXPECT_EQ(created.error(), Status::kObjectNameCollision);
                    return;
                }
                ++made;
                volume().close(created->file);
            });
        }
        for (std::thread& thread : threads)
            thread.join();
        EXPECT_EQ(made, 1);
    }
}

constexpr std::uint32_t kItself = nt::create_option::kOpenReparsePoint;
constexpr std::uint32_t kSymlinkHeader[] = {nt::kReparseTagSymlink, 0};

// Random operations in one small tree. The host checks the protocol; what remains is compared with the
// guest's view.
class Stress : public VolumeTest, public testing::WithParamInterface<HostOptions> {};

INSTANTIATE_TEST_SUITE_P(
    Hosts, Stress,
    testing::Values(HostOptions{.threads = 3, .shuffle = true},
                    HostOptions{.valid_seconds = 0, .needs_references = true, .threads = 3, .shuffle = true},
                    HostOptions{.missing_seconds = 60,
                                .read_dir_plus = false,
                                .no_replace = false,
                                .exchange = false,
                                .threads = 3,
                                .shuffle = true}));

TEST_P(Stress, RandomOperationsOfManyThreads_LeaveGuestAndHostAtOne) {
    start(GetParam(), 6);
    const std::u16string_view directories[] = {u"\\a", u"\\b", u"\\a\\c", u"\\b\\c"};
    host().make_directory("a");
    host().make_directory("b");
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 6; ++t) {
        threads.emplace_back([&, t] {
            std::minstd_rand random(t + 17);
            const auto some_path = [&] {
                return std::u16string(directories[random() % 4]) + u"\\" +
                       static_cast<char16_t>('x' + random() % 3);
            };
            const auto some_link = [&] {
                return std::u16string(directories[random() % 2]) + u"\\" +
                       static_cast<char16_t>('l' + random() % 2);
            };
            for (int i = 0; i < 400; ++i) {
                const std::u16string path = some_path();
                switch (random() % 11) {
                    case 0:
                    case 1:
                        if (const auto made = create(path, kReadWrite)) {
                            EXPECT_TRUE(write(*made->file, "hello"));
                            volume().close(made->file);
                        }
                        break;
                    case 2:
                        if (const auto opened = open(path, kReadWrite)) {
                            static_cast<void>(read(*opened->file, 3));
                            EXPECT_TRUE(write(*opened->file, "hello world"));
                            EXPECT_TRUE(volume().set_size(*opened->file, 5, SizeKind::kEndOfFile));
                            EXPECT_TRUE(volume().file_info(*opened->file));
                            volume().close(opened->file);
                        }
                        break;
                    case 3:
                        static_cast<void>(remove(path));
                        break;
                    case 4:
                        static_cast<void>(rename(path, some_path(), random() % 2 == 0));
                        break;
                    case 5:
                        if (const auto made = create(directories[2 + random() % 2], kRead,
                                                     nt::create_option::kDirectoryFile)) {
                            volume().close(made->file);
                        }
                        break;
                    case 6:
                        static_cast<void>(
                            remove(directories[2 + random() % 2], nt::create_option::kDirectoryFile));
                        break;
                    case 7:
                        static_cast<void>(
                            rename(directories[2 + random() % 2], directories[2 + random() % 2]));
                        break;
                    case 8: {
                        const std::u16string link = some_link();
                        const std::uint32_t options = random() % 2;  // kDirectoryFile
                        auto opened = create(link, kReadWrite, options);
                        if (!opened) opened = open(link, kReadWrite, kItself);
                        if (!opened) break;
                        static_cast<void>(volume().set_reparse_point(
                            *opened->file, link, nt::make_symlink({.name = u"..\\a"}).value()));
                        static_cast<void>(volume().reparse_point(*opened->file, link));
                        volume().close(opened->file);
                        break;
                    }
                    case 9: {
                        const std::u16string link = some_link();
                        if (random() % 2 == 0) {
                            static_cast<void>(remove(link, kItself));
                        } else if (const auto opened = open(link, kReadWrite, kItself)) {
                            static_cast<void>(volume().delete_reparse_point(
                                *opened->file, link, std::as_bytes(std::span(kSymlinkHeader))));
                            static_cast<void>(volume().file_info(*opened->file));
                            volume().close(opened->file);
                        }
                        break;
                    }
                    default:
                        if (const auto opened = open(directories[random() % 4], kRead)) {
                            static_cast<void>(volume().read_directory(*opened->file, std::nullopt,
                                                                      [](const auto&) { return true; }));
                            volume().close(opened->file);
                        }
                        break;
                }
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();

    for (const std::u16string_view directory : directories) {
        const std::string host_path(directory.begin() + 1, directory.end());
        std::string with_slashes = host_path;
        std::replace(with_slashes.begin(), with_slashes.end(), '\\', '/');
        for (const char16_t name : {u'x', u'y', u'z'}) {
            const std::u16string path = std::u16string(directory) + u"\\" + name;
            const std::string there = with_slashes + "/" + static_cast<char>(name);
            EXPECT_EQ(volume().attributes_of(path).has_value(), host().attributes(there).has_value())
                << there;
            if (const auto opened = open(path, kRead)) {
                EXPECT_EQ(volume().file_info(*opened->file)->file_size, host().content(there)->size())
                    << there;
                volume().close(opened->file);
            }
        }
    }
    for (const std::string_view link : {"a/l", "a/m", "b/l", "b/m"}) {
        const std::u16string path{u'\\', static_cast<char16_t>(link[0]), u'\\',
                                  static_cast<char16_t>(link[2])};
        EXPECT_EQ(volume().attributes_of(path).has_value(), host().attributes(link).has_value()) << link;
    }
    for (const std::string_view directory : {"a", "b"}) {
        for (const std::string& name : host().names(directory))
            EXPECT_TRUE(name.size() == 1 || log().find(name) != std::string::npos) << "left behind: " << name;
    }
    const auto counts = volume().session().nodes().counts();
    EXPECT_LE(counts.idle, 6U);
}

}  // namespace
}  // namespace guest::test
