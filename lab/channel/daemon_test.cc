// FUSE by hand against the real daemon: the whole road, and what happens when the daemon stops or dies.
#include "lab/channel/daemon.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "fuse/directory.h"
#include "lab/channel/counting_channel.h"
#include "lab/channel/vhost_user_channel.h"
#include "lab/channel/waiting_message.h"

namespace lab {
namespace {

using namespace std::chrono_literals;
using fuse::NodeId;
using fuse::Opcode;

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string path = std::filesystem::temp_directory_path() / "virtiofs-share-XXXXXX";
        EXPECT_NE(::mkdtemp(path.data()), nullptr);
        path_ = path;
    }
    ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

class RealDaemon : public testing::Test {
  protected:
    void SetUp() override {
        auto daemon = Daemon::start({.directory = share_.path(), .arguments = descriptor_for_each_node()});
        ASSERT_TRUE(daemon) << daemon.error();
        daemon_ = std::move(*daemon);
        auto channel = VhostUserChannel::connect(daemon_->socket_path(), options());
        ASSERT_TRUE(channel) << channel.error() << "\n" << daemon_->log();
        channel_ = std::move(*channel);
        const auto init = ask<fuse::InitIn>(
            {.opcode = Opcode::kInit},
            {.major = fuse::kMajorVersion,
             .minor = fuse::kMinorVersion,
             .max_readahead = 1 << 20,
             .flags = static_cast<std::uint32_t>(fuse::init_flag::kDoReadDirPlus |
                                                 fuse::init_flag::kMaxPages | fuse::init_flag::kBigWrites)},
            sizeof(fuse::InitOut));
        const auto parsed = fuse::parse_init_reply(init);
        ASSERT_TRUE(parsed) << daemon_->log();
        EXPECT_GE(parsed->minor, fuse::kOldestMinorVersion);
        EXPECT_GE(parsed->max_write, 4096U);
    }
    virtual VhostUserChannelOptions options() { return {}; }

    // One round trip; the reply's body. Fails the test unless the errno is as expected.
    template <typename Arguments>
    std::vector<std::byte> ask(fuse::RequestInfo info, const Arguments& arguments, std::size_t reply_bytes,
                               std::string_view name = {}, std::span<const std::byte> payload = {},
                               fuse::Errno expected = fuse::Errno::kNone) {
        info.unique = next_unique_.fetch_add(2);
        fuse::Request<Arguments> request(info, arguments);
        EXPECT_TRUE(name.empty() || request.add_name(name));
        EXPECT_TRUE(request.add_payload(payload));
        WaitingMessage message(counting_or_channel(), request, reply_bytes);
        message.submit(counting_or_channel());
        const auto outcome = message.wait();
        if (!outcome || !*outcome) {
            ADD_FAILURE() << name_of(info.opcode) << " was not answered; " << daemon_->log();
            std::abort();  // the message is still out: nothing can go on
        }
        const auto reply = message.reply();
        EXPECT_TRUE(reply) << name_of(info.opcode);
        if (!reply) return {};
        EXPECT_EQ(reply->error, expected) << name_of(info.opcode);
        return {reply->body.begin(), reply->body.end()};
    }

    fuse::EntryOut lookup(std::string_view name, NodeId parent = fuse::kRootNodeId) {
        const auto body = ask<fuse::NoArguments>({.opcode = Opcode::kLookup, .node = parent}, {},
                                                 sizeof(fuse::EntryOut), name);
        return fuse::read_fixed<fuse::EntryOut>(body).value_or(fuse::EntryOut{});
    }

    void forget(std::span<const fuse::ForgetOne> nodes) {
        fuse::Request<fuse::BatchForgetIn> request(
            {.opcode = Opcode::kBatchForget, .unique = next_unique_.fetch_add(2)},
            {.count = static_cast<std::uint32_t>(nodes.size())});
        ASSERT_TRUE(request.add_payload(std::as_bytes(nodes)));
        WaitingMessage message(*channel_, request, std::nullopt);
        message.submit(*channel_);
        const auto outcome = message.wait();
        ASSERT_TRUE(outcome && *outcome);
        EXPECT_EQ(**outcome, 0U);
    }

