#include "lab/redirect/mount_entry.h"

#include <cstring>

namespace lab::redirect {
namespace {

bool is_running(DWORD process_id) {
    HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, process_id);
    if (!process) return false;
    const bool running = WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
    CloseHandle(process);
    return running;
}

bool try_claim(Mount& mount) {
    std::uint32_t state = mount.state.load();
    // A server that died left its entry behind.
    if (state == Mount::kFree || !is_running(mount.server_process)) {
        if (mount.state.compare_exchange_strong(state, Mount::kChanging)) {
            mount.server_process = GetCurrentProcessId();
            mount.letter = 0;
            return true;
        }
    }
    return false;
}

}  // namespace

std::expected<MountEntry, std::string> MountEntry::claim(const Session& session) {
    MountTable* table = open_mount_table(session);
    if (!table) return std::unexpected("cannot create the lab's table of volumes in this Wine prefix");
    for (unsigned i = 0; i < kMaxMounts; ++i) {
        if (try_claim(table->entries[i])) return MountEntry(table, i);
    }
    return std::unexpected("this lab run has " + std::to_string(kMaxMounts) +
                           " volumes already; end one of them");
}

MountEntry::MountEntry(MountEntry&& other) noexcept : table_(other.table_), index_(other.index_) {
    other.table_ = nullptr;
}

MountEntry::~MountEntry() {
    if (table_) table_->entries[index_].state.store(Mount::kFree);
}

void MountEntry::announce(std::u16string_view device, const std::string& channel) {
    Mount& mount = table_->entries[index_];
    device = device.substr(0, kMaxDeviceChars);
    std::memcpy(mount.device, device.data(), device.size() * 2);
    mount.device_chars = static_cast<std::uint32_t>(device.size());
    std::memset(mount.channel, 0, sizeof(mount.channel));
    std::memcpy(mount.channel, channel.data(), std::min(channel.size(), kMaxChannelBytes));
    if (mount.generation.fetch_add(1) + 1 == 0) mount.generation.store(1);
    mount.state.store(Mount::kLive, std::memory_order_release);
}

void MountEntry::set_letter(char16_t letter) {
    table_->entries[index_].letter.store(ascii_upper(letter), std::memory_order_release);
}

char16_t MountEntry::letter() const {
    return static_cast<char16_t>(table_->entries[index_].letter.load());
}

std::uint32_t MountEntry::process_ends() const {
    return table_->entries[index_].ends.load();
}

void MountEntry::withdraw() {
    table_->entries[index_].state.store(Mount::kChanging, std::memory_order_release);
}

}  // namespace lab::redirect
