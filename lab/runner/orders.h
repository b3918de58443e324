// What lab/tell orders while a run goes on: a device to be removed, a daemon to be killed, and back. Must
// never know: programs, drives.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/control/control.h"
#include "lab/runner/parts.h"

namespace lab {

// The host side of a share.
struct OrderedShare {
    Part* daemon = nullptr;
    ProcessSpec daemon_command;
    std::string daemon_socket;
    std::string device_control;  // the device host's socket for orders
};

class Orders {
  public:
    explicit Orders(Parts& parts) : parts_(parts) {}

    void add(OrderedShare share) { shares_.push_back(std::move(share)); }
    // Where lab/tell finds this run.
    std::expected<void, std::string> listen(const std::string& path);
    bool is_listening() const { return control_.has_value(); }
    // Carries out what has been ordered meanwhile.
    void serve_waiting();

  private:
    std::expected<void, std::string> carry_out(const std::string& order);
    std::expected<void, std::string> order_daemon(OrderedShare& share, const std::string& what);

    Parts& parts_;
    std::vector<OrderedShare> shares_;
    std::optional<ControlSocket> control_;
};

}  // namespace lab
