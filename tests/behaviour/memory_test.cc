// The behaviour cases on a file system in memory: what fails here too is not the guest volume's fault.
#include <gtest/gtest.h>

#include "lab/fsd/memory_file_system.h"
#include "tests/behaviour/case.h"
#include "tests/behaviour/fsd_system.h"
#include "tests/behaviour/native_suite.h"
#include "tests/behaviour/volume_parameters.h"

namespace behaviour {
namespace {

constexpr Offers kOffered = Offers::kMetadata | Offers::kAttributeRights;

class Memory : public testing::TestWithParam<Case> {};

TEST_P(Memory, Behaves) {
    lab::fsd::MemoryFileSystem file_system;
    {
        lab::fsd::Fsd volume(file_system, volume_parameters(), {.enforce_attribute_access = true});
        FsdSystem system(volume, {.offers = kOffered, .host_root = {}});
        expect_no_failures(run_case(GetParam(), system));
        EXPECT_EQ(volume.open_count(), 0U);
    }
    for (const std::string& violation : file_system.violations(true))
        ADD_FAILURE() << violation;
}

INSTANTIATE_TEST_SUITE_P(Case, Memory, testing::ValuesIn(cases_for(kOffered)), name_of_case);

}  // namespace
}  // namespace behaviour
