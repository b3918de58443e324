// Volume's inside: what its operations, one file each group, have in common. Must never know: windows.h,
// WinFsp.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "guest/volume/new_file_owner.h"
#include "guest/volume/open_file.h"
#include "guest/volume/path_walk.h"
#include "guest/volume/session.h"
#include "guest/volume/volume.h"

namespace guest {

class Volume::Impl {
  public:
    Impl(std::unique_ptr<Session> session, VolumeOptions options)
        : options_(std::move(options)),
          owner_(options_.owner, options_.overflow),
          session_(std::move(session)),
          walk_(*session_) {}
    ~Impl();

    Session& session() { return *session_; }

    // volume.cc
    // The root's owner when it was mounted; says so if new files cannot have him.
    void begin_with_owner(const fuse::Attr& root);
    void ask_for_sign_of_life() noexcept;
    nt::Result<VolumeInfo> volume_info();
    nt::Result<std::uint32_t> attributes_of(std::u16string_view path);
    nt::Result<void> flush_volume();

    // volume_open.cc
    nt::Result<Opened> create(std::u16string_view path, const CreateParameters& parameters);
    nt::Result<Opened> create_new(std::u16string_view path, const CreateParameters& parameters);
    nt::Result<Opened> open_made_meanwhile(std::u16string_view path, const CreateParameters& parameters);
    nt::Result<Opened> open(std::u16string_view path, const OpenParameters& parameters);
    void close(File* file) noexcept;

    // volume_data.cc
    nt::Result<std::uint32_t> read(File& file, std::span<std::byte> buffer, std::uint64_t offset);
    nt::Result<Written> write(File& file, std::span<const std::byte> data, const WritePosition& position);
    nt::Result<nt::FileInfo> flush(File& file);

    // volume_attributes.cc
    nt::Result<nt::FileInfo> file_info(File& file);
    nt::Result<nt::FileInfo> overwrite(File& file, std::uint32_t attributes, bool replace_attributes,
                                       std::uint64_t allocation_size);
    nt::Result<nt::FileInfo> set_basic_info(File& file, const BasicInfoChange& change);
    nt::Result<nt::FileInfo> set_size(File& file, std::uint64_t bytes, SizeKind kind);

    // volume_names.cc
    nt::Result<void> can_delete(File& file);
    void cleanup(File& file, std::u16string_view path, const CleanupActions& actions);
    nt::Result<void> rename(const File& file, std::u16string_view from, std::u16string_view to, bool replace);

    // volume_directory.cc
    nt::Result<bool> read_directory(File& directory, std::optional<std::u16string_view> marker,
                                    const std::function<bool(const DirectoryEntry&)>& add);
    nt::Result<nt::FileInfo> entry_of(File& directory, std::u16string_view name);

    // volume_links.cc
    nt::Result<std::vector<std::byte>> reparse_point_of(std::u16string_view path);
    nt::Result<std::vector<std::byte>> reparse_point(const File& file);

    // volume_reparse.cc
    nt::Result<void> set_reparse_point(File& file, std::u16string_view path, std::span<const std::byte> data);
    nt::Result<void> delete_reparse_point(File& file, std::u16string_view path,
                                          std::span<const std::byte> data);

  private:
    // Things that a host cannot store yet and that are accepted without a word to the program.
    enum class Unstored : std::size_t {
        kHiddenOrSystem,
        kOtherAttributes,
        kCreationTime,
        kChangeTime,
        kUnlistableName,
        kCount
    };

    struct Place {  // of a name
        NodePin directory;
        HostNodeId directory_id;
    };

    NodeTable& nodes() { return session_->nodes(); }
    // By what is known of the root; asks nobody.
    HostOwner owner_for_new();
    void log(std::string_view line);
    void log_once(Unstored what, std::string_view line);

    // Runs `attempt` with what is known, and once more with fresh knowledge if the host no longer knows of
    // something.
    template <typename Attempt>
    auto with_second_try(Attempt attempt) -> decltype(attempt(Trust::kKnown)) {
        auto result = attempt(Trust::kKnown);
        if (!result && result.error().is_gone()) return attempt(Trust::kFresh);
        return result;
    }

    HostResult<Place> place_of(std::span<const std::string> path, Trust trust);

    // volume_open.cc
    HostResult<Opened> create_file(std::span<const std::string> path, const CreateParameters& parameters,
                                   Trust trust);
    HostResult<Opened> create_directory(std::span<const std::string> path, const CreateParameters& parameters,
                                        Trust trust);
    HostResult<Opened> open_existing(std::span<const std::string> path, const OpenParameters& parameters,
                                     Trust trust);
    Opened add_file(std::shared_ptr<File> file, const fuse::Attr& attr);
    HostResult<std::shared_ptr<HostHandle>> handle_for(File& file, Need need);
    bool is_open_elsewhere(const NodePin& node, const File* besides);
    void keep_reachable(const NodePin& directory, std::string_view name);

