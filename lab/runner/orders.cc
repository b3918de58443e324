#include "lab/runner/orders.h"

#include <fmt/format.h>
#include <signal.h>

#include <filesystem>
#include <sstream>

namespace lab {

std::expected<void, std::string> Orders::listen(const std::string& path) {
    auto control = ControlSocket::listen(path);
    if (!control) return std::unexpected("--control: " + control.error());
    control_.emplace(std::move(*control));
    return {};
}

void Orders::serve_waiting() {
    control_->serve_waiting([this](const std::string& order) { return carry_out(order); });
}

std::expected<void, std::string> Orders::carry_out(const std::string& order) {
    std::istringstream words(order);
    std::string whom;
    std::string what;
    std::size_t number = 1;
    words >> whom >> what;
    if (!what.empty() && what.find_first_not_of("0123456789") == std::string::npos) {
        number = what.size() < 4 ? std::stoul(what) : 0;
        what.clear();
        words >> what;
    }
    if (whom != "device" && whom != "daemon") {
        return std::unexpected(fmt::format(
            "unknown order '{}': device [NUMBER] add|remove|fail-removal|pull-out|busy, daemon [NUMBER] "
            "kill|start|stop|continue",
            order));
    }
    if (number == 0 || number > shares_.size())
        return std::unexpected(
            fmt::format("there is no {} of that number, but 1 to {}", whom, shares_.size()));
    OrderedShare& share = shares_[number - 1];
    return whom == "device" ? give_order(share.device_control, what) : order_daemon(share, what);
}

std::expected<void, std::string> Orders::order_daemon(OrderedShare& share, const std::string& what) {
    Part& daemon = *share.daemon;
    if (what == "start") {
        if (!daemon.end_is_wanted) return std::unexpected("the daemon runs already");
        std::error_code gone;
        std::filesystem::remove(share.daemon_socket, gone);
        return parts_.restart(daemon, share.daemon_command,
                              [&] { return std::filesystem::exists(share.daemon_socket); });
    }
    if (daemon.end_is_wanted) return std::unexpected("the daemon does not run");
    if (what == "kill") {
        daemon.end_is_wanted = true;
        daemon.process.signal_family(SIGKILL);
        daemon.process.wait();
    } else if (what == "stop") {
        daemon.process.signal_family(SIGSTOP);
    } else if (what == "continue") {
        daemon.process.signal_family(SIGCONT);
    } else {
        return std::unexpected("unknown order '" + what + "' for a daemon: kill, start, stop, continue");
    }
    return {};
}

}  // namespace lab
