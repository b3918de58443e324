#include "lab/fsd/tests/fixture.h"

namespace lab::fsd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::uint64_t number(CreateAction action) {
    return static_cast<std::uint64_t>(action);
}

class Create : public FsdTest {};

TEST_F(Create, OfANewFile_AsksForTheParentThenCreates) {
    const CreateResult result =
        create(u"\\a", {.desired_access = access::kGenericRead | access::kGenericWrite,
                        .disposition = Disposition::kCreate});
    EXPECT_EQ(result.io.status, Status::kSuccess);
    EXPECT_EQ(result.io.information, number(CreateAction::kCreated));
    EXPECT_THAT(memory_->take_calls(), ElementsAre("attributes_by_name \\", "create \\a"));
    fsd_->close_handle(result.file);
}

TEST_F(Create, Open_AsksForTheNameThenOpens) {
    make_file(u"\\a");
    memory_->take_calls();
    fsd_->close_handle(open(u"\\a", access::kFileGenericRead, Disposition::kOpen));
    EXPECT_THAT(memory_->take_calls(),
                ElementsAre("attributes_by_name \\a", "open \\a", "cleanup \\a", "close \\a"));
}

TEST_F(Create, OpenOfAMissingFile_IsNotFoundAfterOneLook) {
    EXPECT_EQ(create(u"\\a").io.status, Status::kObjectNameNotFound);
    EXPECT_THAT(memory_->take_calls(), ElementsAre("attributes_by_name \\a"));
}

TEST_F(Create, BelowAMissingDirectory_IsPathNotFound) {
    EXPECT_EQ(create(u"\\no\\a").io.status, Status::kObjectPathNotFound);
    EXPECT_EQ(create(u"\\no\\a", {.disposition = Disposition::kCreate}).io.status,
              Status::kObjectPathNotFound);
    EXPECT_EQ(create(u"\\no\\a", {.disposition = Disposition::kOpenIf}).io.status,
              Status::kObjectPathNotFound);
}

TEST_F(Create, BelowAFile_IsNotADirectory) {
    make_file(u"\\a");
    EXPECT_EQ(create(u"\\a\\b", {.disposition = Disposition::kCreate}).io.status, Status::kNotADirectory);
}

TEST_F(Create, OpenIf_LooksForTheNameThenTheParent) {
    const CreateResult made = create(u"\\a", {.disposition = Disposition::kOpenIf});
    EXPECT_EQ(made.io.information, number(CreateAction::kCreated));
    EXPECT_THAT(memory_->take_calls(),
                ElementsAre("attributes_by_name \\a", "attributes_by_name \\", "create \\a"));
    const CreateResult opened = create(u"\\a", {.disposition = Disposition::kOpenIf});
    EXPECT_EQ(opened.io.information, number(CreateAction::kOpened));
    fsd_->close_handle(made.file);
    fsd_->close_handle(opened.file);
}

TEST_F(Create, OfAnExistingName_Collides) {
    make_file(u"\\a");
    EXPECT_EQ(create(u"\\a", {.disposition = Disposition::kCreate}).io.status, Status::kObjectNameCollision);
}

TEST_F(Create, OfAFileWhereADirectoryIs_SaysSo) {
    make_directory(u"\\d");
    EXPECT_EQ(
        create(u"\\d", {.disposition = Disposition::kCreate, .options = option::kNonDirectoryFile}).io.status,
        Status::kFileIsADirectory);
    EXPECT_EQ(
        create(u"\\d", {.disposition = Disposition::kCreate, .options = option::kDirectoryFile}).io.status,
        Status::kObjectNameCollision);
}

TEST_F(Create, OverwriteIf_OpensThenOverwrites) {
    make_file(u"\\a", "content");
    memory_->take_calls();
    const CreateResult result =
        create(u"\\a", {.desired_access = access::kGenericRead, .disposition = Disposition::kOverwriteIf});
    EXPECT_EQ(result.io.information, number(CreateAction::kOverwritten));
    EXPECT_THAT(memory_->take_calls(), ElementsAre("attributes_by_name \\a", "open \\a", "overwrite \\a"));
    EXPECT_EQ(read_all(result.file), "");
    fsd_->close_handle(result.file);
}

