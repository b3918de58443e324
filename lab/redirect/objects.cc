// The replacements that see handles as objects: duplication, names, types.
#include <cstring>

#include "lab/redirect/calls.h"
#include "lab/redirect/device.h"
#include "lab/redirect/files.h"
#include "lab/redirect/guarded.h"
#include "lab/redirect/handles.h"
#include "lab/redirect/originals.h"
#include "lab/redirect/sections.h"

namespace lab::redirect {
namespace {

bool is_this_process(HANDLE process) {
    return process == current_process() || GetProcessId(process) == GetCurrentProcessId();
}

// UNICODE_STRING and its text behind it, as NtQueryObject returns them.
class StringAnswer {
  public:
    StringAnswer(void* buffer, ULONG length, ULONG* returned, std::size_t header_bytes)
        : buffer_(static_cast<std::byte*>(buffer)),
          length_(length),
          returned_(returned),
          header_(header_bytes) {}

    NTSTATUS give(std::u16string_view first, std::u16string_view second) {
        const std::size_t chars = first.size() + second.size();
        if (chars > 0x7FFE) return kStatusNameTooLong;
        const auto needed = static_cast<ULONG>(header_ + chars * 2 + 2);
        if (returned_ && !guarded_write(returned_, needed)) return STATUS_ACCESS_VIOLATION;
        if (length_ < needed) return length_ < header_ ? STATUS_INFO_LENGTH_MISMATCH : STATUS_BUFFER_OVERFLOW;
        std::byte* text = buffer_ + header_;
        UNICODE_STRING name{};
        name.Length = static_cast<USHORT>(chars * 2);
        name.MaximumLength = static_cast<USHORT>(chars * 2 + 2);
        name.Buffer = reinterpret_cast<wchar_t*>(text);
        constexpr char16_t kEnd = 0;
        const bool written = guarded_write(buffer_, name) &&
                             guarded_copy(text, first.data(), first.size() * 2) &&
                             guarded_copy(text + first.size() * 2, second.data(), second.size() * 2) &&
                             guarded_write(text + chars * 2, kEnd);
        return written ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
    }

  private:
    std::byte* buffer_;
    ULONG length_;
    ULONG* returned_;
    std::size_t header_;
};

// Wine's convention for file names: "\??\V:\path"; by device name where there is no letter.
NTSTATUS query_name(Tag file, void* buffer, ULONG length, ULONG* returned) {
    ServerCall call(file.mount(), Operation::kPathOf, file.number());
    call.request().length = 0xFFFE;
    const NTSTATUS status = call.exchange();
    if (is_error(status)) return status;
    const auto path = call.reply_payload();
    const Mount& mount = mounts().entries[file.mount()];
    WideText<kMaxDeviceChars + 8> prefix;
    if (const auto letter = mount.letter.load(std::memory_order_acquire)) {
        prefix.add("\\??\\").add(static_cast<char16_t>(letter)).add(":");
    } else {
        prefix.add(std::u16string_view(mount.device, mount.device_chars));
    }
    StringAnswer answer(buffer, length, returned, sizeof(UNICODE_STRING));
    return answer.give(prefix.view(), {reinterpret_cast<const char16_t*>(path.data()), path.size() / 2});
}

NTSTATUS query_type(void* buffer, ULONG length, ULONG* returned) {
    StringAnswer answer(buffer, length, returned, sizeof(OBJECT_TYPE_INFORMATION));
    return answer.give(u"File", u"");
}

// A handle of nothing on a volume: a foreign one, where only what is known about a closed one goes, or a
// device's, whose copies within this process stand for the same open.
NTSTATUS duplicate_other(Tag tag, HANDLE source_process, HANDLE source, HANDLE target_process, HANDLE* target,
                         ACCESS_MASK access, ULONG attributes, ULONG options) {
    const bool device = tag.kind() == Kind::kDevice;
    const bool closes = options & DUPLICATE_CLOSE_SOURCE;
    // The source stays until the copy is known, so that the open does not end in between.
    const ULONG kept_options = device ? (options & ~DUPLICATE_CLOSE_SOURCE) | DUPLICATE_SAME_ACCESS : options;
    if (closes && !device) forget_handle(source);
    HANDLE copy = nullptr;
    const NTSTATUS status = originals().NtDuplicateObject(
        source_process, source, target_process, target ? &copy : nullptr, access, attributes, kept_options);
    const bool copied = !is_error(status) && target;
    if (copied && device && target_process && is_this_process(target_process)) {
        device::duplicated(source, copy);
        set_tag(copy, tag);
    }
    if (closes && device) hook::NtClose(source);
    if (copied && !guarded_write(target, copy)) return STATUS_ACCESS_VIOLATION;
    return status;
}

}  // namespace

namespace hook {

NTSTATUS NTAPI NtQueryObject(HANDLE handle, OBJECT_INFORMATION_CLASS information_class, PVOID buffer,
                             ULONG length, PULONG returned) {
    if (information_class == object_class::kName || information_class == object_class::kType) {
        const Tag tag = tag_of(handle);
        if (tag.is_file()) {
            return information_class == object_class::kName ? query_name(tag, buffer, length, returned)
                                                            : query_type(buffer, length, returned);
        }
    }
    return originals().NtQueryObject(handle, information_class, buffer, length, returned);
}

NTSTATUS NTAPI NtDuplicateObject(HANDLE source_process, HANDLE source, HANDLE target_process, PHANDLE target,
                                 ACCESS_MASK access, ULONG attributes, ULONG options) {
    const bool from_here = is_this_process(source_process);
    const Tag tag = from_here ? tag_of(source) : Tag{};
    const bool ours = tag.is_file();
    if (!ours && tag.kind() != Kind::kSection && tag.kind() != Kind::kUnknown) {
        return duplicate_other(tag, source_process, source, target_process, target, access, attributes,
                               options);
    }
    // Rights of files mean nothing to the event behind them.
    if (ours) options |= DUPLICATE_SAME_ACCESS;
    const bool closes = from_here && (options & DUPLICATE_CLOSE_SOURCE);
    if (closes) forget_handle(source);
    HANDLE copy = nullptr;
    const NTSTATUS status = originals().NtDuplicateObject(
        source_process, source, target_process, target ? &copy : nullptr, access, attributes, options);
    if (!is_error(status) && target) {
        if (target_process && is_this_process(target_process) && tag.kind() != Kind::kUnknown) {
            if (tag.has_port()) retain_port(tag);
            if (tag.kind() == Kind::kSection) retain_section(tag);
            set_tag(copy, tag);
        }
        if (!guarded_write(target, copy)) return STATUS_ACCESS_VIOLATION;
    }
    if (closes) {
        if (tag.has_port()) forget_port(tag);
        if (tag.kind() == Kind::kSection) release_section(tag);
        if (ours) handle_closed(tag);
    }
    return status;
}

}  // namespace hook
}  // namespace lab::redirect
