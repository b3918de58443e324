// Reparse points: resolving names as WinFsp's DLL does, the create's restarts, and the file system controls.
#include "lab/fsd/reparse.h"

#include "lab/fsd/tests/fixture.h"
#include "nt/bytes.h"

namespace lab::fsd {
namespace {

using testing::ElementsAre;

constexpr std::uint32_t kGuidTag = 0x17;
constexpr std::uint32_t kItself = option::kOpenReparsePoint;

std::vector<std::byte> link_to(std::u16string target, bool relative = true) {
    return nt::make_symlink({.name = std::move(target), .relative = relative}).value();
}

std::vector<std::byte> of_tag(std::uint32_t tag, std::byte first_of_guid = {}) {
    std::vector<std::byte> bytes(nt::has_guid(tag) ? nt::kReparseGuidHeaderBytes : nt::kReparseHeaderBytes);
    nt::put(std::span(bytes), 0, tag);
    if (nt::has_guid(tag)) bytes[nt::kReparseHeaderBytes] = first_of_guid;
    return bytes;
}

// The names of a tree that are reparse points; all others are there and none.
class Tree {
  public:
    Tree& link(std::u16string path, std::u16string target, bool relative = true) {
        points_[std::move(path)] = link_to(std::move(target), relative);
        return *this;
    }
    Tree& point(std::u16string path, std::vector<std::byte> data) {
        points_[std::move(path)] = std::move(data);
        return *this;
    }
    Tree& missing(std::u16string path, Status status = Status::kObjectNameNotFound) {
        failures_[std::move(path)] = status;
        return *this;
    }

    nt::Result<Resolved> resolved(std::u16string_view path, bool last = true, std::uint32_t index = 0) {
        asked_.clear();
        return resolve_reparse_points(lookup(), path, index, last);
    }
    // The path a link's resolution ends with.
    nt::Result<std::u16string> path_of(std::u16string_view path, bool last = true, std::uint32_t index = 0) {
        const auto result = resolved(path, last, index);
        if (!result) return nt::fail(result.error());
        const auto target = nt::parse_symlink(result->data);
        if (!target) return nt::fail(target.error());
        return target->name;
    }
    std::optional<std::uint32_t> found(std::u16string_view path) {
        return find_reparse_point(lookup(), path);
    }
    const std::vector<std::u16string>& asked() const { return asked_; }

  private:
    ReparsePointByName lookup() {
        return [this](std::u16string_view path, bool) -> nt::Result<std::vector<std::byte>> {
            const std::u16string name(path);
            asked_.push_back(name);
            if (const auto failure = failures_.find(name); failure != failures_.end()) {
                return nt::fail(failure->second);
            }
            const auto point = points_.find(name);
            if (point == points_.end()) return nt::fail(Status::kNotAReparsePoint);
            return point->second;
        };
    }

