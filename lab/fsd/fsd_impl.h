// The inside of Fsd: one volume's tables and locks, and every operation as a method; each concept's methods
// are in the .cc file named after it. Must never be included outside lab/fsd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>

#include "lab/fsd/access_check.h"
#include "lab/fsd/file_node.h"
#include "lab/fsd/file_object.h"
#include "lab/fsd/fsd.h"
#include "lab/fsd/names.h"

namespace lab::fsd {

inline IoStatus io(nt::Status status, std::uint64_t information = 0) {
    return {status, information};
}
inline IoStatus io(const nt::Result<void>& result) {
    return io(result ? nt::Status::kSuccess : result.error());
}

class Fsd::Impl {
  public:
    Impl(FileSystem& file_system, VolumeParams params, CallerRules rules);
    ~Impl();
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    // fsd.cc
    std::u16string path_of(FileId id) const;
    std::size_t open_count() const { return objects_.size(); }

    // create.cc
    CreateResult create(const CreateRequest& request);

    // cleanup.cc
    void cleanup(FileId id);
    void close(FileId id);

    // io.cc
    IoStatus read(FileId id, std::span<std::byte> buffer, std::optional<std::uint64_t> offset);
    IoStatus write(FileId id, std::span<const std::byte> data, std::optional<std::uint64_t> offset);
    IoStatus flush(FileId id);

    // query_info.cc, set_info.cc
    IoStatus query_information(FileId id, std::uint32_t information_class, std::span<std::byte> buffer);
    IoStatus set_information(FileId id, std::uint32_t information_class, std::span<const std::byte> buffer);

    // volume_info.cc
    IoStatus query_volume_information(FileId id, std::uint32_t information_class,
                                      std::span<std::byte> buffer);
    IoStatus set_volume_information(FileId id, std::uint32_t information_class,
                                    std::span<const std::byte> buffer);
    IoStatus fs_control(FileId id, std::uint32_t code, std::span<const std::byte> in,
                        std::span<std::byte> out);

    // directory.cc
    IoStatus query_directory(FileId id, const DirectoryQuery& query, std::span<std::byte> buffer);

    // rename.cc
    IoStatus rename(FileId id, const RenameRequest& request);

  private:
    // A file object in use: cleanup waits until it is let go, the object lives at least as long.
    struct Active {
        FileObjectRef object;
        std::shared_lock<SharedLock> activity;
        FileObject& operator*() const { return *object; }
        FileObject* operator->() const { return object.get(); }
    };
    enum class CreateKind { kFile, kTargetDirectory };
    struct Created {
        FileObjectRef object;
        nt::CreateAction action = nt::CreateAction::kOpened;
    };
    // A create after the I/O manager's and the name's checks.
    struct CreatePlan {
        ParsedName name;
        std::uint32_t desired_access = 0;
        std::uint32_t share_access = 0;
        std::uint32_t attributes = 0;
        std::uint32_t options = 0;
        std::uint64_t allocation_size = 0;
        nt::Disposition disposition = nt::Disposition::kOpen;
    };
    struct Admission {
        Opened opened;
        std::uint32_t granted_access = 0;
        nt::CreateAction action = nt::CreateAction::kOpened;
    };
    struct WriteStart {
        std::uint64_t offset = 0;
        bool to_end_of_file = false;
    };

    // fsd.cc
    nt::Result<Active> enter(FileId id) const;
    // As enter, refusing the volume's own file object.
    nt::Result<Active> enter_file(FileId id) const;
    FileObjectRef make_object();
    // The file system's answer, or the unexpired one before.
    nt::Result<nt::FileInfo> current_info(FileObject& object);
    std::uint64_t allocation_unit() const;
    std::uint64_t round_to_unit(std::uint64_t bytes) const;
    NameRules name_rules() const;

    // create.cc
    nt::Result<Created> create_object(const CreateRequest& request, CreateKind kind);
    nt::Result<ParsedName> name_of(const CreateRequest& request) const;
    nt::Result<CreatePlan> plan_create(const CreateRequest& request) const;
    Checked<Created> create_named(const CreateRequest& request, CreateKind kind);
    nt::Result<std::u16string> resolve(const CreateRequest& request, CreateKind kind, std::uint32_t index);
    Checked<Created> open_target_directory(const CreateRequest& request, const ParsedName& name);
    Checked<Admission> open_existing(const CreatePlan& plan);
    Checked<Admission> make_new(const CreatePlan& plan);
    Checked<Admission> open_or_make(const CreatePlan& plan);
    nt::Result<Created> admit(const CreatePlan& plan, const Admission& admission);
    nt::Result<void> overwrite(FileObject& object, const CreatePlan& plan, const Admission& admission);

    // cleanup.cc
    void cleanup(FileObject& object);

    // io.cc
    IoStatus read_at(FileObject& object, std::span<std::byte> buffer, std::optional<std::uint64_t> offset);
    IoStatus write_at(FileObject& object, std::span<const std::byte> data,
                      std::optional<std::uint64_t> offset);
    bool is_aligned(const FileObject& object, std::uint64_t offset_or_length) const;

    // query_info.cc
    IoStatus query_name(FileObject& object, std::span<std::byte> buffer) const;
    IoStatus query_all(FileObject& object, std::span<std::byte> buffer);

    // set_info.cc
    IoStatus set_basic(FileObject& object, std::span<const std::byte> buffer);
    IoStatus set_size(FileObject& object, std::uint64_t bytes, bool allocation_size);
    IoStatus set_position(FileObject& object, std::uint64_t bytes) const;
    IoStatus set_disposition(FileObject& object, bool remove);
    IoStatus set_disposition_ex(FileObject& object, std::uint32_t flags);
    nt::Result<void> dispose(FileObject& object, bool remove, bool ignore_read_only);
    IoStatus rename_from_buffer(FileId id, std::span<const std::byte> buffer, bool extended);

    // reparse_control.cc
    IoStatus reparse_control(FileObject& object, std::uint32_t code, std::span<const std::byte> in,
                             std::span<std::byte> out);
    IoStatus get_reparse_point(FileObject& object, std::span<std::byte> out);
    IoStatus change_reparse_point(FileObject& object, std::uint32_t code, std::span<const std::byte> in);

    // directory.cc
    struct Listing;
    nt::Result<Listing> list(const FileObject& object, const DirectoryScan& scan,
                             std::size_t caller_bytes) const;

    // rename.cc
    IoStatus rename_locked(FileObject& object, const RenameRequest& request,
                           const FileObject* target_directory);

    FileSystem& file_system_;
    const VolumeParams params_;
    const CallerRules rules_;
    NodeTable nodes_;
    FileObjectTable objects_;
    // WinFsp's FileRenameResource: opens, deletes and cleanups shared, renames exclusively, both for their
    // whole time.
    mutable std::shared_mutex rename_lock_;
};

}  // namespace lab::fsd
