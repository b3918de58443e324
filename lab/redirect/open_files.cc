#include "lab/redirect/open_files.h"

#include <vector>

namespace lab::redirect {

OpenFile::~OpenFile() {
    cleanup();
    fsd_.close(file_);
    NtClose(event_);
}

bool OpenFile::is_abandoned() const {
    BasicObjectInformation basic{};
    return NtQueryObject(event_, object_class::kBasic, &basic, sizeof(basic), nullptr) >= 0 &&
           basic.handle_count <= 1;
}

void OpenFile::cleanup() {
    if (!cleaned_up_.exchange(true)) fsd_.cleanup(file_);
}

OpenFiles::OpenFiles(fsd::Fsd& fsd, const Session& session, unsigned mount)
    : fsd_(fsd),
      prefix_(event_name_prefix(session)),
      mount_(mount),
      // Numbers of a former server of the same entry are not met again.
      next_((GetTickCount64() & 0xFFFFFF) << 24 | 1) {}

OpenFiles::Made OpenFiles::add(fsd::FileId file, std::uint32_t access, std::uint32_t options, HANDLE process,
                               bool inherit) {
    const std::uint64_t number = next_.fetch_add(1) & kMaxOpenNumber;
    const bool synchronous = options & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT);
    const Tag tag = Tag::file(mount_, number, synchronous);
    EventName name = prefix_;
    name.add_hex(tag.bits());
    UNICODE_STRING unicode = name.unicode();
    OBJECT_ATTRIBUTES attributes{};
    attributes.Length = sizeof(attributes);
    attributes.ObjectName = &unicode;
    HANDLE event = nullptr;
    HANDLE handle = nullptr;
    // Signalled: every operation is over when its call returns.
    NTSTATUS status = NtCreateEvent(&event, EVENT_ALL_ACCESS, &attributes, 0 /* NotificationEvent */, TRUE);
    if (status >= 0) {
        status = NtDuplicateObject(GetCurrentProcess(), event, process, &handle, kStandInAccess,
                                   inherit ? OBJ_INHERIT : 0, 0);
    }
    if (status < 0) {
        if (event) NtClose(event);
        fsd_.close_handle(file);
        return {status, nullptr, {}};
    }
    auto open = std::make_shared<OpenFile>(fsd_, file, access, options, tag, event);
    const std::lock_guard guard(lock_);
    files_.emplace(number, std::move(open));
    return {STATUS_SUCCESS, handle, tag};
}

std::shared_ptr<OpenFile> OpenFiles::find(std::uint64_t number) const {
    const std::lock_guard guard(lock_);
    const auto found = files_.find(number);
    return found == files_.end() ? nullptr : found->second;
}

std::size_t OpenFiles::count() const {
    const std::lock_guard guard(lock_);
    return files_.size();
}

void OpenFiles::remove(const std::shared_ptr<OpenFile>& file) {
    {
        const std::lock_guard guard(lock_);
        files_.erase(file->tag().number());
    }
    // While calls still use it the handle is gone already: cleanup now, close with the last of them.
    file->cleanup();
}

void OpenFiles::handle_closed(std::uint64_t number) {
    if (const auto file = find(number); file && file->is_abandoned()) remove(file);
}

void OpenFiles::sweep() {
    const std::lock_guard sweeping(sweep_lock_);
    std::vector<std::shared_ptr<OpenFile>> all;
    {
        const std::lock_guard guard(lock_);
        all.reserve(files_.size());
        for (const auto& [number, file] : files_)
            all.push_back(file);
    }
    for (const auto& file : all) {
        if (file->is_abandoned()) remove(file);
    }
}

void OpenFiles::close_all() {
    std::map<std::uint64_t, std::shared_ptr<OpenFile>> files;
    {
        const std::lock_guard guard(lock_);
        files.swap(files_);
    }
    for (const auto& [number, file] : files)
        file->cleanup();
}

}  // namespace lab::redirect