    std::map<std::u16string, std::vector<std::byte>> points_;
    std::map<std::u16string, Status> failures_;
    std::vector<std::u16string> asked_;
};

TEST(FindReparsePoint, GivesTheFirstComponentThatIsOne) {
    Tree tree;
    tree.link(u"\\a\\b", u"x").link(u"\\a\\b\\c", u"x");
    EXPECT_EQ(tree.found(u"\\a\\b\\c"), 3U);
    EXPECT_EQ(tree.found(u"\\a"), std::nullopt);
    EXPECT_EQ(tree.found(u"\\"), std::nullopt);
}

TEST(ResolveReparsePoints, SplicesTargetsIntoThePath) {
    Tree tree;
    tree.link(u"\\d\\l", u"..\\e\\.\\f").link(u"\\r", u"\\x\\y").link(u"\\up", u"..\\..\\z");
    EXPECT_EQ(tree.path_of(u"\\d\\l\\g"), u"\\e\\f\\g");
    EXPECT_EQ(tree.path_of(u"\\r\\g"), u"\\x\\y\\g");
    EXPECT_EQ(tree.path_of(u"\\up"), u"\\z");  // above the root is the root
    EXPECT_EQ(tree.path_of(u"\\plain\\file"), u"\\plain\\file");
    EXPECT_EQ(tree.path_of(u"\\"), u"\\");
}

TEST(ResolveReparsePoints, StopsBeforeTheLastComponentIfToldTo) {
    Tree tree;
    tree.link(u"\\a", u"b").link(u"\\b\\l", u"x");
    EXPECT_EQ(tree.path_of(u"\\a\\l", false), u"\\b\\l");
    EXPECT_EQ(tree.path_of(u"\\a\\l", true), u"\\b\\x");
    EXPECT_EQ(tree.path_of(u"\\a", false), u"\\a");
}

TEST(ResolveReparsePoints, DoesNotLookBeforeTheIndex) {
    Tree tree;
    tree.link(u"\\a\\b\\l", u"..\\x");
    EXPECT_EQ(tree.path_of(u"\\a\\b\\l\\f", true, 5), u"\\a\\x\\f");
    EXPECT_THAT(tree.asked(), ElementsAre(u"\\a\\b\\l", u"\\a\\x", u"\\a\\x\\f"));
}

TEST(ResolveReparsePoints, EndsAfterThirtyOneLinks) {
    Tree tree;
    const auto name = [](int number) { return std::u16string(1, static_cast<char16_t>(0x100 + number)); };
    for (int i = 1; i <= 32; ++i)
        tree.link(u"\\" + name(i), name(i - 1));
    EXPECT_EQ(tree.path_of(u"\\" + name(31)), u"\\" + name(0));
    EXPECT_EQ(tree.path_of(u"\\" + name(32)), nt::fail(Status::kReparsePointNotResolved));
    tree.link(u"\\loop", u"loop\\x");
    EXPECT_EQ(tree.path_of(u"\\loop"), nt::fail(Status::kReparsePointNotResolved));
}

TEST(ResolveReparsePoints, WithSomethingMissing_SaysSoOnTheWayOnly) {
    Tree tree;
    tree.missing(u"\\m").missing(u"\\bad", Status::kAccessDenied).link(u"\\l", u"m");
    EXPECT_EQ(tree.path_of(u"\\l"), u"\\m");
    EXPECT_EQ(tree.path_of(u"\\l\\x"), nt::fail(Status::kObjectNameNotFound));
    EXPECT_EQ(tree.path_of(u"\\bad\\x"), nt::fail(Status::kObjectPathNotFound));
}

TEST(ResolveReparsePoints, GivesWhatItCannotFollowBack) {
    Tree tree;
    tree.link(u"\\c", u"\\??\\C:\\dir", false).point(u"\\m", of_tag(nt::kReparseTagMountPoint));
    const auto elsewhere = tree.resolved(u"\\c\\f");
    ASSERT_TRUE(elsewhere);
    EXPECT_EQ(nt::parse_symlink(elsewhere->data),
              (nt::SymlinkTarget{.name = u"\\??\\C:\\dir\\f", .relative = false}));
    EXPECT_EQ(tree.resolved(u"\\m\\f")->tag, nt::kReparseTagMountPoint);
    tree.point(u"\\bad", std::vector<std::byte>(3));
    EXPECT_EQ(tree.path_of(u"\\bad"), nt::fail(Status::kIoReparseDataInvalid));
}

TEST(CanReplaceReparsePoint, WantsTheSameTagAndGuid) {
    const auto link = link_to(u"x");
    EXPECT_TRUE(can_replace_reparse_point({}, link));
    EXPECT_TRUE(can_replace_reparse_point(link, link_to(u"y")));
    EXPECT_EQ(can_replace_reparse_point(link, of_tag(nt::kReparseTagMountPoint)),
              nt::fail(Status::kIoReparseTagMismatch));
    EXPECT_TRUE(can_replace_reparse_point(of_tag(kGuidTag), of_tag(kGuidTag)));
    EXPECT_EQ(can_replace_reparse_point(of_tag(kGuidTag), of_tag(kGuidTag, std::byte{1})),
              nt::fail(Status::kReparseAttributeConflict));
}

class Reparse : public FsdTest {
  protected:
    void SetUp() override { mount({.reparse_points = true}, {}); }

