#include "lab/redirect/server.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include "lab/redirect/drive_letter.h"
#include "lab/redirect/mount_entry.h"
#include "lab/redirect/open_files.h"
#include "lab/redirect/protocol.h"
#include "lab/transport/server.h"
#include "threads/mutex.h"

namespace lab::redirect {
namespace {

using fsd::FileId;
using fsd::IoStatus;
using nt::Status;

thread_local std::uint32_t t_calling_process = 0;

// A process's handle, closed by the destructor.
class ProcessHandle {
  public:
    explicit ProcessHandle(std::uint32_t process_id)
        : handle_(OpenProcess(PROCESS_DUP_HANDLE | SYNCHRONIZE, FALSE, process_id)),
          process_id_(process_id) {}
    ~ProcessHandle() {
        if (handle_) CloseHandle(handle_);
    }
    ProcessHandle(const ProcessHandle&) = delete;
    ProcessHandle& operator=(const ProcessHandle&) = delete;

    HANDLE get() const { return handle_; }
    std::uint32_t id() const { return process_id_; }

  private:
    HANDLE handle_;
    std::uint32_t process_id_;
};

// The payload of one call, both ways.
class Message {
  public:
    Message(transport::Call& call, const RequestHead& head) : call_(call), head_(head) {}

    const RequestHead& head() const { return head_; }
    // In memory that the client could change: copy what must not change under the reader.
    std::span<const std::byte> payload() const { return call_.payload(); }
    std::u16string text() const {
        const auto bytes = call_.payload();
        std::u16string text(bytes.size() / 2, u'\0');
        std::memcpy(text.data(), bytes.data(), text.size() * 2);
        return text;
    }
    std::vector<std::byte> copy() const {
        const auto bytes = call_.payload();
        return {bytes.begin(), bytes.end()};
    }
    // Room for the reply, as much as the client takes. Overlaps payload().
    std::span<std::byte> room() const {
        const auto all = call_.reply_payload();
        return all.first(std::min({all.size(), std::size_t{head_.length}, std::size_t{call_.reply_room()}}));
    }

  private:
    transport::Call& call_;
    const RequestHead& head_;
};

struct Answer {
    ReplyHead head;
    std::size_t payload_bytes = 0;
};

Answer answer(Status status, std::uint64_t information = 0) {
    Answer result;
    result.head.status = static_cast<std::uint32_t>(status);
    result.head.information = information;
    return result;
}

Answer answer(const IoStatus& io) {
    return answer(io.status, io.information);
}

// For operations that fill a buffer: so much of it goes back.
Answer answer_filled(const IoStatus& io, std::span<const std::byte> buffer) {
    Answer result = answer(io);
    if (!nt::is_error(io.status)) result.payload_bytes = std::min<std::size_t>(io.information, buffer.size());
    return result;
}

Answer answer_value(std::uint32_t value, std::span<std::byte> room) {
    if (room.size() < sizeof(value)) return answer(Status::kInfoLengthMismatch);
    std::memcpy(room.data(), &value, sizeof(value));
    Answer result = answer(Status::kSuccess, sizeof(value));
    result.payload_bytes = sizeof(value);
    return result;
}

constexpr std::uint32_t kModeOptions = FILE_WRITE_THROUGH | FILE_SEQUENTIAL_ONLY |
                                       FILE_NO_INTERMEDIATE_BUFFERING | FILE_SYNCHRONOUS_IO_ALERT |
                                       FILE_SYNCHRONOUS_IO_NONALERT | FILE_DELETE_ON_CLOSE;

// The classes that NT's I/O manager answers without the file system.
std::optional<Answer> answer_for_io_manager(const OpenFile& open, std::uint32_t information_class,
                                            std::span<std::byte> room) {
    switch (information_class) {
        case info::kAccess:
            return answer_value(open.access(), room);
        case info::kMode:
            return answer_value(open.options() & kModeOptions, room);
        case info::kAlignment:
            return answer_value(0, room);
        case info::kIsRemoteDevice: {
            if (room.empty()) return answer(Status::kInfoLengthMismatch);
            room[0] = std::byte{0};
            Answer result = answer(Status::kSuccess, 1);
            result.payload_bytes = 1;
            return result;
        }
        default:
            return std::nullopt;
    }
}

}  // namespace

class Server::Impl final : public transport::Handler {
  public:
    Impl(fsd::Fsd& fsd, const Session& session, MountEntry entry)
        : fsd_(fsd), entry_(std::move(entry)), files_(fsd, session, entry_.index()) {}