TEST_F(Create, OverwriteIfOfAMissingFile_Creates) {
    const CreateResult result = create(u"\\a", {.disposition = Disposition::kOverwriteIf});
    EXPECT_EQ(result.io.information, number(CreateAction::kCreated));
    EXPECT_THAT(memory_->take_calls(),
                ElementsAre("attributes_by_name \\a", "attributes_by_name \\", "create \\a"));
    fsd_->close_handle(result.file);
}

TEST_F(Create, OverwriteOfAMissingFile_IsNotFound) {
    EXPECT_EQ(create(u"\\a", {.disposition = Disposition::kOverwrite}).io.status,
              Status::kObjectNameNotFound);
}

TEST_F(Create, Supersede_ReplacesTheAttributes) {
    make_file(u"\\a");
    set_attributes(u"\\a", attribute::kNotContentIndexed);
    const CreateResult result =
        create(u"\\a", {.desired_access = access::kReadAttributes, .disposition = Disposition::kSupersede});
    EXPECT_EQ(result.io.information, number(CreateAction::kSuperseded));
    EXPECT_EQ(attributes_of(result.file), attribute::kArchive);
    fsd_->close_handle(result.file);
}

TEST_F(Create, OverwriteWithoutTheHiddenAttributeOfAHiddenFile_IsDenied) {
    make_file(u"\\a", "kept");
    set_attributes(u"\\a", attribute::kHidden);
    memory_->take_calls();
    EXPECT_EQ(create(u"\\a", {.disposition = Disposition::kOverwriteIf}).io.status, Status::kAccessDenied);
    EXPECT_THAT(memory_->take_calls(), ElementsAre("attributes_by_name \\a", "open \\a", "close \\a"));
    const CreateResult result =
        create(u"\\a", {.attributes = attribute::kHidden, .disposition = Disposition::kOverwriteIf});
    EXPECT_EQ(result.io.status, Status::kSuccess);
    fsd_->close_handle(result.file);
}

TEST_F(Create, WhenOverwriteFails_LeavesNoHandleBehind) {
    make_file(u"\\a");
    bool fail = true;
    memory_->set_hook([&](std::string_view call) -> std::optional<Status> {
        if (fail && call.starts_with("overwrite")) return Status::kDiskFull;
        return std::nullopt;
    });
    EXPECT_EQ(create(u"\\a", {.disposition = Disposition::kOverwrite}).io.status, Status::kDiskFull);
    fail = false;
    const CreateResult exclusive =
        create(u"\\a", {.desired_access = access::kFileAllAccess, .disposition = Disposition::kOverwrite});
    EXPECT_EQ(exclusive.io.status, Status::kSuccess);
    fsd_->close_handle(exclusive.file);
}

TEST_F(Create, OverwriteOfADirectory_IsRefused) {
    make_directory(u"\\d");
    EXPECT_EQ(create(u"\\d", {.disposition = Disposition::kOverwriteIf}).io.status,
              Status::kObjectNameCollision);
    EXPECT_EQ(probe(u"\\d"), Status::kSuccess);
}

TEST_F(Create, GrantsWhatTheCheckTookOnlyIfItWasAskedFor) {
    make_file(u"\\a");
    const CreateResult plain =
        create(u"\\a", {.desired_access = access::kReadData, .disposition = Disposition::kOverwrite});
    EXPECT_EQ(fsd_->write(plain.file, bytes_of("x"), 0).status, Status::kAccessDenied);
    fsd_->close_handle(plain.file);
    const CreateResult maximum =
        create(u"\\a", {.desired_access = access::kMaximumAllowed, .disposition = Disposition::kOverwrite});
    EXPECT_EQ(fsd_->write(maximum.file, bytes_of("x"), 0).status, Status::kSuccess);
    fsd_->close_handle(maximum.file);
}

