// The entries of a directory as they were when it was read, in the order in which NT programs get them.
// Must never know: how they were read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nt/file.h"

namespace guest {

class DirectorySnapshot {
  public:
    void add(std::u16string_view name, const nt::FileInfo& info) {
        entries_.push_back({.offset = names_.size(), .length = name.size(), .info = info});
        names_ += name;
    }

    // To be called once, after the last add(): sorts by UTF-16 units, "." and ".." first, one entry a name.
    void finish() {
        std::sort(entries_.begin(), entries_.end(),
                  [this](const Entry& a, const Entry& b) { return is_before(name_of(a), name_of(b)); });
        const auto same = [this](const Entry& a, const Entry& b) { return name_of(a) == name_of(b); };
        entries_.erase(std::unique(entries_.begin(), entries_.end(), same), entries_.end());
        entries_.shrink_to_fit();
        names_.shrink_to_fit();
    }

    std::size_t size() const { return entries_.size(); }
    std::u16string_view name(std::size_t index) const { return name_of(entries_[index]); }
    const nt::FileInfo& info(std::size_t index) const { return entries_[index].info; }

    // The first entry strictly after a name that need not be there.
    std::size_t after(std::u16string_view marker) const {
        const auto place = std::upper_bound(
            entries_.begin(), entries_.end(), marker,
            [this](std::u16string_view m, const Entry& e) { return is_before(m, name_of(e)); });
        return static_cast<std::size_t>(place - entries_.begin());
    }

  private:
    struct Entry {
        std::size_t offset;
        std::size_t length;
        nt::FileInfo info;
    };

    static int rank(std::u16string_view name) { return name == u"." ? 0 : name == u".." ? 1 : 2; }
    static bool is_before(std::u16string_view a, std::u16string_view b) {
        return rank(a) != rank(b) ? rank(a) < rank(b) : a < b;
    }
    std::u16string_view name_of(const Entry& entry) const {
        return std::u16string_view(names_).substr(entry.offset, entry.length);
    }

    std::u16string names_;
    std::vector<Entry> entries_;
};

}  // namespace guest
