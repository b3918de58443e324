// One side of a channel as a process of its own, native or under Wine, for tests across processes.
//   transport-peer serve NAME [SLOTS]  an echo server until its input ends; says "ready"
//   transport-peer hang NAME           a client with a slot and three calls in flight; says "ready", waits
//   for its end transport-peer outlive NAME        a client that blocks until the server dies: succeeds if it
//   noticed transport-peer check NAME          tries every kind of call against an echo server, prints
//   round-trip times
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "lab/transport/client.h"
#include "lab/transport/echo_handler.h"

namespace lab::transport {
namespace {

using Clock = std::chrono::steady_clock;

void say(const char* text) {
    std::printf("%s\n", text);
    std::fflush(stdout);
}

int failed(const char* what, Failure failure) {
    std::printf("%s: %s\n", what, describe(failure));
    return 1;
}

struct Outcome : AsyncCall {
    Outcome() {
        completed = [](AsyncCall& call, const std::expected<ReplyView, Failure>& reply) noexcept {
            auto& self = static_cast<Outcome&>(call);
            const std::scoped_lock guard(self.lock);
            self.text = reply ? text_of(reply->head) : describe(reply.error());
            self.changed.notify_all();
        };
    }
    std::string wait() {
        std::unique_lock guard(lock);
        const bool ended =
            changed.wait_for(guard, EchoHandler::kTimeout, [this] { return text.has_value(); });
        return ended ? *text : "not completed in time";
    }
    std::mutex lock;
    std::condition_variable changed;
    std::optional<std::string> text;
};

int serve(const char* name, const char* slots) {
    EchoHandler handler;
    auto server =
        Server::start({.name = name, .slots = static_cast<std::uint32_t>(std::atoi(slots))}, handler);
    if (!server) {
        std::printf("%s\n", server.error().c_str());
        return 1;
    }
    say("ready");
    while (std::getchar() != EOF) {
    }
    return 0;
}

int hang(Client& client) {
    const auto lease = client.lease();
    if (!lease) return failed("lease", lease.error());
    Outcome calls[3];
    for (Outcome& call : calls) {
        if (const auto begun = client.begin(call, {.head = bytes_of("hold")}); !begun)
            return failed("begin", begun.error());
    }
    say("ready");
    for (;;)
        std::this_thread::sleep_for(std::chrono::hours(1));
}

int outlive(Client& client) {
    Outcome call;
    if (const auto begun = client.begin(call, {.head = bytes_of("hold")}); !begun)
        return failed("begin", begun.error());
    say("ready");
    std::byte head[16];
    const auto blocked = client.call({.head = bytes_of("hold")}, {.head = head});
    const bool noticed =
        !blocked && blocked.error() == Failure::kServerGone && call.wait() == describe(Failure::kServerGone);
    say(noticed ? "noticed" : "the calls did not fail as they should");
    return noticed ? 0 : 1;
}

bool echoes(Client& client, const std::string& head, const std::string& payload) {
    std::string reply_head(head.size(), '\0');
    std::string reply_payload(payload.size(), '\0');
    const auto reply = client.call({.head = bytes_of(head), .payload = bytes_of(payload)},
                                   {.head = std::as_writable_bytes(std::span(reply_head)),
                                    .payload = std::as_writable_bytes(std::span(reply_payload))});
    return reply && reply_head == head && reply_payload == payload;
}

// Median microseconds of one exchange that copies `payload_bytes` in and out.
double median_round_trip(Client& client, std::size_t payload_bytes) {
    constexpr int kRounds = 2000;
    const std::vector<std::byte> out(payload_bytes, std::byte{1});
    std::vector<std::byte> in(payload_bytes);
    std::byte head[64] = {};
    std::vector<double> times;
    for (int round = 0; round < kRounds; ++round) {
        const auto begin = Clock::now();
        if (!client.call({.head = head, .payload = out}, {.head = head, .payload = in})) return -1;
        times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    }
    std::ranges::nth_element(times, times.begin() + kRounds / 2);
    return times[kRounds / 2];
}

int check(Client& client) {
    int failures = 0;
    const auto expect = [&](bool good, const char* what) {
        std::printf("%s: %s\n", good ? "ok" : "FAILED", what);
        failures += good ? 0 : 1;
    };
    expect(echoes(client, "x", ""), "a small call");
    expect(echoes(client, std::string(kHeadBytes, 'h'), std::string(kPayloadBytes, 'p')), "the largest call");

    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            for (int round = 0; round < 100; ++round) {
                const std::string text = std::to_string(t * 1000 + round);
                if (!echoes(client, text, std::string(static_cast<std::size_t>(round) * 50, 'p'))) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    expect(wrong == 0, "800 calls of 8 threads");

    bool all = true;
    const auto calls = std::make_unique<Outcome[]>(200);
    for (int i = 0; i < 200; ++i) {
        all = all && client.begin(calls[static_cast<std::size_t>(i)], {.head = bytes_of(std::to_string(i))});
    }
    for (int i = 0; all && i < 200; ++i)
        all = calls[static_cast<std::size_t>(i)].wait() == std::to_string(i);
    expect(all, "200 calls at once");

    Outcome held;
    const bool begun = client.begin(held, {.head = bytes_of("hold")}).has_value();
    client.cancel(held);
    expect(begun && held.wait() == "cancelled", "a cancelled call");

    std::printf("median round trip: %.1f us (64 B), %.1f us (64 KiB)\n", median_round_trip(client, 64),
                median_round_trip(client, 64 * 1024));
    return failures == 0 ? 0 : 1;
}

int run(int count, char** words) {
    const std::string role = count > 2 ? words[1] : "";
    if (role == "serve") return serve(words[2], count > 3 ? words[3] : "64");
    if (role != "hang" && role != "outlive" && role != "check") {
        std::fprintf(stderr, "usage: transport-peer serve|hang|outlive|check NAME [SLOTS]\n");
        return 2;
    }
    const auto client = std::make_unique<Client>();
    if (const auto connected = client->connect(words[2]); !connected)
        return failed("connect", connected.error());
    if (role == "hang") return hang(*client);
    if (role == "outlive") return outlive(*client);
    return check(*client);
}

}  // namespace
}  // namespace lab::transport

int main(int count, char** words) {
    return lab::transport::run(count, words);
}
