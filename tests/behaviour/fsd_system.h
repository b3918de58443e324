// The system natively: a volume of lab/fsd in this process. Must never know: which file system is behind the
// volume.
#pragma once

#include "lab/fsd/fsd.h"
#include "tests/behaviour/system.h"

namespace behaviour {

class FsdSystem final : public System {
  public:
    struct Traits {
        Offers offers = Offers::kNothing;
        std::optional<std::filesystem::path> host_root;
    };

    // The volume outlives the system.
    FsdSystem(lab::fsd::Fsd& volume, Traits traits) : volume_(volume), traits_(std::move(traits)) {}

    Offers offers() const override { return traits_.offers; }
    std::u16string test_root() const override { return {}; }
    std::optional<std::filesystem::path> host_root() const override { return traits_.host_root; }
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
    lab::fsd::Fsd& volume_;
    Traits traits_;
};

}  // namespace behaviour
