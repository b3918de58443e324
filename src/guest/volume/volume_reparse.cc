// Making a symbolic link of a file or directory that was just created, as NT does it, and undoing it. The
// host knows links only as files of their own: the new one takes the old one's place, and whoever has the old
// one open has the new one open from then on.
#include <random>

#include "guest/volume/link_target.h"
#include "guest/volume/names.h"
#include "guest/volume/volume_impl.h"
#include "nt/status_text.h"

namespace guest {
namespace {

constexpr int kNameAttempts = 8;

// Seen by others for as long as it takes to move it to its place.
std::string passing_name() {
    std::random_device random;
    const std::uint64_t number = std::uint64_t{random()} << 32 | random();
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string name = ".virtiofs-";
    for (int shift = 60; shift >= 0; shift -= 4)
        name += kDigits[(number >> shift) & 15];
    return name;
}

}  // namespace

nt::Result<void> Volume::Impl::set_reparse_point(File& file, std::u16string_view path,
                                                 std::span<const std::byte> data) {
    const auto header = nt::parse_reparse_header(data);
    if (!header) return nt::fail(header.error());
    const bool is_link = file.kind() == FileKind::kSymlink;
    if (header->tag != nt::kReparseTagSymlink) {
        return nt::fail(is_link ? nt::Status::kIoReparseTagMismatch : nt::Status::kNotSupported);
    }
    const auto wanted = nt::parse_symlink(data);
    if (!wanted) return nt::fail(wanted.error());
    const auto target = host_target_of(*wanted);
    if (!target) return nt::fail(target.error());
    const auto components = host_path_of(path);
    if (!components) return nt::fail(components.error());
    if (components->empty()) return nt::fail(nt::Status::kAccessDenied);
    if (!follow(std::span(*components).first(components->size() - 1), *target)) {
        return nt::fail(nt::Status::kNotSupported);  // out of the share
    }
    if (const auto empty = check_holds_nothing(file); !empty) return empty;
    const auto done = with_second_try(
        [&](Trust trust) { return put_in_place(file, *components, FileKind::kSymlink, *target, trust); });
    if (!done) return fail(done.error());
    return {};
}

nt::Result<void> Volume::Impl::delete_reparse_point(File& file, std::u16string_view path,
                                                    std::span<const std::byte> data) {
    const auto header = nt::parse_reparse_header(data);
    if (!header) return nt::fail(header.error());
    if (header->data_bytes != 0) return nt::fail(nt::Status::kIoReparseDataInvalid);
    const File::Subject& subject = file.subject();
    if (subject.kind != FileKind::kSymlink) return nt::fail(nt::Status::kNotAReparsePoint);
    if (header->tag != nt::kReparseTagSymlink) return nt::fail(nt::Status::kIoReparseTagMismatch);
    const auto components = host_path_of(path);
    if (!components || components->empty()) return nt::fail(nt::Status::kObjectNameInvalid);
    const bool to_directory =
        leads_to_directory(subject.node, std::span(*components).first(components->size() - 1));
    const FileKind kind = to_directory ? FileKind::kDirectory : FileKind::kRegular;
    const auto done =
        with_second_try([&](Trust trust) { return put_in_place(file, *components, kind, {}, trust); });
    if (!done) return fail(done.error());
    return {};
}

// NTFS keeps a file's data beside its reparse point; a link of the host has no place for them.
nt::Result<void> Volume::Impl::check_holds_nothing(File& file) {
    switch (file.kind()) {
        case FileKind::kSymlink:
            return {};
        case FileKind::kOther:
            return nt::fail(nt::Status::kAccessDenied);
        case FileKind::kRegular: {
            const auto attr = current_attributes(file);
            if (!attr) return fail(attr.error());
            if (attr->size != 0) return nt::fail(nt::Status::kNotSupported);
            return {};
        }
        case FileKind::kDirectory:
            break;
    }
    if (file.node() == nodes().root()) return nt::fail(nt::Status::kAccessDenied);
    const auto empty = is_empty(file);
    if (!empty) return fail(empty.error());
    if (!*empty) return nt::fail(nt::Status::kDirectoryNotEmpty);
    return {};
}

HostResult<Volume::Impl::Replacement> Volume::Impl::make_under(const Place& place, std::string name,
                                                               FileKind kind, const std::string& target) {
    const Asked asked = nodes().ask_now();
    HostResult<fuse::EntryOut> made;
    FoundNode found;
    if (kind == FileKind::kRegular) {
        const std::uint32_t flags =
            fuse::open_flag::kWriteOnly | fuse::open_flag::kCreate | fuse::open_flag::kExclusive;
        const auto file = session_->create(
            place.directory_id, name, {.flags = flags, .mode = fuse::mode::kRegular | 0644}, owner_for_new());
        if (!file) return std::unexpected(file.error());
        made = file->entry;
        found = nodes().adopt_unnamed(*made, asked);
        const HostFileHandle handle{.epoch = found.node.id().epoch, .fh = file->open.fh};
        session_->release(found.node, handle, false, flags);
    } else {
        made = kind == FileKind::kSymlink
                   ? session_->make_symlink(place.directory_id, name, target, owner_for_new())
                   : session_->make_directory(place.directory_id, name, {.mode = 0755}, owner_for_new());
        if (!made) return std::unexpected(made.error());
        found = nodes().adopt_unnamed(*made, asked);
    }
    if (kind_of(found.attr) != kind) return std::unexpected(Failure(nt::Status::kDeviceProtocolError));
    return Replacement{.name = std::move(name),
                       .node = std::move(found.node),
                       .expires = lifetime_end(asked.time, made->entry_valid, made->entry_valid_nsec)};
}

HostResult<Volume::Impl::Replacement> Volume::Impl::make_replacement(const Place& place, FileKind kind,
                                                                     const std::string& target) {
    auto made = make_under(place, passing_name(), kind, target);
    for (int i = 1; i < kNameAttempts && !made && made.error().is(fuse::Errno::kEEXIST); ++i)
        made = make_under(place, passing_name(), kind, target);
    return made;
}

HostResult<void> Volume::Impl::put_in_place(File& file, std::span<const std::string> path, FileKind kind,
                                            const std::string& target, Trust trust) {
    const std::string& name = path.back();
    const auto place = place_of(path, trust);
    if (!place) return std::unexpected(place.error());
    const File::Subject& old = file.subject();
    const auto present = walk_.step(place->directory, name, trust, false);
    if (!present) return std::unexpected(present.error());
    // Another file may have taken the name: it is not ours to replace.
    if (present->node != old.node) return std::unexpected(Failure(nt::Status::kObjectNameNotFound));
    const auto made = make_replacement(*place, kind, target);
    if (!made) return std::unexpected(made.error());
    if (kind == FileKind::kSymlink) nodes().learn_link_target(made->node, target);

    NameChange change(nodes(), place->directory, name);
    NameChange passing(nodes(), place->directory, made->name);
    const auto done =
        exchange(*place, name, old.kind == FileKind::kDirectory, *made, kind == FileKind::kDirectory);
    passing.is_gone();
    nodes().note_directory_changed(place->directory);
    if (!done) return done;
    change.is_now(made->node, made->expires);
    nodes().distrust_attributes(old.node);
    become(old.node, made->node, kind);
    return {};
}

// Renaming over the old one does it in one step for files; for directories the two change places first, where
// the host can. Whatever fails, what was made is removed again.
HostResult<void> Volume::Impl::exchange(const Place& place, const std::string& name, bool old_is_directory,
                                        const Replacement& made, bool new_is_directory) {
    const auto remove = [&](const std::string& which, bool directory) {
        return on_child(place, which, [&] {
            return directory ? session_->remove_directory(place.directory_id, which)
                             : session_->unlink(place.directory_id, which);
        });
    };
    const auto move = [&](std::uint32_t flags) {
        return on_child(place, made.name, [&] {
            return session_->rename(place.directory_id, made.name, place.directory_id, name, flags);
        });
    };
    const auto give_up = [&](const Failure& failure) {
        if (const auto removed = remove(made.name, new_is_directory); !removed) {
            log("cannot remove " + made.name + ", which was to become a link or its replacement: NTSTATUS " +
                nt::hex(removed.error().status()));
        }
        return std::unexpected(failure);
    };
    if (!old_is_directory && !new_is_directory) {
        const auto done = move(0);
        if (!done) return give_up(done.error());
        return {};
    }
    const auto exchanged = move(fuse::kRenameExchange);
    if (exchanged) {
        const auto removed = remove(made.name, old_is_directory);
        if (removed || removed.error().is_gone()) return {};
        // It is not what it was: others have put something into it, or in its place. That must not be lost.
        if (!move(fuse::kRenameExchange)) static_cast<void>(move(fuse::kRenameNoReplace));
        const auto left = walk_.step(place.directory, made.name, Trust::kFresh, false);
        if (left && left->node == made.node) return give_up(removed.error());
        if (left) log("what was at a name that became a link meanwhile is called " + made.name);
        return std::unexpected(removed.error());
    }
    if (!exchanged.error().is_unsupported()) return give_up(exchanged.error());
    if (const auto removed = remove(name, old_is_directory); !removed) return give_up(removed.error());
    const auto done = rename_without_replacing(place, made.name, place, name, made.node, new_is_directory);
    if (!done) return give_up(done.error());
    return {};
}

void Volume::Impl::become(const NodePin& old, const NodePin& node, FileKind kind) {
    std::vector<std::shared_ptr<File>> same;
    {
        const std::lock_guard lock(files_mutex_);
        for (const auto& [raw, file] : files_) {
            if (file->node() == old) same.push_back(file);
        }
    }
    for (const auto& file : same)
        file->become(node, kind);
}

}  // namespace guest
