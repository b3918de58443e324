// launcher-x64.exe: plays the service WinFsp.Launcher. Answers requests on its pipe, one after the other,
// until the service control manager stops it.
#include <windows.h>
#include <winsvc.h>

#include <atomic>
#include <cstdio>
#include <cwchar>
#include <optional>
#include <string>
#include <vector>

#include "lab/launcher/instances.h"
#include "lab/launcher/messages.h"
#include "lab/launcher/service_class.h"

namespace {

using namespace lab::launcher;

constexpr wchar_t kServiceName[] = L"WinFsp.Launcher";
constexpr DWORD kClientTime = 5000;  // ms that a client has for its part

std::wstring as_wide(const std::u16string& text) {
    return {reinterpret_cast<const wchar_t*>(text.data()), text.size()};
}

void add_text(std::u16string& data, const std::wstring& text) {
    data.append(reinterpret_cast<const char16_t*>(text.data()), text.size());
    data += u'\0';
}

Reply start(Instances& instances, const InstanceName& name, std::vector<std::wstring> arguments) {
    if (arguments.size() > kMaxInstanceArguments) return {.error = ERROR_INVALID_PARAMETER, .data = {}};
    const auto service_class = read_class(name.service_class);
    if (!service_class) return {.error = service_class.error(), .data = {}};
    return {.error = instances.start(name, *service_class, arguments), .data = {}};
}

Reply info(Instances& instances, const InstanceName& name) {
    const auto command = instances.command_line(name);
    if (!command) return {.error = command.error(), .data = {}};
    Reply reply;
    for (const std::wstring& text : {name.service_class, name.instance, *command})
        add_text(reply.data, text);
    return reply;
}

Reply list(Instances& instances) {
    Reply reply;
    for (const InstanceName& name : instances.list()) {
        add_text(reply.data, name.service_class);
        add_text(reply.data, name.instance);
    }
    return reply;
}

Reply answer(Instances& instances, std::u16string_view message) {
    const auto request = parse_request(message);
    if (!request) return {.error = ERROR_INVALID_PARAMETER, .data = {}};
    if (request->command == Command::kList) return list(instances);
    if (request->arguments.size() < 2) return {.error = ERROR_INVALID_PARAMETER, .data = {}};
    const InstanceName name{.service_class = as_wide(request->arguments[0]),
                            .instance = as_wide(request->arguments[1])};
    std::vector<std::wstring> rest;
    for (std::size_t i = 2; i < request->arguments.size(); ++i)
        rest.push_back(as_wide(request->arguments[i]));
    switch (request->command) {
        case Command::kStart:
            return start(instances, name, std::move(rest));
        case Command::kStop:
            return {.error = instances.stop(name), .data = {}};
        case Command::kInfo:
            return info(instances, name);
        default:
            return {.error = ERROR_NOT_SUPPORTED, .data = {}};  // secrets are not modelled
    }
}

// The launcher's end of the pipe. Every step ends when the launcher is to stop.
class Pipe {
  public:
    explicit Pipe(HANDLE stop)
        : pipe_(CreateNamedPipeW(
              kPipeName, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
              PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT, 1, kBytes, kBytes, 0, nullptr)),
          done_(CreateEventW(nullptr, TRUE, FALSE, nullptr)),
          stop_(stop) {}

    explicit operator bool() const { return pipe_ && done_; }

