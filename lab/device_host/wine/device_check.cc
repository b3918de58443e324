// Drives the device stand-in from a Windows program, as the redirection's hooks do: FUSE messages to a real
// virtiofsd, every way of completion, cancellation and loss. For what it cannot do itself (stop the daemon,
// end the host) it prints a line "do: <what>" and waits for one on its input. Ends with exit code 0 when all
// checks held.
// clang-format off
#include <windows.h>
#include <setupapi.h>  // needs it
// clang-format on

#include <bit>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fuse/protocol.h"
#include "ioctl/contract.h"
#include "lab/redirect/device.h"

namespace {

namespace device = lab::redirect::device;
using lab::redirect::to_ntstatus;

int failures = 0;

void check(bool good, const char* what) {
    std::printf("%s: %s\n", good ? "ok" : "FAILED", what);
    std::fflush(stdout);
    if (!good) ++failures;
}

void ask(const char* what) {
    std::printf("do: %s\n", what);
    std::fflush(stdout);
    for (int c = std::getchar(); c != '\n' && c != EOF;)
        c = std::getchar();
}

std::vector<std::wstring> interface_paths() {
    const GUID id = std::bit_cast<GUID>(ioctl::kDeviceInterface);
    std::vector<std::wstring> paths;
    HDEVINFO list = SetupDiGetClassDevsW(&id, nullptr, nullptr, DIGCF_PRESENT | DIGCF_DEVICEINTERFACE);
    SP_DEVICE_INTERFACE_DATA entry{};
    entry.cbSize = sizeof(entry);
    for (DWORD i = 0; SetupDiEnumDeviceInterfaces(list, nullptr, &id, i, &entry); ++i) {
        alignas(8) char memory[1024];
        auto* detail = reinterpret_cast<SP_DEVICE_INTERFACE_DETAIL_DATA_W*>(memory);
        detail->cbSize = sizeof(*detail);
        if (SetupDiGetDeviceInterfaceDetailW(list, &entry, detail, sizeof(memory), nullptr, nullptr)) {
            paths.emplace_back(detail->DevicePath);
        }
    }
    SetupDiDestroyDeviceInfoList(list);
    return paths;
}

// "\\?\x" as NtCreateFile gets it: "\??\x".
std::u16string nt_name(const std::wstring& path) {
    std::u16string name(reinterpret_cast<const char16_t*>(path.data()), path.size());
    name[1] = u'?';
    return name;
}

std::uint64_t g_unique = 0;

template <typename Body>
std::vector<std::byte> message(fuse::Opcode opcode, fuse::NodeId node, const Body& body, std::size_t bytes) {
    const fuse::InHeader header{.len = static_cast<std::uint32_t>(sizeof(header) + bytes),
                                .opcode = opcode,
                                .unique = ++g_unique,
                                .node = node};
    std::vector<std::byte> out(header.len);
    std::memcpy(out.data(), &header, sizeof(header));
    std::memcpy(out.data() + sizeof(header), &body, bytes);
    return out;
}

std::vector<std::byte> lookup(const char* name) {
    std::vector<std::byte> out = message(fuse::Opcode::kLookup, fuse::NodeId{1}, *name, 0);
    out.insert(out.end(), reinterpret_cast<const std::byte*>(name),
               reinterpret_cast<const std::byte*>(name) + std::strlen(name) + 1);
    const auto length = static_cast<std::uint32_t>(out.size());
    std::memcpy(out.data(), &length, sizeof(length));
    return out;
}

// One control call with everything that has to live as long as it does.
struct Call {
    std::vector<std::byte> in;
    std::vector<std::byte> out;
    IO_STATUS_BLOCK io{};
    HANDLE event = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    NTSTATUS begun = 0;

