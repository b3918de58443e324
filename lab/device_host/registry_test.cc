// The names of the lab's devices: what the registry says is what the process side recognises.
#include "lab/device_host/registry.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <string>

#include "lab/device_host/protocol.h"
#include "lab/redirect/device_name.h"

namespace lab::device_host {
namespace {

namespace name = lab::redirect::device;

// The interface path that a device's registry text gives, as an NT name in the lower case that SetupDi uses.
std::u16string nt_name(unsigned index) {
    const std::string text = registry_text(index);
    const std::string key = "\"SymbolicLink\"=\"\\\\\\\\?\\\\";
    const std::size_t start = text.find(key) + key.size();
    std::string path = text.substr(start, text.find('"', start) - start);
    for (char& c : path)
        c = static_cast<char>(::tolower(c));
    return u"\\??\\" + std::u16string(path.begin(), path.end());
}

TEST(DeviceNameTest, Name_FromTheRegistry_IsRecognisedWithItsIndex) {
    static_assert(name::kMaxDevices == kMaxDevices);
    for (unsigned index = 0; index < kMaxDevices; ++index)
        EXPECT_EQ(name::index_of_name(nt_name(index)), index);
    EXPECT_EQ(name::index_of_name(nt_name(3) + u"\\"), 3u);
}

TEST(DeviceNameTest, Name_ThatIsAnother_IsNotRecognised) {
    const std::u16string good = nt_name(0);
    for (std::size_t length = 0; length < good.size(); ++length) {
        EXPECT_FALSE(name::index_of_name(good.substr(0, length))) << length;
    }
    EXPECT_FALSE(name::index_of_name(good + u"x"));
    EXPECT_FALSE(name::index_of_name(good + u"\\file"));
    std::u16string odd = good;
    odd[odd.find(u"&20#") + 2] = u'1';
    EXPECT_FALSE(name::index_of_name(odd));
}

class PrefixTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string text = testing::TempDir() + "prefix-XXXXXX";
        ASSERT_NE(::mkdtemp(text.data()), nullptr);
        prefix_ = text;
    }
    void TearDown() override { std::filesystem::remove_all(prefix_); }
    std::string registry() const {
        std::ifstream in(prefix_ / "system.reg");
        return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    }
    std::filesystem::path prefix_;
};

TEST_F(PrefixTest, Devices_AddedAgain_AreThereOnce) {
    std::ofstream(prefix_ / "system.reg") << "WINE REGISTRY Version 2\n";
    ASSERT_TRUE(add_devices(prefix_, 1));
    EXPECT_EQ(registry(), "WINE REGISTRY Version 2\n" + registry_text(0));
    ASSERT_TRUE(add_devices(prefix_, 2));
    EXPECT_EQ(registry(), "WINE REGISTRY Version 2\n" + registry_text(0) + registry_text(1));
}

TEST_F(PrefixTest, Devices_WithoutAPrefixOrTooMany_AreRefused) {
    const auto missing = add_devices(prefix_ / "missing", 1);
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().find("Wine prefix"), std::string::npos);
    EXPECT_FALSE(add_devices(prefix_, kMaxDevices + 1));
}

}  // namespace
}  // namespace lab::device_host
