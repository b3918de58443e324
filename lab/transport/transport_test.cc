// The channel between threads and processes of the native side, its shared memory in hostile hands included.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "lab/transport/client.h"
#include "lab/transport/echo_handler.h"
#include "lab/transport/server.h"

namespace lab::transport {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::string unique_name() {
    static std::atomic<int> counter{0};
    return "transport-test-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
}

class TransportTest : public testing::Test {
  protected:
    void start(std::uint32_t slots = kDefaultSlots) {
        auto server = Server::start({.name = name_, .slots = slots}, handler_);
        ASSERT_TRUE(server) << server.error();
        server_ = std::move(*server);
    }
    static std::expected<std::string, Failure> echo(Client& client, const std::string& head,
                                                    const std::string& payload = {}) {
        std::string reply_head(kHeadBytes, '\0');
        std::string reply_payload(payload.size(), '\0');
        const auto lengths = client.call({.head = bytes_of(head), .payload = bytes_of(payload)},
                                         {.head = std::as_writable_bytes(std::span(reply_head)),
                                          .payload = std::as_writable_bytes(std::span(reply_payload))});
        if (!lengths) return std::unexpected(lengths.error());
        reply_head.resize(lengths->head);
        reply_payload.resize(lengths->payload);
        EXPECT_EQ(reply_payload.size(), payload.size());
        EXPECT_EQ(reply_payload, payload);
        return reply_head;
    }
    std::string path() const { return "/dev/shm/" + name_; }