    explicit Call(std::vector<std::byte> request, std::size_t out_bytes = 4096)
        : in(std::move(request)), out(out_bytes) {
        io.Status = STATUS_PENDING;
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call() { CloseHandle(event); }

    void begin(HANDLE handle, ULONG code = ioctl::kSubmitMessage) { begin(handle, {.event = event}, code); }
    void begin(HANDLE handle, lab::redirect::Notice notice, ULONG code = ioctl::kSubmitMessage) {
        notice.io = &io;
        begun = device::control(handle, notice, code, in.data(), static_cast<ULONG>(in.size()), out.data(),
                                static_cast<ULONG>(out.size()));
    }
    NTSTATUS end() {
        if (begun != STATUS_PENDING) return begun;
        return WaitForSingleObject(event, 20000) == WAIT_OBJECT_0 ? io.Status : STATUS_TIMEOUT;
    }
    NTSTATUS run(HANDLE handle, ULONG code = ioctl::kSubmitMessage) {
        begin(handle, code);
        return end();
    }
    template <typename T>
    T reply() const {
        T value{};
        std::memcpy(&value, out.data() + sizeof(fuse::OutHeader), sizeof(value));
        return value;
    }
    fuse::OutHeader header() const {
        fuse::OutHeader value;
        std::memcpy(&value, out.data(), sizeof(value));
        return value;
    }
};

HANDLE open_device(const std::u16string& name, ULONG options = 0) {
    const device::Opened opened = device::open(name, GENERIC_READ | GENERIC_WRITE, options, 0);
    return opened.status == STATUS_SUCCESS ? opened.handle : nullptr;
}

void close_device(HANDLE handle) {
    device::closing(handle);
    CloseHandle(handle);
}

void check_names(const std::u16string& name) {
    check(device::is_device_name(name), "SetupDi's path is recognised");
    check(!device::is_device_name(u"\\??\\C:\\windows") &&
              !device::is_device_name(name.substr(0, name.size() - 1)),
          "other names are not");
    const device::Opened absent =
        device::open(interface_paths().size() > 1 ? nt_name(interface_paths()[1]) : name, GENERIC_READ, 0, 0);
    check(absent.status == to_ntstatus(nt::Status::kObjectNameNotFound),
          "a device without a host does not open");
}

void check_validation(const std::u16string& name, HANDLE handle) {
    char16_t tag[40] = {};
    IO_STATUS_BLOCK io{};
    HANDLE sync = open_device(name, 0x20);
    NTSTATUS status = device::control(sync, {.io = &io}, ioctl::kGetVolumeName, nullptr, 0, tag, sizeof(tag));
    check(status == STATUS_SUCCESS && std::u16string(tag) == u"mytag" && io.Information >= 10,
          "the volume name is the tag");
    check(device::control(sync, {.io = &io}, ioctl::kGetVolumeName, nullptr, 0, tag, 4) ==
              STATUS_BUFFER_TOO_SMALL,
          "a short buffer for it is refused");
    check(
        device::control(sync, {.io = &io}, 0x226100, nullptr, 0, nullptr, 0) == STATUS_INVALID_DEVICE_REQUEST,
        "an unknown code is refused");
    close_device(sync);
    check(device::control(sync, {.io = &io}, ioctl::kGetVolumeName, nullptr, 0, tag, 80) ==
              STATUS_INVALID_HANDLE,
          "a closed handle is invalid");

    const device::Opened reader = device::open(name, FILE_READ_DATA, 0, 0);
    Call denied(lookup("hello.txt"));
    check(denied.run(reader.handle) == STATUS_ACCESS_DENIED, "a message needs write access");
    close_device(reader.handle);

    Call bad(lookup("hello.txt"));
    bad.in.pop_back();
    check(bad.run(handle) == STATUS_INVALID_PARAMETER, "a message that contradicts its length is refused");
    io = {};
    check(device::control(handle, {.io = &io}, ioctl::kSubmitMessage, reinterpret_cast<void*>(0x10), 60,
                          nullptr, 0) == STATUS_ACCESS_VIOLATION,
          "a bad input pointer is an access violation");
    Call lost_output(lookup("hello.txt"));
    status = device::control(handle, {.event = lost_output.event, .io = &lost_output.io},
                             ioctl::kSubmitMessage, lost_output.in.data(),
                             static_cast<ULONG>(lost_output.in.size()), reinterpret_cast<void*>(0x10), 4096);
    lost_output.begun = status;
    check(lost_output.end() == STATUS_ACCESS_VIOLATION, "a bad output pointer is an access violation");
}

void check_messages(HANDLE handle) {
    const fuse::InitIn init{.major = 7, .minor = 31, .max_readahead = 0x20000, .flags = 0};
    Call first(message(fuse::Opcode::kInit, fuse::NodeId{}, init, sizeof(init)));
    check(first.run(handle) == STATUS_SUCCESS && first.header().error == 0 &&
              first.reply<fuse::InitOut>().major == 7,
          "FUSE_INIT");
    Call found(lookup("hello.txt"));
    check(found.run(handle) == STATUS_SUCCESS && found.header().error == 0 &&
              found.io.Information == sizeof(fuse::OutHeader) + sizeof(fuse::EntryOut),
          "FUSE_LOOKUP");
    const auto entry = found.reply<fuse::EntryOut>();
    Call missing(lookup("no such"));
    check(missing.run(handle) == STATUS_SUCCESS && missing.header().error == -2,
          "a FUSE error is a success here");

    Call open(message(fuse::Opcode::kOpen, entry.node, fuse::OpenIn{}, sizeof(fuse::OpenIn)));
    check(open.run(handle) == STATUS_SUCCESS && open.header().error == 0, "FUSE_OPEN");
    const fuse::ReadIn read{.fh = open.reply<fuse::OpenOut>().fh, .size = 100};
    const std::string expected = "hello from the host\n";
    Call data(message(fuse::Opcode::kRead, entry.node, read, sizeof(read)));
    check(data.run(handle) == STATUS_SUCCESS && data.io.Information == 16 + expected.size() &&
              std::memcmp(data.out.data() + 16, expected.data(), expected.size()) == 0,
          "FUSE_READ");

    char buffer[100] = {};
    ioctl::ReadDirect direct{
        .length = 100, .error = 0, .unique = 0, .buffer = reinterpret_cast<std::uint64_t>(buffer)};
    Call straight(message(fuse::Opcode::kRead, entry.node, read, sizeof(read)), sizeof(direct));
    std::memcpy(straight.out.data(), &direct, sizeof(direct));
    const NTSTATUS status = straight.run(handle, ioctl::kReadDirect);
    std::memcpy(&direct, straight.out.data(), sizeof(direct));
    check(status == STATUS_SUCCESS && std::string(buffer) == expected &&
              direct.length == 16 + expected.size() &&
              direct.buffer == reinterpret_cast<std::uint64_t>(buffer) &&
              straight.io.Information == sizeof(direct),
          "read-direct puts the data into the caller's buffer");
    direct.length = 100;
    direct.buffer = 0x10;
    std::memcpy(straight.out.data(), &direct, sizeof(direct));
    const std::uint64_t unique = ++g_unique;
    std::memcpy(straight.in.data() + 8, &unique, 8);
    straight.io.Status = STATUS_PENDING;
    ResetEvent(straight.event);
    check(straight.run(handle, ioctl::kReadDirect) == STATUS_ACCESS_VIOLATION,
          "read-direct to nowhere fails");

    const fuse::ForgetIn forget{.nlookup = fuse::LookupCount{1}};
    Call gone(message(fuse::Opcode::kForget, entry.node, forget, sizeof(forget)), 0);
    check(gone.run(handle) == STATUS_SUCCESS && gone.io.Information == 0, "FUSE_FORGET has no reply");
}

// WINAPI callback: the context is the counter to raise.
void WINAPI count_apc(void* context, IO_STATUS_BLOCK* io, ULONG) {
    if (io->Status == STATUS_SUCCESS) ++*static_cast<int*>(context);
}

void check_completions(const std::u16string& name) {
    HANDLE handle = open_device(name);
    Call by_handle(lookup("hello.txt"));
    by_handle.begin(handle, lab::redirect::Notice{});
    check(by_handle.begun == STATUS_PENDING && WaitForSingleObject(handle, 20000) == WAIT_OBJECT_0 &&
              by_handle.io.Status == STATUS_SUCCESS,
          "without an event the handle is signalled");

    int apcs = 0;
    Call by_apc(lookup("hello.txt"));
    by_apc.begin(handle, {.apc = reinterpret_cast<PIO_APC_ROUTINE>(count_apc), .apc_context = &apcs});
    while (apcs == 0 && SleepEx(20000, TRUE) == WAIT_IO_COMPLETION) {
    }
    check(apcs == 1, "an APC runs in the thread that asked");

    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1);
    const lab::redirect::CompletionInformation association{port, reinterpret_cast<void*>(77)};
    check(device::associate_port(handle, &association, sizeof(association)) == STATUS_SUCCESS,
          "a completion port is associated");
    std::vector<std::unique_ptr<Call>> calls;
    for (int i = 0; i < 64; ++i)
        calls.push_back(std::make_unique<Call>(lookup("hello.txt")));
    for (auto& call : calls)
        call->begin(handle, {.apc_context = call.get()});
    int posted = 0;
    for (; posted < 64; ++posted) {
        DWORD bytes = 0;
        ULONG_PTR key = 0;
        OVERLAPPED* context = nullptr;
        if (!GetQueuedCompletionStatus(port, &bytes, &key, &context, 20000) || key != 77 || bytes != 144)
            break;
        if (reinterpret_cast<Call*>(context)->header().error != 0) break;
    }
    check(posted == 64, "64 messages in flight arrive at the port");
    HANDLE copy = nullptr;
    DuplicateHandle(GetCurrentProcess(), handle, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS);
    device::duplicated(handle, copy);
    close_device(handle);
    Call after(lookup("hello.txt"));
    check(after.run(copy) == STATUS_SUCCESS, "a duplicate keeps the open");
    close_device(copy);
    CloseHandle(port);
}

std::vector<std::unique_ptr<Call>> begin_many(HANDLE handle, int count) {
    std::vector<std::unique_ptr<Call>> calls;
    for (int i = 0; i < count; ++i) {
        calls.push_back(std::make_unique<Call>(lookup("hello.txt")));
        calls.back()->begin(handle);
    }
    return calls;
}

int count_ended_with(std::vector<std::unique_ptr<Call>>& calls, NTSTATUS status) {
    int count = 0;
    for (auto& call : calls)
        count += call->end() == status ? 1 : 0;
    return count;
}

void check_cancellation(const std::u16string& name) {
    HANDLE handle = open_device(name);
    IO_STATUS_BLOCK io{};
    check(device::cancel_ex(handle, nullptr, &io) == lab::redirect::kStatusNotFound,
          "nothing to cancel is said");
    ask("stop the daemon");
    auto calls = begin_many(handle, 8);
    check(device::cancel_ex(handle, &calls[3]->io, &io) == STATUS_SUCCESS &&
              calls[3]->end() == to_ntstatus(nt::Status::kCancelled) && calls[4]->io.Status == STATUS_PENDING,
          "one message is cancelled");
    check(device::cancel(handle, &io) == STATUS_SUCCESS &&
              count_ended_with(calls, to_ntstatus(nt::Status::kCancelled)) == 8,
          "all of this thread are cancelled");
    calls = begin_many(handle, 8);
    close_device(handle);
    check(count_ended_with(calls, to_ntstatus(nt::Status::kCancelled)) == 8, "closing cancels");
    ask("continue the daemon");
    handle = open_device(name);
    Call after(lookup("hello.txt"));
    check(after.run(handle) == STATUS_SUCCESS && after.header().error == 0, "the device works on");
    close_device(handle);
}

void check_loss(const std::u16string& name, const char* prepare, const char* loss, nt::Status expected) {
    const NTSTATUS gone = to_ntstatus(expected);
    HANDLE handle = open_device(name);
    ask(prepare);
    auto calls = begin_many(handle, 64);
    ask(loss);
    const DWORD before = GetTickCount();
    const int failed = count_ended_with(calls, gone);
    const DWORD took = GetTickCount() - before;
    std::printf("%d of 64 failed as gone within %lu ms\n", failed, took);
    check(failed == 64 && took < 10000, "what is in flight fails at once");
    Call late(lookup("hello.txt"));
    check(late.run(handle) == gone, "later messages fail as well");
    close_device(handle);
}

void check_all(const std::u16string& name) {
    HANDLE handle = open_device(name);
    check(handle != nullptr, "the device opens");
    if (handle == nullptr) return;
    check_validation(name, handle);
    check_messages(handle);
    check_completions(name);
    check_cancellation(name);
    check_loss(name, "stop the daemon", "kill the daemon", nt::Status::kDeviceNotConnected);
    ask("restart everything");
    Call stale(lookup("hello.txt"));
    check(stale.run(handle) == to_ntstatus(nt::Status::kDeviceRemoved),
          "a handle of the old host stays dead");
    close_device(handle);
    handle = open_device(name);
    check(handle != nullptr, "the new host's device opens");
    close_device(handle);
    check_loss(name, "stop the daemon", "kill the device host", nt::Status::kDeviceRemoved);
}

}  // namespace

int main() {
    const auto paths = interface_paths();
    check(!paths.empty(), "SetupDi finds the device");
    if (paths.empty()) return 1;
    const std::u16string name = nt_name(paths[0]);
    check_names(name);
    check_all(name);
    std::printf("%d failed\n", failures);
    return failures == 0 ? 0 : 1;
}
