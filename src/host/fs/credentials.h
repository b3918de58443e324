// As whom the calling thread makes files: the guest's user and groups, of this thread alone.
// Must never know: messages, id translations. Needs CAP_SETUID and CAP_SETGID; a process without these makes
// all files as itself.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <utility>

#include "fuse/errno.h"

namespace host {

// One thread's. System calls are made only when something changes. Away from the daemon's own user the kernel
// takes the thread's capabilities over files away (capabilities(7), "Effect of user ID changes"): it may do
// what that user may.
class Credentials {
  public:
    // Finds out whether the thread can act as others.
    Credentials();

    bool can_change() const { return can_change_; }

    // As that user and group from now on, with one further group if the guest named one. kEPERM for an id
    // that the process may not use.
    std::expected<void, fuse::Errno> become(std::uint32_t uid, std::uint32_t gid,
                                            std::optional<std::uint32_t> further_group = std::nullopt);
    // As the daemon itself.
    void become_self() { static_cast<void>(become(own_uid_, own_gid_)); }

  private:
    const std::uint32_t own_uid_;
    const std::uint32_t own_gid_;
    bool can_change_ = false;
    std::uint32_t uid_;
    std::uint32_t gid_;
    std::optional<std::uint32_t> further_group_;
};

// While it lives, the thread acts as somebody; afterwards as the daemon itself.
class ActingAs {
  public:
    static std::expected<ActingAs, fuse::Errno> begin(Credentials& credentials, std::uint32_t uid,
                                                      std::uint32_t gid,
                                                      std::optional<std::uint32_t> further_group);
    ActingAs(ActingAs&& other) noexcept : credentials_(std::exchange(other.credentials_, nullptr)) {}
    ActingAs& operator=(ActingAs&&) = delete;
    ~ActingAs() {
        if (credentials_ != nullptr) credentials_->become_self();
    }

  private:
    explicit ActingAs(Credentials& credentials) : credentials_(&credentials) {}
    Credentials* credentials_;
};

// While it lives the thread lacks CAP_FSETID, so that writing, truncating or changing the owner takes
// set-user-id and set-group-id bits away, as it does for a user without privileges.
class WithoutSetIdCapability {
  public:
    // Does nothing unless `wanted`.
    explicit WithoutSetIdCapability(bool wanted);
    ~WithoutSetIdCapability();
    WithoutSetIdCapability(const WithoutSetIdCapability&) = delete;
    WithoutSetIdCapability& operator=(const WithoutSetIdCapability&) = delete;

  private:
    bool dropped_ = false;
};

// While it lives the thread's umask is another one; the thread has one of its own (unshare(CLONE_FS)).
class ScopedUmask {
  public:
    explicit ScopedUmask(mode_t mask);
    ~ScopedUmask();
    ScopedUmask(const ScopedUmask&) = delete;
    ScopedUmask& operator=(const ScopedUmask&) = delete;

  private:
    const mode_t before_;
};

}  // namespace host
