#include "tests/behaviour/describe.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace behaviour {
namespace {

using nt::Status;

constexpr std::array kNames = std::to_array<std::pair<Status, const char*>>({
    {Status::kSuccess, "SUCCESS"},
    {Status::kPending, "PENDING"},
    {Status::kReparse, "REPARSE"},
    {Status::kBufferOverflow, "BUFFER_OVERFLOW"},
    {Status::kNoMoreFiles, "NO_MORE_FILES"},
    {Status::kUnsuccessful, "UNSUCCESSFUL"},
    {Status::kNotImplemented, "NOT_IMPLEMENTED"},
    {Status::kInvalidInfoClass, "INVALID_INFO_CLASS"},
    {Status::kInfoLengthMismatch, "INFO_LENGTH_MISMATCH"},
    {Status::kInvalidHandle, "INVALID_HANDLE"},
    {Status::kInvalidParameter, "INVALID_PARAMETER"},
    {Status::kNoSuchFile, "NO_SUCH_FILE"},
    {Status::kInvalidDeviceRequest, "INVALID_DEVICE_REQUEST"},
    {Status::kEndOfFile, "END_OF_FILE"},
    {Status::kAccessDenied, "ACCESS_DENIED"},
    {Status::kBufferTooSmall, "BUFFER_TOO_SMALL"},
    {Status::kObjectTypeMismatch, "OBJECT_TYPE_MISMATCH"},
    {Status::kObjectNameInvalid, "OBJECT_NAME_INVALID"},
    {Status::kObjectNameNotFound, "OBJECT_NAME_NOT_FOUND"},
    {Status::kObjectNameCollision, "OBJECT_NAME_COLLISION"},
    {Status::kObjectPathInvalid, "OBJECT_PATH_INVALID"},
    {Status::kObjectPathNotFound, "OBJECT_PATH_NOT_FOUND"},
    {Status::kSharingViolation, "SHARING_VIOLATION"},
    {Status::kEasNotSupported, "EAS_NOT_SUPPORTED"},
    {Status::kDeletePending, "DELETE_PENDING"},
    {Status::kDiskFull, "DISK_FULL"},
    {Status::kInsufficientResources, "INSUFFICIENT_RESOURCES"},
    {Status::kFileIsADirectory, "FILE_IS_A_DIRECTORY"},
    {Status::kNotSupported, "NOT_SUPPORTED"},
    {Status::kNotSameDevice, "NOT_SAME_DEVICE"},
    {Status::kInternalError, "INTERNAL_ERROR"},
    {Status::kDirectoryNotEmpty, "DIRECTORY_NOT_EMPTY"},
    {Status::kFileCorruptError, "FILE_CORRUPT_ERROR"},
    {Status::kNotADirectory, "NOT_A_DIRECTORY"},
    {Status::kNameTooLong, "NAME_TOO_LONG"},
    {Status::kCancelled, "CANCELLED"},
    {Status::kCannotDelete, "CANNOT_DELETE"},
    {Status::kFileDeleted, "FILE_DELETED"},
    {Status::kFileClosed, "FILE_CLOSED"},
    {Status::kIoDeviceError, "IO_DEVICE_ERROR"},
    {Status::kDeviceProtocolError, "DEVICE_PROTOCOL_ERROR"},
    {Status::kDeviceRemoved, "DEVICE_REMOVED"},
    {Status::kNotAReparsePoint, "NOT_A_REPARSE_POINT"},
    {Status::kIoReparseTagInvalid, "IO_REPARSE_TAG_INVALID"},
    {Status::kIoReparseTagMismatch, "IO_REPARSE_TAG_MISMATCH"},
    {Status::kIoReparseDataInvalid, "IO_REPARSE_DATA_INVALID"},
    {Status::kIoReparseTagNotHandled, "IO_REPARSE_TAG_NOT_HANDLED"},
    {Status::kReparsePointNotResolved, "REPARSE_POINT_NOT_RESOLVED"},
    {Status::kFileTooLarge, "FILE_TOO_LARGE"},
    {Status::kUnmappableCharacter, "UNMAPPABLE_CHARACTER"},
});

constexpr std::array<const char*, 6> kActions{"SUPERSEDED",  "OPENED", "CREATED",
                                              "OVERWRITTEN", "EXISTS", "DOES_NOT_EXIST"};

constexpr std::size_t kShown = 80;

}  // namespace

std::string describe(Status status) {
    std::array<char, 16> number{};
    std::snprintf(number.data(), number.size(), "0x%08X", static_cast<unsigned>(status));
    const auto* named = std::ranges::find(kNames, status, &std::pair<Status, const char*>::first);
    return named == kNames.end() ? std::string(number.data()) : named->second;
}

std::string describe(nt::CreateAction action) {
    const auto index = static_cast<std::size_t>(action);
    return index < kActions.size() ? kActions[index] : describe_number(index);
}

std::string describe(std::u16string_view name) {
    std::string text = "\"";
    for (const char16_t unit : name.substr(0, kShown)) {
        if (unit >= 0x20 && unit < 0x7F) {
            text += static_cast<char>(unit);
        } else {
            std::array<char, 8> escape{};
            std::snprintf(escape.data(), escape.size(), "\\u%04X", static_cast<unsigned>(unit));
            text += escape.data();
        }
    }
    return text + (name.size() > kShown ? "...\"" : "\"");
}

std::string describe(std::string_view text) {
    std::u16string units;
    for (const char byte : text.substr(0, kShown + 1))
        units += static_cast<unsigned char>(byte);
    return describe(std::u16string_view(units)) + " of " + std::to_string(text.size()) + " bytes";
}

std::string describe_number(std::uint64_t value) {
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%llu (0x%llX)", static_cast<unsigned long long>(value),
                  static_cast<unsigned long long>(value));
    return text.data();
}

}  // namespace behaviour