    // False: the launcher is to stop, or the pipe is broken for good.
    bool connect() {
        for (;;) {
            OVERLAPPED call = fresh_call();
            const bool done = ConnectNamedPipe(pipe_.get(), &call);
            if (!done && GetLastError() == ERROR_PIPE_CONNECTED) return true;
            // A client that came and went before this call.
            if (done || GetLastError() != ERROR_NO_DATA) return finish(done, call, INFINITE).has_value();
            disconnect();
        }
    }
    std::optional<std::u16string> read() {
        std::vector<char16_t> buffer(kMaxMessageUnits);
        OVERLAPPED call = fresh_call();
        const bool done = ReadFile(pipe_.get(), buffer.data(), kBytes, nullptr, &call);
        const auto bytes = finish(done, call, kClientTime);
        if (!bytes) return std::nullopt;
        return std::u16string(buffer.data(), *bytes / sizeof(char16_t));
    }
    // Returns when the client has read it and closed its end.
    void write(const std::u16string& message) {
        OVERLAPPED call = fresh_call();
        const auto bytes = static_cast<DWORD>(message.size() * sizeof(char16_t));
        bool done = WriteFile(pipe_.get(), message.data(), bytes, nullptr, &call);
        if (!finish(done, call, kClientTime)) return;
        char nothing = 0;
        call = fresh_call();
        done = ReadFile(pipe_.get(), &nothing, sizeof nothing, nullptr, &call);
        finish(done, call, kClientTime);
    }
    void disconnect() { DisconnectNamedPipe(pipe_.get()); }

  private:
    static constexpr DWORD kBytes = kMaxMessageUnits * sizeof(char16_t);

    OVERLAPPED fresh_call() const {
        OVERLAPPED call{};
        call.hEvent = done_.get();
        ResetEvent(done_.get());
        return call;
    }
    // The bytes that a call moved, which is over or pending; nothing when it failed, or took too long.
    std::optional<DWORD> finish(bool done, OVERLAPPED& call, DWORD time) {
        if (!done) {
            if (GetLastError() != ERROR_IO_PENDING) return std::nullopt;
            const HANDLE either[] = {stop_, done_.get()};
            if (WaitForMultipleObjects(2, either, FALSE, time) != WAIT_OBJECT_0 + 1)
                CancelIoEx(pipe_.get(), &call);
        }
        DWORD bytes = 0;
        if (!GetOverlappedResult(pipe_.get(), &call, &bytes, TRUE)) return std::nullopt;
        return bytes;
    }

    Handle pipe_;
    Handle done_;
    HANDLE stop_;
};

// The system's callbacks carry no context: one launcher a process.
std::atomic<HANDLE> stop_event{nullptr};
std::atomic<SERVICE_STATUS_HANDLE> status_handle{nullptr};

void report(DWORD state, DWORD error = NO_ERROR) {
    SERVICE_STATUS status{};
    status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    status.dwCurrentState = state;
    status.dwControlsAccepted = state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN : 0;
    status.dwWin32ExitCode = error;
    SetServiceStatus(status_handle, &status);
}

DWORD WINAPI on_control(DWORD control, DWORD, PVOID, PVOID) {
    if (control == SERVICE_CONTROL_INTERROGATE) return NO_ERROR;
    if (control != SERVICE_CONTROL_STOP && control != SERVICE_CONTROL_SHUTDOWN)
        return ERROR_CALL_NOT_IMPLEMENTED;
    report(SERVICE_STOP_PENDING);
    SetEvent(stop_event);
    return NO_ERROR;
}

void WINAPI service_main(DWORD, PWSTR*) {
    status_handle = RegisterServiceCtrlHandlerExW(kServiceName, on_control, nullptr);
    const Handle stop(CreateEventW(nullptr, TRUE, FALSE, nullptr));
    stop_event = stop.get();
    {
        Pipe pipe(stop.get());
        if (!pipe) return report(SERVICE_STOPPED, GetLastError());
        Instances instances;
        report(SERVICE_RUNNING);
        while (pipe.connect()) {
            if (const auto message = pipe.read()) pipe.write(reply_message(answer(instances, *message)));
            pipe.disconnect();
        }
    }
    report(SERVICE_STOPPED);
}

}  // namespace

int wmain() {
    std::wstring name(kServiceName);
    const SERVICE_TABLE_ENTRYW table[] = {{name.data(), service_main}, {nullptr, nullptr}};
    if (StartServiceCtrlDispatcherW(table)) return 0;
    const DWORD error = GetLastError();
    std::fwprintf(
        stderr, L"launcher-x64 (lab): the service control manager starts this program (error %lu)\n", error);
    return static_cast<int>(error);
}
