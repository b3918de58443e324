#include "lab/fsd/tests/fixture.h"

namespace lab::fsd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Information : public FsdTest {
  protected:
    Status query(FileId file, std::uint32_t information_class, Buffer& buffer) {
        return fsd_->query_information(file, information_class, buffer.span()).status;
    }
    Status set(FileId file, std::uint32_t information_class, Buffer buffer) {
        return fsd_->set_information(file, information_class, buffer.span()).status;
    }
    Buffer times(nt::FileTime value) {
        Buffer buffer(layout::kBasicSize);
        for (const std::size_t offset : {0, 8, 16, 24})
            buffer.put(offset, value);
        return buffer;
    }
};

TEST_F(Information, BufferBelowTheFixedSize_IsALengthMismatch) {
    const FileId file = open(u"\\a");
    struct Case {
        std::uint32_t information_class;
        std::size_t size;
    };
    const Case cases[] = {
        {file_class::kBasic, 40},   {file_class::kStandard, 24},    {file_class::kInternal, 8},
        {file_class::kEa, 4},       {file_class::kAccess, 4},       {file_class::kName, 8},
        {file_class::kPosition, 8}, {file_class::kMode, 4},         {file_class::kAlignment, 4},
        {file_class::kAll, 104},    {file_class::kNetworkOpen, 56}, {file_class::kAttributeTag, 8}};
    for (const Case& entry : cases) {
        Buffer small(entry.size - 1);
        EXPECT_EQ(query(file, entry.information_class, small), Status::kInfoLengthMismatch)
            << entry.information_class;
        Buffer enough(entry.size);
        EXPECT_EQ(query(file, entry.information_class, enough), Status::kSuccess) << entry.information_class;
    }
    fsd_->close_handle(file);
}

TEST_F(Information, Standard_IsTheNodesAndTheFileSystems) {
    make_file(u"\\a", "12345");
    const FileId file = open(u"\\a");
    set_disposition(file, true);
    Buffer standard(24);
    EXPECT_EQ(query(file, file_class::kStandard, standard), Status::kSuccess);
    EXPECT_EQ(standard.get<std::uint64_t>(0), 512U);
    EXPECT_EQ(standard.get<std::uint64_t>(8), 5U);
    EXPECT_EQ(standard.get<std::uint32_t>(16), 1U);
    EXPECT_EQ(standard.get<std::uint8_t>(20), 1U);
    EXPECT_EQ(standard.get<std::uint8_t>(21), 0U);
    fsd_->close_handle(file);
}

TEST_F(Information, All_IsEverythingInOneCallback) {
    make_directory(u"\\d");
    make_file(u"\\d\\file", "12345");
    const FileId file = open(u"\\d\\file", access::kFileAllAccess, Disposition::kOpen);
    fsd_->read(file, Buffer(3).span(), 0);
    memory_->take_calls();
    Buffer all(96 + 4 + 2 * 7);
    EXPECT_EQ(query(file, file_class::kAll, all), Status::kSuccess);
    EXPECT_THAT(memory_->take_calls(), ElementsAre("file_info \\d\\file"));
    EXPECT_NE(all.get<std::uint64_t>(0), 0U);
    EXPECT_EQ(all.get<std::uint32_t>(32), attribute::kArchive);
    EXPECT_EQ(all.get<std::uint64_t>(40), 512U);
    EXPECT_EQ(all.get<std::uint64_t>(48), 5U);
    EXPECT_NE(all.get<std::uint64_t>(64), 0U);
    EXPECT_EQ(all.get<std::uint32_t>(76), access::kFileAllAccess);
    EXPECT_EQ(all.get<std::uint64_t>(80), 3U);
    EXPECT_EQ(all.get<std::uint32_t>(88), option::kSynchronousIoNonalert);
    EXPECT_EQ(all.get<std::uint32_t>(96), 14U);
    EXPECT_EQ(all.text(100, 14), u"\\d\\file");
    fsd_->close_handle(file);
}

