// The processes that the launcher has started, by class and instance name. Must never know: the pipe, the
// registry. Not thread-safe.
#pragma once

#include <windows.h>

#include <expected>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lab/launcher/service_class.h"

namespace lab::launcher {

// A handle that is closed.
class Handle {
  public:
    Handle() = default;
    explicit Handle(HANDLE handle) : handle_(handle == INVALID_HANDLE_VALUE ? nullptr : handle) {}
    Handle(Handle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Handle() {
        if (handle_ != nullptr) CloseHandle(handle_);
    }
    HANDLE get() const { return handle_; }
    explicit operator bool() const { return handle_ != nullptr; }

  private:
    HANDLE handle_ = nullptr;
};

// Names count without regard to case.
struct InstanceName {
    std::wstring service_class;
    std::wstring instance;
    bool operator<(const InstanceName& other) const;
};

// Results are Win32 errors, ERROR_SUCCESS among them.
class Instances {
  public:
    Instances();

    DWORD start(const InstanceName& name, const ServiceClass& service_class,
                const std::vector<std::wstring>& arguments);
    // CTRL-BREAK, and when that has not ended the process in five seconds, the axe.
    DWORD stop(const InstanceName& name);
    // The command line it runs with.
    std::expected<std::wstring, DWORD> command_line(const InstanceName& name);
    std::vector<InstanceName> list();

  private:
    struct Instance {
        Handle process;
        std::wstring command_line;
    };

    void forget_ended();

    Handle job_;  // whoever is in it ends with the launcher
    std::map<InstanceName, Instance> running_;
};

}  // namespace lab::launcher
