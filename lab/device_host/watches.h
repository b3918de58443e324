// Who wants to know of a device's removal, as CM_Register_Notification's users of one handle do: each watch
// is told of events one by one, in order, and says when it has taken note of one. Must never know: opens,
// channels.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>

#include "lab/device_host/protocol.h"
#include "lab/transport/server.h"

namespace lab::device_host {

// Thread-safe.
class Watches {
  public:
    // Answers what still waits.
    ~Watches();

    // A watch's number; 0 when there are too many.
    std::uint32_t add(std::uint32_t client);
    // kNextEvent, kEndWatch: keeps the call until something happens, or answers it.
    void next(transport::Call call, const RequestHead& request);
    void end(transport::Call call, const RequestHead& request);
    // The transport's; an unknown call is none of this object's.
    void cancel(transport::CallId call) noexcept;
    void client_gone(std::uint32_t client) noexcept;
    // Ends all; later ones end at once.
    void shut() noexcept;

    // Tells every watch and returns when each has taken note of it, is ended, or the time is over. False if
    // one of them objected (or said nothing in time).
    bool tell(WatchEvent event, std::chrono::milliseconds patience);

    std::size_t count() const;

  private:
    struct Watch {
        std::uint32_t client = 0;
        std::deque<WatchEvent> events;  // not told yet
        bool busy = true;               // with an event it was told of, or not yet listening
        bool objected = false;          // to the last event it took note of
        transport::Call waiting;        // kNextEvent
    };

    void deliver(Watch& watch);

    mutable std::mutex lock_;
    std::condition_variable noted_;
    std::map<std::uint32_t, Watch> watches_;
    std::uint32_t last_ = 0;
    bool shut_ = false;
};

}  // namespace lab::device_host
