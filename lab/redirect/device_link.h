// This process's connections to the device hosts of its session: one per device while anything is open, made
// anew when the host was replaced. Must never know: control codes, handles.
#pragma once

#include "lab/transport/client.h"

namespace lab::redirect::device {

class Link {
  public:
    transport::Client& client() { return client_; }

  private:
    friend Link* acquire_link(unsigned index);
    friend void retain_link(Link* link);
    friend void release_link(Link* link);
    transport::Client client_;
    unsigned index_ = 0;
    unsigned users_ = 0;
    bool current_ = false;
};

// A connection to the running host of that device, kept until release_link(); null if none runs. May be
// called on any thread except a client's own.
Link* acquire_link(unsigned index);
// One more user of a link that has one.
void retain_link(Link* link);
// On any thread; the connection itself may live on, for the next user.
void release_link(Link* link);

}  // namespace lab::redirect::device
