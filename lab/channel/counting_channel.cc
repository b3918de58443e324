#include "lab/channel/counting_channel.h"

#include "fuse/protocol.h"
#include "lab/channel/message_bytes.h"

namespace lab {

std::uint64_t MessageCounts::total() const {
    std::uint64_t sum = unknown;
    for (const std::uint64_t count : by_opcode)
        sum += count;
    return sum;
}

std::uint64_t MessageCounts::not_waited_for() const {
    using enum fuse::Opcode;
    return of(kRelease) + of(kReleaseDir) + of(kForget) + of(kBatchForget);
}

std::uint64_t MessageCounts::waited_for() const {
    return total() - not_waited_for() - apart();
}

std::string MessageCounts::text() const {
    std::string text;
    const auto add = [&](std::string_view name, std::uint64_t count) {
        if (count == 0) return;
        if (!text.empty()) text += ", ";
        text.append(name).append(" ").append(std::to_string(count));
    };
    for (std::uint32_t i = 0; i < by_opcode.size(); ++i)
        add(name_of(fuse::Opcode{i}), by_opcode[i]);
    add("of unknown opcodes", unknown);
    return text.empty() ? "none" : text;
}

MessageCounts MessageCounts::operator-(const MessageCounts& before) const {
    MessageCounts difference = *this;
    for (std::size_t i = 0; i < by_opcode.size(); ++i)
        difference.by_opcode[i] -= before.by_opcode[i];
    difference.unknown -= before.unknown;
    return difference;
}

MessageCounts CountingChannel::snapshot() const {
    MessageCounts counts;
    for (std::size_t i = 0; i < counts.by_opcode.size(); ++i)
        counts.by_opcode[i] = counts_[i].load();
    counts.unknown = counts_.back().load();
    return counts;
}

void CountingChannel::reset() {
    for (auto& count : counts_)
        count.store(0);
}

void CountingChannel::submit(std::span<guest::Message* const> messages) noexcept {
    for (const guest::Message* const message : messages) {
        fuse::InHeader header;
        gather(*message, std::as_writable_bytes(std::span(&header, 1)));
        const auto opcode = static_cast<std::uint32_t>(header.opcode);
        const bool known = opcode < fuse::kOpcodeLimit && name_of(header.opcode) != "UNKNOWN";
        counts_[known ? opcode : fuse::kOpcodeLimit].fetch_add(1);
    }
    next_.submit(messages);
}

}  // namespace lab
