// A volume on a CheckingHost, and the calls that WinFsp makes for what a program does. Ends every test by
// checking that the guest kept to the protocol and gave everything back.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "guest/volume/session.h"
#include "guest/volume/tests/checking_host.h"
#include "guest/volume/volume.h"

namespace guest::test {

inline constexpr std::uint32_t kRead = nt::access::kFileGenericRead;
inline constexpr std::uint32_t kWrite = nt::access::kFileGenericWrite & ~nt::access::kAppendData;
inline constexpr std::uint32_t kReadWrite = kRead | kWrite;
inline constexpr std::uint32_t kAttributesOnly = nt::access::kReadAttributes | nt::access::kSynchronize;
inline constexpr std::uint32_t kDelete = nt::access::kDelete | nt::access::kReadAttributes;

class VolumeTest : public testing::Test {
  protected:
    void start(HostOptions options = {}, std::size_t max_idle_nodes = 4096) {
        volume_.reset();
        host_ = std::make_unique<CheckingHost>(options);
        mount(max_idle_nodes);
    }
    void mount(std::size_t max_idle_nodes = 4096) {
        auto mounted = Volume::mount(*host_, {.owner = HostOwner{.uid = 11, .gid = 12},
                                              .max_idle_nodes = max_idle_nodes,
                                              .log = [this](std::string_view line) {
                                                  const std::lock_guard lock(log_mutex_);
                                                  log_ += std::string(line) + "\n";
                                              }});
        ASSERT_TRUE(mounted);
        volume_ = std::move(*mounted);
        host_->reset();
    }
    void TearDown() override {
        if (volume_ != nullptr && check_end_) {
            volume_->session().forget_idle();
            EXPECT_EQ(host_->referenced_nodes(), 0U);
            EXPECT_EQ(host_->open_handles(), 0U);
        }
        volume_.reset();
        if (host_ != nullptr && check_protocol_) {
            EXPECT_THAT(host_->violations(), testing::IsEmpty());
        }
    }

    CheckingHost& host() { return *host_; }
    Volume& volume() { return *volume_; }

    // What CreateFile makes WinFsp call.
    nt::Result<Opened> open(std::u16string_view path, std::uint32_t access, std::uint32_t options = 0) {
        const auto attributes = volume_->attributes_of(path);
        if (!attributes) return nt::fail(attributes.error());
        return volume_->open(path, {.options = options, .granted_access = access});
    }
    nt::Result<Opened> create(std::u16string_view path, std::uint32_t access, std::uint32_t options = 0,
                              std::uint32_t attributes = 0) {
        const auto existing = volume_->attributes_of(path);
        if (existing) return nt::fail(nt::Status::kObjectNameCollision);
        if (existing.error() != nt::Status::kObjectNameNotFound) return nt::fail(existing.error());
        return volume_->create(path,
                               {.options = options, .granted_access = access, .attributes = attributes});
    }
    nt::Status remove(std::u16string_view path, std::uint32_t options = 0) {
        const auto opened = open(path, kDelete, options);
        if (!opened) return opened.error();
        const auto can = volume_->can_delete(*opened->file, path);
        if (can) volume_->cleanup(*opened->file, path, {.remove = true});
        volume_->close(opened->file);
        return can ? nt::Status::kSuccess : can.error();
    }
    nt::Status rename(std::u16string_view from, std::u16string_view to, bool replace = false) {
        const auto opened = open(from, kDelete);
        if (!opened) return opened.error();
        if (replace) static_cast<void>(volume_->attributes_of(to));
        const auto done = volume_->rename(*opened->file, from, to, replace);
        volume_->close(opened->file);
        return done ? nt::Status::kSuccess : done.error();
    }
    nt::Result<std::string> read(File& file, std::size_t bytes, std::uint64_t offset = 0) {
        std::string text(bytes, '\0');
        const auto got = volume_->read(file, std::as_writable_bytes(std::span(text)), offset);
        if (!got) return nt::fail(got.error());
        text.resize(*got);
        return text;
    }
    nt::Result<Written> write(File& file, std::string_view text, const WritePosition& where = {}) {
        return volume_->write(file, std::as_bytes(std::span(text)), where);
    }
    std::vector<std::u16string> list(File& directory,
                                     std::optional<std::u16string_view> marker = std::nullopt) {
        std::vector<std::u16string> names;
        const auto done = volume_->read_directory(directory, marker, [&](const DirectoryEntry& entry) {
            names.emplace_back(entry.name);
            return true;
        });
        EXPECT_TRUE(done && *done);
        return names;
    }
    std::string log() {
        const std::lock_guard lock(log_mutex_);
        return log_;
    }

    bool check_end_ = true;       // that everything was given back
    bool check_protocol_ = true;  // that the host saw no breach

  private:
    std::mutex log_mutex_;
    std::string log_;
    std::unique_ptr<CheckingHost> host_;
    std::unique_ptr<Volume> volume_;
};

}  // namespace guest::test