    IoStatus control(FileId file, std::uint32_t code, std::span<const std::byte> in,
                     std::span<std::byte> out = {}) {
        return fsd_->fs_control(file, code, in, out);
    }
    void set(std::u16string_view name, const std::vector<std::byte>& data, std::uint32_t options = 0) {
        const FileId file = open(name, access::kFileAllAccess, Disposition::kOpenIf, options | kItself);
        EXPECT_EQ(control(file, nt::fsctl::kSetReparsePoint, data).status, Status::kSuccess);
        fsd_->close_handle(file);
    }
};

TEST_F(Reparse, OpenThroughALink_AsksTheFileSystemInWinFspsOrder) {
    make_file(u"\\f");
    set(u"\\l", link_to(u"f"));
    memory_->take_calls();
    fsd_->close_handle(open(u"\\l", access::kReadData, Disposition::kOpen));
    EXPECT_THAT(memory_->take_calls(),
                ElementsAre("attributes_by_name \\l", "resolve_reparse_points \\l", "attributes_by_name \\f",
                            "open \\f", "cleanup \\f", "close \\f"));
}

TEST_F(Reparse, TagsNobodyHandles_CannotBeOpenedButAsThemselves) {
    set(u"\\g", of_tag(kGuidTag, std::byte{7}));
    set(u"\\m", of_tag(nt::kReparseTagMountPoint), option::kDirectoryFile);
    EXPECT_EQ(probe(u"\\g"), Status::kIoReparseTagNotHandled);
    EXPECT_EQ(probe(u"\\m\\x"), Status::kIoReparseTagNotHandled);
    set(u"\\c", link_to(u"\\??\\C:\\x", false));
    EXPECT_EQ(probe(u"\\c"), Status::kIoReparseTagNotHandled);
    const FileId file = open(u"\\g", access::kFileAllAccess, Disposition::kOpen, kItself);
    std::vector<std::byte> out(64);
    EXPECT_EQ(control(file, nt::fsctl::kGetReparsePoint, {}, out).information, nt::kReparseGuidHeaderBytes);
    EXPECT_EQ(control(file, nt::fsctl::kSetReparsePoint, of_tag(kGuidTag)).status,
              Status::kReparseAttributeConflict);
    EXPECT_EQ(control(file, nt::fsctl::kDeleteReparsePoint, of_tag(kGuidTag, std::byte{7})).status,
              Status::kSuccess);
    fsd_->close_handle(file);
    EXPECT_EQ(probe(u"\\g"), Status::kSuccess);
}

TEST_F(Reparse, ALinkThatComesBackWithEveryRestart_IsNotResolved) {
    make_file(u"\\f");
    set(u"\\l", link_to(u"f"));
    // The target is a link whenever somebody looks, and none when it is resolved.
    memory_->set_hook([](std::string_view call) -> std::optional<Status> {
        return call == "open \\f" ? std::optional(Status::kReparse) : std::nullopt;
    });
    const Status status = probe(u"\\l");
    EXPECT_EQ(status, Status::kReparsePointNotResolved);
}

TEST_F(Reparse, Controls_OnTheVolumeItselfOrWithoutTheFeature_AreInvalid) {
    const FileId volume = open(u"", access::kFileAllAccess);
    EXPECT_EQ(control(volume, nt::fsctl::kSetReparsePoint, link_to(u"x")).status,
              Status::kInvalidDeviceRequest);
    fsd_->close_handle(volume);
    mount({}, {});
    const FileId file = open(u"\\f");
    EXPECT_EQ(control(file, nt::fsctl::kSetReparsePoint, link_to(u"x")).status,
              Status::kInvalidDeviceRequest);
    fsd_->close_handle(file);
}

TEST_F(Reparse, Set_ForgetsCachedInformation) {
    mount({.file_info_timeout = 1'000'000, .reparse_points = true}, {});
    const FileId file = open(u"\\f");
    EXPECT_EQ(attributes_of(file) & attribute::kReparsePoint, 0U);
    EXPECT_EQ(control(file, nt::fsctl::kSetReparsePoint, link_to(u"x")).status, Status::kSuccess);
    EXPECT_EQ(attributes_of(file) & attribute::kReparsePoint, attribute::kReparsePoint);
    fsd_->close_handle(file);
}

}  // namespace
}  // namespace lab::fsd
