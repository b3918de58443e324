// The way of requests to the channel: gives them their `unique`, waits for batches, keeps what nobody waits
// for (RELEASE, FORGET) alive until it is done, and can be shut. Must never know: what a request means.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <span>

#include "guest/volume/call.h"
#include "guest/volume/channel.h"
#include "threads/mutex.h"

namespace guest {

class BackgroundCall;

class RequestGate {
  public:
    explicit RequestGate(Channel& channel);
    ~RequestGate();  // waits for background messages
    RequestGate(const RequestGate&) = delete;
    RequestGate& operator=(const RequestGate&) = delete;

    // Enough to keep a device busy, and few enough not to fill its queue.
    static constexpr std::size_t kMostInFlight = 64;

    Epoch epoch() const { return epoch_; }

    // Sends all calls and waits until each is complete. Of many calls the first `most_in_flight` go as one
    // batch, and further ones whenever half of that is complete.
    void transact(std::span<PendingCall* const> calls, std::size_t most_in_flight = kMostInFlight);
    void transact(PendingCall& call) {
        PendingCall* one = &call;
        transact(std::span(&one, 1));
    }

    // Sends a call that nobody waits for. It is destroyed some time after its completion.
    void send_in_background(std::unique_ptr<BackgroundCall> call) noexcept;
    // Until every call sent in the background before has ended.
    void wait_for_background();

    // Every call in flight and every later one ends with kCancelled.
    void shut_down() noexcept;
    bool is_shut() const { return shut_.load(); }

  private:
    friend class BackgroundCall;
    void submit(std::span<PendingCall* const> calls);
    void finished(BackgroundCall& call) noexcept;
    void reap();

    Channel& channel_;
    const Epoch epoch_;
    std::atomic<std::uint64_t> next_unique_;
    std::atomic<bool> shut_ = false;

    threads::Mutex mutex_;  // held while calls are cancelled, so that none goes away meanwhile
    std::list<PendingCall*> in_flight_;

    threads::Mutex background_mutex_;
    threads::Condition background_done_;
    std::list<std::unique_ptr<BackgroundCall>> background_;
    std::list<std::unique_ptr<BackgroundCall>> finished_;
    std::size_t unfinished_ = 0;
    bool cancelling_ = false;
};

// A request that owns everything it names.
class BackgroundCall : public Message {
  public:
    virtual ~BackgroundCall() = default;
    void completed(Outcome outcome) noexcept final;

    virtual void prepare(std::uint64_t unique) noexcept = 0;  // sets `unique` and the message's pieces
    virtual void on_done(Outcome outcome) noexcept = 0;       // on any thread, must not block

  private:
    friend class RequestGate;
    RequestGate* gate_ = nullptr;
    std::list<std::unique_ptr<BackgroundCall>>::iterator place_;
    bool done_ = false;
    bool submitted_ = false;
};

}  // namespace guest
