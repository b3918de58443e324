// Listing directories.
#include <algorithm>

#include "fuse/directory.h"
#include "guest/volume/names.h"
#include "guest/volume/volume_impl.h"

namespace guest {
namespace {

// A directory whose own size is at most this holds some hundred names on the usual host file systems: a first
// reply of kSmallReply will do, and no room need be made for thousands of references. A wrong guess costs a
// round trip.
constexpr std::uint64_t kSmallDirectory = 4096;
constexpr std::size_t kSmallReply = 64 * 1024;

constexpr std::size_t kSmallestEntry = fuse::direntplus_bytes(1);
constexpr std::size_t kLookupsAtOnce = 256;
constexpr std::size_t kMaxEntries = 4'000'000;  // against a host without end

bool is_dot_or_dots(std::string_view name) {
    return name == "." || name == "..";
}

Failure protocol_error() {
    return Failure(nt::Status::kDeviceProtocolError);
}

}  // namespace

// One reading of a directory.
struct Volume::Impl::Listing {
    NodePin directory;
    HostNodeId id;
    std::shared_ptr<HostHandle> handle;
    std::shared_ptr<DirectorySnapshot> snapshot = std::make_shared<DirectorySnapshot>();
    struct Pending {
        std::string name;
        fuse::Dirent dirent;
    };
    std::vector<Pending> pending;  // names whose attributes are not known yet
    std::vector<FoundLink> links;
    std::uint64_t offset = 0;

