#include "lab/redirect/calls.h"

#include <cstring>
#include <new>

#include "lab/transport/host_os.h"

namespace lab::redirect {
namespace {

// A volume's entry may be taken over by another server; then the connection is made anew, alone (exclusive
// lock). Calls share the lock.
struct Connection {
    RTL_SRWLOCK lock = {};
    std::uint32_t generation = 0;  // of the entry it was made for; 0: none
    // Built at start, never destroyed: the process ends with its threads anywhere.
    alignas(transport::Client) std::byte client[sizeof(transport::Client)] = {};

    transport::Client& get() { return *std::launder(reinterpret_cast<transport::Client*>(client)); }
};

// How long the end of the process waits for other threads' calls.
constexpr std::uint64_t kCallsEndNs = 30'000'000'000;

struct CallState {
    MountTable* mounts = nullptr;
    std::atomic<std::uint32_t> in_progress{0};    // threads within a call
    std::atomic<std::uint32_t> ending_thread{0};  // the one that ends the process
    Connection connections[kMaxMounts];
};
constinit CallState g_calls;

bool is_current(const Connection& connection, const Mount& mount) {
    return connection.generation != 0 &&
           connection.generation == mount.generation.load(std::memory_order_acquire);
}

bool greet(transport::Client& client) {
    RequestHead hello;
    hello.operation = Operation::kHello;
    hello.process_id = GetCurrentProcessId();
    ReplyHead reply;
    const auto answer = client.call({.head = std::as_bytes(std::span(&hello, 1)), .payload = {}},
                                    {.head = std::as_writable_bytes(std::span(&reply, 1)), .payload = {}});
    return answer && answer->head == sizeof(reply) && reply.status == 0;
}

void reconnect(Connection& connection, const Mount& mount) {
    RtlAcquireSRWLockExclusive(&connection.lock);
    if (!is_current(connection, mount) && mount.state.load(std::memory_order_acquire) == Mount::kLive) {
        transport::Client& client = connection.get();
        client.disconnect();
        connection.generation = 0;
        char channel[kMaxChannelBytes + 1];
        std::memcpy(channel, mount.channel, sizeof(channel));
        channel[kMaxChannelBytes] = 0;
        const std::uint32_t generation = mount.generation.load(std::memory_order_acquire);
        if (client.connect(channel) && greet(client)) connection.generation = generation;
    }
    RtlReleaseSRWLockExclusive(&connection.lock);
}

void leave_call() {
    if (g_calls.in_progress.fetch_sub(1) == 1 && g_calls.ending_thread.load() != 0) {
        transport::os::wake(g_calls.in_progress, transport::os::kAllWaiters);
    }
}

void enter_call() {
    g_calls.in_progress.fetch_add(1);
    const std::uint32_t ending = g_calls.ending_thread.load();
    if (ending == 0 || ending == GetCurrentThreadId()) return;
    leave_call();
    for (;;)
        Sleep(INFINITE);  // the process ends meanwhile
}

}  // namespace

void stop_other_threads_calls() {
    std::uint32_t nobody = 0;
    if (!g_calls.ending_thread.compare_exchange_strong(nobody, GetCurrentThreadId())) return;
    const std::uint64_t deadline = transport::os::monotonic_ns() + kCallsEndNs;
    for (;;) {
        const std::uint32_t others = g_calls.in_progress.load();
        const std::uint64_t now = transport::os::monotonic_ns();
        if (others == 0 || now >= deadline) return;
        transport::os::wait(g_calls.in_progress, others,
                            static_cast<std::uint32_t>((deadline - now) / 1'000'000 + 1));
    }
}

void start_calls(MountTable* mounts) {
    g_calls.mounts = mounts;
    for (Connection& connection : g_calls.connections)
        new (connection.client) transport::Client;
}

const MountTable& mounts() {
    return *g_calls.mounts;
}

void note_process_end(unsigned mount) {
    g_calls.mounts->entries[mount].ends.fetch_add(1);
}

ServerCall::ServerCall(unsigned mount, Operation operation, std::uint64_t open) : mount_(mount) {
    request_.operation = operation;
    request_.open = open;
    enter_call();
    if (!mounts().is_live(mount)) return;
    Connection& connection = g_calls.connections[mount];
    const Mount& entry = mounts().entries[mount];
    RtlAcquireSRWLockShared(&connection.lock);
    if (!is_current(connection, entry)) {
        RtlReleaseSRWLockShared(&connection.lock);
        reconnect(connection, entry);
        RtlAcquireSRWLockShared(&connection.lock);
    }
    locked_ = true;
    if (!is_current(connection, entry)) return;
    if (auto lease = connection.get().lease()) {
        lease_ = std::move(*lease);
        connected_ = true;
    }
}

ServerCall::~ServerCall() {
    lease_ = transport::Lease();
    if (locked_) RtlReleaseSRWLockShared(&g_calls.connections[mount_].lock);
    leave_call();
}

NTSTATUS ServerCall::exchange(std::size_t payload_bytes) {
    if (!connected_) return kStatusVolumeDismounted;
    std::memcpy(lease_.head().data(), &request_, sizeof(request_));
    const auto answer = lease_.exchange(
        {.head = sizeof(request_), .payload = static_cast<std::uint32_t>(payload_bytes)}, request_.length);
    if (!answer || answer->head.size() < sizeof(reply_)) return kStatusVolumeDismounted;
    std::memcpy(&reply_, answer->head.data(), sizeof(reply_));
    reply_payload_ = answer->payload;
    return static_cast<NTSTATUS>(reply_.status);
}

}  // namespace lab::redirect
