#include "lab/fsd/tests/fixture.h"

namespace lab::fsd {
namespace {

namespace flag = nt::disposition_flag;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

class Delete : public FsdTest {};

TEST_F(Delete, ByDisposition_HappensAtCleanup) {
    const FileId file = open(u"\\a");
    memory_->take_calls();
    EXPECT_EQ(set_disposition(file, true).status, Status::kSuccess);
    EXPECT_THAT(memory_->take_calls(), ElementsAre("file_info \\a", "set_delete \\a"));
    EXPECT_EQ(probe(u"\\a"), Status::kDeletePending);
    memory_->take_calls();
    fsd_->close_handle(file);
    EXPECT_THAT(memory_->take_calls(), ElementsAre("cleanup+delete \\a", "close \\a"));
    EXPECT_EQ(probe(u"\\a"), Status::kObjectNameNotFound);
}

TEST_F(Delete, Undone_LeavesTheFile) {
    const FileId file = open(u"\\a");
    set_disposition(file, true);
    EXPECT_EQ(set_disposition(file, false).status, Status::kSuccess);
    EXPECT_EQ(probe(u"\\a"), Status::kSuccess);
    fsd_->close_handle(file);
    EXPECT_EQ(probe(u"\\a"), Status::kSuccess);
}

TEST_F(Delete, WaitsForTheLastHandle) {
    const FileId first = open(u"\\a");
    const FileId second = open(u"\\a");
    set_disposition(first, true);
    fsd_->close_handle(first);
    EXPECT_EQ(probe(u"\\a"), Status::kDeletePending);
    fsd_->write(second, bytes_of("still"), 0);
    EXPECT_EQ(read_all(second), "still");
    fsd_->close_handle(second);
    EXPECT_EQ(probe(u"\\a"), Status::kObjectNameNotFound);
}

TEST_F(Delete, OnClose_HappensWhenThatHandleCloses) {
    const FileId file = open(u"\\a", access::kFileAllAccess, Disposition::kCreate, option::kDeleteOnClose);
    EXPECT_EQ(probe(u"\\a"), Status::kSuccess);
    const FileId other = open(u"\\a");
    fsd_->close_handle(file);
    EXPECT_EQ(probe(u"\\a"), Status::kDeletePending);
    fsd_->close_handle(other);
    EXPECT_EQ(probe(u"\\a"), Status::kObjectNameNotFound);
}

TEST_F(Delete, BetweenCleanupAndClose_TheNameIsFree) {
    const FileId file = open(u"\\a");
    set_disposition(file, true);
    fsd_->cleanup(file);
    const FileId again = open(u"\\a", access::kFileAllAccess, Disposition::kCreate);
    fsd_->close(file);
    EXPECT_EQ(probe(u"\\a"), Status::kSuccess);
    fsd_->close_handle(again);
}

TEST_F(Delete, OfAFullDirectory_IsRefused) {
    make_directory(u"\\d");
    make_file(u"\\d\\a");
    const FileId directory = open_directory(u"\\d");
    EXPECT_EQ(set_disposition(directory, true).status, Status::kDirectoryNotEmpty);
    fsd_->close_handle(directory);
    EXPECT_EQ(probe(u"\\d\\a"), Status::kSuccess);
}

TEST_F(Delete, OfAReadOnlyFile_IsRefused) {
    make_file(u"\\a");
    set_attributes(u"\\a", attribute::kReadOnly);
    const FileId file = open(u"\\a", access::kDelete, Disposition::kOpen);
    memory_->take_calls();
    EXPECT_EQ(set_disposition(file, true).status, Status::kCannotDelete);
    EXPECT_THAT(memory_->take_calls(), ElementsAre("file_info \\a"));
    fsd_->close_handle(file);
}

TEST_F(Delete, OfTheRoot_IsRefused) {
    const FileId root = open_directory(u"\\");
    EXPECT_EQ(set_disposition(root, true).status, Status::kCannotDelete);
    fsd_->close_handle(root);
}

TEST_F(Delete, WithoutDeleteAccess_IsDenied) {
    const FileId file = open(u"\\a", access::kFileAllAccess & ~access::kDelete);
    EXPECT_EQ(set_disposition(file, true).status, Status::kAccessDenied);
    fsd_->close_handle(file);
}

TEST_F(Delete, DispositionEx_NeedsTheVolumesSupport) {
    const FileId file = open(u"\\a");
    EXPECT_EQ(set_disposition_ex(file, flag::kDelete).status, Status::kInvalidParameter);
    fsd_->close_handle(file);
}

class PosixDelete : public FsdTest {
  protected:
    void SetUp() override { mount({.supports_posix_unlink_rename = true}, {}); }
};

TEST_F(PosixDelete, FreesTheNameWhileOthersStillUseTheFile) {
    const FileId file = open(u"\\a");
    const FileId other = open(u"\\a");
    fsd_->write(other, bytes_of("content"), 0);
    EXPECT_EQ(set_disposition_ex(file, flag::kDelete | flag::kPosixSemantics).status, Status::kSuccess);
    fsd_->close_handle(file);
    EXPECT_EQ(probe(u"\\a"), Status::kObjectNameNotFound);
    EXPECT_EQ(read_all(other), "content");
    EXPECT_EQ(set_disposition(other, true).status, Status::kFileDeleted);
    const FileId again = open(u"\\a", access::kFileAllAccess, Disposition::kCreate);
    memory_->take_calls();
    fsd_->close_handle(other);
    EXPECT_THAT(memory_->take_calls(), Not(Contains("cleanup+delete \\a")));
    EXPECT_EQ(probe(u"\\a"), Status::kSuccess);
    fsd_->close_handle(again);
}

TEST_F(PosixDelete, CanIgnoreTheReadOnlyAttribute) {
    make_file(u"\\a");
    set_attributes(u"\\a", attribute::kReadOnly);
    const FileId file = open(u"\\a", access::kDelete, Disposition::kOpen);
    EXPECT_EQ(set_disposition_ex(file, flag::kDelete).status, Status::kCannotDelete);
    EXPECT_EQ(set_disposition_ex(file, flag::kDelete | flag::kIgnoreReadOnly).status, Status::kSuccess);
    fsd_->close_handle(file);
    EXPECT_EQ(probe(u"\\a"), Status::kObjectNameNotFound);
}

TEST_F(PosixDelete, ThatFailed_FailsTheSameWayWhenRetriedInTheOldForm) {
    make_directory(u"\\d");
    make_file(u"\\d\\a");
    const FileId directory = open_directory(u"\\d");
    EXPECT_EQ(set_disposition_ex(directory, flag::kDelete | flag::kPosixSemantics).status,
              Status::kDirectoryNotEmpty);
    memory_->take_calls();
    EXPECT_EQ(set_disposition(directory, true).status, Status::kDirectoryNotEmpty);
    EXPECT_THAT(memory_->take_calls(), IsEmpty());
    fsd_->close_handle(directory);
}

TEST_F(PosixDelete, OnCloseFlag_IsNotSupported) {
    const FileId file = open(u"\\a");
    EXPECT_EQ(set_disposition_ex(file, flag::kDelete | flag::kOnClose).status, Status::kNotSupported);
    EXPECT_EQ(set_disposition_ex(file, 0x80).status, Status::kInvalidParameter);
    fsd_->close_handle(file);
}

TEST_F(PosixDelete, Undone_LeavesTheFile) {
    const FileId file = open(u"\\a");
    const FileId other = open(u"\\a");
    set_disposition_ex(file, flag::kDelete | flag::kPosixSemantics);
    EXPECT_EQ(set_disposition_ex(file, 0).status, Status::kSuccess);
    fsd_->close_handle(file);
    fsd_->close_handle(other);
    EXPECT_EQ(probe(u"\\a"), Status::kSuccess);
}

}  // namespace
}  // namespace lab::fsd
