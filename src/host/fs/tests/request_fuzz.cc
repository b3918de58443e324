// Any sequence of FUSE requests, as a hostile guest sends them, on a small directory in memory: each is
// answered once, with a reply that is consistent, and nothing beside the directory changes.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <string>

#include "host/fs/test_guest.h"
#include "tests/fuzz/input.h"

namespace host {
namespace {

using fuse::Errno;
using fuse::NodeId;
using fuse::Opcode;
using tests::Input;
using tests::require;

constexpr std::size_t kMaxRequests = 40;
constexpr rlim_t kMaxFileBytes = 16 << 20;
constexpr std::string_view kCanary = "not the guest's";

// "share" is the guest's, "canary" is not; made anew only when a run has left something behind.
class Stage {
  public:
    Stage() {
        // What a request asks for must not fill the machine's memory.
        const rlimit most{.rlim_cur = kMaxFileBytes, .rlim_max = kMaxFileBytes};
        ::setrlimit(RLIMIT_FSIZE, &most);
        ::signal(SIGXFSZ, SIG_IGN);
        lay_out();
    }

    std::string share() const { return top_.path("share"); }
    void check() const {
        struct stat status {};
        require(::lstat(top_.path("canary").c_str(), &status) == 0 && S_ISREG(status.st_mode));
        require(status.st_size == static_cast<off_t>(kCanary.size()) && status.st_nlink == 1);
        require(status.st_mtim.tv_sec == made_.st_mtim.tv_sec &&
                status.st_mtim.tv_nsec == made_.st_mtim.tv_nsec);
        require(status.st_ctim.tv_sec == made_.st_ctim.tv_sec &&
                status.st_ctim.tv_nsec == made_.st_ctim.tv_nsec);
        require(::lstat(top_.path().c_str(), &status) == 0 && status.st_nlink == 3);
    }
    // As it was at first; the shared directory itself stays, since servers have it open.
    void lay_out() {
        std::error_code ignored;
        std::filesystem::create_directory(share(), ignored);
        for (const auto& entry : std::filesystem::directory_iterator(share()))
            std::filesystem::remove_all(entry.path(), ignored);
        char names[4096];
        const ssize_t length = ::listxattr(share().c_str(), names, sizeof names);
        for (ssize_t at = 0; at < length; at += static_cast<ssize_t>(std::strlen(names + at) + 1))
            ::removexattr(share().c_str(), names + at);
        require(::chown(share().c_str(), 0, 0) == 0 && ::chmod(share().c_str(), 0755) == 0);
        std::filesystem::create_directory(share() + "/d", ignored);
        top_.write("share/a", "content");
        std::filesystem::create_symlink("../canary", share() + "/l", ignored);
        ::mkfifo((share() + "/p").c_str(), 0600);
        if (::access(top_.path("canary").c_str(), F_OK) != 0) {
            top_.write("canary", kCanary);
            ::lstat(top_.path("canary").c_str(), &made_);
        }
    }

  private:
    TestDirectory top_{"/dev/shm"};
    struct stat made_ {};
};

// A request in one piece, and exactly as much memory as the guest gives.
class AnyExchange final : public Exchange {
  public:
    AnyExchange(std::vector<std::byte>& bytes, std::size_t room) : answered(room) {
        asked_ = {bytes.data(), bytes.size()};
        answer_ = {answered.data(), answered.size()};
        request = {&asked_, 1};
        request_bytes = bytes.size();
        reply = {&answer_, 1};
        reply_bytes = room;
    }
    void finish(std::uint32_t bytes) noexcept override {
        require(!written.has_value());
        written = bytes;
    }
    void before_blocking() noexcept override {}

    std::vector<std::byte> answered;
    std::optional<std::uint32_t> written;

  private:
    iovec asked_{};
    iovec answer_{};
};

// One server for each mixture of options, used again and again.
constexpr unsigned kMixtures = 32;

ServerOptions options(unsigned mixture) {
    const unsigned bits = mixture * 0x9E37U ^ mixture;
    const auto bit = [bits](unsigned number) { return (bits >> number & 1) != 0; };
    return {.cache = static_cast<CachePolicy>(bits & 3),
            .file_handles = bit(0) ? FileHandles::kNever : FileHandles::kPrefer,
            .descriptor_budget = bit(1) ? 512U : 1U,
            .readonly = bit(2) && bit(3),
            .xattr = bit(4) || bit(5),
            .posix_acl = bit(5),
            .posix_locks = bit(6),
            .flock = bit(6),
            .writeback = bit(7),
            .allow_direct_io = bit(8),
            .announce_submounts = bit(9),
            .readdirplus = bit(10),
            .killpriv_v2 = bit(11)};
}

// A guest that takes what the server has told it for further requests.
class HostileGuest {
  public:
    HostileGuest(TestGuest& guest, Input& input) : guest_(guest), input_(input) {}

    // Whether something may have changed.
    bool run() {
        guest_.ask(Opcode::kDestroy, NodeId{});
        if (input_.below(8) != 0)
            guest_.init(input_.below(2) == 0 ? ~std::uint64_t{0} : input_.take<std::uint64_t>());
        for (std::size_t count = 0; count < kMaxRequests && !input_.empty(); ++count)
            request();
        return changed_;
    }

  private:
    template <typename T, std::size_t kCount>
    T one_of(const T (&values)[kCount]) {
        return values[input_.below(kCount)];
    }
    std::uint64_t number() {
        constexpr std::uint64_t kOften[] = {0, 1, 2, 7, 4095, 4096, 1 << 20, INT64_MAX, UINT64_MAX};
        return input_.below(4) == 0 ? input_.take<std::uint64_t>() : one_of(kOften);
    }
    std::uint64_t given(const std::vector<std::uint64_t>& known) {
        if (known.empty() || input_.below(16) == 0) return number();
        return known[input_.below(known.size())];
    }