    std::expected<void, std::string> start(const ServerOptions& options, const std::string& channel) {
        const std::uint32_t slots = std::clamp<std::uint32_t>(options.threads * 4, 16, transport::kMaxSlots);
        auto started = transport::Server::start({.name = channel, .slots = slots}, *this);
        if (!started) return std::unexpected(started.error());
        transport_ = std::move(*started);
        keeper_ = std::thread([this] { keep(); });
        entry_.announce(options.device_name, channel);
        return options.drive_letter ? set_letter(*options.drive_letter) : std::expected<void, std::string>();
    }

    ~Impl() {
        clear_letter();
        entry_.withdraw();
        transport_.reset();
        if (keeper_.joinable()) {
            {
                const std::lock_guard guard(lock_);
                stopping_ = true;
                wake_.notify_one();
            }
            keeper_.join();
        }
        files_.close_all();
    }

    std::expected<void, std::string> set_letter(char16_t letter) {
        const char16_t upper = ascii_upper(letter);
        if (upper < u'A' || upper > u'Z') return std::unexpected("a drive letter is one of A to Z");
        if (entry_.letter() != 0) return std::unexpected("the volume has a drive letter already");
        if (auto defined = define_drive_letter(upper); !defined) return defined;
        entry_.set_letter(upper);
        return {};
    }

    void clear_letter() {
        const char16_t letter = entry_.letter();
        if (letter == 0) return;
        remove_drive_letter(letter);
        entry_.set_letter(0);
    }

    std::size_t open_count() {
        sweep_after_ends();
        return files_.count();
    }

    // transport::Handler
    void handle(transport::Call call) override {
        Answer result = answer(Status::kInvalidParameter);
        RequestHead head;
        if (call.head().size() == sizeof(head)) {
            std::memcpy(&head, call.head().data(), sizeof(head));
            result = dispatch(call, head);
        }
        t_calling_process = 0;
        std::memcpy(call.reply_head().data(), &result.head, sizeof(result.head));
        call.reply(sizeof(result.head), static_cast<std::uint32_t>(result.payload_bytes));
    }

    // Calls end by themselves.
    void cancel(transport::CallId) noexcept override {}

    void client_gone(std::uint32_t client) noexcept override {
        const std::lock_guard guard(lock_);
        const auto found = clients_.find(client);
        if (found == clients_.end()) return;
        gone_.push_back(std::move(found->second));
        clients_.erase(found);
        wake_.notify_one();
    }

  private:
    // The files of processes that have ended are closed before anything else is done.
    void sweep_after_ends() {
        const std::uint32_t ends = entry_.process_ends();
        if (ends == swept_ends_.load()) return;
        files_.sweep();
        swept_ends_.store(ends);
    }

    Answer dispatch(transport::Call& call, const RequestHead& head) {
        sweep_after_ends();
        if (head.operation == Operation::kHello) return hello(call.client(), head.process_id);
        const auto client = find_client(call.client());
        if (!client) return answer(Status::kInvalidParameter);
        t_calling_process = client->id();
        const Message message(call, head);
        switch (head.operation) {
            case Operation::kCreate:
                return create(message, client->get());
            case Operation::kQueryByName:
                return query_by_name(message);
            case Operation::kDeleteByName:
                return delete_by_name(message);
            case Operation::kHandleClosed:
                files_.handle_closed(head.open);
                return answer(Status::kSuccess);
            default:
                break;
        }
        const auto open = files_.find(head.open);
        // Of the volume that was at this place before.
        if (!open) return answer(Status::kVolumeDismounted);
        return on_open(*open, message);
    }

