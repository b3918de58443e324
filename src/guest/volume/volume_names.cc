// Deleting and renaming.
#include <string>

#include "guest/volume/names.h"
#include "guest/volume/volume_impl.h"
#include "nt/status_text.h"

namespace guest {
namespace {

std::string text_of(std::span<const std::string> path) {
    std::string text;
    for (const std::string& component : path)
        text += "/" + component;
    return text.empty() ? "/" : text;
}

}  // namespace

nt::Result<void> Volume::Impl::can_delete(File& file) {
    if (file.node() == nodes().root()) return nt::fail(nt::Status::kCannotDelete);
    const auto attr = current_attributes(file);
    if (!attr) return fail(attr.error());
    if ((nt_attributes_of(*attr) & nt::file_attribute::kReadOnly) != 0)
        return nt::fail(nt::Status::kCannotDelete);
    if (file.kind() != FileKind::kDirectory) return {};
    const auto empty = is_empty(file);
    if (!empty) return fail(empty.error());
    if (!*empty) return nt::fail(nt::Status::kDirectoryNotEmpty);
    return {};
}

void Volume::Impl::cleanup(File& file, std::u16string_view path, const CleanupActions& actions) {
    // The other actions are the host's own business: it keeps the times, and has no archive bit yet.
    if (!actions.remove) {
        if (actions.set_allocation_size) give_up_set_aside(file);
        return;
    }
    const auto components = host_path_of(path);
    if (!components || components->empty()) {
        log("cannot delete a file: its name is not valid on the host");
        return;
    }
    const auto removed = with_second_try([&](Trust trust) { return remove_name(*components, file, trust); });
    if (removed || removed.error().is_gone()) return;
    log("cannot delete " + text_of(*components) + " on the host: NTSTATUS " +
        nt::hex(removed.error().status()));
}

HostResult<void> Volume::Impl::remove_name(std::span<const std::string> path, File& file, Trust trust) {
    const auto place = place_of(path, trust);
    if (!place) return std::unexpected(place.error());
    const std::string& name = path.back();
    const File::Subject& subject = file.subject();
    const KnownName known = nodes().find(place->directory, name);
    if (known.state == KnownName::State::kPresent && known.node != subject.node) {
        // Another file has taken the name: it is not ours to delete.
        return std::unexpected(Failure(fuse::Errno::kENOENT));
    }
    // Some hosts (QEMU's C daemon) remove and rename only what they have given a reference to.
    if (!subject.node.id()) static_cast<void>(walk_.id_of(subject.node));

    NameChange change(nodes(), place->directory, name);
    const auto done = on_child(*place, name, [&] {
        return subject.kind == FileKind::kDirectory ? session_->remove_directory(place->directory_id, name)
                                                    : session_->unlink(place->directory_id, name);
    });
    if (!done) return done;
    change.is_gone();
    nodes().distrust_attributes(subject.node);
    nodes().note_directory_changed(place->directory);
    return {};
}

nt::Result<void> Volume::Impl::rename(const File& file, std::u16string_view from, std::u16string_view to,
                                      bool replace) {
    const auto old_path = host_path_of(from);
    const auto new_path = host_path_of(to);
    if (!old_path || !new_path) return nt::fail(nt::Status::kObjectNameInvalid);
    if (old_path->empty() || new_path->empty()) return nt::fail(nt::Status::kInvalidParameter);
    if (*old_path == *new_path) return {};
    const auto done =
        with_second_try([&](Trust trust) { return rename_once(file, *old_path, *new_path, replace, trust); });
    if (!done) return nt::fail(not_followed(done.error().status()));
    return {};
}

HostResult<void> Volume::Impl::rename_once(const File& file, std::span<const std::string> from,
                                           std::span<const std::string> to, bool replace, Trust trust) {
    const std::string& from_name = from.back();
    const std::string& to_name = to.back();
    const auto source_place = place_of(from, trust);
    if (!source_place) return std::unexpected(source_place.error());
    const auto target_place = place_of(to, trust);
    if (!target_place) return std::unexpected(target_place.error());
    const auto source = walk_.step(source_place->directory, from_name, trust, false);
    if (!source) return std::unexpected(source.error());
    if (source->attr.ino != nodes().attributes(file.node()).attr.ino) {
        // Another file has taken the name: it is not ours to rename.
        return std::unexpected(Failure(nt::Status::kObjectNameNotFound));
    }
    const bool is_directory = kind_of(source->attr) == FileKind::kDirectory;
    if (!source->node.id()) static_cast<void>(walk_.id_of(source->node));
    if (replace) {
        // NT replaces no directory, and a link to one is one.
        const KnownName target = nodes().find(target_place->directory, to_name);
        if (target.state == KnownName::State::kPresent &&
            kind_of(target.attributes.attr) == FileKind::kSymlink && target.node != source->node &&
            leads_to_directory(target.node, to.first(to.size() - 1))) {
            return std::unexpected(Failure(nt::Status::kAccessDenied));
        }
    }
    keep_reachable(target_place->directory, to_name);

    NameChange leaves(nodes(), source_place->directory, from_name);
    NameChange arrives(nodes(), target_place->directory, to_name);
    if (replace && !is_directory) {
        // A file never replaces a directory: the host says EISDIR.
        const auto done = on_child(*source_place, from_name, [&] {
            return session_->rename(source_place->directory_id, from_name, target_place->directory_id,
                                    to_name, 0);
        });
        if (!done) {
            // A directory has taken the file's name meanwhile, which the host will not put in a file's place.
            if (done.error().is(fuse::Errno::kENOTDIR)) {
                return std::unexpected(Failure(nt::Status::kObjectNameNotFound));
            }
            const bool onto_directory = done.error().is(fuse::Errno::kEISDIR) ||
                                        done.error().is(fuse::Errno::kENOTEMPTY) ||
                                        done.error().is(fuse::Errno::kEEXIST);
            return std::unexpected(onto_directory ? Failure(nt::Status::kAccessDenied) : done.error());
        }
    } else {
        // A directory never replaces anything, not even an empty directory, as POSIX would have it.
        const auto done = rename_without_replacing(*source_place, from_name, *target_place, to_name,
                                                   source->node, is_directory);
        if (!done) {
            const bool exists = done.error().is(fuse::Errno::kEEXIST);
            return std::unexpected(exists && replace ? Failure(nt::Status::kAccessDenied) : done.error());
        }
    }
    arrives.is_now(source->node, leaves.former_expiry());
    leaves.is_gone();
    nodes().note_directory_changed(source_place->directory);
    nodes().note_directory_changed(target_place->directory);
    return {};
}

HostResult<void> Volume::Impl::rename_without_replacing(const Place& from, const std::string& from_name,
                                                        const Place& to, const std::string& to_name,
                                                        const NodePin& source, bool is_directory) {
    if (!no_replace_is_unsupported_) {
        const auto done = on_child(from, from_name, [&] {
            return session_->rename(from.directory_id, from_name, to.directory_id, to_name,
                                    fuse::kRenameNoReplace);
        });
        // EINVAL is also what moving a directory into itself brings; the way below finds out.
        if (done || !done.error().is_unsupported()) return done;
    }
    // The host file system (NFS, ZFS...) cannot rename without replacing. A hard link fails if the name
    // exists and makes it otherwise, in one step; then the old name goes.
    HostResult<void> done = std::unexpected(Failure(fuse::Errno::kENOSYS));
    if (!is_directory) {
        const auto id = walk_.id_of(source);
        if (!id) return std::unexpected(id.error());
        const Asked asked = nodes().ask_now();
        const auto linked = session_->link(*id, to.directory_id, to_name);
        if (linked) {
            static_cast<void>(nodes().adopt_unnamed(*linked, asked));
            done = session_->unlink(from.directory_id, from_name);
            if (!done) static_cast<void>(session_->unlink(to.directory_id, to_name));
        } else if (!linked.error().is_unsupported() && !linked.error().is(fuse::Errno::kEPERM) &&
                   !linked.error().is(fuse::Errno::kEMLINK)) {
            return std::unexpected(linked.error());
        } else {
            done = move_by_placeholder(from, from_name, to, to_name, is_directory);
        }
    } else {
        done = move_by_placeholder(from, from_name, to, to_name, is_directory);
    }
    if (done) no_replace_is_unsupported_ = true;
    return done;
}

// Makes an empty file or directory under the new name, which fails if the name exists, and moves the old one
// onto it. For directories the host refuses if anything came to be in it meanwhile; for files (only on file
// systems that have neither RENAME_NOREPLACE nor hard links) only what replaced our own placeholder could be
// lost.
HostResult<void> Volume::Impl::move_by_placeholder(const Place& from, const std::string& from_name,
                                                   const Place& to, const std::string& to_name,
                                                   bool is_directory) {
    const Asked asked = nodes().ask_now();
    FoundNode placeholder;
    if (is_directory) {
        const auto made = session_->make_directory(to.directory_id, to_name, {.mode = 0700}, owner_for_new());
        if (!made) return std::unexpected(made.error());
        placeholder = nodes().adopt_unnamed(*made, asked);
    } else {
        const auto made = session_->create(
            to.directory_id, to_name,
            {.flags = fuse::open_flag::kWriteOnly | fuse::open_flag::kCreate | fuse::open_flag::kExclusive,
             .mode = fuse::mode::kRegular | 0600},
            owner_for_new());
        if (!made) return std::unexpected(made.error());
        placeholder = nodes().adopt_unnamed(made->entry, asked);
        const HostFileHandle host_file{.epoch = placeholder.node.id().epoch, .fh = made->open.fh};
        session_->release(placeholder.node, host_file, false, fuse::open_flag::kWriteOnly);
    }
    const auto done = on_child(from, from_name, [&] {
        return session_->rename(from.directory_id, from_name, to.directory_id, to_name, 0);
    });
    if (done) return done;
    if (is_directory) {
        static_cast<void>(session_->remove_directory(to.directory_id, to_name));
    } else {
        static_cast<void>(session_->unlink(to.directory_id, to_name));
    }
    const bool was_taken = done.error().is(fuse::Errno::kENOTEMPTY) ||
                           done.error().is(fuse::Errno::kENOTDIR) || done.error().is(fuse::Errno::kEISDIR);
    return std::unexpected(was_taken ? Failure(fuse::Errno::kEEXIST) : done.error());
}

}  // namespace guest
