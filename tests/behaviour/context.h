// What a behaviour case works with: its own fresh directory, handles that close themselves, and expectations.
// Must never know: which System it runs on, which test framework reports.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nt/file.h"
#include "nt/status.h"
#include "tests/behaviour/describe.h"
#include "tests/behaviour/information.h"
#include "tests/behaviour/system.h"

namespace behaviour {

namespace access = nt::access;
namespace attribute = nt::file_attribute;
namespace option = nt::create_option;
namespace share = nt::share;
using nt::CreateAction;
using nt::Disposition;
using nt::Status;
using Where = std::source_location;

// Ends a case whose next steps would make no sense. Its failure was recorded before it was thrown.
struct Stop {};

// FILE_WRITE_TO_END_OF_FILE and FILE_USE_FILE_POINTER_POSITION, as offsets of NtWriteFile.
inline constexpr std::uint64_t kEndOfFileOffset = 0xFFFF'FFFF'FFFF'FFFF;

// Where a name of a Call starts.
enum class Origin { kCaseDirectory, kVolume };

// NtCreateFile with defaults that suit most cases: open for reading, sharing everything, synchronously.
struct Call {
    std::u16string name{};  // "" is the case's directory (or the volume); relative if `related` is given
    std::uint32_t access = access::kGenericRead;
    Disposition disposition = Disposition::kOpen;
    std::uint32_t options = 0;
    std::uint32_t share = share::kAll;
    std::uint32_t attributes = 0;
    std::uint64_t allocation_size = 0;
    Handle related = Handle::kNone;
    Origin origin = Origin::kCaseDirectory;
    bool asynchronous = false;  // leaves out SYNCHRONIZE and FILE_SYNCHRONOUS_IO_NONALERT
    bool with_ea = false;
};

class Context;

// The answer to one create, and its handle if there is one. Closes it in the end.
class File {
  public:
    File(Context& context, CreateAnswer answer) : context_(&context), answer_(answer) {}
    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;
    ~File();

    Status status() const { return answer_.io.status; }
    CreateAction action() const { return static_cast<CreateAction>(answer_.io.information); }
    Handle handle() const { return answer_.handle; }
    bool is_open() const { return answer_.handle != Handle::kNone; }
    void close();

    Io read(std::span<std::byte> buffer, std::optional<std::uint64_t> offset = {});
    // Up to `bytes` of what is there; "" at the end of file; stops the case on any other failure.
    std::string read_text(std::uint64_t offset, std::size_t bytes, Where where = Where::current());
    Io write(std::string_view data, std::optional<std::uint64_t> offset = {});
    // Writes all of it or stops the case.
    void put(std::string_view data, std::optional<std::uint64_t> offset = {}, Where where = Where::current());
    Status flush();

    // One fixed-size information class; stops the case if the query fails.
    BasicInformation basic(Where where = Where::current());
    StandardInformation standard(Where where = Where::current());
    std::uint64_t size(Where where = Where::current()) { return standard(where).end_of_file; }
    std::uint32_t attributes(Where where = Where::current()) { return basic(where).attributes; }
    std::uint64_t position(Where where = Where::current());
    std::uint64_t index_number(Where where = Where::current());
    // FileNameInformation: the path within the volume.
    std::u16string path(Where where = Where::current());
    Io query(std::uint32_t information_class, std::span<std::byte> buffer);
    template <typename T>
    T query_as(std::uint32_t information_class, Where where = Where::current());
    Io query_volume(std::uint32_t information_class, std::span<std::byte> buffer);
    template <typename T>
    T query_volume_as(std::uint32_t information_class, Where where = Where::current());

    template <typename T>
    Status set(std::uint32_t information_class, const T& value);
    Status set_basic(const BasicInformation& change) { return set(file_class::kBasic, change); }
    Status set_attributes(std::uint32_t attributes) { return set_basic({.attributes = attributes}); }
    Status set_size(std::uint64_t bytes) { return set(file_class::kEndOfFile, bytes); }
    Status set_allocation(std::uint64_t bytes) { return set(file_class::kAllocation, bytes); }
    Status set_position(std::uint64_t offset) { return set(file_class::kPosition, offset); }
    Status dispose(bool remove = true) { return set(file_class::kDisposition, std::uint8_t{remove}); }
    Status rename(const RenameCall& call);

    // One NtQueryDirectoryFile.
    Io query_directory(const DirectoryCall& call, std::span<std::byte> buffer);