    Answer on_open(const OpenFile& open, const Message& message) {
        const RequestHead& head = message.head();
        const FileId file = open.file();
        const std::optional<std::uint64_t> offset =
            head.flags & request_flag::kHasOffset ? std::optional(head.offset) : std::nullopt;
        switch (head.operation) {
            case Operation::kRead:
                return answer_filled(fsd_.read(file, message.room(), offset), message.room());
            case Operation::kWrite:
                return answer(fsd_.write(file, message.payload(), offset));
            case Operation::kFlush:
                return answer(fsd_.flush(file));
            case Operation::kQueryInformation:
                return query_information(open, message);
            case Operation::kSetInformation:
                return answer(fsd_.set_information(file, head.code, message.copy()));
            case Operation::kQueryVolume:
                return answer_filled(fsd_.query_volume_information(file, head.code, message.room()),
                                     message.room());
            case Operation::kSetVolume:
                return answer(fsd_.set_volume_information(file, head.code, message.copy()));
            case Operation::kQueryDirectory:
                return query_directory(file, message);
            case Operation::kFsControl:
                return answer_filled(fsd_.fs_control(file, head.code, message.copy(), message.room()),
                                     message.room());
            case Operation::kRename:
                return rename(file, message);
            case Operation::kPathOf:
                return path_of(file, message.room());
            default:
                return answer(Status::kInvalidDeviceRequest);
        }
    }

    Answer hello(std::uint32_t client, std::uint32_t process_id) {
        auto process = std::make_shared<ProcessHandle>(process_id);
        if (!process->get()) return answer(Status::kAccessDenied);
        const std::lock_guard guard(lock_);
        clients_[client] = std::move(process);
        return answer(Status::kSuccess);
    }

    std::shared_ptr<ProcessHandle> find_client(std::uint32_t client) {
        const std::lock_guard guard(lock_);
        const auto found = clients_.find(client);
        return found == clients_.end() ? nullptr : found->second;
    }

    // The directory a name is relative to. False: there is no such open.
    bool find_related(std::uint64_t number, std::shared_ptr<OpenFile>& related) const {
        if (number == 0) return true;
        related = files_.find(number);
        return related != nullptr;
    }

    Answer create(const Message& message, HANDLE process) {
        const RequestHead& head = message.head();
        std::shared_ptr<OpenFile> related;
        if (!find_related(head.related, related)) return answer(Status::kInvalidHandle);
        const std::u16string name = message.text();
        const fsd::CreateResult created =
            fsd_.create({.name = name,
                         .related = related ? related->file() : FileId::kNone,
                         .desired_access = head.desired_access,
                         .allocation_size = head.allocation_size,
                         .attributes = head.attributes,
                         .share_access = head.share_access,
                         .disposition = static_cast<nt::Disposition>(head.disposition),
                         .options = head.options,
                         .has_ea = (head.flags & request_flag::kHasEa) != 0});
        if (nt::is_error(created.io.status) || created.file == FileId::kNone) return answer(created.io);
        const OpenFiles::Made made = files_.add(created.file, head.desired_access, head.options, process,
                                                (head.handle_attributes & OBJ_INHERIT) != 0);
        if (made.status < 0) return answer(static_cast<Status>(made.status));
        Answer result = answer(created.io);
        result.head.tag = made.tag.bits();
        result.head.handle = reinterpret_cast<std::uintptr_t>(made.handle);
        return result;
    }

    // Opens a name for one operation on it.
    fsd::CreateResult open_by_name(const Message& message, std::uint32_t access, std::uint32_t options) {
        std::shared_ptr<OpenFile> related;
        if (!find_related(message.head().related, related)) return {.io = {.status = Status::kInvalidHandle}};
        const std::u16string name = message.text();
        return fsd_.create({.name = name,
                            .related = related ? related->file() : FileId::kNone,
                            .desired_access = access,
                            .share_access = nt::share::kAll,
                            .disposition = nt::Disposition::kOpen,
                            .options = options | nt::create_option::kOpenReparsePoint});
    }

    Answer query_by_name(const Message& message) {
        const fsd::CreateResult opened = open_by_name(message, nt::access::kReadAttributes, 0);
        if (nt::is_error(opened.io.status) || opened.file == FileId::kNone) return answer(opened.io);
        const IoStatus io = fsd_.query_information(opened.file, message.head().code, message.room());
        fsd_.close_handle(opened.file);
        return answer_filled(io, message.room());
    }

    Answer delete_by_name(const Message& message) {
        const fsd::CreateResult opened =
            open_by_name(message, nt::access::kDelete, nt::create_option::kDeleteOnClose);
        if (nt::is_error(opened.io.status) || opened.file == FileId::kNone) return answer(opened.io);
        fsd_.close_handle(opened.file);
        return answer(Status::kSuccess);
    }