    // volume_data.cc
    HostResult<std::uint32_t> read_pieces(const HostHandle& handle, std::span<std::byte> buffer,
                                          std::uint64_t offset, std::uint64_t known_size);
    HostResult<void> write_pieces(const HostHandle& handle, std::span<const std::byte> data,
                                  std::uint64_t offset);

    // volume_attributes.cc
    HostResult<fuse::Attr> current_attributes(File& file);
    HostResult<fuse::Attr> change_attributes(File& file, const fuse::SetAttrIn& change);
    nt::Result<nt::FileInfo> info_with_our_times(File& file, const KnownAttributes& known);
    void set_aside(File& file, std::uint64_t bytes);
    void give_up_set_aside(File& file);
    std::uint32_t mode_for(const File& file, const fuse::Attr& attr, bool read_only);

    // volume_names.cc
    HostResult<void> remove_name(std::span<const std::string> path, File& file, Trust trust);
    template <typename Operation>
    HostResult<void> on_child(const Place& place, const std::string& name, Operation operation);
    HostResult<void> rename_once(const File& file, std::span<const std::string> from,
                                 std::span<const std::string> to, bool replace, Trust trust);
    HostResult<void> rename_without_replacing(const Place& from, const std::string& from_name,
                                              const Place& to, const std::string& to_name,
                                              const NodePin& source, bool is_directory);
    HostResult<void> move_by_placeholder(const Place& from, const std::string& from_name, const Place& to,
                                         const std::string& to_name, bool is_directory);

    // volume_directory.cc
    HostResult<std::shared_ptr<HostHandle>> directory_handle(File& directory);
    HostResult<bool> is_empty(File& directory);
    HostResult<std::shared_ptr<const DirectorySnapshot>> read_all_entries(File& directory);
    struct Listing;
    HostResult<void> read_with_attributes(Listing& listing);
    HostResult<void> read_names(Listing& listing);
    HostResult<void> look_up_pending(Listing& listing);
    void show(Listing& listing, std::string_view name, const fuse::Attr& attr);

    // volume_links.cc
    struct FoundLink {
        std::string host_name;
        std::u16string guest_name;
        fuse::Attr attr;
    };
    HostResult<std::string> target_of(const NodePin& link);
    void learn_targets(std::span<const NodePin> links);
    std::optional<std::vector<std::string>> path_of(NodePin directory);
    // Whether a link that lies in `directory` ends at a directory of the share. Costs a READLINK the first
    // time and LOOKUPs for what is not known of its target.
    bool leads_to_directory(const NodePin& link, std::span<const std::string> directory);
    bool leads_to_directory(const NodePin& link);
    // As file_info_of; links to directories are directories.
    nt::FileInfo info_of(const NodePin& node, const fuse::Attr& attr);
    void show_links(std::span<const FoundLink> links, const NodePin& directory, DirectorySnapshot& snapshot);

    // volume_reparse.cc
    struct Replacement {
        std::string name;  // in the same directory, until it is in its place
        NodePin node;
        TimePoint expires;  // what the host says of the name
    };
    nt::Result<void> check_holds_nothing(File& file);
    HostResult<Replacement> make_under(const Place& place, std::string name, FileKind kind,
                                       const std::string& target);
    HostResult<Replacement> make_replacement(const Place& place, FileKind kind, const std::string& target);
    HostResult<void> put_in_place(File& file, std::span<const std::string> path, FileKind kind,
                                  const std::string& target, Trust trust);
    HostResult<void> exchange(const Place& place, const std::string& name, bool old_is_directory,
                              const Replacement& made, bool new_is_directory);
    void become(const NodePin& old, const NodePin& node, FileKind kind);

    const VolumeOptions options_;
    NewFileOwner owner_;
    const std::unique_ptr<Session> session_;
    PathWalk walk_;
    std::atomic<bool> no_replace_is_unsupported_ = false;
    std::array<std::atomic<bool>, static_cast<std::size_t>(Unstored::kCount)> logged_{};

    std::mutex files_mutex_;
    std::unordered_map<File*, std::shared_ptr<File>> files_;
};

// Does something to a name that exists. Those hosts answer EIO both if there is no reference and if there is
// no such name: a LOOKUP brings the one or tells the other.
template <typename Operation>
HostResult<void> Volume::Impl::on_child(const Place& place, const std::string& name, Operation operation) {
    constexpr int kAttempts = 8;  // others may take the name away and bring it back meanwhile
    HostResult<void> done = operation();
    for (int i = 0; i < kAttempts && !done && done.error().is(fuse::Errno::kEIO); ++i) {
        const auto child = walk_.step(place.directory, name, Trust::kFresh, false);
        if (!child) return std::unexpected(child.error());
        done = operation();
    }
    return done;
}

}  // namespace guest
