#include "lab/fsd/tests/fixture.h"

namespace lab::fsd {
namespace {

using testing::ElementsAre;

class Share : public FsdTest {};

TEST_F(Share, EveryPairOfAccessAndMode_FollowsTheTable) {
    make_file(u"\\a");
    struct Right {
        std::uint32_t access;
        std::uint32_t mode;
    };
    const Right rights[] = {{access::kReadData, share::kRead},
                            {access::kExecute, share::kRead},
                            {access::kWriteData, share::kWrite},
                            {access::kAppendData, share::kWrite},
                            {access::kDelete, share::kDelete}};
    for (const Right& first : rights) {
        for (const Right& second : rights) {
            for (std::uint32_t first_mode = 0; first_mode <= share::kAll; ++first_mode) {
                for (std::uint32_t second_mode = 0; second_mode <= share::kAll; ++second_mode) {
                    const CreateResult one =
                        create(u"\\a", {.desired_access = first.access, .share_access = first_mode});
                    const CreateResult two =
                        create(u"\\a", {.desired_access = second.access, .share_access = second_mode});
                    const bool fits = (first_mode & second.mode) != 0 && (second_mode & first.mode) != 0;
                    EXPECT_EQ(two.io.status, fits ? Status::kSuccess : Status::kSharingViolation)
                        << std::hex << first.access << " " << first_mode << ", " << second.access << " "
                        << second_mode;
                    fsd_->close_handle(one.file);
                    fsd_->close_handle(two.file);
                }
            }
        }
    }
    EXPECT_EQ(fsd_->open_count(), 0U);
}

TEST_F(Share, AttributeOnlyHandles_NeverConflict) {
    const CreateResult exclusive =
        create(u"\\a", {.desired_access = access::kFileAllAccess, .disposition = Disposition::kCreate});
    const CreateResult attributes =
        create(u"\\a", {.desired_access = access::kReadAttributes | access::kWriteAttributes});
    EXPECT_EQ(attributes.io.status, Status::kSuccess);
    fsd_->close_handle(exclusive.file);
    fsd_->close_handle(attributes.file);
}

TEST_F(Share, Violation_ClosesWithoutCleanup) {
    const FileId first = open(u"\\a", access::kReadData);
    memory_->take_calls();
    EXPECT_EQ(create(u"\\a", {.desired_access = access::kReadData}).io.status, Status::kSharingViolation);
    EXPECT_THAT(memory_->take_calls(), ElementsAre("attributes_by_name \\a", "open \\a", "close \\a"));
    fsd_->close_handle(first);
}

TEST_F(Share, Overwriting_CountsAsWriting) {
    make_file(u"\\a", "content");
    const CreateResult reader =
        create(u"\\a", {.desired_access = access::kReadData, .share_access = share::kRead | share::kDelete});
    EXPECT_EQ(create(u"\\a", {.desired_access = access::kReadData,
                              .share_access = share::kAll,
                              .disposition = Disposition::kOverwriteIf})
                  .io.status,
              Status::kSharingViolation);
    EXPECT_EQ(read_all(reader.file), "content");
    fsd_->close_handle(reader.file);
}

TEST_F(Share, Superseding_CountsAsDeleting) {
    make_file(u"\\a", "content");
    const CreateResult reader =
        create(u"\\a", {.desired_access = access::kReadData, .share_access = share::kRead | share::kWrite});
    EXPECT_EQ(create(u"\\a", {.desired_access = access::kReadData,
                              .share_access = share::kAll,
                              .disposition = Disposition::kSupersede})
                  .io.status,
              Status::kSharingViolation);
    fsd_->close_handle(reader.file);
}

TEST_F(Share, Cleanup_FreesTheModesBeforeClose) {
    const CreateResult exclusive =
        create(u"\\a", {.desired_access = access::kFileAllAccess, .disposition = Disposition::kCreate});
    fsd_->cleanup(exclusive.file);
    const FileId second = open(u"\\a");
    fsd_->close(exclusive.file);
    EXPECT_EQ(create(u"\\a", {.desired_access = access::kReadData}).io.status, Status::kSharingViolation);
    fsd_->close_handle(second);
}

}  // namespace
}  // namespace lab::fsd
