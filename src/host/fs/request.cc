#include "host/fs/request.h"

#include <algorithm>

namespace host {
namespace {

// Extension types. Source: Linux, include/uapi/linux/fuse.h: FUSE_MAX_NR_SECCTX and fuse_ext_type.
constexpr std::uint32_t kMaxSecurityContexts =
    31;  // a greater type is an extension's, not a count of contexts
constexpr std::uint32_t kExtensionGroups = 32;

void copy_out(std::span<const iovec> pieces, std::size_t skip, std::span<std::byte> to) {
    for (const iovec& piece : pieces) {
        if (to.empty()) return;
        if (skip >= piece.iov_len) {
            skip -= piece.iov_len;
            continue;
        }
        const std::size_t count = std::min(piece.iov_len - skip, to.size());
        std::memcpy(to.data(), static_cast<const std::byte*>(piece.iov_base) + skip, count);
        to = to.subspan(count);
        skip = 0;
    }
}

}  // namespace

bool RequestBuffer::load(const Exchange& exchange) {
    further_group_.reset();
    security_contexts_.clear();
    if (exchange.request_bytes < sizeof(fuse::InHeader)) return false;
    copy_out(exchange.request, 0, std::as_writable_bytes(std::span(&header_, 1)));
    if (header_.len < sizeof(fuse::InHeader) || header_.len > exchange.request_bytes) return false;
    std::size_t length = header_.len;
    if (header_.opcode == fuse::Opcode::kWrite) length = std::min(length, kWriteBytes);
    if (length > bytes_.size()) return false;
    const auto arguments = std::span(bytes_).first(length - sizeof header_);
    copy_out(exchange.request, sizeof header_, arguments);
    arguments_ = arguments;
    if (header_.total_extlen == 0) return true;
    const std::size_t extensions = std::size_t{header_.total_extlen} * 8;
    if (header_.opcode == fuse::Opcode::kWrite || extensions > arguments_.size()) return false;
    const std::size_t before = arguments_.size() - extensions;
    const auto tail = arguments_.subspan(before);
    arguments_ = arguments_.first(before);
    return read_extensions(tail);
}

bool RequestBuffer::read_extensions(std::span<const std::byte> extensions) {
    Arguments walk(extensions);
    while (walk.rest().size() >= sizeof(fuse::ExtHeader)) {
        const auto head = *walk.fixed<fuse::ExtHeader>();
        if (head.size < sizeof head || head.size % 8 != 0) return false;
        const auto content = walk.bytes(head.size - sizeof head);
        if (!content) return false;
        if (head.type <= kMaxSecurityContexts) {
            if (!read_security_contexts(Arguments(*content), head.type)) return false;
            continue;
        }
        if (head.type != kExtensionGroups) return false;
        Arguments groups(*content);
        const auto count = groups.fixed<std::uint32_t>();
        if (!count || *count != 1) return false;
        further_group_ = groups.fixed<std::uint32_t>();
        if (!further_group_) return false;
    }
    return walk.rest().empty();
}

// Each: a fixed part, the attribute's name, its value, and padding to 8 bytes.
bool RequestBuffer::read_security_contexts(Arguments contexts, std::uint32_t count) {
    for (; count != 0; --count) {
        const std::size_t before = contexts.rest().size();
        const auto fixed = contexts.fixed<fuse::SecurityContext>();
        const auto name = fixed ? contexts.string() : std::nullopt;
        const auto value = name ? contexts.bytes(fixed->size) : std::nullopt;
        if (!value || name->size() == 0) return false;
        security_contexts_.push_back({.name = *name, .value = *value});
        const std::size_t used = before - contexts.rest().size();
        const std::size_t padding = (8 - used % 8) % 8;
        if (!contexts.bytes(std::min(padding, contexts.rest().size()))) return false;
    }
    return true;
}

std::size_t slice(std::span<const iovec> pieces, std::size_t skip, std::size_t limit, std::span<iovec> room) {
    std::size_t used = 0;
    for (const iovec& piece : pieces) {
        if (limit == 0 || used == room.size()) break;
        if (skip >= piece.iov_len) {
            skip -= piece.iov_len;
            continue;
        }
        const std::size_t count = std::min(piece.iov_len - skip, limit);
        room[used++] = {.iov_base = static_cast<std::byte*>(piece.iov_base) + skip, .iov_len = count};
        limit -= count;
        skip = 0;
    }
    return used;
}

}  // namespace host
