// The behaviour cases on the guest's volume over a real daemon on a directory of this host: everything but
// the service, WinFsp and the driver. One daemon and one mount serve the whole table.
#include <gtest/gtest.h>

#include <cstdlib>
#include <expected>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "guest/volume/volume.h"
#include "lab/channel/daemon.h"
#include "lab/channel/vhost_user_channel.h"
#include "lab/fsd/volume_file_system.h"
#include "tests/behaviour/case.h"
#include "tests/behaviour/fsd_system.h"
#include "tests/behaviour/native_suite.h"
#include "tests/behaviour/volume_parameters.h"

namespace behaviour {
namespace {

// NT's own metadata has no place on the host yet: no kMetadata.
constexpr Offers kOffered =
    Offers::kHost | Offers::kClock | Offers::kHostNames | Offers::kLargeFiles | Offers::kAttributeRights;

// A directory of its own, removed with all that is in it.
class HostDirectory {
  public:
    HostDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "behaviour.XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
        path_ = name;
    }
    ~HostDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    HostDirectory(const HostDirectory&) = delete;
    HostDirectory& operator=(const HostDirectory&) = delete;

    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

template <typename T, typename E>
T value_or_throw(std::expected<T, E> result, const std::string& what) {
    if (result) return std::move(*result);
    if constexpr (std::is_same_v<E, nt::Status>) {
        throw std::runtime_error(what + ": " + describe(result.error()));
    } else {
        throw std::runtime_error(what + ": " + result.error());
    }
}

struct Mount {
    HostDirectory directory;
    std::unique_ptr<lab::Daemon> daemon =
        value_or_throw(lab::Daemon::start({.directory = directory.path().string()}), "starting the daemon");
    std::unique_ptr<lab::VhostUserChannel> channel =
        value_or_throw(lab::VhostUserChannel::connect(daemon->socket_path()), "connecting to the daemon");
    std::unique_ptr<guest::Volume> volume =
        value_or_throw(guest::Volume::mount(*channel, {}), "mounting the volume");
    lab::fsd::VolumeFileSystem file_system{*volume, u"behaviour"};
    lab::fsd::Fsd fsd{file_system, volume_parameters(), {.enforce_attribute_access = true}};
    FsdSystem system{fsd, {.offers = kOffered, .host_root = directory.path()}};
};

class Native : public testing::TestWithParam<Case> {
  protected:
    static void SetUpTestSuite() { mount_ = std::make_unique<Mount>(); }
    static void TearDownTestSuite() {
        const bool running = mount_->daemon->running();
        mount_.reset();
        EXPECT_TRUE(running) << "the daemon served to the end";
    }

    static inline std::unique_ptr<Mount> mount_;
};

TEST_P(Native, Behaves) {
    expect_no_failures(run_case(GetParam(), mount_->system));
    EXPECT_EQ(mount_->fsd.open_count(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Case, Native, testing::ValuesIn(cases_for(kOffered)), name_of_case);

}  // namespace
}  // namespace behaviour
