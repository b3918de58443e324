// A channel's sink: set on one thread, told on another, and never called after it was taken off.
// Must never know: which channel it belongs to.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "guest/volume/channel.h"

namespace lab {

class SinkHolder {
  public:
    // Waits for a call under way to the old sink, unless it comes from inside that call.
    void set(guest::ChannelSink* sink) noexcept {
        std::unique_lock lock(mutex_);
        sink_ = sink;
        idle_.wait(lock,
                   [&] { return calling_ == std::thread::id{} || calling_ == std::this_thread::get_id(); });
    }

    // For the one thread that ends the channel.
    void tell_lost(guest::Epoch epoch) noexcept {
        guest::ChannelSink* sink = nullptr;
        {
            const std::lock_guard lock(mutex_);
            sink = sink_;
            if (sink == nullptr) return;
            calling_ = std::this_thread::get_id();
        }
        sink->channel_lost(epoch);
        const std::lock_guard lock(mutex_);
        calling_ = {};
        idle_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable idle_;
    guest::ChannelSink* sink_ = nullptr;
    std::thread::id calling_;
};

}  // namespace lab