TEST_F(Information, NameThatDoesNotFit_IsCutOffWithItsFullLength) {
    const FileId file = open(u"\\abcdef");
    Buffer name(8);
    const IoStatus io = fsd_->query_information(file, file_class::kName, name.span());
    EXPECT_EQ(io.status, Status::kBufferOverflow);
    EXPECT_EQ(io.information, 8U);
    EXPECT_EQ(name.get<std::uint32_t>(0), 14U);
    EXPECT_EQ(name.text(4, 4), u"\\a");
    fsd_->close_handle(file);
}

TEST_F(Information, NoAttributes_AreReportedAsNormal) {
    make_file(u"\\a");
    set_attributes(u"\\a", attribute::kNormal);
    const FileId file = open(u"\\a");
    EXPECT_EQ(attributes_of(file), attribute::kNormal);
    Buffer tag(8);
    query(file, file_class::kAttributeTag, tag);
    EXPECT_EQ(tag.get<std::uint32_t>(0), attribute::kNormal);
    fsd_->close_handle(file);
}

TEST_F(Information, ClassesWithoutAnswer_SayWhichKindOfNo) {
    const FileId file = open(u"\\a");
    Buffer buffer(256);
    EXPECT_EQ(query(file, file_class::kAlternateName, buffer), Status::kObjectNameNotFound);
    EXPECT_EQ(query(file, file_class::kHardLink, buffer), Status::kNotSupported);
    EXPECT_EQ(query(file, file_class::kStream, buffer), Status::kInvalidParameter);
    EXPECT_EQ(query(file, file_class::kCompression, buffer), Status::kInvalidParameter);
    EXPECT_EQ(query(file, file_class::kStat, buffer), Status::kInvalidInfoClass);
    EXPECT_EQ(query(file, 999, buffer), Status::kInvalidParameter);
    EXPECT_EQ(set(file, file_class::kLink, Buffer(64)), Status::kNotSupported);
    EXPECT_EQ(set(file, file_class::kValidDataLength, Buffer(8)), Status::kInvalidParameter);
    fsd_->close_handle(file);
}

TEST_F(Information, Attributes_AreSetAndDirectoriesStayDirectories) {
    make_file(u"\\a");
    make_directory(u"\\d");
    const FileId file = open(u"\\a");
    const FileId directory = open_directory(u"\\d");
    EXPECT_EQ(set(file, file_class::kBasic, basic_buffer(attribute::kHidden | attribute::kDirectory)),
              Status::kSuccess);
    EXPECT_EQ(attributes_of(file), attribute::kHidden);
    EXPECT_EQ(set(directory, file_class::kBasic, basic_buffer(attribute::kHidden)), Status::kSuccess);
    EXPECT_EQ(attributes_of(directory), attribute::kHidden | attribute::kDirectory);
    EXPECT_EQ(set(directory, file_class::kBasic, basic_buffer(attribute::kTemporary)),
              Status::kInvalidParameter);
    EXPECT_EQ(set(file, file_class::kBasic, basic_buffer(0)), Status::kSuccess);
    EXPECT_EQ(attributes_of(file), attribute::kHidden);
    fsd_->close_handle(file);
    fsd_->close_handle(directory);
}

TEST_F(Information, Times_AreSetAtOneTickAndSurviveTheCleanupOfAWriter) {
    const nt::FileTime time = 131'234'567'891'234'567;
    const FileId file = open(u"\\a");
    fsd_->write(file, bytes_of("x"), 0);
    EXPECT_EQ(set(file, file_class::kBasic, times(time)), Status::kSuccess);
    EXPECT_EQ(set(file, file_class::kBasic, times(0)), Status::kSuccess);
    EXPECT_EQ(set(file, file_class::kBasic, times(~nt::FileTime{0})), Status::kSuccess);
    EXPECT_EQ(set(file, file_class::kBasic, times(~nt::FileTime{1})), Status::kSuccess);
    EXPECT_EQ(set(file, file_class::kBasic, times(~nt::FileTime{2})), Status::kInvalidParameter);
    fsd_->close_handle(file);
    const FileId again = open(u"\\a");
    Buffer basic(40);
    query(again, file_class::kBasic, basic);
    for (const std::size_t offset : {0, 8, 16, 24})
        EXPECT_EQ(basic.get<nt::FileTime>(offset), time) << offset;
    fsd_->close_handle(again);
}

