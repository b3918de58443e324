// What fsd's tests share: an Fsd on the checking in-memory file system, opens in one line, and buffers read
// back.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lab/fsd/fsd.h"
#include "lab/fsd/info_layout.h"
#include "lab/fsd/memory_file_system.h"
#include "nt/bytes.h"
#include "nt/file.h"
#include "nt/info_class.h"
#include "nt/status.h"

namespace nt {

inline void PrintTo(Status status, std::ostream* out) {
    *out << "status 0x" << std::hex << static_cast<std::uint32_t>(status) << std::dec;
}

}  // namespace nt

namespace lab::fsd {

namespace access = nt::access;
namespace attribute = nt::file_attribute;
namespace file_class = nt::file_class;
namespace option = nt::create_option;
namespace share = nt::share;
using nt::CreateAction;
using nt::Disposition;
using nt::Status;

inline std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

inline std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A buffer of an information class, as a program would fill it.
class Buffer {
  public:
    explicit Buffer(std::size_t size) : bytes_(size) {}
    template <typename T>
    Buffer& put(std::size_t offset, T value) {
        nt::put(std::span(bytes_), offset, value);
        return *this;
    }
    Buffer& put_text(std::size_t offset, std::u16string_view text) {
        nt::put_text(bytes_, offset, text);
        return *this;
    }
    template <typename T>
    T get(std::size_t offset) const {
        return nt::get<T>(bytes_, offset);
    }
    std::u16string text(std::size_t offset, std::size_t length) const {
        return nt::get_text(bytes_, offset, length);
    }
    std::span<std::byte> span() { return bytes_; }

  private:
    std::vector<std::byte> bytes_;
};

inline Buffer basic_buffer(std::uint32_t attributes) {
    return Buffer(layout::kBasicSize).put(32, attributes);
}

class FsdTest : public testing::Test {
  protected:
    void SetUp() override { mount({}, {}); }

    void TearDown() override {
        fsd_.reset();
        if (memory_) {
            EXPECT_THAT(memory_->violations(true), testing::IsEmpty());
        }
    }

    void mount(VolumeParams params, MemoryFileSystemOptions options, CallerRules rules = {}) {
        TearDown();
        options.case_sensitive = params.case_sensitive_search;
        options.context_is_per_open = params.context_is_per_open;
        memory_ = std::make_unique<MemoryFileSystem>(options);
        fsd_ = std::make_unique<Fsd>(*memory_, std::move(params), rules);
    }

    CreateResult create(std::u16string_view name, CreateRequest request = {}) {
        request.name = name;
        return fsd_->create(request);
    }
    // A handle with everything shared; the test fails if there is none.
    FileId open(std::u16string_view name, std::uint32_t desired = access::kFileAllAccess,
                Disposition disposition = Disposition::kOpenIf, std::uint32_t options = 0) {
        const CreateResult result = create(name, {.desired_access = desired,
                                                  .share_access = share::kAll,
                                                  .disposition = disposition,
                                                  .options = options | option::kSynchronousIoNonalert});
        EXPECT_EQ(result.io.status, Status::kSuccess);
        return result.file;
    }
    FileId open_directory(std::u16string_view name) {
        return open(name, access::kFileAllAccess, Disposition::kOpenIf, option::kDirectoryFile);
    }
    void make_file(std::u16string_view name, std::string_view content = {}) {
        const FileId file = open(name);
        if (!content.empty()) {
            EXPECT_EQ(fsd_->write(file, bytes_of(content), 0).status, Status::kSuccess);
        }
        fsd_->close_handle(file);
    }
    void make_directory(std::u16string_view name) { fsd_->close_handle(open_directory(name)); }

    // Whether the name opens for reading attributes, and if not, why.
    Status probe(std::u16string_view name) {
        const CreateResult result =
            create(name, {.desired_access = access::kReadAttributes, .share_access = share::kAll});
        if (result.file != FileId::kNone) fsd_->close_handle(result.file);
        return result.io.status;
    }
    std::string read_all(FileId file) {
        std::vector<std::byte> buffer(4096);
        const IoStatus io = fsd_->read(file, buffer, 0);
        return text_of(std::span(buffer).first(io.information));
    }
    std::uint32_t attributes_of(FileId file) {
        Buffer basic(layout::kBasicSize);
        EXPECT_EQ(fsd_->query_information(file, file_class::kBasic, basic.span()).status, Status::kSuccess);
        return basic.get<std::uint32_t>(32);
    }
    void set_attributes(std::u16string_view name, std::uint32_t attributes) {
        const FileId file = open(name, access::kWriteAttributes, Disposition::kOpen);
        Buffer basic = basic_buffer(attributes);
        EXPECT_EQ(fsd_->set_information(file, file_class::kBasic, basic.span()).status, Status::kSuccess);
        fsd_->close_handle(file);
    }
    IoStatus set_disposition(FileId file, bool remove) {
        return fsd_->set_information(file, file_class::kDisposition,
                                     Buffer(1).put(0, std::uint8_t{remove}).span());
    }
    IoStatus set_disposition_ex(FileId file, std::uint32_t flags) {
        return fsd_->set_information(file, file_class::kDispositionEx, Buffer(4).put(0, flags).span());
    }

    std::unique_ptr<MemoryFileSystem> memory_;
    std::unique_ptr<Fsd> fsd_;
};

}  // namespace lab::fsd
