// A whole session of a volume with a host whose every reply comes from the input, as do the calls: nothing
// crashes, hangs or leaks, and no answer says more than it can.
#include <array>
#include <vector>

#include "guest/volume/session.h"
#include "guest/volume/volume.h"
#include "nt/bytes.h"
#include "nt/reparse.h"
#include "tests/fuzz/scripted_replies.h"

namespace {

using namespace tests;

constexpr std::size_t kMaxReplies = 4096;  // of one session; then the host is gone
constexpr std::size_t kMaxCalls = 64;
constexpr std::size_t kFiles = 4;

class Program {
  public:
    Program(Input& input, guest::Volume& volume) : input_(input), volume_(volume) {}
    ~Program() {
        for (guest::File* const file : files_)
            if (file != nullptr) volume_.close(file);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    void run() {
        for (std::size_t calls = 0; calls < kMaxCalls && !input_.empty(); ++calls) {
            guest::File*& file = files_[input_.below(kFiles)];
            const std::uint8_t operation = input_.byte();
            if (operation % 4 == 0 || file == nullptr) {
                by_name(operation / 4, file);
            } else {
                on_file(operation / 4, file);
            }
        }
    }

  private:
    std::u16string path() {
        constexpr std::array<std::u16string_view, 8> kPaths = {
            u"\\", u"\\a", u"\\b", u"\\a\\b", u"\\a\\c", u"\\b\\a\\c", u"\\a\\b\\c\\d", u"\\\uF03A\uF1FF"};
        const std::size_t choice = input_.below(kPaths.size() + 1);
        return choice < kPaths.size() ? std::u16string(kPaths[choice]) : input_.take_text(8);
    }

    void by_name(std::uint8_t operation, guest::File*& file) {
        const std::u16string name = path();
        switch (operation % 4) {
            case 0:
                static_cast<void>(volume_.attributes_of(name));
                break;
            case 1:
                static_cast<void>(volume_.volume_info());
                if (const auto link = volume_.reparse_point_of(name)) {
                    require(nt::parse_symlink(*link).has_value());
                }
                break;
            case 2: {
                const std::uint32_t options = input_.byte() % 2;  // kDirectoryFile
                const auto disposition = nt::Disposition{input_.byte() % 6U};
                take(file, volume_.create(name, {.options = options,
                                                 .granted_access = nt::access::kFileAllAccess,
                                                 .attributes = input_.byte(),
                                                 .allocation_size = input_.byte(),
                                                 .disposition = disposition}));
                break;
            }
            default:
                take(file, volume_.open(name, {.options = 0, .granted_access = access()}));
                break;
        }
    }

    std::uint32_t access() {
        constexpr std::array<std::uint32_t, 4> kAccess = {nt::access::kFileAllAccess,
                                                          nt::access::kFileGenericRead,
                                                          nt::access::kReadAttributes, nt::access::kDelete};
        return kAccess[input_.below(kAccess.size())];
    }

    void take(guest::File*& file, const nt::Result<guest::Opened>& opened) {
        if (!opened) return;
        require(opened->file != nullptr);
        if (file != nullptr) volume_.close(file);
        file = opened->file;
    }

    void on_file(std::uint8_t operation, guest::File*& file) {
        switch (operation % 16) {
            case 0:
            case 1: {
                std::vector<std::byte> buffer(input_.take<std::uint16_t>() % 20000);
                const auto got = volume_.read(*file, buffer, offset());
                if (got) require(*got <= buffer.size());
                break;
            }
            case 2:
            case 3: {
                const std::vector<std::byte> data(input_.take<std::uint16_t>() % 20000);
                const std::uint8_t where = input_.byte();
                const auto written = volume_.write(
                    *file, data,
                    {.offset = offset(), .to_end_of_file = where % 4 == 1, .constrained = where % 4 == 2});
                if (written) require(written->bytes <= data.size());
                break;
            }
            case 4:
                list(*file);
                break;
            case 5:
                on_link(*file);
                break;
            case 6:
                static_cast<void>(
                    volume_.entry_of(*file, input_.byte() % 2 == 0 ? u"a" : input_.take_text(8)));
                break;
            case 7:
                static_cast<void>(volume_.rename(*file, path(), path(), input_.byte() % 2 == 0));
                break;
            case 8: {
                const std::u16string name = path();
                if (volume_.can_delete(*file, name)) volume_.cleanup(*file, name, {.remove = true});
                break;
            }
            case 9: {
                const std::uint8_t what = input_.byte();
                volume_.cleanup(*file, path(),
                                {.remove = (what & 1) != 0,
                                 .set_allocation_size = (what & 2) != 0,
                                 .set_archive_bit = (what & 4) != 0,
                                 .set_last_access_time = (what & 8) != 0,
                                 .set_last_write_time = (what & 16) != 0,
                                 .set_change_time = (what & 32) != 0});
                break;
            }
            case 10:
                static_cast<void>(volume_.set_size(
                    *file, offset(),
                    input_.byte() % 2 == 0 ? guest::SizeKind::kEndOfFile : guest::SizeKind::kAllocation));
                break;
            case 11:
                static_cast<void>(volume_.set_basic_info(
                    *file, {.attributes = input_.byte(),
                            .creation_time = 0,
                            .last_access_time = static_cast<nt::FileTime>(input_.take<std::uint64_t>()),
                            .last_write_time = static_cast<nt::FileTime>(input_.take<std::uint64_t>()),
                            .change_time = 0}));
                break;
            case 12:
                static_cast<void>(volume_.flush(*file));
                if (input_.byte() % 2 == 0) static_cast<void>(volume_.flush_volume());
                break;
            case 13:
                static_cast<void>(volume_.overwrite(*file, input_.byte(), input_.byte() % 2 == 0, offset()));
                break;
            case 14:
                static_cast<void>(volume_.file_info(*file));
                break;
            default:
                volume_.close(file);
                file = nullptr;
                break;
        }
    }

    void on_link(guest::File& file) {
        const std::uint8_t what = input_.byte();
        const std::u16string name = path();
        if (what % 4 == 0) {
            const auto link = volume_.reparse_point(file, name);
            if (link) require(nt::parse_symlink(*link).has_value());
            return;
        }
        constexpr std::array<std::u16string_view, 4> kTargets = {u"a", u"..\\b", u"\\a\\c", u".\\x"};
        auto data = nt::make_symlink({.name = std::u16string(kTargets[what / 4 % kTargets.size()])}).value();
        if (what % 4 == 1) {
            const auto any = input_.take_bytes(input_.byte());
            data.assign(any.begin(), any.end());
        }
        if (what % 4 == 3) {
            data.resize(nt::kReparseHeaderBytes);
            nt::put(std::span(data), 4, std::uint16_t{0});
            static_cast<void>(volume_.delete_reparse_point(file, name, data));
        } else {
            static_cast<void>(volume_.set_reparse_point(file, name, data));
        }
    }

    // Small ones, and any.
    std::uint64_t offset() {
        const std::uint8_t choice = input_.byte();
        return choice < 0xF0 ? choice : input_.take<std::uint64_t>();
    }

    void list(guest::File& directory) {
        std::optional<std::u16string> marker;
        std::u16string last;
        const std::size_t at_most = input_.below(8);
        for (int part = 0; part < 3; ++part) {
            std::size_t count = 0;
            const auto add = [&](const guest::DirectoryEntry& entry) {
                require(!entry.name.empty() && entry.name.find(u'\\') == entry.name.npos);
                const bool dots = entry.name == u"." || entry.name == u"..";
                require(last.empty() || dots || last == u"." || last == u".." || last < entry.name);
                last = entry.name;
                return ++count < at_most;
            };
            const auto done = volume_.read_directory(directory, marker, add);
            if (!done || *done || last.empty()) return;
            marker = last;
        }
    }

    Input& input_;
    guest::Volume& volume_;
    std::array<guest::File*, kFiles> files_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    std::size_t replies = 0;
    lab::ScriptedHost* itself = nullptr;
    lab::ScriptedHost host([&](const lab::ScriptedRequest& request) -> lab::Answer {
        if (++replies > kMaxReplies) {
            itself->lose();
            return lab::TransportFailure{guest::ChannelError::kLost};
        }
        return reply_from(input, request);
    });
    itself = &host;
    auto volume = guest::Volume::mount(host, {.owner = {}, .max_idle_nodes = 4, .log = {}});
    if (!volume) return 0;
    Program(input, **volume).run();
    (*volume)->session().forget_idle();
    return 0;
}
