#include "lab/fsd/tests/fixture.h"

namespace lab::fsd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class Io : public FsdTest {
  protected:
    std::string read(FileId file, std::size_t bytes, std::optional<std::uint64_t> offset) {
        std::vector<std::byte> buffer(bytes);
        const IoStatus io = fsd_->read(file, buffer, offset);
        last_ = io.status;
        return text_of(std::span(buffer).first(io.information));
    }
    Status write(FileId file, std::string_view text, std::optional<std::uint64_t> offset) {
        return fsd_->write(file, bytes_of(text), offset).status;
    }
    Status last_ = Status::kSuccess;
};

TEST_F(Io, WhatIsWritten_IsReadBack) {
    const FileId file = open(u"\\a");
    const IoStatus written = fsd_->write(file, bytes_of("hello"), 3);
    EXPECT_EQ(written.status, Status::kSuccess);
    EXPECT_EQ(written.information, 5U);
    EXPECT_EQ(read(file, 100, 0), std::string("\0\0\0hello", 8));
    EXPECT_EQ(read(file, 2, 4), "el");
    fsd_->close_handle(file);
}

TEST_F(Io, ReadAtTheEnd_IsEndOfFile) {
    const FileId file = open(u"\\a");
    write(file, "abc", 0);
    EXPECT_EQ(read(file, 1, 3), "");
    EXPECT_EQ(last_, Status::kEndOfFile);
    fsd_->close_handle(file);
}

TEST_F(Io, SynchronousHandle_KeepsAPosition) {
    const FileId file = open(u"\\a");
    write(file, "abc", std::nullopt);
    write(file, "def", std::nullopt);
    EXPECT_EQ(read(file, 2, 1), "bc");
    EXPECT_EQ(read(file, 2, std::nullopt), "de");
    Buffer position(8);
    fsd_->query_information(file, file_class::kPosition, position.span());
    EXPECT_EQ(position.get<std::uint64_t>(0), 5U);
    fsd_->set_information(file, file_class::kPosition, position.put(0, std::uint64_t{1}).span());
    EXPECT_EQ(read(file, 1, ~std::uint64_t{1}), "b");
    fsd_->close_handle(file);
}

TEST_F(Io, AsynchronousHandle_NeedsAnOffset) {
    const CreateResult file = create(u"\\a", {.desired_access = access::kReadData | access::kWriteData,
                                              .disposition = Disposition::kCreate});
    EXPECT_EQ(write(file.file, "abc", std::nullopt), Status::kInvalidParameter);
    EXPECT_EQ(write(file.file, "abc", 0), Status::kSuccess);
    EXPECT_EQ(read(file.file, 3, 0), "abc");
    fsd_->close_handle(file.file);
}

TEST_F(Io, WriteToTheEndOfFile_Appends) {
    const FileId file = open(u"\\a");
    write(file, "abc", 0);
    EXPECT_EQ(write(file, "def", ~std::uint64_t{0}), Status::kSuccess);
    EXPECT_EQ(read(file, 10, 0), "abcdef");
    fsd_->close_handle(file);
}

TEST_F(Io, AppendOnlyHandle_WritesAtTheEndWhereverItIsTold) {
    make_file(u"\\a", "abc");
    const FileId file = open(u"\\a", access::kAppendData | access::kSynchronize);
    EXPECT_EQ(write(file, "def", 0), Status::kSuccess);
    EXPECT_EQ(write(file, "ghi", std::nullopt), Status::kSuccess);
    fsd_->close_handle(file);
    const FileId reader = open(u"\\a");
    EXPECT_EQ(read(reader, 20, 0), "abcdefghi");
    fsd_->close_handle(reader);
}

TEST_F(Io, ZeroLength_SucceedsWithoutTheFileSystem) {
    const FileId file = open(u"\\a");
    memory_->take_calls();
    EXPECT_EQ(fsd_->read(file, {}, 0).status, Status::kSuccess);
    EXPECT_EQ(fsd_->write(file, {}, 0).status, Status::kSuccess);
    EXPECT_THAT(memory_->take_calls(), IsEmpty());
    fsd_->close_handle(file);
}

