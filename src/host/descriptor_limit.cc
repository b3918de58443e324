#include "host/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>

#include "host/system_error.h"

namespace host {
namespace {

constexpr std::uint64_t kGenerous = 1'000'000;

// The most that anybody may have; the kernel's default where it cannot be read.
std::uint64_t system_maximum() {
    std::uint64_t maximum = 0;
    std::ifstream("/proc/sys/fs/nr_open") >> maximum;
    return maximum != 0 ? maximum : 1024 * 1024;
}

bool set(std::uint64_t soft, std::uint64_t hard) {
    const rlimit limit{soft, hard};
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

}  // namespace

std::expected<std::uint64_t, std::string> set_descriptor_limit(std::optional<std::uint64_t> wanted) {
    rlimit present{};
    if (::getrlimit(RLIMIT_NOFILE, &present) != 0) return system_error("cannot read the limit of open files");
    if (wanted == 0U) return present.rlim_cur;

    const std::uint64_t maximum = system_maximum();
    if (wanted) {
        if (*wanted > maximum) {
            return std::unexpected(fmt::format("--rlimit-nofile={}: the system allows {} (sysctl fs.nr_open)",
                                               *wanted, maximum));
        }
        if (!set(*wanted, std::max<std::uint64_t>(*wanted, present.rlim_max)) && !set(*wanted, *wanted)) {
            return system_error(fmt::format("--rlimit-nofile={}: cannot be set, the hard limit is {}",
                                            *wanted, present.rlim_max));
        }
        return *wanted;
    }
    const std::uint64_t generous = std::min(kGenerous, maximum);
    if (present.rlim_cur >= generous) return present.rlim_cur;
    if (set(generous, std::max<std::uint64_t>(generous, present.rlim_max))) return generous;
    // The hard limit is out of this process' hands.
    const auto most = std::min<std::uint64_t>(generous, present.rlim_max);
    if (most <= present.rlim_cur || !set(most, present.rlim_max)) return present.rlim_cur;
    return most;
}

}  // namespace host
