#include "lab/redirect/injection.h"

#include <cstring>

#include "lab/redirect/calls.h"

namespace lab::redirect {
namespace {

constexpr std::uint64_t kMagic = 0x3130'4A4E'4942'414CULL;
constexpr std::size_t kMaxOwnPath = 260;
constexpr std::size_t kMaxDescriptors = 1024;
constexpr std::uint64_t kReach = 0x7FFF'0000;  // import tables are found by 32-bit offsets from the image
constexpr char kMarker[] = "lab_redirect_marker";

// One block in the child, at its start; then the import descriptors, then the texts.
struct Block {
    std::uint64_t magic;
    std::uint32_t bytes;
    std::uint32_t inherits_handles;
    std::uint32_t session_at, session_chars;
    std::uint32_t directory_at, directory_chars;
    std::uint32_t image_at, image_chars;
    std::uint64_t name_table[2];     // our import: what is wanted
    std::uint64_t address_table[2];  // and where the loader puts it
    struct {
        std::uint16_t hint;
        char name[sizeof(kMarker) + 1];
    } marker;
    char dll[kMaxOwnPath];
};

constinit char g_own_path[kMaxOwnPath] = {};

constexpr std::size_t align8(std::size_t bytes) {
    return (bytes + 7) & ~std::size_t{7};
}

// A remote process's memory, in typed reads and writes.
class Remote {
  public:
    explicit Remote(HANDLE process) : process_(process) {}

    template <typename T>
    NTSTATUS read(std::uint64_t address, T& to) const {
        return NtReadVirtualMemory(process_, reinterpret_cast<const void*>(address), &to, sizeof(T), nullptr);
    }
    NTSTATUS write(std::uint64_t address, const void* from, std::size_t bytes) const {
        return NtWriteVirtualMemory(process_, reinterpret_cast<void*>(address), from, bytes, nullptr);
    }
    // Into pages that may be read-only.
    NTSTATUS patch(std::uint64_t address, const void* from, std::size_t bytes) const {
        void* page = reinterpret_cast<void*>(address);
        SIZE_T size = bytes;
        ULONG old = 0;
        NTSTATUS status = NtProtectVirtualMemory(process_, &page, &size, PAGE_READWRITE, &old);
        if (status < 0) return status;
        status = write(address, from, bytes);
        NtProtectVirtualMemory(process_, &page, &size, old, &old);
        return status;
    }
    // Above `base`, within reach of 32-bit offsets.
    std::uint64_t allocate_near(std::uint64_t base, std::uint64_t image_bytes, std::size_t bytes) const {
        constexpr std::uint64_t kStep = 0x10000;
        for (std::uint64_t at = (base + image_bytes + kStep - 1) & ~(kStep - 1); at + bytes < base + kReach;
             at += kStep) {
            void* memory = reinterpret_cast<void*>(at);
            SIZE_T size = bytes;
            if (NtAllocateVirtualMemory(process_, &memory, 0, &size, MEM_COMMIT | MEM_RESERVE,
                                        PAGE_READWRITE) >= 0) {
                return at;
            }
        }
        return 0;
    }

  private:
    HANDLE process_;
};

std::uint64_t peb_of(HANDLE process) {
    ProcessBasicInformation basic{};
    if (NtQueryInformationProcess(process, static_cast<PROCESSINFOCLASS>(0), &basic, sizeof(basic), nullptr) <
        0) {
        return 0;
    }
    return reinterpret_cast<std::uint64_t>(basic.peb);
}

// The block as it is put together here, to be copied into the child.
class Builder {
  public:
    explicit Builder(std::size_t bytes)
        : memory_(static_cast<std::byte*>(
              VirtualAlloc(nullptr, bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE))) {}
    ~Builder() {
        if (memory_) VirtualFree(memory_, 0, MEM_RELEASE);
    }
    Builder(const Builder&) = delete;
    Builder& operator=(const Builder&) = delete;

    std::byte* memory() const { return memory_; }
    Block& block() const { return *reinterpret_cast<Block*>(memory_); }

    std::uint32_t put(std::size_t& at, std::u16string_view text) const {
        const auto start = static_cast<std::uint32_t>(at);
        std::memcpy(memory_ + at, text.data(), text.size() * 2);
        at = align8(at + text.size() * 2 + 2);
        return start;
    }