TEST_F(Io, WithoutTheAccess_IsDenied) {
    make_file(u"\\a", "abc");
    const FileId reader = open(u"\\a", access::kReadData);
    EXPECT_EQ(write(reader, "x", 0), Status::kAccessDenied);
    EXPECT_EQ(fsd_->flush(reader).status, Status::kAccessDenied);
    const FileId writer = open(u"\\a", access::kWriteData);
    read(writer, 1, 0);
    EXPECT_EQ(last_, Status::kAccessDenied);
    fsd_->close_handle(reader);
    fsd_->close_handle(writer);
}

TEST_F(Io, OnADirectory_IsRefused) {
    const FileId directory = open_directory(u"\\d");
    EXPECT_EQ(write(directory, "x", 0), Status::kInvalidParameter);
    read(directory, 1, 0);
    EXPECT_EQ(last_, Status::kInvalidParameter);
    fsd_->close_handle(directory);
}

TEST_F(Io, NegativeOffset_IsRefused) {
    const FileId file = open(u"\\a");
    EXPECT_EQ(write(file, "x", std::uint64_t{1} << 63), Status::kInvalidParameter);
    EXPECT_EQ(write(file, "xx", (std::uint64_t{1} << 63) - 1), Status::kInvalidParameter);
    read(file, 1, ~std::uint64_t{4});
    EXPECT_EQ(last_, Status::kInvalidParameter);
    fsd_->close_handle(file);
}

TEST_F(Io, UnbufferedHandle_WantsWholeSectors) {
    const FileId file = open(u"\\a", access::kGenericRead | access::kGenericWrite, Disposition::kCreate,
                             option::kNoIntermediateBuffering);
    const std::string sector(512, 's');
    EXPECT_EQ(write(file, "x", 0), Status::kInvalidParameter);
    EXPECT_EQ(write(file, sector, 1), Status::kInvalidParameter);
    EXPECT_EQ(write(file, sector, 512), Status::kSuccess);
    read(file, 100, 0);
    EXPECT_EQ(last_, Status::kInvalidParameter);
    EXPECT_EQ(read(file, 1024, 512), sector);
    fsd_->close_handle(file);
}

