#include "tests/behaviour/context.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

namespace behaviour {
namespace {

std::string_view file_name_of(const Where& where) {
    const std::string_view path = where.file_name();
    return path.substr(path.find_last_of("/\\") + 1);
}

}  // namespace

File::File(File&& other) noexcept : context_(other.context_), answer_(other.answer_) {
    other.answer_.handle = Handle::kNone;
}

File& File::operator=(File&& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(answer_, other.answer_);
    return *this;
}

File::~File() {
    close();
}

void File::close() {
    if (is_open()) context_->system().close(std::exchange(answer_.handle, Handle::kNone));
}

Io File::read(std::span<std::byte> buffer, std::optional<std::uint64_t> offset) {
    return context_->system().read(handle(), buffer, offset);
}

std::string File::read_text(std::uint64_t offset, std::size_t bytes, Where where) {
    std::string text(bytes, '\0');
    const Io io = read(std::as_writable_bytes(std::span(text)), offset);
    if (io.status == Status::kEndOfFile) return {};
    context_->require(io.status, "read at " + std::to_string(offset), where);
    context_->equal(io.information <= bytes, true, "bytes read are within the buffer", where);
    text.resize(std::min<std::size_t>(bytes, io.information));
    return text;
}

Io File::write(std::string_view data, std::optional<std::uint64_t> offset) {
    return context_->system().write(handle(), std::as_bytes(std::span(data)), offset);
}

void File::put(std::string_view data, std::optional<std::uint64_t> offset, Where where) {
    const Io io = write(data, offset);
    context_->require(io.status, "write of " + std::to_string(data.size()) + " bytes", where);
    context_->equal(io.information, data.size(), "bytes written", where);
}

Status File::flush() {
    return context_->system().flush(handle()).status;
}

BasicInformation File::basic(Where where) {
    return query_as<BasicInformation>(file_class::kBasic, where);
}

StandardInformation File::standard(Where where) {
    return query_as<StandardInformation>(file_class::kStandard, where);
}

std::uint64_t File::position(Where where) {
    return query_as<std::uint64_t>(file_class::kPosition, where);
}

std::uint64_t File::index_number(Where where) {
    return query_as<std::uint64_t>(file_class::kInternal, where);
}

std::u16string File::path(Where where) {
    std::vector<std::byte> buffer(4 + 65534);
    const Io io = query(file_class::kName, buffer);
    context_->require(io.status, "query of the name", where);
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, buffer.data(), sizeof bytes);
    context_->equal(io.information, 4U + bytes, "bytes of name information", where);
    std::u16string name(std::min<std::size_t>(bytes, 65534) / 2, u'\0');
    std::memcpy(name.data(), buffer.data() + 4, name.size() * 2);
    return name;
}

Io File::query(std::uint32_t information_class, std::span<std::byte> buffer) {
    return context_->system().query_information(handle(), information_class, buffer);
}

Io File::query_volume(std::uint32_t information_class, std::span<std::byte> buffer) {
    return context_->system().query_volume_information(handle(), information_class, buffer);
}

Status File::rename(const RenameCall& call) {
    return context_->system().rename(handle(), call).status;
}

Io File::query_directory(const DirectoryCall& call, std::span<std::byte> buffer) {
    return context_->system().query_directory(handle(), call, buffer);
}

Context::Context(System& system, std::u16string directory,
                 std::optional<std::filesystem::path> host_directory)
    : system_(system), directory_(std::move(directory)), host_directory_(std::move(host_directory)) {}

std::u16string Context::path(std::u16string_view name) const {
    if (name.empty()) return directory_;
    return directory_ + u'\\' + std::u16string(name);
}

File Context::open(const Call& call) {
    CreateCall create{.name = call.name,
                      .related = call.related,
                      .access = call.access,
                      .share = call.share,
                      .disposition = call.disposition,
                      .options = call.options,
                      .attributes = call.attributes,
                      .allocation_size = call.allocation_size,
                      .with_ea = call.with_ea};
    if (call.related == Handle::kNone && call.origin == Origin::kCaseDirectory) create.name = path(call.name);
    if (!call.asynchronous) {
        create.access |= access::kSynchronize;
        create.options |= option::kSynchronousIoNonalert;
    }
    return {*this, system_.create(create)};
}

File Context::must_open(const Call& call, Where where) {
    File file = open(call);
    require(file.status(), "create of " + describe(call.name), where);
    return file;
}

void Context::expect_open(const Call& call, Status status, Where where) {
    const File file = open(call);
    equal(file.status(), status, "create of " + describe(call.name), where);
    equal(file.is_open(), status == Status::kSuccess, "a handle came with " + describe(file.status()), where);
}