    Answer query_information(const OpenFile& open, const Message& message) {
        const std::uint32_t information_class = message.head().code;
        const auto room = message.room();
        if (const auto known = answer_for_io_manager(open, information_class, room)) return *known;
        return answer_filled(fsd_.query_information(open.file(), information_class, room), room);
    }

    Answer query_directory(FileId file, const Message& message) {
        const RequestHead& head = message.head();
        const std::u16string pattern = message.text();
        const auto room = message.room();
        fsd::DirectoryQuery query{.information_class = head.code,
                                  .pattern = std::nullopt,
                                  .restart_scan = (head.flags & request_flag::kRestartScan) != 0,
                                  .return_single_entry = (head.flags & request_flag::kSingleEntry) != 0};
        if ((head.flags & request_flag::kHasPattern) && !pattern.empty()) query.pattern = pattern;
        return answer_filled(fsd_.query_directory(file, query, room), room);
    }

    Answer rename(FileId file, const Message& message) {
        const RequestHead& head = message.head();
        std::shared_ptr<OpenFile> root;
        if (!find_related(head.related, root)) return answer(Status::kInvalidHandle);
        const std::u16string name = message.text();
        return answer(fsd_.rename(file, {.new_name = name,
                                         .root = root ? root->file() : FileId::kNone,
                                         .replace_if_exists = (head.flags & request_flag::kReplace) != 0,
                                         .flags = head.rename_flags,
                                         .extended = (head.flags & request_flag::kExtended) != 0}));
    }

    Answer path_of(FileId file, std::span<std::byte> room) {
        const std::u16string path = fsd_.path_of(file);
        if (path.size() * 2 > room.size()) return answer(Status::kNameTooLong);
        std::memcpy(room.data(), path.data(), path.size() * 2);
        Answer result = answer(Status::kSuccess, path.size() * 2);
        result.payload_bytes = path.size() * 2;
        return result;
    }

    // Notices what nobody reports: dead processes at once, handles closed unseen within a second.
    void keep() {
        constexpr auto kInterval = std::chrono::seconds(1);
        constexpr DWORD kProcessEnd =
            5000;  // ms: the connection ends a little before the process and its handles
        std::unique_lock guard(lock_);
        while (!stopping_) {
            wake_.wait_for(guard, kInterval, [this] { return stopping_ || !gone_.empty(); });
            auto gone = std::move(gone_);
            gone_.clear();
            guard.unlock();
            for (const auto& process : gone)
                WaitForSingleObject(process->get(), kProcessEnd);
            files_.sweep();
            guard.lock();
        }
    }

    fsd::Fsd& fsd_;
    MountEntry entry_;
    OpenFiles files_;
    std::atomic<std::uint32_t> swept_ends_{entry_.process_ends()};
    threads::Mutex lock_;
    threads::Condition wake_;
    bool stopping_ = false;
    std::map<std::uint32_t, std::shared_ptr<ProcessHandle>> clients_;
    std::vector<std::shared_ptr<ProcessHandle>> gone_;
    std::thread keeper_;
    std::unique_ptr<transport::Server> transport_;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

std::expected<std::unique_ptr<Server>, std::string> Server::start(fsd::Fsd& fsd,
                                                                  const ServerOptions& options) {
    if (options.device_name.empty() || options.device_name.size() > kMaxDeviceChars ||
        options.device_name[0] != u'\\') {
        return std::unexpected("the volume's device name must start with a backslash and have at most " +
                               std::to_string(kMaxDeviceChars) + " characters");
    }
    const Session session = session_from_environment();
    auto entry = MountEntry::claim(session);
    if (!entry) return std::unexpected(entry.error());
    std::string channel = "vfslab-";
    for (char16_t c : session.view())
        channel += static_cast<char>(c);
    channel += "-volume" + std::to_string(entry->index()) + "-" + std::to_string(GetCurrentProcessId());
    auto impl = std::make_unique<Impl>(fsd, session, std::move(*entry));
    if (auto started = impl->start(options, channel); !started) return std::unexpected(started.error());
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::expected<void, std::string> Server::set_drive_letter(char16_t letter) {
    return impl_->set_letter(letter);
}
void Server::clear_drive_letter() {
    impl_->clear_letter();
}
std::size_t Server::open_count() const {
    return impl_->open_count();
}
std::uint32_t Server::calling_process_id() {
    return t_calling_process;
}

}  // namespace lab::redirect
