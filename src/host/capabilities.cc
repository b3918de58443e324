#include "host/capabilities.h"

#include <cap-ng.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include <algorithm>

#include "host/system_error.h"

namespace host {
namespace {

bool holds(unsigned capability) {
    return capng_have_capability(CAPNG_PERMITTED, capability) == 1;
}

std::expected<void, std::string> read_own() {
    if (capng_get_caps_process() != 0) return std::unexpected("cannot read the process' capabilities");
    return {};
}

}  // namespace

std::vector<unsigned> server_capabilities(const ProcessOptions& options) {
    std::vector<unsigned> wanted{CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
                                 CAP_SETGID, CAP_SETUID,       CAP_MKNOD,  CAP_SETFCAP};
    if (options.server.file_handles != FileHandles::kNever) wanted.push_back(CAP_DAC_READ_SEARCH);
    for (const auto& change : options.capability_changes) {
        std::erase(wanted, change.capability);
        if (change.keep) wanted.push_back(change.capability);
    }
    return wanted;
}

std::expected<void, std::string> confine_to_server_capabilities(const ProcessOptions& options) {
    if (auto own = read_own(); !own) return own;
    const auto wanted = server_capabilities(options);
    const auto is_wanted = [&wanted](unsigned capability) {
        return std::ranges::find(wanted, capability) != wanted.end();
    };
    for (const auto& [capability, keep] : options.capability_changes) {
        if (keep && is_wanted(capability) && !holds(capability)) {
            return std::unexpected(fmt::format("--modcaps=+{}: this process does not have it",
                                               capng_capability_to_name(capability)));
        }
    }
    if (options.server.file_handles == FileHandles::kMandatory &&
        !(is_wanted(CAP_DAC_READ_SEARCH) && holds(CAP_DAC_READ_SEARCH))) {
        return std::unexpected("--inode-file-handles=mandatory needs the capability dac_read_search");
    }
    return keep_capabilities(wanted);
}

std::expected<void, std::string> give_up_capabilities(std::span<const unsigned> given_up) {
    if (auto own = read_own(); !own) return own;
    for (const unsigned capability : given_up) {
        capng_update(CAPNG_DROP,
                     static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE),
                     capability);
    }
    if (const int failed = capng_apply(CAPNG_SELECT_CAPS); failed != 0) {
        return std::unexpected(fmt::format("cannot give up capabilities (libcap-ng: {})", failed));
    }
    return {};
}

std::expected<void, std::string> keep_capabilities(std::span<const unsigned> kept) {
    if (auto own = read_own(); !own) return own;
    const bool may_set_bits = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) == 1;
    if (may_set_bits) {
        // Not SECBIT_NO_SETUID_FIXUP: a thread that acts as a guest's user has that user's rights only.
        constexpr unsigned long kBits = SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
                                        SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
        if (::prctl(PR_SET_SECUREBITS, kBits) != 0) return system_error("cannot set secure bits");
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("cannot give up new privileges");

    std::vector<unsigned> held;
    std::ranges::copy_if(kept, std::back_inserter(held), holds);
    capng_clear(CAPNG_SELECT_ALL);
    for (const unsigned capability : held) {
        capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), capability);
    }
    if (const int failed = capng_apply(may_set_bits ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS); failed != 0) {
        return std::unexpected(fmt::format("cannot give up capabilities (libcap-ng: {})", failed));
    }
    return {};
}

}  // namespace host
