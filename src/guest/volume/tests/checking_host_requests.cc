// The host's answers, request by request.
#include <algorithm>

#include "guest/volume/tests/checking_host_parts.h"

namespace guest::test {

std::int32_t CheckingHost::perform(Request& request) {
    using fuse::Opcode;
    switch (request.header.opcode) {
        case Opcode::kInit:
            return init(request);
        case Opcode::kDestroy:
            return destroy(request);
        case Opcode::kForget:
            return do_forget(request);
        case Opcode::kBatchForget:
            return batch_forget(request);
        case Opcode::kLookup:
            return lookup(request);
        case Opcode::kGetAttr:
            return get_attr(request);
        case Opcode::kSetAttr:
            return set_attr(request);
        case Opcode::kCreate:
            return create(request);
        case Opcode::kMkdir:
            return mkdir(request);
        case Opcode::kLink:
            return link(request);
        case Opcode::kSymlink:
            return symlink(request);
        case Opcode::kReadLink:
            return read_link(request);
        case Opcode::kUnlink:
        case Opcode::kRmdir:
            return unlink(request);
        case Opcode::kRename:
        case Opcode::kRename2:
            return rename(request);
        case Opcode::kOpen:
        case Opcode::kOpenDir:
            return do_open(request);
        case Opcode::kRelease:
        case Opcode::kReleaseDir:
            return release(request);
        case Opcode::kRead:
            return read(request);
        case Opcode::kWrite:
            return write(request);
        case Opcode::kFsync:
            return fsync(request);
        case Opcode::kSyncfs:
            return syncfs(request);
        case Opcode::kFallocate:
            return fallocate(request);
        case Opcode::kStatfs:
            return statfs(request);
        case Opcode::kReadDir:
        case Opcode::kReadDirPlus:
            return read_directory(request);
        default:
            complain("an unexpected request: " + std::string(fuse::name_of(request.header.opcode)));
            request.reader.payload();
            return kNoSuchCall;
    }
}

fuse::AttrOut CheckingHost::attr_out(const Inode& inode) const {
    return {.attr_valid = static_cast<std::uint64_t>(options_.valid_seconds), .attr = attr_of(inode)};
}

std::int32_t CheckingHost::init(Request& request) {
    const auto in = request.reader.fixed<fuse::InitIn>();
    std::uint64_t offered = fuse::init_flag::kAsyncRead | fuse::init_flag::kBigWrites |
                            fuse::init_flag::kMaxPages | fuse::init_flag::kParallelDirOps;
    if (options_.read_dir_plus) {
        offered |= fuse::init_flag::kDoReadDirPlus | fuse::init_flag::kReadDirPlusAuto;
    }
    append_to(request.body, fuse::InitOut{.major = 7,
                                          .minor = options_.minor,
                                          .flags = static_cast<std::uint32_t>(offered & in.flags),
                                          .max_write = options_.max_write,
                                          .max_pages = options_.max_pages});
    return 0;
}

std::int32_t CheckingHost::destroy(Request&) {
    return 0;
}

std::int32_t CheckingHost::do_forget(Request& request) {
    forget(request.header.node, request.reader.fixed<fuse::ForgetIn>().nlookup);
    return 0;
}

std::int32_t CheckingHost::batch_forget(Request& request) {
    const auto in = request.reader.fixed<fuse::BatchForgetIn>();
    for (std::uint32_t i = 0; i < in.count; ++i) {
        const auto one = request.reader.fixed<fuse::ForgetOne>();
        forget(one.node, one.nlookup);
    }
    return 0;
}

std::int32_t CheckingHost::lookup(Request& request) {
    const std::string name = request.reader.name();
    const InodePtr parent = node(request.header.node);
    if (parent == nullptr) return kNoEntry;
    if (!parent->is_directory()) return kNotADirectory;
    if (name.size() > 255) return kNameTooLong;
    const auto child = parent->children.find(name);
    if (child == parent->children.end()) {
        if (options_.missing_seconds <= 0) return kNoEntry;
        fuse::EntryOut missing;
        missing.entry_valid = static_cast<std::uint64_t>(options_.missing_seconds);
        append_to(request.body, missing);
        return 0;
    }
    append_to(request.body, give(child->second));
    return 0;
}

std::int32_t CheckingHost::get_attr(Request& request) {
    const auto in = request.reader.fixed<fuse::GetAttrIn>();
    if ((in.getattr_flags & fuse::kGetAttrFileHandle) != 0) handle(in.fh, request.header.node);
    const InodePtr inode = node(request.header.node);
    if (inode == nullptr) return kNoEntry;
    append_to(request.body, attr_out(*inode));
    return 0;
}

std::int32_t CheckingHost::set_attr(Request& request) {
    const auto in = request.reader.fixed<fuse::SetAttrIn>();
    const InodePtr inode = node(request.header.node);
    if (inode == nullptr) return kNoEntry;
    if ((in.valid & fuse::set_attr::kFileHandle) != 0) {
        const Handle* open_file = handle(in.fh, request.header.node);
        if (open_file == nullptr) return kBadFile;
        if ((in.valid & fuse::set_attr::kSize) != 0 &&
            (open_file->flags & fuse::open_flag::kAccessMask) == fuse::open_flag::kReadOnly) {
            return kInvalid;
        }
    }
    if ((in.valid & fuse::set_attr::kMode) != 0) {
        inode->mode = (inode->mode & fuse::mode::kTypeMask) | (in.mode & 07777);
    }
    if ((in.valid & fuse::set_attr::kSize) != 0) {
        inode->data.resize(in.size);
        inode->allocated = 0;
        touch(*inode);
    }
    if ((in.valid & fuse::set_attr::kAtime) != 0) {
        inode->atime = in.atime;
        inode->atimensec = in.atimensec;
    }
    if ((in.valid & fuse::set_attr::kMtime) != 0) {
        inode->mtime = in.mtime;
        inode->mtimensec = in.mtimensec;
    }
    inode->ctime = ++clock_;
    append_to(request.body, attr_out(*inode));
    return 0;
}

CheckingHost::InodePtr CheckingHost::make_child(Inode& parent, const std::string& name,
                                                const fuse::InHeader& header, std::uint32_t mode) {
    auto inode = std::make_shared<Inode>();
    inode->ino = next_ino_++;
    inode->mode = mode;
    inode->uid = header.uid;
    inode->gid = header.gid;
    touch(*inode);
    touch(parent);
    parent.children.emplace(name, inode);
    return inode;
}

std::int32_t CheckingHost::create(Request& request) {
    const auto in = request.reader.fixed<fuse::CreateIn>();
    const std::string name = request.reader.name();
    const InodePtr parent = directory(request.header.node);
    if (parent == nullptr || parent->nlink == 0) return kNoEntry;
    if (name.size() > 255) return kNameTooLong;
    if (parent->children.contains(name)) return kExists;
    const InodePtr inode =
        make_child(*parent, name, request.header, fuse::mode::kRegular | (in.mode & 07777 & ~in.umask));
    const fuse::EntryOut entry = give(inode);
    append_to(request.body,
              fuse::CreateOut{.entry = entry, .open = {.fh = open(entry.node, inode, in.flags, false)}});
    return 0;
}

std::int32_t CheckingHost::mkdir(Request& request) {
    const auto in = request.reader.fixed<fuse::MkdirIn>();
    const std::string name = request.reader.name();
    const InodePtr parent = directory(request.header.node);
    if (parent == nullptr || parent->nlink == 0) return kNoEntry;
    if (parent->children.contains(name)) return kExists;
    const InodePtr inode =
        make_child(*parent, name, request.header, fuse::mode::kDirectory | (in.mode & 07777 & ~in.umask));
    append_to(request.body, give(inode));
    return 0;
}

std::int32_t CheckingHost::link(Request& request) {
    const auto in = request.reader.fixed<fuse::LinkIn>();
    const std::string name = request.reader.name();
    const InodePtr parent = directory(request.header.node);
    const InodePtr inode = node(in.oldnode);
    if (parent == nullptr || inode == nullptr) return kNoEntry;
    if (!options_.hard_links) return kNotSupported;
    if (parent->children.contains(name)) return kExists;
    ++inode->nlink;
    parent->children.emplace(name, inode);
    append_to(request.body, give(inode));
    return 0;
}

std::int32_t CheckingHost::symlink(Request& request) {
    const std::string name = request.reader.name();
    const std::string target = request.reader.string();
    const InodePtr parent = directory(request.header.node);
    if (target.empty()) complain("a SYMLINK without a target");
    if (parent == nullptr || parent->nlink == 0) return kNoEntry;
    if (name.size() > 255) return kNameTooLong;
    if (parent->children.contains(name)) return kExists;
    const InodePtr inode = make_child(*parent, name, request.header, fuse::mode::kSymlink | 0777);
    inode->data = target;
    append_to(request.body, give(inode));
    return 0;
}

std::int32_t CheckingHost::read_link(Request& request) {
    const InodePtr inode = node(request.header.node);
    if (inode == nullptr) return kNoEntry;
    if ((inode->mode & fuse::mode::kTypeMask) != fuse::mode::kSymlink) {
        complain("a READLINK of what is no link");
        return kInvalid;
    }
    const auto target = std::as_bytes(std::span(inode->data));
    request.body.assign(target.begin(), target.end());
    return 0;
}

std::int32_t CheckingHost::unlink(Request& request) {
    const std::string name = request.reader.name();
    const InodePtr parent = directory(request.header.node);
    if (parent == nullptr) return kNoEntry;
    if (!may_change(*parent, name)) return kIoError;
    const auto child = parent->children.find(name);
    if (child == parent->children.end()) return kNoEntry;
    const bool wants_directory = request.header.opcode == fuse::Opcode::kRmdir;
    if (child->second->is_directory() != wants_directory) {
        return wants_directory ? kNotADirectory : kIsADirectory;
    }
    if (!child->second->children.empty()) return kNotEmpty;
    --child->second->nlink;
    parent->children.erase(child);
    touch(*parent);
    return 0;
}

std::int32_t CheckingHost::rename(Request& request) {
    fuse::Rename2In in;
    if (request.header.opcode == fuse::Opcode::kRename2) {
        in = request.reader.fixed<fuse::Rename2In>();
    } else {
        in.newdir = request.reader.fixed<fuse::RenameIn>().newdir;
    }
    const std::string from_name = request.reader.name();
    const std::string to_name = request.reader.name();
    const InodePtr from = directory(request.header.node);
    const InodePtr to = directory(in.newdir);
    if (from == nullptr || to == nullptr || to->nlink == 0) return kNoEntry;
    if (!may_change(*from, from_name)) return kIoError;
    const auto source = from->children.find(from_name);
    if (source == from->children.end()) return kNoEntry;
    if (in.flags == fuse::kRenameNoReplace && !options_.no_replace) return kInvalid;
    if (in.flags == fuse::kRenameExchange && !options_.exchange) return kInvalid;
    const InodePtr moved = source->second;
    const auto target = to->children.find(to_name);
    if (in.flags == fuse::kRenameExchange) {
        if (target == to->children.end()) return kNoEntry;
        std::swap(source->second, target->second);
        touch(*from);
        touch(*to);
        return 0;
    }
    if (target != to->children.end()) {
        if (in.flags == fuse::kRenameNoReplace) return kExists;
        if (target->second->is_directory() && !moved->is_directory()) return kIsADirectory;
        if (!target->second->is_directory() && moved->is_directory()) return kNotADirectory;
        if (!target->second->children.empty()) return kNotEmpty;
        if (target->second == moved) return 0;
        --target->second->nlink;
        to->children.erase(target);
    }
    from->children.erase(from_name);
    to->children.emplace(to_name, moved);
    touch(*from);
    touch(*to);
    return 0;
}

std::int32_t CheckingHost::do_open(Request& request) {
    const auto in = request.reader.fixed<fuse::OpenIn>();
    const InodePtr inode = node(request.header.node);
    if (inode == nullptr) return kNoEntry;
    const bool wants_directory = request.header.opcode == fuse::Opcode::kOpenDir;
    if (wants_directory && !inode->is_directory()) return kNotADirectory;
    if (!wants_directory && !inode->is_regular()) {
        complain("something that is no regular file is opened");
        return kInvalid;
    }
    append_to(request.body, fuse::OpenOut{.fh = open(request.header.node, inode, in.flags, wants_directory)});
    return 0;
}

std::int32_t CheckingHost::release(Request& request) {
    const auto in = request.reader.fixed<fuse::ReleaseIn>();
    const Handle* open_file = handle(in.fh, request.header.node);
    if (open_file != nullptr &&
        open_file->directory != (request.header.opcode == fuse::Opcode::kReleaseDir)) {
        complain("a handle of the other kind is released");
    }
    handles_.erase(in.fh);
    return 0;
}

std::int32_t CheckingHost::read(Request& request) {
    const auto in = request.reader.fixed<fuse::ReadIn>();
    const Handle* open_file = handle(in.fh, request.header.node);
    if (open_file == nullptr) return kBadFile;
    if ((open_file->flags & fuse::open_flag::kAccessMask) == fuse::open_flag::kWriteOnly) return kBadFile;
    if (in.size > request.room) complain("a READ asks for more than it has room for");
    if (in.size > options_.max_pages * fuse::kPageBytes) complain("a READ is too large");
    const std::string& data = open_file->inode->data;
    const std::size_t from = std::min<std::size_t>(in.offset, data.size());
    std::size_t bytes = std::min<std::size_t>(in.size, data.size() - from);
    if (options_.short_read_bytes != 0) bytes = std::min<std::size_t>(bytes, options_.short_read_bytes);
    const auto piece = std::as_bytes(std::span(data).subspan(from, bytes));
    request.body.assign(piece.begin(), piece.end());
    return 0;
}

std::int32_t CheckingHost::write(Request& request) {
    const auto in = request.reader.fixed<fuse::WriteIn>();
    const std::string_view data = request.reader.payload();
    const Handle* open_file = handle(in.fh, request.header.node);
    if (open_file == nullptr) return kBadFile;
    if ((open_file->flags & fuse::open_flag::kAccessMask) == fuse::open_flag::kReadOnly) return kBadFile;
    if (data.size() != in.size || in.size > options_.max_write) complain("a WRITE's size is wrong");
    std::string& file = open_file->inode->data;
    const bool append = (open_file->flags & fuse::open_flag::kAppend) != 0;
    const std::size_t at = append ? file.size() : static_cast<std::size_t>(in.offset);
    if (file.size() < at + data.size()) file.resize(at + data.size());
    file.replace(at, data.size(), data);
    touch(*open_file->inode);
    append_to(request.body, fuse::WriteOut{.size = in.size});
    return 0;
}

std::int32_t CheckingHost::fsync(Request& request) {
    handle(request.reader.fixed<fuse::FsyncIn>().fh, request.header.node);
    return 0;
}

std::int32_t CheckingHost::syncfs(Request& request) {
    request.reader.fixed<fuse::SyncfsIn>();
    return options_.syncfs ? 0 : kNoSuchCall;
}

std::int32_t CheckingHost::fallocate(Request& request) {
    const auto in = request.reader.fixed<fuse::FallocateIn>();
    const Handle* open_file = handle(in.fh, request.header.node);
    if (open_file == nullptr) return kBadFile;
    if (!options_.fallocate) return kNotSupported;
    open_file->inode->allocated = std::max(open_file->inode->allocated, in.offset + in.length);
    return 0;
}

std::int32_t CheckingHost::statfs(Request& request) {
    append_to(request.body,
              fuse::StatfsOut{.blocks = 1000, .bfree = 600, .bavail = 500, .bsize = 65536, .frsize = 4096});
    return 0;
}

std::int32_t CheckingHost::read_directory(Request& request) {
    const auto in = request.reader.fixed<fuse::ReadIn>();
    const bool plus = request.header.opcode == fuse::Opcode::kReadDirPlus;
    if (plus && !options_.read_dir_plus) return kNoSuchCall;
    Handle* open_file = handle(in.fh, request.header.node);
    if (open_file == nullptr || !open_file->directory) return kBadFile;
    if (in.size > request.room) complain("a READDIR asks for more than it has room for");
    if (in.offset == 0) {
        open_file->entries = {{".", open_file->inode}, {"..", root_}};
        for (const auto& [name, child] : open_file->inode->children) {
            open_file->entries.emplace_back(name, child);
        }
    }
    for (std::size_t i = in.offset; i < open_file->entries.size(); ++i) {
        const auto& [name, child] = open_file->entries[i];
        const std::size_t bytes =
            plus ? fuse::direntplus_bytes(name.size()) : fuse::dirent_bytes(name.size());
        if (request.body.size() + bytes > in.size) break;
        const std::size_t end = request.body.size() + bytes;
        if (plus) {
            const bool dots = name == "." || name == "..";
            append_to(request.body,
                      dots ? fuse::EntryOut{.attr = {.ino = child->ino, .mode = child->mode}} : give(child));
        }
        append_to(request.body, fuse::Dirent{.ino = child->ino,
                                             .off = i + 1,
                                             .namelen = static_cast<std::uint32_t>(name.size()),
                                             .type = child->mode >> 12});
        const auto text = std::as_bytes(std::span(name));
        request.body.insert(request.body.end(), text.begin(), text.end());
        request.body.resize(end);
    }
    return 0;
}

}  // namespace guest::test
