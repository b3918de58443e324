// The system of a Windows program: a directory of a drive through ntdll. Must never know: what is behind the
// drive.
#pragma once

#include <string_view>

#include "tests/behaviour/system.h"

namespace behaviour {

class WindowsSystem final : public System {
  public:
    static constexpr Offers kOffered = Offers::kClock | Offers::kLargeFiles | Offers::kHostNames;

    // `directory` is "X:\dir", "X:\" or "X:"; it exists.
    explicit WindowsSystem(std::u16string_view directory);

    Offers offers() const override { return kOffered; }
    std::u16string test_root() const override { return root_; }
    std::optional<std::filesystem::path> host_root() const override { return {}; }
    nt::FileTime now() const override;

    CreateAnswer create(const CreateCall& call) override;
    nt::Status close(Handle handle) override;
    Io read(Handle handle, std::span<std::byte> buffer, std::optional<std::uint64_t> offset) override;
    Io write(Handle handle, std::span<const std::byte> data, std::optional<std::uint64_t> offset) override;
    Io flush(Handle handle) override;
    Io query_information(Handle handle, std::uint32_t information_class,
                         std::span<std::byte> buffer) override;
    Io set_information(Handle handle, std::uint32_t information_class,
                       std::span<const std::byte> buffer) override;
    Io rename(Handle handle, const RenameCall& call) override;
    Io query_directory(Handle handle, const DirectoryCall& call, std::span<std::byte> buffer) override;
    Io query_volume_information(Handle handle, std::uint32_t information_class,
                                std::span<std::byte> buffer) override;
    Io fs_control(Handle handle, std::uint32_t code, std::span<const std::byte> in,
                  std::span<std::byte> out) override;

  private:
    std::u16string drive_;  // "\??\X:"
    std::u16string root_;   // "\dir", "" for the drive's root
};

}  // namespace behaviour