  private:
    Context* context_;
    CreateAnswer answer_;
};

struct ListOptions {
    std::optional<std::u16string> pattern{};
    std::uint32_t information_class = file_class::kBothDirectory;
    std::size_t buffer_bytes = 65536;
    bool single_entry = false;
};

class Context {
  public:
    // `directory` is the volume path of the case's own directory, which exists and is empty; `host_directory`
    // the same one on the host.
    Context(System& system, std::u16string directory, std::optional<std::filesystem::path> host_directory);

    System& system() { return system_; }
    nt::FileTime now() const { return system_.now(); }
    // Volume path of a name in the case's directory; of the directory itself for "".
    std::u16string path(std::u16string_view name) const;
    // The case's directory on the host. Only cases that need the host call it.
    const std::filesystem::path& host() const { return host_directory_.value(); }
    bool has_host() const { return host_directory_.has_value(); }

    // Does the call, whatever comes of it.
    File open(const Call& call);
    // Does the call and stops the case unless it succeeds.
    File must_open(const Call& call, Where where = Where::current());
    // Expects a status, and a create action if it is success; closes the handle.
    void expect_open(const Call& call, Status status, Where where = Where::current());
    void expect_open(const Call& call, CreateAction action, Where where = Where::current());

    void make_file(std::u16string_view name, std::string_view contents = {}, std::uint32_t attributes = 0,
                   Where where = Where::current());
    void make_directory(std::u16string_view name, Where where = Where::current());
    // Sets FileBasicInformation's attributes of something that exists.
    void set_attributes(std::u16string_view name, std::uint32_t attributes, Where where = Where::current());
    std::string contents(std::u16string_view name, Where where = Where::current());
    std::uint32_t attributes_of(std::u16string_view name, Where where = Where::current());
    Status remove(std::u16string_view name);
    // Opens for reading attributes: kSuccess if the name exists.
    Status status_of(std::u16string_view name);

    // Every entry in the order given, "." and ".." included; stops the case if the listing fails.
    std::vector<DirectoryEntry> entries(File& directory, const ListOptions& options = {},
                                        Where where = Where::current());
    // Names in a directory of the case without "." and "..".
    std::vector<std::u16string> names(std::u16string_view directory = {}, const ListOptions& options = {},
                                      Where where = Where::current());

    // Expectations: record a failure and go on; require() stops the case.
    template <typename A, typename B>
    void equal(const A& actual, const B& expected, std::string_view what = {},
               Where where = Where::current()) {
        if (actual == static_cast<A>(expected)) return;
        fail(describe(actual) + ", expected " + describe(static_cast<A>(expected)), what, where);
    }
    void check(bool holds, std::string_view what, Where where = Where::current()) {
        if (!holds) fail("does not hold", what, where);
    }
    // Where documents allow several answers.
    void one_of(Status actual, std::initializer_list<Status> expected, std::string_view what = {},
                Where where = Where::current());
    void require(Status status, std::string_view what, Where where = Where::current());
    void fail(std::string_view message, std::string_view what, Where where);

    // Asks again until it holds; fails after the deadline. For what the host's lifetimes delay.
    void eventually(const std::function<bool()>& holds, std::string_view what,
                    std::chrono::milliseconds deadline = std::chrono::seconds(5),
                    Where where = Where::current());

    const std::vector<std::string>& failures() const { return failures_; }

  private:
    System& system_;
    std::u16string directory_;
    std::optional<std::filesystem::path> host_directory_;
    std::vector<std::string> failures_;
};

template <typename T>
Status File::set(std::uint32_t information_class, const T& value) {
    return context_->system()
        .set_information(answer_.handle, information_class, std::as_bytes(std::span(&value, 1)))
        .status;
}

template <typename T>
T File::query_as(std::uint32_t information_class, Where where) {
    T value{};
    const Io io = query(information_class, std::as_writable_bytes(std::span(&value, 1)));
    context_->require(io.status, "query of information class " + std::to_string(information_class), where);
    context_->equal(io.information, sizeof(T), "bytes of information", where);
    return value;
}

template <typename T>
T File::query_volume_as(std::uint32_t information_class, Where where) {
    T value{};
    const Io io = query_volume(information_class, std::as_writable_bytes(std::span(&value, 1)));
    context_->require(io.status, "query of volume information class " + std::to_string(information_class),
                      where);
    context_->equal(io.information, sizeof(T), "bytes of volume information", where);
    return value;
}

}  // namespace behaviour