    std::string name_ = unique_name();
    EchoHandler handler_;
    std::unique_ptr<Server> server_;
};

// A begun call whose end can be waited for.
struct Waited : AsyncCall {
    Waited() {
        completed = [](AsyncCall& call, const std::expected<ReplyView, Failure>& reply) noexcept {
            auto& self = static_cast<Waited&>(call);
            const std::scoped_lock guard(self.lock);
            self.outcome = reply ? std::expected<std::string, Failure>(text_of(reply->head))
                                 : std::unexpected(reply.error());
            self.done.notify_all();
        };
    }
    std::expected<std::string, Failure> wait() {
        std::unique_lock guard(lock);
        if (!done.wait_for(guard, 20s, [this] { return outcome.has_value(); })) return "never completed";
        return *outcome;
    }
    std::mutex lock;
    std::condition_variable done;
    std::optional<std::expected<std::string, Failure>> outcome;
};

TEST_F(TransportTest, Call_WithHeadAndPayload_ComesBackWhole) {
    start();
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    EXPECT_EQ(echo(client, "hello"), "hello");
    EXPECT_EQ(echo(client, std::string(kHeadBytes, 'h'), std::string(kPayloadBytes, 'p')),
              std::string(kHeadBytes, 'h'));
    EXPECT_EQ(echo(client, ""), "");
}

TEST_F(TransportTest, Call_LongerThanASlot_IsRefused) {
    start();
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    EXPECT_EQ(echo(client, std::string(kHeadBytes + 1, 'h')), std::unexpected(Failure::kTooLong));
    EXPECT_EQ(echo(client, "h", std::string(kPayloadBytes + 1, 'p')), std::unexpected(Failure::kTooLong));
    EXPECT_EQ(echo(client, "after"), "after");
}

TEST_F(TransportTest, Call_WithTooLittleRoomForTheReply_Fails) {
    start();
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    std::byte small[2];
    EXPECT_EQ(client.call({.head = bytes_of("hello")}, {.head = small}).error(), Failure::kTooLong);
}

TEST_F(TransportTest, Lease_BuiltInPlace_IsExchangedRepeatedly) {
    start();
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    auto lease = client.lease();
    ASSERT_TRUE(lease);
    for (std::uint32_t round = 1; round < 100; ++round) {
        std::fill_n(lease->head().begin(), round, std::byte{0x11});
        std::fill_n(lease->payload().begin(), round * 1000, std::byte{0x22});
        const auto reply = lease->exchange({.head = round, .payload = round * 1000});
        ASSERT_TRUE(reply);
        EXPECT_EQ(reply->head.size(), round);
        EXPECT_EQ(reply->payload.size(), round * 1000);
        EXPECT_EQ(reply->payload.back(), std::byte{0x22});
    }
}

TEST_F(TransportTest, Region_WhileServed_IsPrivateAndAfterwardsGone) {
    start();
    EXPECT_EQ(std::filesystem::status(path()).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    server_.reset();
    EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(TransportTest, Start_UnderATakenName_IsRefused) {
    start();
    EchoHandler other;
    const auto second = Server::start({.name = name_}, other);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().find("in use"), std::string::npos) << second.error();
    EXPECT_FALSE(Server::start({.name = "../etc/x"}, other));
    EXPECT_FALSE(Server::start({.name = "x", .slots = kMaxSlots + 1}, other));
}

TEST_F(TransportTest, Connect_WithoutAServer_Fails) {
    Client client;
    EXPECT_EQ(client.connect(name_.c_str()).error(), Failure::kNoServer);
    EXPECT_EQ(client.connect("no/such").error(), Failure::kNoServer);
    EXPECT_EQ(echo(client, "x"), std::unexpected(Failure::kServerGone));
}

TEST_F(TransportTest, Calls_OfManyThreadsAndClients_AllComeBack) {
    start(16);
    constexpr int kClients = 3;
    constexpr int kThreads = 8;
    Client clients[kClients];
    for (Client& client : clients)
        ASSERT_TRUE(client.connect(name_.c_str()));
    std::vector<std::thread> threads;
    for (int t = 0; t < kClients * kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int round = 0; round < 200; ++round) {
                const std::string head = std::to_string(t) + ":" + std::to_string(round);
                EXPECT_EQ(echo(clients[t % kClients], head, std::string(round * 7, static_cast<char>(t))),
                          head);
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
}

TEST_F(TransportTest, Handlers_ThatBlock_DoNotHoldUpOthers) {
    start(32);
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    std::vector<std::thread> threads;
    for (int i = 0; i < 31; ++i)
        threads.emplace_back([&] { EXPECT_EQ(echo(client, "block"), "block"); });
    ASSERT_TRUE(handler_.wait_until_blocked(31));
    EXPECT_EQ(echo(client, "quick"), "quick");
    EXPECT_GE(server_->worker_count(), 32u);
    handler_.open();
    for (std::thread& thread : threads)
        thread.join();
}

TEST_F(TransportTest, Call_WithAllSlotsTaken_WaitsForOne) {
    start(2);
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    Waited first, second;
    ASSERT_TRUE(client.begin(first, {.head = bytes_of("hold")}));
    ASSERT_TRUE(client.begin(second, {.head = bytes_of("hold")}));
    ASSERT_TRUE(handler_.wait_until_held(2));
    std::atomic<bool> answered{false};
    std::thread waiter([&] {
        EXPECT_EQ(echo(client, "third"), "third");
        answered = true;
    });
    EXPECT_FALSE(answered);
    handler_.release_all();
    waiter.join();
    EXPECT_EQ(first.wait(), "released");
    EXPECT_EQ(second.wait(), "released");
}

TEST_F(TransportTest, Begin_ManyInFlight_CompletesEach) {
    start(64);
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    for (int round = 0; round < 20; ++round) {
        std::vector<Waited> calls(200);  // more than there are slots
        for (std::size_t i = 0; i < calls.size(); ++i) {
            ASSERT_TRUE(client.begin(calls[i], {.head = bytes_of(std::to_string(i))}));
        }
        for (std::size_t i = 0; i < calls.size(); ++i)
            EXPECT_EQ(calls[i].wait(), std::to_string(i));
    }
}

TEST_F(TransportTest, Cancel_OfAHeldCall_EndsIt) {
    start();
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    Waited call;
    ASSERT_TRUE(client.begin(call, {.head = bytes_of("hold")}));
    ASSERT_TRUE(handler_.wait_until_held(1));
    client.cancel(call);
    EXPECT_EQ(call.wait(), "cancelled");
    client.cancel(call);  // harmless
    EXPECT_EQ(echo(client, "after"), "after");
}

TEST_F(TransportTest, Cancel_AtAnyMoment_IsNeverLost) {
    start();
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    for (int round = 0; round < 2000; ++round) {
        Waited call;
        ASSERT_TRUE(client.begin(call, {.head = bytes_of("hold")}));
        client.cancel(call);  // before, while or after the server takes it
        ASSERT_EQ(call.wait(), "cancelled") << round;
    }
}

TEST_F(TransportTest, Server_ThatEnds_FailsCallsAtOnce) {
    start();
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    Waited call;
    ASSERT_TRUE(client.begin(call, {.head = bytes_of("hold")}));
    ASSERT_TRUE(handler_.wait_until_held(1));
    const auto before = Clock::now();
    server_.reset();
    const auto outcome = call.wait();
    EXPECT_TRUE(outcome == std::unexpected(Failure::kServerGone) || outcome == "cancelled");
    EXPECT_EQ(echo(client, "late"), std::unexpected(Failure::kServerGone));
    EXPECT_LT(Clock::now() - before, 1s);
}

TEST_F(TransportTest, Server_StartedAgain_TakesReconnectedClients) {
    start();
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    server_.reset();
    EXPECT_FALSE(client.server_alive());
    start();
    ASSERT_TRUE(client.connect(name_.c_str()));
    EXPECT_EQ(echo(client, "again"), "again");
}

// The peer program as a process; the constructor returns once it said that it is ready.
class Peer {
  public:
    Peer(const char* role, const std::string& name) {
        int ready[2], input[2];
        EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
        EXPECT_EQ(::pipe2(input, O_CLOEXEC), 0);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, input[0], 0);
        ::posix_spawn_file_actions_adddup2(&actions, ready[1], 1);
        std::string words[] = {TRANSPORT_PEER, role, name};
        char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
        EXPECT_EQ(::posix_spawn(&process_, TRANSPORT_PEER, &actions, nullptr, arguments, environ), 0);
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(ready[1]);
        ::close(input[0]);
        input_ = input[1];
        char byte = 0;
        EXPECT_EQ(::read(ready[0], &byte, 1), 1);
        EXPECT_EQ(byte, 'r');
        ::close(ready[0]);
    }
    ~Peer() { kill(); }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    void kill() {
        if (process_ <= 0) return;
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
        ::close(input_);
        process_ = -1;
    }

  private:
    pid_t process_ = -1;
    int input_ = -1;
};

TEST_F(TransportTest, Server_ThatIsKilled_FailsWaitersWithinASecondAndIsReplaced) {
    Peer server("serve", name_);
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    EXPECT_EQ(echo(client, "alive"), "alive");
    Waited call;
    ASSERT_TRUE(client.begin(call, {.head = bytes_of("hold")}));
    std::thread blocked([&] { EXPECT_EQ(echo(client, "hold"), std::unexpected(Failure::kServerGone)); });
    const auto before = Clock::now();
    server.kill();
    EXPECT_EQ(call.wait(), std::unexpected(Failure::kServerGone));
    blocked.join();
    EXPECT_LT(Clock::now() - before, 1s);
    EXPECT_TRUE(std::filesystem::exists(path()));  // nobody was left to remove it
    start();
    ASSERT_TRUE(client.connect(name_.c_str()));
    EXPECT_EQ(echo(client, "new"), "new");
}

TEST_F(TransportTest, Client_ThatIsKilled_LosesItsSlotsAndCalls) {
    start(4);
    Peer other("hang", name_);
    ASSERT_TRUE(handler_.wait_until_held(3));
    other.kill();
    ASSERT_TRUE(handler_.wait_until_gone(1));
    // The number is free again only after the handler was told, so that it never means two clients at once.
    // The numbers of those that come and go meanwhile may all be taken for a moment.
    Client client;
    const auto deadline = Clock::now() + 10s;
    bool connected = false;
    do {
        connected = client.connect(name_.c_str()).has_value();
    } while (!(connected && client.number() == 1) && Clock::now() < deadline);
    ASSERT_TRUE(connected);
    EXPECT_EQ(client.number(), 1u);
    std::vector<Waited> calls(4);
    for (Waited& call : calls)
        ASSERT_TRUE(client.begin(call, {.head = bytes_of("hold")}));
    ASSERT_TRUE(handler_.wait_until_held(4));
    handler_.release_all();
    for (Waited& call : calls)
        EXPECT_EQ(call.wait(), "released");
}

// The region as a hostile client holds it.
class HostileTest : public TransportTest {
  protected:
    void SetUp() override {
        start(8);
        const auto fd = os::open_file(path().c_str(), false);
        ASSERT_GE(fd, 0);
        memory_ = static_cast<std::byte*>(os::map_shared(static_cast<int>(fd), region::bytes(8)));
        os::close_file(static_cast<int>(fd));
        ASSERT_NE(memory_, nullptr);
        header_ = reinterpret_cast<region::Header*>(memory_);
    }
    void TearDown() override {
        server_.reset();
        os::unmap(memory_, region::bytes(8));
    }
    region::Slot& slot(std::uint32_t index) {
        return reinterpret_cast<region::Slot*>(memory_ + region::kHeaderBytes)[index];
    }
    void ring() {
        header_->posted_sequence.fetch_add(1);
        os::wake(header_->posted_sequence, os::kAllWaiters);
    }
    std::byte* memory_ = nullptr;
    region::Header* header_ = nullptr;
};

TEST_F(HostileTest, Slot_WithImpossibleLengths_IsAnsweredEmpty) {
    slot(7).owner = 1;
    slot(7).head_bytes = 0xFFFF'FFFF;
    slot(7).payload_bytes = 0xFFFF'FFFF;
    slot(7).state = region::kPosted;
    header_->posted.words[0].fetch_or(1 << 7);
    ring();
    const auto deadline = Clock::now() + 10s;
    while (slot(7).state == region::kPosted && Clock::now() < deadline)
        std::this_thread::yield();
    EXPECT_NE(slot(7).state, region::kPosted);
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    EXPECT_EQ(echo(client, "fine"), "fine");
}

TEST_F(HostileTest, Header_WithNonsense_DoesNotCrashTheServer) {
    std::minstd_rand random(7);
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    for (int round = 0; round < 300; ++round) {
        for (auto& word : header_->posted.words)
            word = random();
        for (auto& word : header_->cancelled.words)
            word = ~std::uint64_t{0};
        for (auto& word : header_->free.words)
            word = ~std::uint64_t{0};
        // Slots 4 to 7 are the attacker's.
        region::Slot& mine = slot(4 + random() % 4);
        mine.owner = random() % 2 != 0 ? random() : client.number();
        mine.head_bytes = random() % 2 != 0 ? random() : 8;
        mine.payload_bytes = random() % 5000;
        mine.asynchronous = random() % 2;
        mine.cancel = 1;
        mine.state = random() % 5;
        ring();
        if (round % 10 == 0) {
            auto free = slot(0).owner.load();
            EXPECT_TRUE(free == 0 || free == client.number());
        }
    }
    // What was overwritten is found and put right: the honest client's calls go through.
    for (std::uint32_t index = 4; index < 8; ++index) {
        slot(index).owner = kMaxClients + 1;
        slot(index).state = region::kClaimed;
    }
    EXPECT_EQ(echo(client, "still there"), "still there");
    const auto deadline = Clock::now() + 10s;
    const auto reclaimed = [&] {
        for (std::uint32_t index = 4; index < 8; ++index) {
            if (slot(index).owner != 0) return false;
        }
        return true;
    };
    while (!reclaimed() && Clock::now() < deadline)
        std::this_thread::yield();
    EXPECT_TRUE(reclaimed());
}

TEST_F(HostileTest, Reply_WithImpossibleLengths_IsNotedByTheClient) {
    Client client;
    ASSERT_TRUE(client.connect(name_.c_str()));
    auto lease = client.lease();
    ASSERT_TRUE(lease);
    std::ranges::copy(bytes_of("hold"), lease->head().begin());
    std::thread forger([&] {
        EXPECT_TRUE(handler_.wait_until_held(1));
        slot(0).head_bytes = kHeadBytes + 1;
        slot(0).state = region::kDone;
        os::wake(slot(0).state, os::kAllWaiters);
    });
    const auto reply = lease->exchange({.head = 4});
    forger.join();
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error(), Failure::kMalformedReply);
    handler_.release_all();
}

TEST(RegionTest, Connect_ToForeignFiles_IsRefused) {
    const std::string name = unique_name();
    const std::string path = "/dev/shm/" + name;
    const auto fd = os::open_file(path.c_str(), true);
    ASSERT_GE(fd, 0);
    Client client;
    EXPECT_EQ(client.connect(name.c_str()).error(), Failure::kIncompatible);
    os::resize_file(static_cast<int>(fd), region::bytes(4));
    EXPECT_EQ(client.connect(name.c_str()).error(), Failure::kIncompatible);
    auto* header = static_cast<region::Header*>(os::map_shared(static_cast<int>(fd), region::bytes(4)));
    header->magic = region::kMagic;
    header->slots = 5;
    EXPECT_EQ(client.connect(name.c_str()).error(), Failure::kIncompatible);
    header->slots = 4;
    EXPECT_EQ(client.connect(name.c_str()).error(), Failure::kNoServer);  // nobody holds the lock
    os::unmap(header, region::bytes(4));
    os::close_file(static_cast<int>(fd));
    os::unlink_file(path.c_str());
}

}  // namespace
}  // namespace lab::transport
