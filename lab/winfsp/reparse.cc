// The helpers with which a file system that knows reparse points by name finds and follows them: lab/fsd's,
// with the program's callback as the one who knows.
#include "lab/fsd/reparse.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "winfsp/winfsp.h"

namespace {

using nt::Status;

NTSTATUS code(Status status) {
    return static_cast<NTSTATUS>(status);
}

std::u16string_view view(const wchar_t* text) {
    return reinterpret_cast<const char16_t*>(text);
}

// Asks the callback, for the data or only whether there are any.
lab::fsd::ReparsePointByName asking(FSP_FILE_SYSTEM* fs, FSP_GET_REPARSE_POINT_BY_NAME* callback,
                                    PVOID context, bool for_data) {
    return [=](std::u16string_view path, bool is_directory) -> nt::Result<std::vector<std::byte>> {
        std::wstring name(reinterpret_cast<const wchar_t*>(path.data()), path.size());
        std::vector<std::byte> data(for_data ? nt::kMaxReparseBytes : 0);
        SIZE_T bytes = data.size();
        const NTSTATUS status = callback(fs, context, name.data(), is_directory,
                                         for_data ? data.data() : nullptr, for_data ? &bytes : nullptr);
        if (status != 0) return nt::fail(static_cast<Status>(status));
        data.resize(std::min<std::size_t>(bytes, data.size()));
        return data;
    };
}

}  // namespace

extern "C" {

BOOLEAN FspFileSystemFindReparsePoint(FSP_FILE_SYSTEM* fs, FSP_GET_REPARSE_POINT_BY_NAME* callback,
                                      PVOID context, PWSTR path, PUINT32 index) {
    const auto found = lab::fsd::find_reparse_point(asking(fs, callback, context, false), view(path));
    if (found && index != nullptr) *index = *found;
    return found.has_value();
}

NTSTATUS FspFileSystemResolveReparsePoints(FSP_FILE_SYSTEM* fs, FSP_GET_REPARSE_POINT_BY_NAME* callback,
                                           PVOID context, PWSTR path, UINT32 index, BOOLEAN resolve_last,
                                           PIO_STATUS_BLOCK io, PVOID buffer, PSIZE_T bytes) {
    const auto resolved = lab::fsd::resolve_reparse_points(asking(fs, callback, context, true), view(path),
                                                           index, resolve_last != 0);
    if (!resolved) return code(resolved.error());
    if (resolved->data.size() > *bytes) return code(Status::kBufferTooSmall);
    std::memcpy(buffer, resolved->data.data(), resolved->data.size());
    *bytes = resolved->data.size();
    io->Status = code(Status::kReparse);
    io->Information = resolved->tag;
    return code(Status::kReparse);
}

NTSTATUS FspFileSystemCanReplaceReparsePoint(PVOID present, SIZE_T present_bytes, PVOID replacement,
                                             SIZE_T replacement_bytes) {
    const auto possible =
        lab::fsd::can_replace_reparse_point({static_cast<const std::byte*>(present), present_bytes},
                                            {static_cast<const std::byte*>(replacement), replacement_bytes});
    return possible ? 0 : code(possible.error());
}
}
