#include "guest/service/device.h"

#include <setupapi.h>
#include <windows.h>

#include <array>
#include <bit>
#include <expected>
#include <memory>

#include "ioctl/contract.h"

namespace guest::service {
namespace {

struct DeviceListDeleter {
    using pointer = HDEVINFO;
    void operator()(HDEVINFO list) const noexcept { SetupDiDestroyDeviceInfoList(list); }
};
using DeviceList = std::unique_ptr<void, DeviceListDeleter>;

UniqueHandle open_path(const std::wstring& path, DWORD flags) {
    return UniqueHandle(CreateFileW(path.c_str(), GENERIC_READ | GENERIC_WRITE,
                                    FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING, flags,
                                    nullptr));
}

// A Win32 error if the device does not tell it.
std::expected<std::u16string, DWORD> query_tag(const std::wstring& path) {
    const UniqueHandle handle = open_path(path, 0);
    if (!handle) return std::unexpected(GetLastError());
    std::array<char16_t, ioctl::kMaxVolumeNameBytes / sizeof(char16_t) + 1>
        name{};  // one zero stays at the end
    DWORD bytes = 0;
    if (!DeviceIoControl(handle.get(), ioctl::kGetVolumeName, nullptr, 0, name.data(),
                         ioctl::kMaxVolumeNameBytes, &bytes, nullptr)) {
        return std::unexpected(GetLastError());
    }
    return std::u16string(name.data());
}

std::vector<std::wstring> interface_paths() {
    const GUID interface_class = std::bit_cast<GUID>(ioctl::kDeviceInterface);
    const HDEVINFO handle =
        SetupDiGetClassDevsW(&interface_class, nullptr, nullptr, DIGCF_PRESENT | DIGCF_DEVICEINTERFACE);
    if (handle == INVALID_HANDLE_VALUE) return {};
    const DeviceList list(handle);

    std::vector<std::wstring> paths;
    SP_DEVICE_INTERFACE_DATA entry{};
    entry.cbSize = sizeof entry;
    for (DWORD i = 0; SetupDiEnumDeviceInterfaces(list.get(), nullptr, &interface_class, i, &entry); ++i) {
        DWORD bytes = 0;
        SetupDiGetDeviceInterfaceDetailW(list.get(), &entry, nullptr, 0, &bytes, nullptr);
        if (bytes < sizeof(SP_DEVICE_INTERFACE_DETAIL_DATA_W)) continue;
        const auto memory = std::make_unique<std::uint64_t[]>((bytes + 7) / 8 + 1);
        auto* detail = reinterpret_cast<SP_DEVICE_INTERFACE_DETAIL_DATA_W*>(memory.get());
        detail->cbSize = sizeof *detail;
        if (SetupDiGetDeviceInterfaceDetailW(list.get(), &entry, detail, bytes, nullptr, nullptr)) {
            paths.emplace_back(detail->DevicePath);
        }
    }
    return paths;
}

}  // namespace

DeviceSearch find_device(std::u16string_view tag) {
    DeviceSearch search;
    for (std::wstring& path : interface_paths()) {
        auto its_tag = query_tag(path);
        if (!its_tag) {
            // Of a device that has gone meanwhile its arrival will be told.
            const DWORD error = its_tag.error();
            search.some_silent =
                search.some_silent || (error != ERROR_FILE_NOT_FOUND && error != ERROR_PATH_NOT_FOUND);
        } else if (tag.empty() || *its_tag == tag) {
            search.found = Device{.path = std::move(path), .tag = *std::move(its_tag)};
            break;
        }
    }
    return search;
}

bool is_present(const Device& device) {
    const auto tag = query_tag(device.path);
    return tag && *tag == device.tag;
}

UniqueHandle open_device(const Device& device) {
    return open_path(device.path, FILE_FLAG_OVERLAPPED);
}

}  // namespace guest::service
