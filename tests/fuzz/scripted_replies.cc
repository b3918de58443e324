#include "tests/fuzz/scripted_replies.h"

#include <array>
#include <string_view>
#include <vector>

namespace tests {
namespace {

using Bytes = std::vector<std::byte>;

template <typename T>
void append(Bytes& bytes, const T& value) {
    const auto part = std::as_bytes(std::span(&value, 1));
    bytes.insert(bytes.end(), part.begin(), part.end());
}

fuse::Attr attributes(Input& input) {
    // The first is what an input that has ended gives: a root must be a directory for a session to begin.
    constexpr std::array<std::uint32_t, 8> kModes = {
        fuse::mode::kDirectory | 0755, fuse::mode::kRegular | 0644,
        fuse::mode::kDirectory | 0500, fuse::mode::kRegular | 0444,
        fuse::mode::kSymlink | 0777,   fuse::mode::kFifo | 0600,
        fuse::mode::kCharDevice,       0};
    fuse::Attr attr;
    const std::uint8_t choice = input.byte();
    attr.mode = kModes[choice % kModes.size()];
    attr.ino = choice / 8 % 4;
    attr.nlink = 1;
    attr.size = choice >= 0x80 ? input.take<std::uint64_t>() : choice;
    attr.blksize = 4096;
    return attr;
}

fuse::EntryOut entry(Input& input) {
    const std::uint8_t choice = input.byte();
    fuse::EntryOut out;
    // Few ids, so that names share nodes and nodes change their kind; 0 is a name that is missing.
    out.node = fuse::NodeId{choice % 8U};
    out.generation = choice / 8 % 2;
    out.entry_valid = out.attr_valid = choice >= 0x80 ? 60 : 0;
    out.attr = attributes(input);
    return out;
}

Bytes listing(Input& input, bool plus) {
    Bytes bytes;
    for (std::size_t left = input.below(8); left != 0 && !input.empty(); --left) {
        if (plus) append(bytes, entry(input));
        const auto name = input.take_bytes(1 + input.below(6));
        fuse::Dirent record;
        record.ino = input.byte() % 8;
        record.off = input.byte();
        record.namelen = static_cast<std::uint32_t>(name.size());
        record.type = input.byte() % 16;
        append(bytes, record);
        bytes.insert(bytes.end(), name.begin(), name.end());
        bytes.resize((bytes.size() + 7) / 8 * 8);
    }
    return bytes;
}

Bytes plausible_body(Input& input, const lab::ScriptedRequest& request) {
    Bytes body;
    switch (request.header.opcode) {
        using enum fuse::Opcode;
        case kInit: {
            const auto asked = request.arguments_as<fuse::InitIn>();
            fuse::InitOut out;
            out.major = asked.major;
            out.minor = 31 + input.byte() % 9;
            out.max_readahead = asked.max_readahead;
            out.flags = input.empty() ? asked.flags : input.take<std::uint32_t>();
            out.max_write = 4096U << input.below(10);
            out.max_pages = input.byte();
            append(body, out);
            break;
        }
        case kLookup:
        case kMkdir:
        case kMknod:
        case kLink:
        case kSymlink:
            append(body, entry(input));
            break;
        case kCreate:
            append(body, entry(input));
            append(body, fuse::OpenOut{.fh = fuse::FileHandle{input.byte()}});
            break;
        case kOpen:
        case kOpenDir:
            append(body, fuse::OpenOut{.fh = fuse::FileHandle{input.byte()}});
            break;
        case kGetAttr:
        case kSetAttr: {
            fuse::AttrOut out;
            out.attr_valid = input.byte();
            out.attr = attributes(input);
            append(body, out);
            break;
        }
        case kReadLink: {
            constexpr std::array<std::string_view, 5> kTargets = {"a", "../b", "/a/c", "c/../.", "b/c"};
            const std::size_t choice = input.below(kTargets.size() + 1);
            const auto target = choice < kTargets.size() ? std::as_bytes(std::span(kTargets[choice]))
                                                         : input.take_bytes(input.byte());
            body.assign(target.begin(), target.end());
            break;
        }
        case kRead: {
            const auto data = input.take_bytes(input.byte());
            body.assign(data.begin(), data.end());
            break;
        }
        case kWrite:
            append(body, fuse::WriteOut{.size = input.empty() ? request.arguments_as<fuse::WriteIn>().size
                                                              : input.byte()});
            break;
        case kReadDir:
        case kReadDirPlus:
            body = listing(input, request.header.opcode == kReadDirPlus);
            break;
        case kStatfs:
            append(body, fuse::StatfsOut{});
            break;
        default:
            break;
    }
    return body;
}

void change(Input& input, Bytes& bytes) {
    for (std::size_t left = 1 + input.below(4); left != 0 && !bytes.empty(); --left)
        bytes[input.take<std::uint16_t>() % bytes.size()] = std::byte{input.byte()};
}

}  // namespace

lab::Answer reply_from(Input& input, const lab::ScriptedRequest& request) {
    const std::uint8_t choice = input.byte();
    if (choice >= 0xF8) {
        constexpr std::array kErrors = {guest::ChannelError::kLost, guest::ChannelError::kCancelled,
                                        guest::ChannelError::kRefused};
        return lab::TransportFailure{kErrors[choice % kErrors.size()]};
    }
    lab::Success answer{plausible_body(input, request)};
    switch (choice % 12) {
        case 7:
            change(input, answer.body);
            return answer;
        case 8:
            answer.body.resize(input.take<std::uint16_t>() % (answer.body.size() + 64));
            return answer;
        case 9:
            return lab::Failure{fuse::Errno{input.byte()}};
        case 10:
        case 11: {
            Bytes raw;
            append(raw, fuse::OutHeader{
                            .len = static_cast<std::uint32_t>(sizeof(fuse::OutHeader) + answer.body.size()),
                            .error = 0,
                            .unique = request.header.unique});
            raw.insert(raw.end(), answer.body.begin(), answer.body.end());
            change(input, raw);
            if (choice % 12 == 11) raw.resize(input.take<std::uint16_t>() % (raw.size() + 64));
            return lab::RawAnswer{std::move(raw)};
        }
        default:
            return answer;
    }
}

}  // namespace tests
