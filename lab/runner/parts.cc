#include "lab/runner/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

namespace lab {

namespace {

using namespace std::chrono_literals;

constexpr auto kStartTimeout = 60s;  // for each part; a loaded machine starts Wine slowly
constexpr auto kPause = 5ms;
constexpr std::size_t kLinesTold = 20;
constexpr std::size_t kLinesShown = 40;

}  // namespace

std::expected<Part*, std::string> Parts::start(const std::string& name, ProcessSpec spec,
                                               const std::function<bool()>& ready) {
    spec.log_file = directory_ + "/" + name + ".log";
    auto process = Process::start(spec);
    if (!process) return std::unexpected(process.error());
    parts_.push_back({name, spec.log_file, std::move(*process)});
    if (auto done = wait_until_ready(parts_.back(), ready); !done) return std::unexpected(done.error());
    return &parts_.back();
}

std::expected<void, std::string> Parts::restart(Part& part, ProcessSpec spec,
                                                const std::function<bool()>& ready) {
    spec.log_file = part.log;
    auto process = Process::start(spec);
    if (!process) return std::unexpected(process.error());
    part.process = std::move(*process);
    part.end_is_wanted = false;
    return wait_until_ready(part, ready);
}

std::expected<void, std::string> Parts::wait_until_ready(Part& part, const std::function<bool()>& ready) {
    const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
    while (!ready()) {
        if (const auto code = part.process.wait_for(kPause)) {
            return std::unexpected(fmt::format("{} ended with exit code {} before it was ready:\n{}",
                                               part.name, *code, tail_of(part.log, kLinesTold)));
        }
        if (std::chrono::steady_clock::now() > deadline) {
            return std::unexpected(
                fmt::format("{} was not ready in time:\n{}", part.name, tail_of(part.log, kLinesTold)));
        }
    }
    return {};
}

std::expected<void, std::string> Parts::wait_until(const std::function<bool()>& done,
                                                   const std::string& missing, const std::string& log) {
    const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
    while (!done()) {
        if (Part* part = ended()) {
            return std::unexpected(fmt::format("{} ended with exit code {}:\n{}", part->name,
                                               *part->process.poll(), tail_of(part->log, kLinesTold)));
        }
        if (std::chrono::steady_clock::now() > deadline)
            return std::unexpected(fmt::format("{}:\n{}", missing, tail_of(log, kLinesTold)));
        std::this_thread::sleep_for(kPause);
    }
    return {};
}

Part* Parts::ended() {
    const auto part = std::ranges::find_if(
        parts_, [](Part& p) { return !p.end_is_wanted && p.process.poll().has_value(); });
    return part == parts_.end() ? nullptr : &*part;
}

void Parts::show_logs() const {
    for (const Part& part : parts_)
        fmt::print(stderr, "-- {}\n{}", part.name, tail_of(part.log, kLinesShown));
}

}  // namespace lab
