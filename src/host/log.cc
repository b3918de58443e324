#include "host/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <syslog.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <memory>
#include <mutex>

namespace host {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
    switch (level) {
        case LogLevel::kOff:
            return spdlog::level::off;
        case LogLevel::kError:
            return spdlog::level::err;
        case LogLevel::kWarning:
            return spdlog::level::warn;
        case LogLevel::kInfo:
            return spdlog::level::info;
        case LogLevel::kDebug:
            return spdlog::level::debug;
        case LogLevel::kTrace:
            return spdlog::level::trace;
    }
    return spdlog::level::info;
}

// A message is one write, so that lines of several processes do not mix.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
  private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        const auto level = spdlog::level::to_string_view(message.level);
        const auto line =
            log_line({level.data(), level.size()}, {message.payload.data(), message.payload.size()});
        std::string_view rest = line;
        while (!rest.empty()) {
            const auto written = ::write(STDERR_FILENO, rest.data(), rest.size());
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) return;
            rest.remove_prefix(static_cast<std::size_t>(written));
        }
    }
    void flush_() override {}
};

}  // namespace

void start_log(LogLevel level, bool syslog) {
    std::shared_ptr<spdlog::sinks::sink> sink;
    if (syslog) {
        sink = std::make_shared<spdlog::sinks::syslog_sink_mt>("virtiofsd", LOG_PID | LOG_NDELAY, LOG_DAEMON,
                                                               false);
    } else {
        sink = std::make_shared<StderrSink>();
    }
    auto logger = std::make_shared<spdlog::logger>("virtiofsd", std::move(sink));
    logger->set_level(spdlog_level(level));
    spdlog::set_default_logger(std::move(logger));
}

std::string log_line(std::string_view level, std::string_view text) {
    auto line = fmt::format("virtiofsd: {}: ", level);
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        if (code < 0x20 || code == 0x7F) {
            fmt::format_to(std::back_inserter(line), "\\x{:02x}", code);
        } else {
            line += c;
        }
    }
    return line + '\n';
}

}  // namespace host