  private:
    std::byte* memory_;
};

struct Image {
    std::uint64_t base = 0;
    std::uint64_t directory_at = 0;  // address of the import directory's entry in the headers
    std::uint64_t bound_at = 0;
    std::uint32_t size = 0;
    IMAGE_DATA_DIRECTORY imports{};
};

NTSTATUS read_image(const Remote& remote, std::uint64_t peb, Image& image) {
    if (const NTSTATUS status = remote.read(peb + kPebImageBase, image.base); status < 0) return status;
    IMAGE_DOS_HEADER dos{};
    if (const NTSTATUS status = remote.read(image.base, dos); status < 0) return status;
    IMAGE_NT_HEADERS64 headers{};
    const std::uint64_t at = image.base + static_cast<std::uint32_t>(dos.e_lfanew);
    if (const NTSTATUS status = remote.read(at, headers); status < 0) return status;
    if (dos.e_magic != IMAGE_DOS_SIGNATURE || headers.Signature != IMAGE_NT_SIGNATURE ||
        headers.FileHeader.Machine != IMAGE_FILE_MACHINE_AMD64 ||
        headers.OptionalHeader.NumberOfRvaAndSizes <= IMAGE_DIRECTORY_ENTRY_BOUND_IMPORT) {
        return kStatusInvalidImageFormat;
    }
    const std::uint64_t directories =
        at + offsetof(IMAGE_NT_HEADERS64, OptionalHeader) + offsetof(IMAGE_OPTIONAL_HEADER64, DataDirectory);
    image.directory_at = directories + IMAGE_DIRECTORY_ENTRY_IMPORT * sizeof(IMAGE_DATA_DIRECTORY);
    image.bound_at = directories + IMAGE_DIRECTORY_ENTRY_BOUND_IMPORT * sizeof(IMAGE_DATA_DIRECTORY);
    image.size = headers.OptionalHeader.SizeOfImage;
    image.imports = headers.OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];
    return STATUS_SUCCESS;
}

// Copies the image's import descriptors behind ours; gives their number, the closing empty one included.
NTSTATUS copy_descriptors(const Remote& remote, const Image& image, IMAGE_IMPORT_DESCRIPTOR* to,
                          std::size_t& count) {
    count = 0;
    if (image.imports.VirtualAddress == 0) {
        to[count++] = {};
        return STATUS_SUCCESS;
    }
    while (count < kMaxDescriptors) {
        const std::uint64_t at =
            image.base + image.imports.VirtualAddress + count * sizeof(IMAGE_IMPORT_DESCRIPTOR);
        if (const NTSTATUS status = remote.read(at, to[count]); status < 0) return status;
        ++count;
        if (to[count - 1].Name == 0 || to[count - 1].FirstThunk == 0) {
            to[count - 1] = {};
            return STATUS_SUCCESS;
        }
    }
    return kStatusInvalidImageFormat;
}

}  // namespace

bool set_own_path(HMODULE self) {
    wchar_t path[kMaxOwnPath];
    const DWORD length = GetModuleFileNameW(self, path, kMaxOwnPath);
    if (length == 0 || length >= kMaxOwnPath) return false;
    for (DWORD i = 0; i < length; ++i) {
        if (path[i] > 0x7E) return false;
        g_own_path[i] = static_cast<char>(path[i]);
    }
    return true;
}