TEST_F(Create, WrongType_IsRefused) {
    make_file(u"\\a");
    make_directory(u"\\d");
    EXPECT_EQ(create(u"\\a", {.options = option::kDirectoryFile}).io.status, Status::kNotADirectory);
    EXPECT_EQ(create(u"\\d", {.options = option::kNonDirectoryFile}).io.status, Status::kFileIsADirectory);
    EXPECT_EQ(create(u"\\a\\").io.status, Status::kObjectNameInvalid);
    EXPECT_EQ(probe(u"\\d\\"), Status::kSuccess);
    EXPECT_EQ(create(u"\\new\\", {.disposition = Disposition::kCreate}).io.status,
              Status::kObjectNameInvalid);
}

TEST_F(Create, OfAReadOnlyFileForWriting_IsDenied) {
    make_file(u"\\a");
    set_attributes(u"\\a", attribute::kReadOnly);
    EXPECT_EQ(create(u"\\a", {.desired_access = access::kGenericWrite}).io.status, Status::kAccessDenied);
    EXPECT_EQ(create(u"\\a", {.disposition = Disposition::kOverwrite}).io.status, Status::kAccessDenied);
    EXPECT_EQ(
        create(u"\\a", {.desired_access = access::kDelete, .options = option::kDeleteOnClose}).io.status,
        Status::kCannotDelete);
    const CreateResult maximum = create(u"\\a", {.desired_access = access::kMaximumAllowed});
    EXPECT_EQ(fsd_->write(maximum.file, bytes_of("x"), 0).status, Status::kAccessDenied);
    EXPECT_EQ(fsd_->read(maximum.file, Buffer(1).span(), 0).status, Status::kEndOfFile);
    fsd_->close_handle(maximum.file);
}

TEST_F(Create, InAReadOnlyDirectory_IsAllowed) {
    make_directory(u"\\d");
    set_attributes(u"\\d", attribute::kReadOnly);
    make_file(u"\\d\\a");
    EXPECT_EQ(probe(u"\\d\\a"), Status::kSuccess);
}

TEST_F(Create, WithContradictoryParameters_IsRefusedWithoutTheFileSystem) {
    const auto status_of = [&](const CreateRequest& request) { return create(u"\\a", request).io.status; };
    EXPECT_EQ(status_of({.options = option::kDirectoryFile | option::kNonDirectoryFile}),
              Status::kInvalidParameter);
    EXPECT_EQ(status_of({.disposition = Disposition::kOverwriteIf, .options = option::kDirectoryFile}),
              Status::kInvalidParameter);
    EXPECT_EQ(status_of({.options = option::kDeleteOnClose}), Status::kInvalidParameter);
    EXPECT_EQ(status_of({.share_access = 8}), Status::kInvalidParameter);
    EXPECT_EQ(status_of({.disposition = Disposition{6}}), Status::kInvalidParameter);
    EXPECT_EQ(status_of({.options = option::kSynchronousIoAlert | option::kSynchronousIoNonalert}),
              Status::kInvalidParameter);
    EXPECT_EQ(status_of({.allocation_size = ~std::uint64_t{0}, .disposition = Disposition::kCreate}),
              Status::kInvalidParameter);
    EXPECT_EQ(status_of({.attributes = attribute::kTemporary,
                         .disposition = Disposition::kCreate,
                         .options = option::kDirectoryFile}),
              Status::kInvalidParameter);
    EXPECT_EQ(status_of({.options = option::kOpenByFileId}), Status::kNotImplemented);
    EXPECT_EQ(status_of({.has_ea = true}), Status::kEasNotSupported);
    EXPECT_EQ(create(u"a").io.status, Status::kObjectNameInvalid);
    EXPECT_EQ(create(u"\\a*").io.status, Status::kObjectNameInvalid);
    EXPECT_THAT(memory_->take_calls(), IsEmpty());
}

TEST_F(Create, OfTheRoot_OpensButIsNeverMadeOrDeleted) {
    EXPECT_EQ(probe(u"\\"), Status::kSuccess);
    EXPECT_EQ(create(u"\\", {.disposition = Disposition::kCreate}).io.status, Status::kAccessDenied);
    EXPECT_EQ(create(u"\\", {.disposition = Disposition::kSupersede}).io.status, Status::kAccessDenied);
    EXPECT_EQ(create(u"\\", {.desired_access = access::kDelete, .options = option::kDeleteOnClose}).io.status,
              Status::kCannotDelete);
}

