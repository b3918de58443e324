// The device's arrival and removal, and the daemons that follow each other behind it.
#include <filesystem>
#include <functional>

#include "lab/device_host/bus.h"
#include "lab/device_host/device_fixture.h"
#include "lab/transport/host_os.h"

namespace lab::device_host {
namespace {

TEST_F(DeviceFlightTest, NextDaemon_IsReachedByNewOpensOnly) {
    begin(1);
    channel_.lose();
    EXPECT_EQ(calls_[0].wait().status, nt::Status::kDeviceNotConnected);
    const std::uint32_t meanwhile = exchange({.operation = Operation::kOpen}).open;
    ScriptedChannel next;
    next.echo_at_once();
    device_.detach();
    device_.attach(next);
    const auto bytes = message(9, "hello");
    EXPECT_EQ(submit_status(bytes, 64), nt::Status::kDeviceNotConnected);
    open_ = meanwhile;
    EXPECT_EQ(submit_status(bytes, 64), nt::Status::kDeviceNotConnected);
    open_ = exchange({.operation = Operation::kOpen}).open;
    EXPECT_EQ(exchange(submit_head(bytes, 64), bytes).body, "hello");
    device_.detach();
}

TEST_F(DeviceFlightTest, PulledOut_FailsWhatIsInFlightAndEveryLaterRequest) {
    begin(16);
    device_.pull_out();
    for (Begun& call : calls_)
        EXPECT_EQ(call.wait().status, nt::Status::kDeviceRemoved);
    const auto bytes = message(99, "late");
    EXPECT_EQ(submit_status(bytes, 64), nt::Status::kDeviceRemoved);
    EXPECT_EQ(exchange({.operation = Operation::kOpen}).status, nt::Status::kObjectNameNotFound);
    // It comes back: the old open stays dead.
    device_.arrive();
    EXPECT_EQ(submit_status(bytes, 64), nt::Status::kDeviceRemoved);
    EXPECT_EQ(exchange({.operation = Operation::kClose, .open = open_}).status, nt::Status::kSuccess);
    open_ = exchange({.operation = Operation::kOpen}).open;
    channel_.echo_at_once();
    EXPECT_EQ(exchange(submit_head(bytes, 64), bytes).body, "late");
}

TEST_F(DeviceTest, Absent_CannotBeOpened) {
    Device absent(u"absent");
    EXPECT_FALSE(absent.is_present());
    absent.arrive();
    EXPECT_TRUE(absent.is_present());
    absent.pull_out();
    EXPECT_FALSE(absent.is_present());
    EXPECT_FALSE(absent.remove());
}

// Takes events of one open as a program's notification thread does.
class Watcher {
  public:
    using Reaction = std::function<std::uint32_t(WatchEvent)>;  // a Win32 error, 0 agrees

    Watcher(const std::string& channel, Reaction reaction) : reaction_(std::move(reaction)) {
        EXPECT_TRUE(client_.connect(channel.c_str()));
        open_ = ask({.operation = Operation::kOpen}).open;
        watch_ = ask({.operation = Operation::kWatch, .open = open_}).open;
        EXPECT_NE(watch_, 0U);
        thread_ = std::thread([this] { run(); });
    }
    ~Watcher() {
        ask({.operation = Operation::kEndWatch, .open = watch_});
        thread_.join();
    }

    void close() { ask({.operation = Operation::kClose, .open = open_}); }
    std::vector<WatchEvent> events() {
        const std::scoped_lock guard(lock_);
        return events_;
    }

  private:
    Answer ask(const RequestHead& head) {
        auto lease = client_.lease();
        if (!lease) return {nt::Status::kInternalError, 0, 0, "no lease"};
        std::memcpy(lease->head().data(), &head, sizeof(head));
        const auto view = lease->exchange({.head = sizeof(head)});
        return view ? read_answer(*view) : Answer{nt::Status::kInternalError, 0, 0, "no reply"};
    }
    void run() {
        for (std::uint32_t verdict = 0;;) {
            const Answer answer = ask({.operation = Operation::kNextEvent, .open = watch_, .code = verdict});
            const auto event = static_cast<WatchEvent>(answer.information);
            if (answer.status != nt::Status::kSuccess || event == WatchEvent::kEnded) return;
            {
                const std::scoped_lock guard(lock_);
                events_.push_back(event);
            }
            verdict = reaction_(event);
        }
    }