    void add(std::vector<std::byte>& bytes, const void* from, std::size_t count) {
        const auto* const first = static_cast<const std::byte*>(from);
        bytes.insert(bytes.end(), first, first + count);
    }
    void add_word(std::vector<std::byte>& bytes, std::uint64_t value, std::size_t size) {
        add(bytes, &value, size);
    }

    // Arguments are a mixture: node ids and handles that exist, numbers of all sizes, names and plain bytes.
    std::vector<std::byte> arguments() {
        constexpr const char* kNames[] = {"a",
                                          "b",
                                          "d",
                                          "l",
                                          "p",
                                          ".",
                                          "..",
                                          "",
                                          "d/a",
                                          "../canary",
                                          "user.x",
                                          "security.capability",
                                          "system.posix_acl_access"};
        std::vector<std::byte> bytes;
        for (std::size_t parts = input_.below(9); parts != 0; --parts) {
            switch (input_.below(8)) {
                case 0:
                    add_word(bytes, given(nodes_), 8);
                    break;
                case 1:
                    add_word(bytes, given(handles_), 8);
                    break;
                case 2:
                    add_word(bytes, number(), 8);
                    break;
                case 3:
                case 4:
                    add_word(bytes, input_.byte(), 4);
                    break;
                case 5: {
                    const std::string name = one_of(kNames);
                    add(bytes, name.c_str(), name.size() + 1);
                    break;
                }
                case 6:
                    add_word(bytes, input_.take<std::uint32_t>(), 4);
                    break;
                default: {
                    const auto some = input_.take_bytes(input_.byte());
                    add(bytes, some.data(), some.size());
                }
            }
        }
        return bytes;
    }

    void request() {
        const Opcode opcode{static_cast<std::uint32_t>(input_.below(fuse::kOpcodeLimit + 1))};
        if (opcode == Opcode::kSyncfs || opcode == Opcode::kInit)
            return;  // the host's disks are not at stake
        const NodeId node{nodes_.empty() || input_.below(3) == 0 ? 1 : given(nodes_)};
        guest_.uid = input_.below(2) * 1000U;
        auto bytes = guest_.request(opcode, node, arguments());
        if (input_.below(32) == 0) {  // a header that lies
            const std::size_t at = input_.below(sizeof(fuse::InHeader));
            bytes[at] = std::byte{input_.byte()};
        }
        fuse::InHeader header;
        std::memcpy(&header, bytes.data(), sizeof header);
        if (header.opcode == Opcode::kSyncfs) return;
        const std::size_t room = input_.below(8) == 0 ? input_.byte() : 4096;
        AnyExchange exchange(bytes, room);
        guest_.worker().serve(exchange);
        check(exchange, header, room);
    }

    void check(const AnyExchange& exchange, const fuse::InHeader& header, std::size_t room) {
        require(exchange.written.has_value());
        const std::size_t written = *exchange.written;
        require(written <= room);
        if (written == 0) return;
        require(written >= sizeof(fuse::OutHeader));
        fuse::OutHeader out;
        std::memcpy(&out, exchange.answered.data(), sizeof out);
        require(out.len == written && out.unique == header.unique);
        require(out.error <= 0 && out.error > -4096);
        require(out.error == 0 || written == sizeof out);
        if (out.error != 0) return;
        changed_ = changed_ || changes(header.opcode);
        Answer answer;
        answer.body.assign(exchange.answered.begin() + sizeof out, exchange.answered.begin() + written);
        learn(header.opcode, answer);
    }

    static bool changes(Opcode opcode) {
        constexpr Opcode kHarmless[] = {
            Opcode::kLookup, Opcode::kGetAttr, Opcode::kStatx,       Opcode::kStatfs,     Opcode::kReadLink,
            Opcode::kRead,   Opcode::kAccess,  Opcode::kGetXattr,    Opcode::kListXattr,  Opcode::kOpenDir,
            Opcode::kFlush,  Opcode::kReadDir, Opcode::kReadDirPlus, Opcode::kReleaseDir, Opcode::kRelease};
        return std::ranges::find(kHarmless, opcode) == std::end(kHarmless);
    }

    void learn(Opcode opcode, const Answer& answer) {
        switch (opcode) {
            case Opcode::kCreate:
            case Opcode::kTmpfile:
                handles_.push_back(static_cast<std::uint64_t>(answer.as<fuse::CreateOut>().open.fh));
                [[fallthrough]];
            case Opcode::kLookup:
            case Opcode::kMkdir:
            case Opcode::kMknod:
            case Opcode::kSymlink:
            case Opcode::kLink:
                nodes_.push_back(static_cast<std::uint64_t>(answer.as<fuse::EntryOut>().node));
                break;
            case Opcode::kOpen:
            case Opcode::kOpenDir:
                handles_.push_back(static_cast<std::uint64_t>(answer.as<fuse::OpenOut>().fh));
                break;
            default:
                break;
        }
    }

    TestGuest& guest_;
    Input& input_;
    bool changed_ = false;
    std::vector<std::uint64_t> nodes_{1};
    std::vector<std::uint64_t> handles_;
};

}  // namespace
}  // namespace host

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static host::Stage stage;
    static std::array<std::unique_ptr<host::TestGuest>, host::kMixtures> guests;
    tests::Input input(data, size);
    const auto mixture = static_cast<unsigned>(input.below(host::kMixtures));
    auto& guest = guests[mixture];
    if (guest == nullptr) guest = std::make_unique<host::TestGuest>(stage.share(), host::options(mixture));
    const bool changed = host::HostileGuest(*guest, input).run();
    stage.check();
    if (changed) stage.lay_out();
    return 0;
}