    virtual guest::Channel& counting_or_channel() { return *channel_; }

    TemporaryDirectory share_;
    std::unique_ptr<Daemon> daemon_;
    std::unique_ptr<VhostUserChannel> channel_;
    std::atomic<std::uint64_t> next_unique_ = 2;
};

TEST_F(RealDaemon, FileWrittenAndReadByHand_IsTheHostsFile) {
    const auto created = ask<fuse::CreateIn>({.opcode = Opcode::kCreate, .node = fuse::kRootNodeId},
                                             {.flags = fuse::open_flag::kReadWrite | fuse::open_flag::kCreate,
                                              .mode = fuse::mode::kRegular | 0644},
                                             sizeof(fuse::CreateOut), "file");
    const auto file = fuse::read_fixed<fuse::CreateOut>(created);
    ASSERT_TRUE(file);
    EXPECT_TRUE(fuse::is_plausible(file->entry.attr));

    std::vector<std::byte> data(1 << 20);
    for (std::size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<std::byte>(i * 7 >> 3);
    const auto written =
        ask<fuse::WriteIn>({.opcode = Opcode::kWrite, .node = file->entry.node},
                           {.fh = file->open.fh, .size = static_cast<std::uint32_t>(data.size())},
                           sizeof(fuse::WriteOut), {}, data);
    EXPECT_EQ(fuse::read_fixed<fuse::WriteOut>(written)->size, data.size());
    EXPECT_EQ(std::filesystem::file_size(share_.path() / "file"), data.size());

    const auto read = ask<fuse::ReadIn>(
        {.opcode = Opcode::kRead, .node = file->entry.node},
        {.fh = file->open.fh, .size = static_cast<std::uint32_t>(data.size())}, data.size());
    EXPECT_TRUE(read == data);
    const auto tail =
        ask<fuse::ReadIn>({.opcode = Opcode::kRead, .node = file->entry.node},
                          {.fh = file->open.fh, .offset = data.size() - 10, .size = 4096}, 4096);
    EXPECT_EQ(tail.size(), 10U);
    ask<fuse::ReleaseIn>({.opcode = Opcode::kRelease, .node = file->entry.node}, {.fh = file->open.fh}, 0);
}

TEST_F(RealDaemon, MissingName_IsENOENT) {
    ask<fuse::NoArguments>({.opcode = Opcode::kLookup, .node = fuse::kRootNodeId}, {}, sizeof(fuse::EntryOut),
                           "missing", {}, fuse::Errno::kENOENT);
}

TEST_F(RealDaemon, DirectoryReads_ListWhatIsThere) {
    std::set<std::string> expected{".", ".."};
    for (int i = 0; i < 300; ++i) {
        const std::string name = "file-" + std::to_string(i);
        std::ofstream(share_.path() / name) << i;
        expected.insert(name);
    }
    const auto opened =
        ask<fuse::OpenIn>({.opcode = Opcode::kOpenDir, .node = fuse::kRootNodeId}, {}, sizeof(fuse::OpenOut));
    const auto directory = fuse::read_fixed<fuse::OpenOut>(opened);
    ASSERT_TRUE(directory);

    std::set<std::string> plain, plus;
    for (std::uint64_t offset = 0;;) {
        const auto body = ask<fuse::ReadIn>({.opcode = Opcode::kReadDir, .node = fuse::kRootNodeId},
                                            {.fh = directory->fh, .offset = offset, .size = 4096}, 4096);
        if (body.empty()) break;
        fuse::DirectoryReader reader(body);
        auto record = reader.next();
        for (; record && *record; record = reader.next()) {
            plain.emplace((*record)->name);
            offset = (*record)->dirent.off;
        }
        ASSERT_TRUE(record);
    }
    EXPECT_EQ(plain, expected);

    std::vector<fuse::ForgetOne> nodes;
    for (std::uint64_t offset = 0;;) {
        const auto body = ask<fuse::ReadIn>({.opcode = Opcode::kReadDirPlus, .node = fuse::kRootNodeId},
                                            {.fh = directory->fh, .offset = offset, .size = 65536}, 65536);
        if (body.empty()) break;
        fuse::DirectoryPlusReader reader(body);
        auto record = reader.next();
        for (; record && *record; record = reader.next()) {
            plus.emplace((*record)->name);
            offset = (*record)->dirent.off;
            if ((*record)->entry.node != fuse::kNoNode) nodes.push_back({(*record)->entry.node, 1});
        }
        ASSERT_TRUE(record);
    }
    EXPECT_EQ(plus, expected);
    EXPECT_GE(nodes.size(), 300U);

    // Each node that the guest knows costs the daemon a descriptor, until it is forgotten.
    const auto before = daemon_->descriptor_count();
    ASSERT_TRUE(before) << before.error();
    EXPECT_GE(*before, 300U);
    forget(nodes);
    // BATCH_FORGET has no answer, and the queues' threads do not wait for one another.
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    std::size_t after = *before;
    while (after > *before - 300 && std::chrono::steady_clock::now() < deadline) {
        after = daemon_->descriptor_count().value_or(0);
    }
    EXPECT_LE(after, *before - 300);
    EXPECT_GT(after, 3U);
}

TEST(DaemonStart, LowSoftLimitOnFiles_IsRaisedForTheDaemon) {
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit low = before;
    low.rlim_cur = 64;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    const auto daemon = Daemon::start({.directory = "/tmp"});
    ASSERT_TRUE(daemon) << daemon.error();
    rlimit after{};
    EXPECT_EQ(prlimit((*daemon)->serving_pid(), RLIMIT_NOFILE, nullptr, &after), 0);
    EXPECT_GE(after.rlim_cur, before.rlim_max);
    setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(RealDaemon, EightThreads_GetTheirOwnAnswers) {
    for (int i = 0; i < 8; ++i)
        std::ofstream(share_.path() / std::to_string(i)) << std::string(1000 + i, 'x');
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([this, i] {
            constexpr int kBatch = 16;
            for (int round = 0; round < 500 / kBatch; ++round) {
                std::vector<std::unique_ptr<fuse::Request<>>> requests;
                std::vector<std::unique_ptr<WaitingMessage>> messages;
                std::vector<guest::Message*> batch;
                for (int k = 0; k < kBatch; ++k) {
                    requests.push_back(std::make_unique<fuse::Request<>>(
                        fuse::RequestInfo{.opcode = Opcode::kLookup,
                                          .node = fuse::kRootNodeId,
                                          .unique = next_unique_.fetch_add(2)}));
                    EXPECT_TRUE(requests.back()->add_name(std::string_view("01234567").substr(i, 1)));
                    messages.push_back(std::make_unique<WaitingMessage>(*channel_, *requests.back(),
                                                                        sizeof(fuse::EntryOut)));
                    batch.push_back(messages.back().get());
                }
                channel_->submit(batch);
                for (auto& message : messages) {
                    const auto outcome = message->wait();
                    ASSERT_TRUE(outcome && *outcome);
                    const auto reply = message->reply();
                    ASSERT_TRUE(reply);
                    const auto entry = fuse::read_fixed<fuse::EntryOut>(reply->body);
                    ASSERT_TRUE(entry);
                    EXPECT_EQ(entry->attr.size, 1000U + static_cast<unsigned>(i));
                }
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(channel_->held_by_device(), 0U);
}

class SmallChannel : public RealDaemon {
  protected:
    // Room for two long messages and a ring of four: most of what is submitted has to queue.
    VhostUserChannelOptions options() override {
        return {.bounce_bytes = (std::size_t{2} << 20) + (1 << 18), .queue_size = 4};
    }
};

TEST_F(SmallChannel, MoreThanFits_IsQueuedAndAllAnswered) {
    std::ofstream(share_.path() / "file") << std::string(1 << 20, 'y');
    const NodeId node = lookup("file").node;
    const auto opened = fuse::read_fixed<fuse::OpenOut>(
        ask<fuse::OpenIn>({.opcode = Opcode::kOpen, .node = node}, {}, sizeof(fuse::OpenOut)));
    ASSERT_TRUE(opened);
    std::vector<std::unique_ptr<fuse::Request<fuse::ReadIn>>> requests;
    std::vector<std::unique_ptr<WaitingMessage>> messages;
    std::vector<guest::Message*> batch;
    for (int i = 0; i < 40; ++i) {
        const std::uint32_t size = i % 2 == 0 ? 1 << 20 : 100;
        requests.push_back(std::make_unique<fuse::Request<fuse::ReadIn>>(
            fuse::RequestInfo{.opcode = Opcode::kRead, .node = node, .unique = next_unique_.fetch_add(2)},
            fuse::ReadIn{.fh = opened->fh, .size = size}));
        messages.push_back(std::make_unique<WaitingMessage>(*channel_, *requests.back(), size));
        batch.push_back(messages.back().get());
    }
    channel_->submit(batch);
    for (int i = 0; i < 40; ++i) {
        const auto outcome = messages[i]->wait();
        ASSERT_TRUE(outcome && *outcome);
        EXPECT_EQ(messages[i]->reply()->body.size(), i % 2 == 0 ? 1U << 20 : 100U);
    }
}

TEST_F(RealDaemon, TooLongMessage_IsRefused) {
    fuse::Request<> request({.opcode = Opcode::kStatfs, .node = fuse::kRootNodeId, .unique = 2});
    WaitingMessage message(*channel_, request, channel_->max_message_bytes());
    message.submit(*channel_);
    EXPECT_EQ(message.wait()->error(), guest::ChannelError::kRefused);
}

TEST_F(RealDaemon, OldEpoch_IsNeverSent) {
    fuse::Request<> request({.opcode = Opcode::kStatfs, .node = fuse::kRootNodeId, .unique = 2});
    WaitingMessage message(*channel_, request, sizeof(fuse::StatfsOut));
    message.epoch = guest::Epoch{77};
    message.submit(*channel_);
    EXPECT_EQ(message.wait()->error(), guest::ChannelError::kLost);
}

TEST_F(RealDaemon, CancelWhileTheDaemonStands_IsPromptAndItsLateAnswerHarmless) {
    daemon_->pause();
    fuse::Request<> request(
        {.opcode = Opcode::kStatfs, .node = fuse::kRootNodeId, .unique = next_unique_.fetch_add(2)});
    {
        WaitingMessage message(*channel_, request, sizeof(fuse::StatfsOut));
        message.submit(*channel_);
        EXPECT_EQ(channel_->held_by_device(), 1U);
        channel_->cancel(message);
        const auto outcome = message.wait(0ms);
        ASSERT_TRUE(outcome) << "cancel did not complete it";
        EXPECT_EQ(outcome->error(), guest::ChannelError::kCancelled);
        channel_->cancel(message);
        EXPECT_EQ(message.completions(), 1);
    }
    EXPECT_EQ(channel_->held_by_device(), 1U) << "its buffer is the device's until it is given back";
    daemon_->resume();
    // The queue is served in order, so this answer comes after the late one.
    ask<fuse::NoArguments>({.opcode = Opcode::kStatfs, .node = fuse::kRootNodeId}, {},
                           sizeof(fuse::StatfsOut));
    EXPECT_EQ(channel_->held_by_device(), 0U);
}

class CountingSink final : public guest::ChannelSink {
  public:
    void channel_lost(guest::Epoch) noexcept override {
        lost.fetch_add(1);
        lost.notify_all();
    }
    std::atomic<int> lost = 0;
};

TEST_F(RealDaemon, KilledInMidFlight_CompletesEverythingOnce) {
    CountingSink sink;
    channel_->set_sink(&sink);
    daemon_->pause();  // so that all are in flight when it dies
    std::vector<std::unique_ptr<fuse::Request<>>> requests;
    std::vector<std::unique_ptr<WaitingMessage>> messages;
    std::vector<guest::Message*> batch;
    for (int i = 0; i < 300; ++i) {  // more than the ring holds
        requests.push_back(std::make_unique<fuse::Request<>>(fuse::RequestInfo{
            .opcode = Opcode::kStatfs, .node = fuse::kRootNodeId, .unique = next_unique_.fetch_add(2)}));
        messages.push_back(
            std::make_unique<WaitingMessage>(*channel_, *requests.back(), sizeof(fuse::StatfsOut)));
        batch.push_back(messages.back().get());
    }
    channel_->submit(batch);
    EXPECT_GT(channel_->held_by_device(), 0U);
    daemon_->kill();
    for (auto& message : messages) {
        const auto outcome = message->wait();
        ASSERT_TRUE(outcome);
        EXPECT_EQ(outcome->error(), guest::ChannelError::kLost);
    }
    sink.lost.wait(0);
    EXPECT_EQ(sink.lost, 1);
    EXPECT_FALSE(channel_->loss_reason().empty());
    WaitingMessage late(*channel_, *requests[0], sizeof(fuse::StatfsOut));
    late.submit(*channel_);
    EXPECT_EQ(late.wait()->error(), guest::ChannelError::kLost);
    channel_.reset();
    for (auto& message : messages)
        EXPECT_EQ(message->completions(), 1);
}

TEST_F(RealDaemon, ClosingTheChannel_CancelsWhatIsOutstandingAndEndsTheDaemon) {
    daemon_->pause();
    fuse::Request<> request({.opcode = Opcode::kStatfs, .node = fuse::kRootNodeId, .unique = 1000});
    WaitingMessage message(*channel_, request, sizeof(fuse::StatfsOut));
    message.submit(*channel_);
    channel_.reset();
    const auto outcome = message.wait(0ms);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->error(), guest::ChannelError::kCancelled);
    daemon_->resume();
    EXPECT_TRUE(daemon_->wait_for_exit(20s)) << daemon_->log();
}

class Counted : public RealDaemon {
  protected:
    guest::Channel& counting_or_channel() override {
        if (!counting_) counting_.emplace(*channel_);
        return *counting_;
    }
    std::optional<CountingChannel> counting_;
};

TEST_F(Counted, Messages_AreCountedByOpcode) {
    EXPECT_EQ(counting_->snapshot().of(Opcode::kInit), 1U);
    counting_->reset();
    std::ofstream(share_.path() / "a") << "a";
    const NodeId node = lookup("a").node;
    const auto opened = fuse::read_fixed<fuse::OpenOut>(
        ask<fuse::OpenIn>({.opcode = Opcode::kOpen, .node = node}, {}, sizeof(fuse::OpenOut)));
    ask<fuse::ReleaseIn>({.opcode = Opcode::kRelease, .node = node}, {.fh = opened->fh}, 0);
    const MessageCounts counts = counting_->snapshot();
    EXPECT_EQ(counts.text(), "LOOKUP 1, OPEN 1, RELEASE 1");
    EXPECT_EQ(counts.total(), 3U);
    EXPECT_EQ(counts.waited_for(), 2U);
    EXPECT_EQ(counts.not_waited_for(), 1U);
}

TEST(DaemonStart, ThatFails_IsExplainedByItsLog) {
    auto daemon = Daemon::start({.directory = "/nonexistent/directory"});
    ASSERT_TRUE(daemon) << daemon.error();
    const auto channel = VhostUserChannel::connect((*daemon)->socket_path(), {.timeout = 20s});
    EXPECT_FALSE(channel);
    EXPECT_TRUE((*daemon)->wait_for_exit(20s));
    EXPECT_NE((*daemon)->log().find("/nonexistent/directory"), std::string::npos) << (*daemon)->log();
    EXPECT_FALSE((*daemon)->descriptor_count());
}

TEST(DaemonStart, UnknownBinary_IsAnError) {
    EXPECT_FALSE(Daemon::start({.directory = "/tmp", .binary = "/nonexistent/virtiofsd"}));
}

}  // namespace
}  // namespace lab