    HostResult<void> advance(const fuse::Dirent& last) {
        if (last.off == offset || snapshot->size() + pending.size() + links.size() > kMaxEntries) {
            return std::unexpected(protocol_error());
        }
        offset = last.off;
        return {};
    }
};

HostResult<std::shared_ptr<HostHandle>> Volume::Impl::directory_handle(File& directory) {
    if (auto handle = directory.borrow_directory()) return handle;
    const NodePin& node = directory.node();
    const auto id = walk_.id_of(node);
    if (!id) return std::unexpected(id.error());
    const auto opened = session_->open_directory(*id);
    if (!opened) return std::unexpected(opened.error());
    return std::make_shared<HostHandle>(*session_, node, *opened, HostHandle::Type::kDirectory,
                                        fuse::open_flag::kReadOnly);
}

HostResult<bool> Volume::Impl::is_empty(File& directory) {
    auto handle = directory_handle(directory);
    if (!handle) return std::unexpected(handle.error());
    std::vector<std::byte> buffer(fuse::kPageBytes);
    for (std::uint64_t offset = 0;;) {
        const auto records =
            session_->read_directory(false, (*handle)->node(), (*handle)->handle(), offset, buffer);
        if (!records) return std::unexpected(records.error());
        fuse::DirectoryReader reader(*records);
        bool any = false;
        for (;;) {
            const auto record = reader.next();
            if (!record) return std::unexpected(protocol_error());
            if (!*record) break;
            if (!is_dot_or_dots((*record)->name)) return false;
            if ((*record)->dirent.off == offset) return std::unexpected(protocol_error());
            offset = (*record)->dirent.off;
            any = true;
        }
        // With room left for any name the host had no more to give. (RMDIR has the last word anyway.)
        if (!any || buffer.size() - records->size() >= fuse::dirent_bytes(kMaxHostNameBytes)) break;
    }
    directory.give_back_directory(std::move(*handle));
    return true;
}

HostResult<std::shared_ptr<const DirectorySnapshot>> Volume::Impl::read_all_entries(File& directory) {
    auto handle = directory_handle(directory);
    if (!handle) return std::unexpected(handle.error());
    Listing listing{.directory = (*handle)->pin(),
                    .id = (*handle)->node(),
                    .handle = *handle,
                    .pending = {},
                    .links = {}};
    bool plus = session_->limits().read_dir_plus;
    if (plus) {
        const auto done = read_with_attributes(listing);
        if (!done && listing.offset == 0 && done.error().is(fuse::Errno::kENOSYS)) {
            plus = false;
        } else if (!done) {
            return std::unexpected(done.error());
        }
    }
    if (!plus) {
        if (auto done = read_names(listing); !done) return std::unexpected(done.error());
    }
    if (auto done = look_up_pending(listing); !done) return std::unexpected(done.error());
    directory.give_back_directory(std::move(*handle));
    show_links(listing.links, listing.directory, *listing.snapshot);

    if (listing.directory != nodes().root()) {
        const nt::FileInfo own = file_info_of(nodes().attributes(listing.directory).attr);
        const auto home = nodes().home_of(listing.directory);
        listing.snapshot->add(u".", own);
        listing.snapshot->add(u"..", home ? file_info_of(nodes().attributes(home->directory).attr) : own);
    }
    listing.snapshot->finish();
    return listing.snapshot;
}

HostResult<void> Volume::Impl::read_with_attributes(Listing& listing) {
    const std::size_t most = session_->limits().directory_bytes;
    const KnownAttributes own = nodes().attributes(listing.directory);
    std::size_t wanted = own.attr.size <= kSmallDirectory ? std::min(kSmallReply, most) : most;
    std::vector<std::byte> buffer;
    std::vector<NodeTable::ListedEntry> learned;
    std::vector<fuse::EntryOut> entries;
    for (;;) {
        // The host refers to every entry that it gives: idle references go first, so that it never holds too
        // many.
        auto [reservation, to_forget] = nodes().reserve(wanted / kSmallestEntry + 1);
        session_->forget_now(to_forget);
        buffer.resize(std::min(wanted, std::max<std::size_t>(reservation.entries() * kSmallestEntry,
                                                             fuse::direntplus_bytes(fuse::kMaxNameBytes))));
        const Asked asked = nodes().ask_now();
        const auto records =
            session_->read_directory(true, listing.id, listing.handle->handle(), listing.offset, buffer);
        if (!records) return std::unexpected(records.error());
        if (records->empty()) return {};

        learned.clear();
        entries.clear();
        entries.reserve(records->size() / kSmallestEntry + 1);
        HostResult<void> outcome;
        fuse::DirectoryPlusReader reader(*records);
        for (;;) {
            const auto record = reader.next();
            if (!record) {
                outcome = std::unexpected(protocol_error());
                break;
            }
            if (!*record) break;
            const auto& [entry, dirent, name] = **record;
            if (outcome) outcome = listing.advance(dirent);
            if (is_dot_or_dots(name)) continue;  // never carry a reference
            if (entry.node != fuse::kNoNode && !fuse::is_plausible(entry.attr)) {
                outcome = std::unexpected(protocol_error());
            }
            if (entry.node == fuse::kNoNode) {
                listing.pending.push_back({.name = std::string(name), .dirent = dirent});
            } else {
                show(listing, name, entry.attr);
            }
            if (entry.node != fuse::kNoNode) {
                entries.push_back(entry);  // within the capacity: learned refers to it
                learned.push_back({.name = name, .entry = &entries.back()});
            }
        }
        nodes().adopt_listed(listing.directory, learned, asked);
        if (!outcome) return outcome;
        // A full reply is followed by others; after one with room left only the end is to come.
        const bool full = buffer.size() - records->size() < fuse::direntplus_bytes(kMaxHostNameBytes);
        wanted = full ? most : std::min(kSmallReply, most);
    }
}

HostResult<void> Volume::Impl::read_names(Listing& listing) {
    std::vector<std::byte> buffer(session_->limits().directory_bytes);
    for (;;) {
        const auto records =
            session_->read_directory(false, listing.id, listing.handle->handle(), listing.offset, buffer);
        if (!records) return std::unexpected(records.error());
        if (records->empty()) return {};
        fuse::DirectoryReader reader(*records);
        for (;;) {
            const auto record = reader.next();
            if (!record) return std::unexpected(protocol_error());
            if (!*record) break;
            if (auto moved = listing.advance((*record)->dirent); !moved) return moved;
            if (is_dot_or_dots((*record)->name)) continue;
            listing.pending.push_back({.name = std::string((*record)->name), .dirent = (*record)->dirent});
        }
    }
}

void Volume::Impl::show(Listing& listing, std::string_view name, const fuse::Attr& attr) {
    const auto guest_name = guest_name_of(name);
    if (guest_name && name.size() <= kMaxHostNameBytes && kind_of(attr) == FileKind::kSymlink) {
        listing.links.push_back({.host_name = std::string(name), .guest_name = *guest_name, .attr = attr});
    } else if (guest_name && name.size() <= kMaxHostNameBytes) {
        listing.snapshot->add(*guest_name, file_info_of(attr));
    } else {
        log_once(Unstored::kUnlistableName, "a host file is not shown: its name is longer than 255 bytes");
    }
}

HostResult<void> Volume::Impl::look_up_pending(Listing& listing) {
    std::vector<std::string> asked_for;
    std::vector<const Listing::Pending*> batch;
    for (std::size_t at = 0; at < listing.pending.size();) {
        asked_for.clear();
        batch.clear();
        for (; at < listing.pending.size() && batch.size() < kLookupsAtOnce; ++at) {
            const Listing::Pending& pending = listing.pending[at];
            const KnownName known = nodes().find(listing.directory, pending.name);
            if (known.state == KnownName::State::kPresent && known.attributes.fresh) {
                show(listing, pending.name, known.attributes.attr);
            } else {
                asked_for.push_back(pending.name);
                batch.push_back(&pending);
            }
        }
        if (batch.empty()) continue;
        const auto [reservation, to_forget] = nodes().reserve(batch.size());
        session_->forget_now(to_forget);
        const Asked asked = nodes().ask_now();
        const auto replies = session_->lookup_all(listing.id, asked_for);
        for (std::size_t i = 0; i < batch.size(); ++i) {
            if (replies[i] && replies[i]->node != fuse::kNoNode) {
                nodes().adopt(listing.directory, batch[i]->name, *replies[i], asked);
                show(listing, batch[i]->name, replies[i]->attr);
            } else if (!replies[i] && replies[i].error().error() == fuse::Errno::kNone) {
                return std::unexpected(replies[i].error());
            } else if (!replies[i] && !replies[i].error().is_gone()) {
                // There, but the host will not say what it is: what the directory itself knows must do.
                show(listing, batch[i]->name,
                     fuse::Attr{.ino = batch[i]->dirent.ino, .mode = batch[i]->dirent.type << 12 | 0444});
            }
        }
    }
    return {};
}

nt::Result<bool> Volume::Impl::read_directory(File& directory, std::optional<std::u16string_view> marker,
                                              const std::function<bool(const DirectoryEntry&)>& add) {
    if (directory.kind() != FileKind::kDirectory) return nt::fail(nt::Status::kInvalidParameter);
    auto snapshot = directory.snapshot();
    if (!marker || snapshot == nullptr) {
        auto read = read_all_entries(directory);
        if (!read) return fail(read.error());
        snapshot = std::move(*read);
        directory.set_snapshot(snapshot);
    }
    for (std::size_t i = marker ? snapshot->after(*marker) : 0; i < snapshot->size(); ++i) {
        if (!add({.name = snapshot->name(i), .info = snapshot->info(i)})) return false;
    }
    return true;
}

nt::Result<nt::FileInfo> Volume::Impl::entry_of(File& directory, std::u16string_view name) {
    if (directory.kind() != FileKind::kDirectory) return nt::fail(nt::Status::kInvalidParameter);
    const auto host_name = host_name_of(name);
    if (!host_name) return nt::fail(host_name.error());
    const auto walked = walk_.step(directory.node(), *host_name, Trust::kKnown, true);
    if (!walked) return fail(walked.error());
    return info_of(walked->node, walked->attr);
}

}  // namespace guest
