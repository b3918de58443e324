#include "guest/service/program.h"

#include "guest/service/log.h"
#include "guest/service/text.h"

namespace guest::service {
namespace {

ExitCode exit_code_of(MountProblem problem) {
    switch (problem) {
        case MountProblem::kHost:
            return ExitCode::kHostFailure;
        case MountProblem::kMountPoint:
            return ExitCode::kMountPointTaken;
        case MountProblem::kWinFsp:
        case MountProblem::kSystem:
            break;
    }
    return ExitCode::kFailure;
}

}  // namespace

ExitCode Program::run() {
    std::wstring name(kServiceName);
    const ULONG code = FspServiceRunEx(name.data(), on_start, on_stop, nullptr, this);
    share_.reset();
    FspDebugLogSetHandle(INVALID_HANDLE_VALUE);
    return static_cast<ExitCode>(code);
}

NTSTATUS Program::on_start(FSP_SERVICE* service, ULONG, PWSTR*) {
    try {
        static_cast<Program*>(service->UserContext)->start(service);
    } catch (const std::exception& error) {
        log(EVENTLOG_ERROR_TYPE, std::string("cannot start: ") + error.what());
        return static_cast<NTSTATUS>(nt::Status::kInsufficientResources);
    }
    return 0;
}

NTSTATUS Program::on_stop(FSP_SERVICE* service) {
    const auto& share = static_cast<Program*>(service->UserContext)->share_;
    if (share) {
        share->request_stop();
        share->wait();
    }
    log(EVENTLOG_INFORMATION_TYPE, "stopped; nothing is mounted any more");
    return 0;
}

void Program::start(FSP_SERVICE* service) {
    log(EVENTLOG_INFORMATION_TYPE, "version " VIRTIOFS_VERSION " started");
    const std::u16string& file = settings_.debug_log_file;
    if (file == u"-") {
        FspDebugLogSetHandle(GetStdHandle(STD_ERROR_HANDLE));
    } else if (!file.empty()) {
        debug_log_ = UniqueHandle(CreateFileW(std::wstring(as_wide(file)).c_str(), FILE_APPEND_DATA,
                                              FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_ALWAYS,
                                              FILE_ATTRIBUTE_NORMAL, nullptr));
        if (debug_log_) {
            FspDebugLogSetHandle(debug_log_.get());
        } else {
            log(EVENTLOG_WARNING_TYPE, "cannot write the debug log \"" + to_utf8(file) +
                                           "\", going on without: " + describe_error(GetLastError()));
        }
    }
    share_ = std::make_unique<Share>(
        settings_, Share::Events{.tell = [](std::string_view text) { log(EVENTLOG_INFORMATION_TYPE, text); },
                                 .give_up =
                                     [service](const MountError& error) {
                                         log(EVENTLOG_ERROR_TYPE, error.message);
                                         FspServiceSetExitCode(
                                             service, static_cast<ULONG>(exit_code_of(error.problem)));
                                         FspServiceStop(service);
                                     }});
    share_->start();
}

}  // namespace guest::service