TEST_F(Information, EndOfFileAndAllocation_ChangeTheSizes) {
    make_file(u"\\a", "1234567890");
    const FileId file = open(u"\\a");
    EXPECT_EQ(set(file, file_class::kEndOfFile, Buffer(8).put(0, std::uint64_t{4})), Status::kSuccess);
    EXPECT_EQ(read_all(file), "1234");
    EXPECT_EQ(set(file, file_class::kAllocation, Buffer(8).put(0, std::uint64_t{1000})), Status::kSuccess);
    Buffer standard(24);
    query(file, file_class::kStandard, standard);
    EXPECT_EQ(standard.get<std::uint64_t>(0), 1024U);
    EXPECT_EQ(standard.get<std::uint64_t>(8), 4U);
    EXPECT_EQ(set(file, file_class::kAllocation, Buffer(8)), Status::kSuccess);
    query(file, file_class::kStandard, standard);
    EXPECT_EQ(standard.get<std::uint64_t>(8), 0U);
    EXPECT_EQ(set(file, file_class::kEndOfFile, Buffer(8).put(0, ~std::uint64_t{0})),
              Status::kInvalidParameter);
    fsd_->close_handle(file);
    const FileId reader = open(u"\\a", access::kReadData);
    EXPECT_EQ(set(reader, file_class::kEndOfFile, Buffer(8)), Status::kAccessDenied);
    fsd_->close_handle(reader);
    const FileId directory = open_directory(u"\\d");
    EXPECT_EQ(set(directory, file_class::kEndOfFile, Buffer(8)), Status::kInvalidParameter);
    fsd_->close_handle(directory);
}

TEST_F(Information, AttributeAccess_IsEnforcedOnlyForCallersThatAskForIt) {
    make_file(u"\\a");
    FileId file = open(u"\\a", access::kSynchronize);
    Buffer basic(40);
    EXPECT_EQ(query(file, file_class::kBasic, basic), Status::kSuccess);
    EXPECT_EQ(set(file, file_class::kBasic, basic_buffer(attribute::kHidden)), Status::kSuccess);
    fsd_->close_handle(file);

    mount({}, {}, {.enforce_attribute_access = true});
    make_file(u"\\a");
    file = open(u"\\a", access::kSynchronize);
    EXPECT_EQ(query(file, file_class::kBasic, basic), Status::kAccessDenied);
    EXPECT_EQ(set(file, file_class::kBasic, basic_buffer(attribute::kHidden)), Status::kAccessDenied);
    fsd_->close_handle(file);
}

TEST_F(Information, WithATimeout_IsServedFromTheLastAnswer) {
    mount({.file_info_timeout = 0xFFFFFFFF}, {});
    make_file(u"\\a", "12345");
    const FileId file = open(u"\\a");
    memory_->take_calls();
    Buffer standard(24);
    query(file, file_class::kStandard, standard);
    EXPECT_EQ(standard.get<std::uint64_t>(8), 5U);
    fsd_->write(file, bytes_of("1234567"), 0);
    query(file, file_class::kStandard, standard);
    EXPECT_EQ(standard.get<std::uint64_t>(8), 7U);
    EXPECT_THAT(memory_->take_calls(), ElementsAre("write \\a"));
    fsd_->close_handle(file);
}

TEST_F(Information, CleanupFlags_TellWhatTheHandleDid) {
    make_file(u"\\a", "12345");
    set_attributes(u"\\a", attribute::kNormal);
    fsd_->close_handle(open(u"\\a"));
    FileId file = open(u"\\a");
    EXPECT_EQ(attributes_of(file), attribute::kNormal);
    fsd_->write(file, bytes_of("1"), 0);
    fsd_->close_handle(file);
    file = open(u"\\a");
    EXPECT_EQ(attributes_of(file), attribute::kArchive);
    fsd_->write(file, bytes_of("1"), 0);
    EXPECT_EQ(set(file, file_class::kBasic, basic_buffer(attribute::kNormal)), Status::kSuccess);
    fsd_->close_handle(file);
    file = open(u"\\a");
    EXPECT_EQ(attributes_of(file), attribute::kNormal);
    fsd_->close_handle(file);
}

}  // namespace
}  // namespace lab::fsd
