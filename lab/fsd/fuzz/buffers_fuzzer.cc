// A program's buffers and numbers as they come: any class, any length, any content, on a small tree. Nothing
// crashes, no answer claims more bytes than the buffer has, and the file system behind is called by the
// protocol.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "lab/fsd/fsd.h"
#include "lab/fsd/memory_file_system.h"
#include "nt/info_class.h"

namespace {

using namespace lab::fsd;

// Reads the input from the front; zeros after its end.
class Input {
  public:
    explicit Input(std::span<const std::byte> bytes) : bytes_(bytes) {}
    bool empty() const { return bytes_.empty(); }
    template <typename T>
    T take() {
        T value{};
        const auto part = take_bytes(sizeof(T));
        if (!part.empty()) std::memcpy(&value, part.data(), part.size());
        return value;
    }
    std::span<const std::byte> take_bytes(std::size_t count) {
        const auto part = bytes_.first(std::min(count, bytes_.size()));
        bytes_ = bytes_.subspan(part.size());
        return part;
    }
    std::u16string take_text() {
        const auto part = take_bytes(2 * (take<std::uint8_t>() % 32));
        std::u16string text(part.size() / 2, u'\0');
        if (!text.empty()) std::memcpy(text.data(), part.data(), text.size() * 2);
        return text;
    }

  private:
    std::span<const std::byte> bytes_;
};

void require(bool holds) {
    if (!holds) std::abort();
}

FileId open(Fsd& fsd, std::u16string_view name, std::uint32_t options) {
    return fsd
        .create({.name = name,
                 .desired_access = nt::access::kFileAllAccess,
                 .share_access = nt::share::kAll,
                 .disposition = nt::Disposition::kOpenIf,
                 .options = options | nt::create_option::kSynchronousIoNonalert})
        .file;
}

std::uint32_t control_code(Input& input) {
    constexpr std::uint32_t kReparse[] = {nt::fsctl::kSetReparsePoint, nt::fsctl::kGetReparsePoint,
                                          nt::fsctl::kDeleteReparsePoint};
    const auto choice = input.take<std::uint16_t>();
    return choice % 2 == 0 ? kReparse[choice / 2 % 3] : 0x00090000U | choice;
}

void one_call(Fsd& fsd, FileId file, Input& input) {
    const auto operation = input.take<std::uint8_t>();
    const std::uint32_t information_class = input.take<std::uint8_t>();
    std::vector<std::byte> out(input.take<std::uint8_t>());
    IoStatus io;
    switch (operation % 7) {
        case 0:
            io = fsd.query_information(file, information_class, out);
            break;
        case 1:
            fsd.set_information(file, information_class, input.take_bytes(input.take<std::uint8_t>()));
            break;
        case 2: {
            const std::u16string pattern = input.take_text();
            DirectoryQuery query{.information_class = information_class,
                                 .restart_scan = operation >= 128,
                                 .return_single_entry = operation % 2 == 1};
            if (!pattern.empty()) query.pattern = pattern;
            io = fsd.query_directory(file, query, out);
            break;
        }
        case 3:
            io = fsd.query_volume_information(file, information_class, out);
            break;
        case 4:
            fsd.set_volume_information(file, information_class, input.take_bytes(input.take<std::uint8_t>()));
            break;
        case 5:
            io = fsd.fs_control(file, control_code(input), input.take_bytes(input.take<std::uint8_t>()), out);
            break;
        default: {
            const std::u16string name = input.take_text();
            const CreateResult created = fsd.create({.name = name,
                                                     .related = operation >= 128 ? file : FileId::kNone,
                                                     .desired_access = input.take<std::uint32_t>(),
                                                     .attributes = input.take<std::uint16_t>(),
                                                     .share_access = nt::share::kAll,
                                                     .disposition = nt::Disposition{information_class},
                                                     .options = input.take<std::uint32_t>()});
            if (created.file != FileId::kNone) fsd.close_handle(created.file);
            break;
        }
    }
    require(io.information <= out.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(std::as_bytes(std::span(data, size)));
    const auto flags = input.take<std::uint8_t>();
    const bool case_sensitive = flags % 2 == 0;
    MemoryFileSystem memory({.case_sensitive = case_sensitive});
    {
        Fsd fsd(memory, {.case_sensitive_search = case_sensitive,
                         .reparse_points = (flags & 32) == 0,
                         .named_streams = (flags & 2) != 0,
                         .extended_attributes = (flags & 4) != 0,
                         .pass_query_directory_file_name = (flags & 8) != 0,
                         .supports_posix_unlink_rename = (flags & 16) != 0});
        const FileId files[] = {open(fsd, u"\\", 0), open(fsd, u"\\dir", nt::create_option::kDirectoryFile),
                                open(fsd, u"\\dir\\file", 0), open(fsd, u"\\file", 0), open(fsd, u"", 0)};
        while (!input.empty())
            one_call(fsd, files[input.take<std::uint8_t>() % 5], input);
    }
    require(memory.violations(true).empty());
    return 0;
}
