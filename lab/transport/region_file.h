// Making, naming and removing the shared region's file, on the server's side. Must never know: calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>

#include "lab/transport/region.h"

namespace lab::transport {

// The region's file with the server's lock on it; removes the file when it goes.
class RegionFile {
  public:
    // Replaces the region of a server that died. The error is a sentence for the user.
    static std::expected<RegionFile, std::string> create(const std::string& name, std::uint32_t slots);

    RegionFile(RegionFile&& other) noexcept;
    RegionFile& operator=(RegionFile&&) = delete;
    ~RegionFile();

    // Takes the name away; who is attached stays attached.
    void withdraw();

    int fd() const { return fd_; }
    region::Header* header() const { return static_cast<region::Header*>(memory_); }
    region::Slot* slots() const {
        return reinterpret_cast<region::Slot*>(static_cast<std::byte*>(memory_) + region::kHeaderBytes);
    }

  private:
    RegionFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
    std::string prepare(std::uint32_t slots);
    std::string publish(const std::string& draft);
    bool remove_abandoned();
    bool is_at_path(int fd) const;

    int fd_ = -1;
    std::string path_;
    void* memory_ = nullptr;
    std::size_t bytes_ = 0;
    bool published_ = false;
};

}  // namespace lab::transport