NTSTATUS inject(HANDLE process, const StartupNote& note) {
    const Remote remote(process);
    const std::uint64_t peb = peb_of(process);
    Image image;
    if (peb == 0) return STATUS_UNSUCCESSFUL;
    if (const NTSTATUS status = read_image(remote, peb, image); status < 0) return status;

    constexpr std::size_t kDescriptorsAt = align8(sizeof(Block));
    const std::size_t text_bytes =
        (note.session.size() + note.current_directory.size() + note.image_path.size()) * 2 + 3 * 16;
    const std::size_t room =
        kDescriptorsAt + (kMaxDescriptors + 2) * sizeof(IMAGE_IMPORT_DESCRIPTOR) + text_bytes;
    const Builder builder(room);
    if (!builder.memory()) return STATUS_NO_MEMORY;
    auto* descriptors = reinterpret_cast<IMAGE_IMPORT_DESCRIPTOR*>(builder.memory() + kDescriptorsAt);
    std::size_t count = 0;
    if (const NTSTATUS status = copy_descriptors(remote, image, descriptors + 1, count); status < 0)
        return status;

    Block& block = builder.block();
    std::size_t at = align8(kDescriptorsAt + (count + 1) * sizeof(IMAGE_IMPORT_DESCRIPTOR));
    block.magic = kMagic;
    block.inherits_handles = note.inherits_handles;
    block.session_chars = static_cast<std::uint32_t>(note.session.size());
    block.session_at = builder.put(at, note.session);
    block.directory_chars = static_cast<std::uint32_t>(note.current_directory.size());
    block.directory_at = builder.put(at, note.current_directory);
    block.image_chars = static_cast<std::uint32_t>(note.image_path.size());
    block.image_at = builder.put(at, note.image_path);
    block.bytes = static_cast<std::uint32_t>(at);

    const std::uint64_t address = remote.allocate_near(image.base, image.size, at);
    if (address == 0) return STATUS_NO_MEMORY;
    const auto offset = [&](std::size_t in_block) {
        return static_cast<DWORD>(address + in_block - image.base);
    };
    std::memcpy(block.marker.name, kMarker, sizeof(kMarker));
    std::memcpy(block.dll, g_own_path, sizeof(g_own_path));
    block.name_table[0] = block.address_table[0] = offset(offsetof(Block, marker));
    descriptors[0].OriginalFirstThunk = offset(offsetof(Block, name_table));
    descriptors[0].FirstThunk = offset(offsetof(Block, address_table));
    descriptors[0].Name = offset(offsetof(Block, dll));
    if (const NTSTATUS status = remote.write(address, builder.memory(), at); status < 0) return status;

    const IMAGE_DATA_DIRECTORY imports{offset(kDescriptorsAt),
                                       static_cast<DWORD>((count + 1) * sizeof(IMAGE_IMPORT_DESCRIPTOR))};
    const IMAGE_DATA_DIRECTORY none{};
    if (const NTSTATUS status = remote.patch(image.directory_at, &imports, sizeof(imports)); status < 0)
        return status;
    if (const NTSTATUS status = remote.patch(image.bound_at, &none, sizeof(none)); status < 0) return status;
    if (note.image_path.empty()) return STATUS_SUCCESS;

    // The loader takes the program's name, and the folder its DLLs are looked for in, from here.
    std::uint64_t parameters = 0;
    if (const NTSTATUS status = remote.read(peb + kPebProcessParameters, parameters); status < 0)
        return status;
    UNICODE_STRING path{};
    path.Length = static_cast<USHORT>(note.image_path.size() * 2);
    path.MaximumLength = static_cast<USHORT>(path.Length + 2);
    path.Buffer = reinterpret_cast<wchar_t*>(address + block.image_at);
    return remote.write(parameters + offsetof(ProcessParameters, image_path), &path, sizeof(path));
}

std::optional<StartupNote> own_note() {
    const auto base = reinterpret_cast<std::uintptr_t>(GetModuleHandleW(nullptr));
    const auto* dos = reinterpret_cast<const IMAGE_DOS_HEADER*>(base);
    const auto* headers =
        reinterpret_cast<const IMAGE_NT_HEADERS64*>(base + static_cast<std::uint32_t>(dos->e_lfanew));
    if (headers->OptionalHeader.NumberOfRvaAndSizes <= IMAGE_DIRECTORY_ENTRY_IMPORT) return std::nullopt;
    const DWORD imports = headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress;
    if (imports < headers->OptionalHeader.SizeOfImage) return std::nullopt;
    const std::uintptr_t address = base + imports - align8(sizeof(Block));
    const auto* block = reinterpret_cast<const Block*>(address);
    if (block->magic != kMagic) return std::nullopt;
    const auto text = [&](std::uint32_t at, std::uint32_t chars) {
        return std::u16string_view(reinterpret_cast<const char16_t*>(address + at), chars);
    };
    return StartupNote{.session = text(block->session_at, block->session_chars),
                       .current_directory = text(block->directory_at, block->directory_chars),
                       .image_path = text(block->image_at, block->image_chars),
                       .inherits_handles = block->inherits_handles != 0};
}

}  // namespace lab::redirect
