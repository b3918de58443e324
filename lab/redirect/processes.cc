#include "lab/redirect/processes.h"

#include <cstring>

#include "lab/redirect/calls.h"
#include "lab/redirect/files.h"
#include "lab/redirect/guarded.h"
#include "lab/redirect/handles.h"
#include "lab/redirect/images.h"
#include "lab/redirect/injection.h"
#include "lab/redirect/originals.h"
#include "lab/redirect/sections.h"

namespace lab::redirect {
namespace {

constexpr std::size_t kMaxAttributes = 32;
constexpr ULONG kInheritHandles = 0x4;                 // PROCESS_CREATE_FLAGS_INHERIT_HANDLES
constexpr LONGLONG kProcessEndTicks = 5 * 10'000'000;  // 100 ns each
constexpr std::u16string_view kRealDirectory = u"C:\\";

constinit Session g_session;

bool is_on_volume(std::u16string_view dos_path) {
    return dos_path.size() >= 2 && dos_path[1] == u':' && mounts().find_letter(dos_path[0]).has_value();
}

std::u16string_view view_of(const UNICODE_STRING& text) {
    return {reinterpret_cast<const char16_t*>(text.Buffer), std::size_t{text.Length} / 2};
}

UNICODE_STRING unicode_of(std::u16string_view text) {
    const auto bytes = static_cast<USHORT>(text.size() * 2);
    return {bytes, bytes, const_cast<wchar_t*>(reinterpret_cast<const wchar_t*>(text.data()))};
}

// Exchanges a field of the caller's structure for the length of a call.
class Substitution {
  public:
    Substitution(UNICODE_STRING& field, std::u16string_view text) : field_(field), saved_(field) {
        field_ = unicode_of(text);
    }
    ~Substitution() { field_ = saved_; }
    Substitution(const Substitution&) = delete;
    Substitution& operator=(const Substitution&) = delete;

  private:
    UNICODE_STRING& field_;
    UNICODE_STRING saved_;
};

struct Attributes {
    SIZE_T total_length;
    ProcessAttribute attributes[kMaxAttributes];
};

ProcessAttribute* find_image_name(Attributes& list) {
    const std::size_t count = (list.total_length - sizeof(SIZE_T)) / sizeof(ProcessAttribute);
    for (std::size_t i = 0; i < count; ++i) {
        if (list.attributes[i].attribute == kProcessAttributeImageName) return &list.attributes[i];
    }
    return nullptr;
}

NTSTATUS spool_program(const Target& target, ImagePath& path) {
    const OpenedFile opened =
        open_on_volume(target, {.access = FILE_GENERIC_READ | FILE_GENERIC_EXECUTE,
                                .share = FILE_SHARE_READ | FILE_SHARE_DELETE,
                                .options = FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT});
    if (is_error(opened.status)) return opened.status;
    const NTSTATUS status = spool_image(tag_of(opened.handle), path);
    hook::NtClose(opened.handle);
    return status;
}

}  // namespace

void start_processes(const Session& session) {
    g_session = session;
}

namespace hook {

NTSTATUS NTAPI NtCreateUserProcess(HANDLE* process, HANDLE* thread, ACCESS_MASK process_access,
                                   ACCESS_MASK thread_access, OBJECT_ATTRIBUTES* process_attributes,
                                   OBJECT_ATTRIBUTES* thread_attributes, ULONG process_flags,
                                   ULONG thread_flags, ProcessParameters* parameters, void* info,
                                   ProcessAttributeList* list) {
    Attributes copy{};
    SIZE_T total = 0;
    if (!parameters || !guarded_read(total, list) || total > sizeof(copy) || total < sizeof(SIZE_T) ||
        !guarded_copy(&copy, list, total)) {
        return STATUS_INVALID_PARAMETER;
    }
    ProcessAttribute* image = find_image_name(copy);
    StartupNote note{.session = g_session.view(), .current_directory = {}, .image_path = {}};
    note.inherits_handles = (process_flags & kInheritHandles) != 0;

    ImagePath spooled;     // as a DOS path
    ImagePath spooled_nt;  // and as an NT path
    std::u16string_view image_path = view_of(parameters->image_path);
    if (image) {
        const UNICODE_STRING name{static_cast<USHORT>(image->size), static_cast<USHORT>(image->size),
                                  reinterpret_cast<wchar_t*>(image->value)};
        const Target target = resolve_name(name);
        if (target.where == Target::Where::kVolume) {
            const NTSTATUS status = spool_program(target, spooled);
            if (is_error(status)) return status;
            spooled_nt.add("\\??\\").add(spooled.view());
            image->value = reinterpret_cast<ULONG_PTR>(spooled_nt.c_str());
            image->size = spooled_nt.view().size() * 2;
            note.image_path = image_path;
            image_path = spooled.view();
        }
    }
    std::u16string_view directory = view_of(parameters->current_directory);
    if (is_on_volume(directory)) {
        note.current_directory = directory;
        directory = kRealDirectory;
    }

    NTSTATUS status;
    {
        const Substitution path(parameters->image_path, image_path);
        const Substitution current(parameters->current_directory, directory);
        status = originals().NtCreateUserProcess(process, thread, process_access, thread_access,
                                                 process_attributes, thread_attributes, process_flags,
                                                 thread_flags | kThreadCreateSuspended, parameters, info,
                                                 reinterpret_cast<ProcessAttributeList*>(&copy));
    }
    if (is_error(status)) return status;
    const NTSTATUS injected = inject(*process, note);
    if (is_error(injected)) {
        originals().NtTerminateProcess(*process, injected);
        NtClose(*thread);
        NtClose(*process);
        return injected;
    }
    if (!(thread_flags & kThreadCreateSuspended)) NtResumeThread(*thread, nullptr);
    return status;
}

// Null ends the other threads of a process that is about to end itself; it comes before the end proper. NT
// has closed a dead process's files when it counts as ended, so whoever ends one, or waits for its own, finds
// them closed.
NTSTATUS NTAPI NtTerminateProcess(HANDLE process, LONG exit_code) {
    if (!process) flush_all_views();
    if (!process || process == current_process()) stop_other_threads_calls();
    if (process == current_process()) close_files_at_exit();
    const NTSTATUS status = originals().NtTerminateProcess(process, exit_code);
    if (process && process != current_process() && !is_error(status)) {
        LARGE_INTEGER limit{};
        limit.QuadPart = -kProcessEndTicks;
        if (NtWaitForSingleObject(process, FALSE, &limit) == STATUS_WAIT_0) report_dead_process();
    }
    return status;
}

}  // namespace hook
}  // namespace lab::redirect