    const Reaction reaction_;
    transport::Client client_;
    std::uint32_t open_ = 0;
    std::uint32_t watch_ = 0;
    std::mutex lock_;
    std::vector<WatchEvent> events_;
    std::thread thread_;
};

class RemovalTest : public DeviceTest {
  protected:
    void SetUp() override {
        DeviceTest::SetUp();
        exchange({.operation = Operation::kClose, .open = open_});
    }
};

TEST_F(RemovalTest, WhenAllLetGo_Succeeds) {
    std::optional<Watcher> first;
    std::optional<Watcher> second;
    const auto let_go = [](std::optional<Watcher>& watcher) {
        return [&watcher](WatchEvent event) {
            if (event == WatchEvent::kQueryRemove) watcher->close();
            return 0U;
        };
    };
    first.emplace(name_, let_go(first));
    second.emplace(name_, let_go(second));
    const auto removed = device_.remove();
    EXPECT_TRUE(removed) << removed.error();
    EXPECT_FALSE(device_.is_present());
    const std::vector<WatchEvent> expected{WatchEvent::kQueryRemove, WatchEvent::kRemovePending,
                                           WatchEvent::kRemoveComplete};
    EXPECT_EQ(first->events(), expected);
    EXPECT_EQ(second->events(), expected);
}

TEST_F(RemovalTest, WithAnOpenHandle_FailsAndTheDeviceStays) {
    Watcher keeps_it(name_, [](WatchEvent) { return 0U; });
    const auto removed = device_.remove();
    ASSERT_FALSE(removed);
    EXPECT_NE(removed.error().find("1 handles are open"), std::string::npos);
    EXPECT_TRUE(device_.is_present());
    EXPECT_EQ(keeps_it.events(),
              (std::vector<WatchEvent>{WatchEvent::kQueryRemove, WatchEvent::kQueryRemoveFailed}));
}

TEST_F(RemovalTest, WhenSomebodyObjects_FailsAndTheDeviceStays) {
    std::optional<Watcher> objects;
    objects.emplace(name_, [&](WatchEvent event) {
        if (event != WatchEvent::kQueryRemove) return 0U;
        objects->close();
        return 1223U;  // ERROR_CANCELLED
    });
    EXPECT_FALSE(device_.remove());
    EXPECT_TRUE(device_.is_present());
}

TEST_F(RemovalTest, WhileItIsDecided_NobodyOpensTheDevice) {
    std::optional<Watcher> watcher;
    std::atomic<nt::Status> status{nt::Status::kSuccess};
    watcher.emplace(name_, [&](WatchEvent event) {
        if (event == WatchEvent::kQueryRemove) {
            status = exchange({.operation = Operation::kOpen}).status;
            watcher->close();
        }
        return 0U;
    });
    device_.fail_removal();
    EXPECT_EQ(status, nt::Status::kDeletePending);
    EXPECT_TRUE(device_.is_present());
    EXPECT_EQ(exchange({.operation = Operation::kOpen}).status, nt::Status::kSuccess);
}

TEST_F(RemovalTest, WatchOfNothing_IsRefused) {
    EXPECT_EQ(exchange({.operation = Operation::kWatch, .open = 777}).status, nt::Status::kInvalidHandle);
    EXPECT_EQ(exchange({.operation = Operation::kNextEvent, .open = 777}).status, nt::Status::kInvalidHandle);
    EXPECT_EQ(exchange({.operation = Operation::kEndWatch, .open = 777}).status, nt::Status::kInvalidHandle);
}

TEST_F(RemovalTest, WatcherThatEndsMeanwhile_IsNotWaitedFor) {
    for (int i = 0; i < 20; ++i) {
        std::optional<Watcher> watcher;
        watcher.emplace(name_, [](WatchEvent) { return 0U; });
        watcher->close();
        std::thread ending([&] { watcher.reset(); });
        device_.pull_out();
        ending.join();
        device_.arrive();
    }
    EXPECT_EQ(device_.watch_count(), 0U);
}

TEST_F(RemovalTest, EndOfTheHost_EndsWatches) {
    Watcher watcher(name_, [](WatchEvent) { return 0U; });
    device_.end_watches();
    server_.reset();
}

TEST(BusTest, Device_ThatComesAndGoes_IsCounted) {
    const std::string session = "bus-test-" + std::to_string(::getpid());
    Bus* const bus = Bus::open(session.c_str());
    Bus* const same = Bus::open(session.c_str());
    ASSERT_TRUE(bus != nullptr && same != nullptr);
    std::filesystem::remove("/dev/shm/vfslab-" + session + "-bus");
    bus->arrived(3);
    bus->arrived(3);
    EXPECT_EQ(same->devices[3], 1U);
    EXPECT_EQ(same->changes, 1U);
    const std::uint32_t seen = same->devices[3];
    bus->departed(3);
    bus->arrived(3);
    EXPECT_EQ(same->devices[3], 3U);
    // Who saw the one before may not end the one that is there.
    same->host_died(3, seen);
    EXPECT_EQ(bus->devices[3], 3U);
    same->host_died(3, 3);
    EXPECT_EQ(bus->devices[3], 4U);
    EXPECT_EQ(Bus::open("no/session"), nullptr);
}

TEST(BusTest, Waiter_IsWokenByAnArrival) {
    const std::string session = "bus-wake-" + std::to_string(::getpid());
    Bus* const bus = Bus::open(session.c_str());
    ASSERT_NE(bus, nullptr);
    std::filesystem::remove("/dev/shm/vfslab-" + session + "-bus");
    std::thread device([bus] { bus->arrived(0); });
    for (std::uint32_t changes = 0; bus->devices[0] == 0; changes = bus->changes)
        transport::os::wait(bus->changes, changes, 20000);
    device.join();
    EXPECT_EQ(bus->devices[0], 1U);
}

}  // namespace
}  // namespace lab::device_host
