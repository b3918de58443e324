// This server's entry in the prefix's table of volumes. Must never know: Fsd, the transport beyond a
// channel's name.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "lab/redirect/mounts.h"

namespace lab::redirect {

// Claims an entry, publishes it with announce(), gives it back when destroyed.
class MountEntry {
  public:
    static std::expected<MountEntry, std::string> claim(const Session& session);
    MountEntry(MountEntry&& other) noexcept;
    MountEntry& operator=(MountEntry&&) = delete;
    ~MountEntry();

    unsigned index() const { return index_; }
    void announce(std::u16string_view device, const std::string& channel);
    // 0: no letter.
    void set_letter(char16_t letter);
    char16_t letter() const;
    // How often a process has ended so far that may have had files open.
    std::uint32_t process_ends() const;
    // Programs find it no more.
    void withdraw();

  private:
    MountEntry(MountTable* table, unsigned index) : table_(table), index_(index) {}
    MountTable* table_;
    unsigned index_;
};

}  // namespace lab::redirect
