#include "tests/behaviour/symlinks.h"

#include "nt/bytes.h"

namespace behaviour {

std::vector<std::byte> link_data(std::u16string_view target, bool relative) {
    return nt::make_symlink(
               {.name = std::u16string(target), .shown = std::u16string(target), .relative = relative})
        .value();
}

std::vector<std::byte> reparse_header(std::uint32_t tag) {
    std::vector<std::byte> bytes(nt::kReparseHeaderBytes);
    nt::put(std::span(bytes), 0, tag);
    return bytes;
}

Io set_reparse_point(Context& c, const File& file, std::span<const std::byte> data) {
    return c.system().fs_control(file.handle(), nt::fsctl::kSetReparsePoint, data, {});
}

Io get_reparse_point(Context& c, const File& file, std::span<std::byte> out) {
    return c.system().fs_control(file.handle(), nt::fsctl::kGetReparsePoint, {}, out);
}

Io delete_reparse_point(Context& c, const File& file, std::span<const std::byte> data) {
    return c.system().fs_control(file.handle(), nt::fsctl::kDeleteReparsePoint, data, {});
}

File open_link(Context& c, std::u16string_view name, std::uint32_t access) {
    return c.open({.name = std::u16string(name), .access = access, .options = option::kOpenReparsePoint});
}

Status try_link(Context& c, std::u16string_view name, std::span<const std::byte> data, LinkKind kind) {
    const std::uint32_t options =
        kind == LinkKind::kDirectory ? option::kDirectoryFile : option::kNonDirectoryFile;
    File link = c.open({.name = std::u16string(name),
                        .access = access::kWriteAttributes | access::kDelete,
                        .disposition = Disposition::kCreate,
                        .options = options | option::kOpenReparsePoint});
    if (link.status() != Status::kSuccess) return link.status();
    const Status status = set_reparse_point(c, link, data).status;
    if (status != Status::kSuccess) link.dispose();
    return status;
}

void make_link(Context& c, std::u16string_view name, std::u16string_view target, LinkKind kind, Where where) {
    c.require(try_link(c, name, link_data(target), kind), "making the link " + describe(name), where);
}

std::u16string target_of(Context& c, std::u16string_view name, Where where) {
    const File link = open_link(c, name, access::kReadAttributes);
    c.require(link.status(), "opening the link " + describe(name), where);
    std::vector<std::byte> buffer(nt::kMaxReparseBytes);
    const Io io = get_reparse_point(c, link, buffer);
    c.require(io.status, "reading the link " + describe(name), where);
    buffer.resize(std::min<std::size_t>(io.information, buffer.size()));
    const auto target = nt::parse_symlink(buffer);
    if (!target) {
        c.require(target.error(), "what the link " + describe(name) + " holds", where);
        return {};
    }
    c.equal(target->relative, true, "the target is relative to the link or to the volume", where);
    c.equal(target->shown, target->name, "the name to show", where);
    return target->name;
}

std::uint32_t link_attributes(Context& c, std::u16string_view name, Where where) {
    File link = open_link(c, name, access::kReadAttributes);
    c.require(link.status(), "opening the link " + describe(name), where);
    return link.attributes(where) & kLinkBits;
}

}  // namespace behaviour
