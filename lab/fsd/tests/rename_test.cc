#include "lab/fsd/tests/fixture.h"

namespace lab::fsd {
namespace {

namespace flag = nt::rename_flag;
using testing::ElementsAre;
using testing::IsEmpty;

class Rename : public FsdTest {
  protected:
    Status rename(FileId file, std::u16string_view name, bool replace = false) {
        return fsd_->rename(file, {.new_name = name, .replace_if_exists = replace}).status;
    }
    Status rename_ex(FileId file, std::u16string_view name, std::uint32_t flags) {
        return fsd_->rename(file, {.new_name = name, .flags = flags, .extended = true}).status;
    }
    // Opens, renames, closes.
    Status rename_path(std::u16string_view from, std::u16string_view to, bool replace = false) {
        const FileId file = open(from, access::kDelete, Disposition::kOpen);
        const Status status = rename(file, to, replace);
        fsd_->close_handle(file);
        return status;
    }
};

TEST_F(Rename, OfABareName_StaysInTheDirectory) {
    make_directory(u"\\d");
    const FileId file = open(u"\\d\\a");
    memory_->take_calls();
    EXPECT_EQ(rename(file, u"b"), Status::kSuccess);
    EXPECT_THAT(memory_->take_calls(), ElementsAre("rename \\d\\a \\d\\b"));
    EXPECT_EQ(fsd_->path_of(file), u"\\d\\b");
    fsd_->close_handle(file);
    EXPECT_EQ(probe(u"\\d\\a"), Status::kObjectNameNotFound);
    EXPECT_EQ(probe(u"\\d\\b"), Status::kSuccess);
}

TEST_F(Rename, OfAFullPath_OpensTheTargetsDirectory) {
    make_directory(u"\\d");
    const FileId file = open(u"\\a");
    memory_->take_calls();
    EXPECT_EQ(rename(file, u"\\d\\b"), Status::kSuccess);
    EXPECT_THAT(memory_->take_calls(),
                ElementsAre("attributes_by_name \\d", "open \\d", "attributes_by_name \\d\\b",
                            "rename \\a \\d\\b", "cleanup \\d", "close \\d"));
    fsd_->close_handle(file);
}

TEST_F(Rename, RelativeToADirectoryHandle_GoesThere) {
    make_directory(u"\\d");
    const FileId directory = open(u"\\d", access::kReadData, Disposition::kOpen);
    const FileId file = open(u"\\a");
    EXPECT_EQ(fsd_->rename(file, {.new_name = u"b", .root = directory}).status, Status::kSuccess);
    EXPECT_EQ(fsd_->path_of(file), u"\\d\\b");
    fsd_->close_handle(file);
    fsd_->close_handle(directory);
}

TEST_F(Rename, ThroughABuffer_ReadsNtsLayout) {
    const FileId file = open(u"\\a");
    Buffer buffer(20 + 6);
    buffer.put(16, std::uint32_t{6}).put_text(20, u"b.c");
    EXPECT_EQ(fsd_->set_information(file, file_class::kRename, buffer.span()).status, Status::kSuccess);
    EXPECT_EQ(fsd_->path_of(file), u"\\b.c");
    buffer.put(16, std::uint32_t{8});
    EXPECT_EQ(fsd_->set_information(file, file_class::kRename, buffer.span()).status,
              Status::kInvalidParameter);
    EXPECT_EQ(fsd_->set_information(file, file_class::kRename, buffer.span().first(20)).status,
              Status::kInfoLengthMismatch);
    fsd_->close_handle(file);
}

TEST_F(Rename, OntoAnExistingName_NeedsReplace) {
    make_file(u"\\a", "a");
    make_file(u"\\b", "b");
    EXPECT_EQ(rename_path(u"\\a", u"\\b"), Status::kObjectNameCollision);
    memory_->take_calls();
    EXPECT_EQ(rename_path(u"\\a", u"b", true), Status::kSuccess);
    EXPECT_THAT(memory_->take_calls(),
                ElementsAre("attributes_by_name \\a", "open \\a", "attributes_by_name \\b", "rename \\a \\b",
                            "cleanup \\a", "close \\a"));
    const FileId file = open(u"\\b", access::kReadData, Disposition::kOpen);
    EXPECT_EQ(read_all(file), "a");
    fsd_->close_handle(file);
}

TEST_F(Rename, OntoAReadOnlyFile_IsRefused) {
    make_file(u"\\a");
    make_file(u"\\b");
    set_attributes(u"\\b", attribute::kReadOnly);
    EXPECT_EQ(rename_path(u"\\a", u"\\b", true), Status::kCannotDelete);
}

TEST_F(Rename, OntoADirectory_IsDenied) {
    make_file(u"\\a");
    make_directory(u"\\d");
    EXPECT_EQ(rename_path(u"\\a", u"\\d", true), Status::kAccessDenied);
}

TEST_F(Rename, OntoOpenFile_IsDenied) {
    make_file(u"\\a");
    const FileId target = open(u"\\b");
    EXPECT_EQ(rename_path(u"\\a", u"\\b", true), Status::kAccessDenied);
    fsd_->close_handle(target);
    EXPECT_EQ(rename_path(u"\\a", u"\\b", true), Status::kSuccess);
}

TEST_F(Rename, OntoAFileCleanedUpButNotClosed_EvictsIt) {
    make_file(u"\\a", "a");
    const FileId target = open(u"\\b");
    fsd_->cleanup(target);
    EXPECT_EQ(rename_path(u"\\a", u"\\b", true), Status::kSuccess);
    const FileId renamed = open(u"\\b", access::kReadData, Disposition::kOpen);
    fsd_->close(target);
    EXPECT_EQ(create(u"\\b", {.desired_access = access::kReadData}).io.status, Status::kSharingViolation);
    EXPECT_EQ(read_all(renamed), "a");
    fsd_->close_handle(renamed);
}

TEST_F(Rename, OfADirectoryWithAnOpenChild_IsDenied) {
    make_directory(u"\\d");
    const FileId child = open(u"\\d\\a");
    EXPECT_EQ(rename_path(u"\\d", u"\\e"), Status::kAccessDenied);
    fsd_->close_handle(child);
    EXPECT_EQ(rename_path(u"\\d", u"\\e"), Status::kSuccess);
    EXPECT_EQ(probe(u"\\e\\a"), Status::kSuccess);
}

TEST_F(Rename, OfADirectoryBesideAnOpenNameThatBeginsAlike_Succeeds) {
    make_directory(u"\\d");
    const FileId neighbour = open(u"\\d.txt");
    const FileId other = open(u"\\d]");
    EXPECT_EQ(rename_path(u"\\d", u"\\e"), Status::kSuccess);
    EXPECT_EQ(fsd_->path_of(neighbour), u"\\d.txt");
    fsd_->close_handle(neighbour);
    fsd_->close_handle(other);
}

TEST_F(Rename, OfADirectory_MovesTheCleanedUpNodesBelow) {
    make_directory(u"\\d");
    const FileId child = open(u"\\d\\a");
    fsd_->cleanup(child);
    EXPECT_EQ(rename_path(u"\\d", u"\\e"), Status::kSuccess);
    EXPECT_EQ(fsd_->path_of(child), u"\\e\\a");
    EXPECT_EQ(rename_path(u"\\e", u"\\d"), Status::kSuccess);
    fsd_->close(child);
}

TEST_F(Rename, ToADirectorysOwnInside_IsRefused) {
    make_directory(u"\\d");
    EXPECT_EQ(rename_path(u"\\d", u"\\d\\e"), Status::kSharingViolation);
    make_directory(u"\\d\\sub");
    EXPECT_EQ(rename_path(u"\\d", u"\\d\\sub\\e"), Status::kAccessDenied);
}

TEST_F(Rename, IntoADirectoryThatSomeoneMayDelete_IsASharingViolation) {
    make_file(u"\\a");
    make_directory(u"\\d");
    const FileId deleter = open(u"\\d", access::kDelete, Disposition::kOpen);
    EXPECT_EQ(rename_path(u"\\a", u"\\d\\a"), Status::kSharingViolation);
    fsd_->close_handle(deleter);
    EXPECT_EQ(rename_path(u"\\a", u"\\d\\a"), Status::kSuccess);
}

TEST_F(Rename, OfAFileWithASecondHandle_Succeeds) {
    const FileId first = open(u"\\a");
    const FileId second = open(u"\\a", access::kReadAttributes);
    EXPECT_EQ(rename(first, u"b"), Status::kSuccess);
    EXPECT_EQ(fsd_->path_of(second), u"\\b");
    fsd_->close_handle(first);
    fsd_->close_handle(second);
}

TEST_F(Rename, ToTheSameName_SucceedsWithoutTheFileSystem) {
    const FileId file = open(u"\\a");
    memory_->take_calls();
    EXPECT_EQ(rename(file, u"a"), Status::kSuccess);
    EXPECT_THAT(memory_->take_calls(), IsEmpty());
    fsd_->close_handle(file);
}

TEST_F(Rename, TrailingBackslash_IsAccepted) {
    make_file(u"\\a");
    make_directory(u"\\d");
    EXPECT_EQ(rename_path(u"\\a", u"\\b\\"), Status::kSuccess);
    EXPECT_EQ(rename_path(u"\\b", u"c\\"), Status::kSuccess);
    EXPECT_EQ(rename_path(u"\\d", u"\\e\\"), Status::kSuccess);
    EXPECT_EQ(probe(u"\\c"), Status::kSuccess);
    EXPECT_EQ(probe(u"\\e"), Status::kSuccess);
}

TEST_F(Rename, OfAnotherCaseOnly_ReachesTheFileSystem) {
    mount({.case_sensitive_search = false}, {});
    const FileId file = open(u"\\Name");
    EXPECT_EQ(rename(file, u"\\NAME", true), Status::kSuccess);
    EXPECT_EQ(fsd_->path_of(file), u"\\NAME");
    EXPECT_EQ(rename(file, u"name"), Status::kSuccess);
    EXPECT_EQ(fsd_->path_of(file), u"\\name");
    fsd_->close_handle(file);
}

TEST_F(Rename, OfTheRootOrWithoutAccessOrToNonsense_IsRefused) {
    const FileId root = open_directory(u"\\");
    EXPECT_EQ(rename(root, u"x"), Status::kInvalidParameter);
    fsd_->close_handle(root);
    const FileId weak = open(u"\\a", access::kReadData);
    EXPECT_EQ(rename(weak, u"x"), Status::kAccessDenied);
    fsd_->close_handle(weak);
    EXPECT_EQ(rename_path(u"\\a", u""), Status::kInvalidParameter);
    EXPECT_EQ(rename_path(u"\\a", u"b*"), Status::kObjectNameInvalid);
    EXPECT_EQ(rename_path(u"\\a", u"b\\c"), Status::kObjectNameInvalid);
    EXPECT_EQ(rename_path(u"\\a", u"\\"), Status::kAccessDenied);
    EXPECT_EQ(rename_path(u"\\a", u"\\no\\c"), Status::kObjectPathNotFound);
    EXPECT_EQ(rename_path(u"\\a", u"\\a\\c"), Status::kNotADirectory);
}

TEST_F(Rename, ThatTheFileSystemRefuses_ChangesNothing) {
    const FileId file = open(u"\\a");
    memory_->set_hook([](std::string_view call) -> std::optional<Status> {
        if (call.starts_with("rename")) return Status::kNotSameDevice;
        return std::nullopt;
    });
    EXPECT_EQ(rename(file, u"b"), Status::kNotSameDevice);
    EXPECT_EQ(fsd_->path_of(file), u"\\a");
    fsd_->close_handle(file);
}

TEST_F(Rename, DeleteAfterwards_RemovesTheNewName) {
    const FileId file = open(u"\\a", access::kFileAllAccess, Disposition::kCreate, option::kDeleteOnClose);
    EXPECT_EQ(rename(file, u"b"), Status::kSuccess);
    fsd_->close_handle(file);
    EXPECT_EQ(probe(u"\\b"), Status::kObjectNameNotFound);
}

TEST_F(Rename, Ex_NeedsTheVolumesSupport) {
    const FileId file = open(u"\\a");
    EXPECT_EQ(rename_ex(file, u"b", 0), Status::kInvalidParameter);
    fsd_->close_handle(file);
}

TEST_F(Rename, WithPosixSemantics_ReplacesAnOpenFileThatSharesDelete) {
    mount({.supports_posix_unlink_rename = true}, {});
    make_file(u"\\a", "new");
    const CreateResult stubborn = create(u"\\b", {.desired_access = access::kReadData,
                                                  .share_access = share::kRead | share::kWrite,
                                                  .disposition = Disposition::kCreate});
    const FileId file = open(u"\\a");
    const std::uint32_t replace = flag::kReplaceIfExists | flag::kPosixSemantics;
    EXPECT_EQ(rename_ex(file, u"b", replace), Status::kSharingViolation);
    fsd_->close_handle(stubborn.file);
    const FileId sharing = open(u"\\b");
    EXPECT_EQ(rename_ex(file, u"b", flag::kReplaceIfExists), Status::kAccessDenied);
    EXPECT_EQ(rename_ex(file, u"b", replace), Status::kSuccess);
    EXPECT_EQ(read_all(sharing), "");
    fsd_->close_handle(file);
    fsd_->close_handle(sharing);
    const FileId renamed = open(u"\\b", access::kReadData, Disposition::kOpen);
    EXPECT_EQ(read_all(renamed), "new");
    fsd_->close_handle(renamed);
}

TEST_F(Rename, Ex_CanIgnoreTheReadOnlyAttribute) {
    mount({.supports_posix_unlink_rename = true}, {});
    make_file(u"\\a");
    make_file(u"\\b");
    set_attributes(u"\\b", attribute::kReadOnly);
    const FileId file = open(u"\\a");
    EXPECT_EQ(rename_ex(file, u"b", flag::kReplaceIfExists), Status::kCannotDelete);
    EXPECT_EQ(rename_ex(file, u"b", flag::kReplaceIfExists | flag::kIgnoreReadOnly), Status::kSuccess);
    fsd_->close_handle(file);
}

}  // namespace
}  // namespace lab::fsd