TEST_F(Create, RelativeToADirectory_NamesAFileInIt) {
    const FileId directory = open_directory(u"\\d");
    const CreateResult file = create(u"a", {.related = directory, .disposition = Disposition::kCreate});
    EXPECT_EQ(fsd_->path_of(file.file), u"\\d\\a");
    EXPECT_EQ(create(u"\\a", {.related = directory}).io.status, Status::kInvalidParameter);
    EXPECT_EQ(create(u"a", {.related = FileId{999}}).io.status, Status::kInvalidHandle);
    const CreateResult again = create(u"", {.related = directory});
    EXPECT_EQ(fsd_->path_of(again.file), u"\\d");
    for (const FileId id : {directory, file.file, again.file})
        fsd_->close_handle(id);
}

TEST_F(Create, OfTheVolume_DoesNotAskTheFileSystem) {
    const CreateResult volume = create(u"", {.desired_access = access::kGenericRead});
    EXPECT_EQ(volume.io.status, Status::kSuccess);
    EXPECT_EQ(fsd_->read(volume.file, Buffer(8).span(), 0).status, Status::kInvalidDeviceRequest);
    EXPECT_EQ(fsd_->open_count(), 1U);
    fsd_->close_handle(volume.file);
    EXPECT_EQ(fsd_->open_count(), 0U);
    EXPECT_THAT(memory_->take_calls(), IsEmpty());
}

TEST_F(Create, WithoutSecurityByName_GoesStraightToTheFileSystem) {
    mount({}, {.has_security_by_name = false});
    make_file(u"\\a");
    EXPECT_THAT(memory_->take_calls(), ElementsAre("open \\a", "create \\a", "cleanup \\a", "close \\a"));
}

TEST_F(Create, AllocationSize_IsRoundedUpAndDroppedAtTheLastCleanup) {
    const CreateResult result = create(u"\\a", {.desired_access = access::kFileAllAccess,
                                                .allocation_size = 65535,
                                                .disposition = Disposition::kCreate});
    Buffer standard(layout::kStandardSize);
    fsd_->query_information(result.file, file_class::kStandard, standard.span());
    EXPECT_EQ(standard.get<std::uint64_t>(0), 65536U);
    fsd_->close_handle(result.file);
    const FileId again = open(u"\\a");
    fsd_->query_information(again, file_class::kStandard, standard.span());
    EXPECT_EQ(standard.get<std::uint64_t>(0), 0U);
    fsd_->close_handle(again);
}

TEST_F(Create, OnACaseInsensitiveVolume_FindsTheNodeByAnyCaseAndKeepsTheRealName) {
    mount({.case_sensitive_search = false}, {});
    const FileId first = open(u"\\Dir", access::kFileAllAccess, Disposition::kCreate, option::kDirectoryFile);
    fsd_->close_handle(open(u"\\dir\\Name"));
    const FileId second = open(u"\\DIR\\NAME", access::kReadData);
    EXPECT_EQ(fsd_->path_of(second), u"\\Dir\\Name");
    EXPECT_EQ(create(u"\\dir\\name", {.desired_access = access::kReadData}).io.status,
              Status::kSharingViolation);
    fsd_->close_handle(first);
    fsd_->close_handle(second);
}

TEST_F(Create, WithAContextPerName_KeepsTheFirst) {
    mount({.context_is_per_open = false}, {});
    const FileId first = open(u"\\a");
    const FileId second = open(u"\\a");
    fsd_->close_handle(first);
    EXPECT_EQ(fsd_->write(second, bytes_of("still here"), 0).status, Status::kSuccess);
    EXPECT_EQ(read_all(second), "still here");
    fsd_->close_handle(second);
}

TEST_F(Create, HandlesLeftOpen_AreEndedWithTheVolume) {
    const FileId left = open(u"\\a");
    EXPECT_NE(left, FileId::kNone);
    fsd_.reset();
    EXPECT_THAT(memory_->violations(true), IsEmpty());
}

}  // namespace
}  // namespace lab::fsd