TEST_F(Io, FileSystemThatLies_IsAnInternalError) {
    class Liar final : public FileSystem {
      public:
        explicit Liar(FileSystem& real) : real_(real) {}
        nt::Result<VolumeInfo> volume_info() override { return real_.volume_info(); }
        nt::Result<VolumeInfo> set_volume_label(std::u16string_view label) override {
            return real_.set_volume_label(label);
        }
        bool has_security_by_name() const override { return false; }
        nt::Result<NameAttributes> attributes_by_name(std::u16string_view path) override {
            return real_.attributes_by_name(path);
        }
        nt::Result<Opened> create(std::u16string_view path, std::uint32_t options, std::uint32_t granted,
                                  std::uint32_t attributes, std::uint64_t allocation) override {
            return real_.create(path, options, granted, attributes, allocation);
        }
        nt::Result<Opened> open(std::u16string_view path, std::uint32_t options,
                                std::uint32_t granted) override {
            return real_.open(path, options, granted);
        }
        nt::Result<nt::FileInfo> overwrite(Context, std::uint32_t, bool, std::uint64_t) override {
            return nt::fail(Status::kInvalidDeviceRequest);
        }
        void cleanup(Context file, std::optional<std::u16string_view> path, CleanupFlags flags) override {
            real_.cleanup(file, path, flags);
        }
        void close(Context file) override { real_.close(file); }
        nt::Result<std::uint32_t> read(Context, std::span<std::byte> buffer, std::uint64_t) override {
            return static_cast<std::uint32_t>(buffer.size() + 1);
        }
        nt::Result<Written> write(Context, std::span<const std::byte> data, const WriteRequest&) override {
            return Written{.bytes = static_cast<std::uint32_t>(data.size() + 1), .info = {}};
        }
        nt::Result<nt::FileInfo> flush(std::optional<Context>) override { return nt::FileInfo{}; }
        nt::Result<nt::FileInfo> file_info(Context file) override { return real_.file_info(file); }
        nt::Result<nt::FileInfo> set_basic_info(Context file, const BasicInfoChange& change) override {
            return real_.set_basic_info(file, change);
        }
        nt::Result<nt::FileInfo> set_file_size(Context file, std::uint64_t bytes, bool allocation) override {
            return real_.set_file_size(file, bytes, allocation);
        }
        nt::Result<void> set_delete(Context file, std::u16string_view path, bool remove) override {
            return real_.set_delete(file, path, remove);
        }
        nt::Result<void> rename(Context file, std::u16string_view from, std::u16string_view to,
                                bool replace) override {
            return real_.rename(file, from, to, replace);
        }
        nt::Result<bool> read_directory(Context, std::optional<std::u16string_view>,
                                        std::optional<std::u16string_view>, std::size_t,
                                        DirectorySink& sink) override {
            if (repeats) sink.add(u"same", {});
            return false;  // neither gets on nor ends
        }
        nt::Result<nt::FileInfo> entry_by_name(Context, std::u16string_view, std::u16string&) override {
            return nt::fail(Status::kInvalidDeviceRequest);
        }

        bool repeats = false;

      private:
        FileSystem& real_;
    } liar(*memory_);
    Fsd fsd(liar, {});
    const CreateResult file = fsd.create(
        {.name = u"\\a", .desired_access = access::kFileAllAccess, .disposition = Disposition::kCreate});
    Buffer buffer(16);
    EXPECT_EQ(fsd.read(file.file, buffer.span(), 0).status, Status::kInternalError);
    EXPECT_EQ(fsd.write(file.file, buffer.span(), 0).status, Status::kInternalError);
    const CreateResult root = fsd.create({.name = u"\\", .desired_access = access::kReadData});
    Buffer entries(256);
    EXPECT_EQ(
        fsd.query_directory(root.file, {.information_class = file_class::kNames}, entries.span()).status,
        Status::kInternalError);
    liar.repeats = true;
    EXPECT_EQ(
        fsd.query_directory(root.file,
                            {.information_class = file_class::kNames, .pattern = u"x*", .restart_scan = true},
                            entries.span())
            .status,
        Status::kInternalError);
    fsd.close_handle(file.file);
    fsd.close_handle(root.file);
}

TEST_F(Io, Flush_ReachesTheFileSystemForFilesAndTheVolume) {
    const FileId file = open(u"\\a");
    const FileId directory = open_directory(u"\\d");
    const FileId root = open_directory(u"\\");
    const CreateResult volume = create(u"", {.desired_access = access::kGenericWrite});
    memory_->take_calls();
    EXPECT_EQ(fsd_->flush(file).status, Status::kSuccess);
    EXPECT_EQ(fsd_->flush(directory).status, Status::kSuccess);
    EXPECT_EQ(fsd_->flush(root).status, Status::kSuccess);
    EXPECT_EQ(fsd_->flush(volume.file).status, Status::kSuccess);
    EXPECT_THAT(memory_->take_calls(), ElementsAre("flush \\a", "flush the volume", "flush the volume"));
    for (const FileId id : {file, directory, root, volume.file})
        fsd_->close_handle(id);
}

TEST_F(Io, AfterCleanup_TheHandleIsClosed) {
    const FileId file = open(u"\\a");
    fsd_->cleanup(file);
    EXPECT_EQ(write(file, "x", 0), Status::kFileClosed);
    fsd_->close(file);
    EXPECT_EQ(write(file, "x", 0), Status::kInvalidHandle);
}

TEST_F(Io, OpenThatOnlyReads_SendsNoCleanupWhenTheVolumeWantsNone) {
    mount({.post_cleanup_when_modified_only = true}, {});
    make_file(u"\\a", "abc");
    EXPECT_THAT(memory_->take_calls(), Contains("cleanup \\a"));
    const FileId file = open(u"\\a", access::kReadData);
    read(file, 3, 0);
    fsd_->close_handle(file);
    EXPECT_THAT(memory_->take_calls(),
                ElementsAre("attributes_by_name \\a", "open \\a", "read \\a", "close \\a"));
}

}  // namespace
}  // namespace lab::fsd