void Context::expect_open(const Call& call, CreateAction action, Where where) {
    const File file = open(call);
    equal(file.status(), Status::kSuccess, "create of " + describe(call.name), where);
    if (file.status() == Status::kSuccess) {
        equal(file.action(), action, "what the create of " + describe(call.name) + " did", where);
    }
}

void Context::make_file(std::u16string_view name, std::string_view contents, std::uint32_t attributes,
                        Where where) {
    File file = must_open({.name = std::u16string(name),
                           .access = access::kGenericWrite,
                           .disposition = Disposition::kCreate,
                           .options = option::kNonDirectoryFile,
                           .attributes = attributes},
                          where);
    if (!contents.empty()) file.put(contents, 0, where);
}

void Context::make_directory(std::u16string_view name, Where where) {
    must_open({.name = std::u16string(name),
               .disposition = Disposition::kCreate,
               .options = option::kDirectoryFile},
              where);
}

void Context::set_attributes(std::u16string_view name, std::uint32_t attributes, Where where) {
    File file = must_open({.name = std::u16string(name), .access = access::kWriteAttributes}, where);
    require(file.set_attributes(attributes), "setting attributes of " + describe(name), where);
}

std::string Context::contents(std::u16string_view name, Where where) {
    File file = must_open({.name = std::u16string(name)}, where);
    return file.read_text(0, file.size(where) + 1, where);
}

std::uint32_t Context::attributes_of(std::u16string_view name, Where where) {
    File file = must_open({.name = std::u16string(name), .access = access::kReadAttributes}, where);
    return file.attributes(where);
}

Status Context::remove(std::u16string_view name) {
    File file = open({.name = std::u16string(name), .access = access::kDelete});
    return file.is_open() ? file.dispose() : file.status();
}

Status Context::status_of(std::u16string_view name) {
    return open({.name = std::u16string(name), .access = access::kReadAttributes}).status();
}

std::vector<DirectoryEntry> Context::entries(File& directory, const ListOptions& options, Where where) {
    std::vector<DirectoryEntry> all;
    std::vector<std::byte> buffer(options.buffer_bytes);
    bool first = true;
    while (true) {
        const Io io = directory.query_directory({.information_class = options.information_class,
                                                 .pattern = options.pattern,
                                                 .restart = first,
                                                 .single_entry = options.single_entry},
                                                buffer);
        if (io.status == Status::kNoMoreFiles || (first && io.status == Status::kNoSuchFile)) return all;
        require(io.status, "directory query", where);
        first = false;
        if (io.information > buffer.size()) {
            fail(describe(io.information) + " of " + describe(buffer.size()), "bytes of directory entries",
                 where);
            throw Stop{};
        }
        auto parsed = parse_entries(std::span(buffer).first(io.information), options.information_class);
        if (!parsed) {
            fail("malformed", "directory entries", where);
            throw Stop{};
        }
        if (options.single_entry) equal(parsed->size(), 1U, "entries of a single-entry query", where);
        for (DirectoryEntry& entry : *parsed)
            all.push_back(std::move(entry));
    }
}

std::vector<std::u16string> Context::names(std::u16string_view directory, const ListOptions& options,
                                           Where where) {
    File opened = must_open({.name = std::u16string(directory), .options = option::kDirectoryFile}, where);
    std::vector<std::u16string> found;
    for (DirectoryEntry& entry : entries(opened, options, where)) {
        if (entry.name != u"." && entry.name != u"..") found.push_back(std::move(entry.name));
    }
    return found;
}

void Context::one_of(Status actual, std::initializer_list<Status> expected, std::string_view what,
                     Where where) {
    if (std::ranges::find(expected, actual) != expected.end()) return;
    fail(describe(actual) + ", expected one of " + describe(std::vector(expected)), what, where);
}

void Context::require(Status status, std::string_view what, Where where) {
    if (status == Status::kSuccess) return;
    fail(describe(status), what, where);
    throw Stop{};
}

void Context::fail(std::string_view message, std::string_view what, Where where) {
    std::string text(file_name_of(where));
    text += ":" + std::to_string(where.line()) + ": ";
    if (!what.empty()) text += std::string(what) + ": ";
    failures_.push_back(text + std::string(message));
}

void Context::eventually(const std::function<bool()>& holds, std::string_view what,
                         std::chrono::milliseconds deadline, Where where) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!holds()) {
        if (std::chrono::steady_clock::now() >= end) return fail("did not happen in time", what, where);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

}  // namespace behaviour
