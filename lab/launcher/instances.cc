#include "lab/launcher/instances.h"

#include <cwchar>
#include <thread>

#include "lab/launcher/command_line.h"

namespace lab::launcher {
namespace {

constexpr DWORD kStopTime = 5000;  // ms

std::u16string_view as_utf16(const std::wstring& text) {
    return {reinterpret_cast<const char16_t*>(text.data()), text.size()};
}

std::wstring as_wide(const std::u16string& text) {
    return {reinterpret_cast<const wchar_t*>(text.data()), text.size()};
}

// As Windows' console host does it: a new thread in the process enters the routine that calls the handlers.
// Wine knows no CTRL-BREAK. System DLLs have the same address in every process.
void send_ctrl_break(HANDLE process) {
    const auto routine = reinterpret_cast<LPTHREAD_START_ROUTINE>(
        reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "CtrlRoutine")));
    if (routine == nullptr) return;
    const auto event = reinterpret_cast<void*>(static_cast<ULONG_PTR>(CTRL_BREAK_EVENT));
    const Handle thread(CreateRemoteThread(process, nullptr, 0, routine, event, 0, nullptr));
}

// "WINDOW STATION\DESKTOP" of this process. On Windows children inherit it, under Wine they must be told.
std::wstring own_desktop() {
    const auto name_of = [](HANDLE object) {
        wchar_t name[256] = L"";
        GetUserObjectInformationW(object, UOI_NAME, name, sizeof name, nullptr);
        return std::wstring(name);
    };
    return name_of(GetProcessWindowStation()) + L"\\" + name_of(GetThreadDesktop(GetCurrentThreadId()));
}

}  // namespace

bool InstanceName::operator<(const InstanceName& other) const {
    const int order = _wcsicmp(service_class.c_str(), other.service_class.c_str());
    return order != 0 ? order < 0 : _wcsicmp(instance.c_str(), other.instance.c_str()) < 0;
}

Instances::Instances() : job_(CreateJobObjectW(nullptr, nullptr)) {
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    SetInformationJobObject(job_.get(), JobObjectExtendedLimitInformation, &limits, sizeof limits);
}

void Instances::forget_ended() {
    std::erase_if(running_, [](const auto& entry) {
        return WaitForSingleObject(entry.second.process.get(), 0) == WAIT_OBJECT_0;
    });
}

DWORD Instances::start(const InstanceName& name, const ServiceClass& service_class,
                       const std::vector<std::wstring>& arguments) {
    forget_ended();
    if (name.instance.empty()) return ERROR_INVALID_PARAMETER;
    if (running_.contains(name)) return ERROR_ALREADY_EXISTS;
    std::vector<std::u16string> substitutes;
    for (const std::wstring& argument : arguments)
        substitutes.emplace_back(as_utf16(argument));
    const auto expanded =
        expand(as_utf16(service_class.command_line), as_utf16(service_class.executable), substitutes);
    if (!expanded) return ERROR_NOT_SUPPORTED;
    std::wstring command = as_wide(quoted(as_utf16(service_class.executable)) + u" " + *expanded);

    STARTUPINFOW startup{};
    startup.cb = sizeof startup;
    std::wstring desktop = own_desktop();
    startup.lpDesktop = desktop.data();
    PROCESS_INFORMATION made{};
    std::wstring text = command;
    const wchar_t* directory =
        service_class.work_directory.empty() ? nullptr : service_class.work_directory.c_str();
    if (!CreateProcessW(service_class.executable.c_str(), text.data(), nullptr, nullptr, FALSE,
                        CREATE_NO_WINDOW | CREATE_SUSPENDED, nullptr, directory, &startup, &made)) {
        return GetLastError();
    }
    const Handle thread(made.hThread);
    Handle process(made.hProcess);
    if (service_class.job_control && !AssignProcessToJobObject(job_.get(), process.get())) {
        const DWORD error = GetLastError();
        TerminateProcess(process.get(), error);
        return error;
    }
    ResumeThread(thread.get());
    running_.emplace(name, Instance{std::move(process), std::move(command)});
    return ERROR_SUCCESS;
}

DWORD Instances::stop(const InstanceName& name) {
    forget_ended();
    const auto at = running_.find(name);
    if (at == running_.end()) return ERROR_FILE_NOT_FOUND;
    const HANDLE process = at->second.process.get();
    // On a thread of its own: a process that hangs takes no new thread, until it is ended.
    std::thread breaker([process] { send_ctrl_break(process); });
    if (WaitForSingleObject(process, kStopTime) != WAIT_OBJECT_0) {
        TerminateProcess(process, ERROR_TIMEOUT);
        WaitForSingleObject(process, kStopTime);
    }
    breaker.join();
    running_.erase(at);
    return ERROR_SUCCESS;
}

std::expected<std::wstring, DWORD> Instances::command_line(const InstanceName& name) {
    forget_ended();
    const auto at = running_.find(name);
    if (at == running_.end()) return std::unexpected(ERROR_FILE_NOT_FOUND);
    return at->second.command_line;
}

std::vector<InstanceName> Instances::list() {
    forget_ended();
    std::vector<InstanceName> names;
    for (const auto& [name, instance] : running_)
        names.push_back(name);
    return names;
}

}  // namespace lab::launcher
