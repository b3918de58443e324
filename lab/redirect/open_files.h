// The server's side of handles: what programs have open, kept alive by handles to a named event in any
// process. Must never know: messages, the transport.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "lab/fsd/fsd.h"
#include "lab/redirect/mounts.h"
#include "lab/redirect/tag.h"

namespace lab::redirect {

// One file object that programs hold. Calls keep it by a shared pointer; the last one closes it.
class OpenFile {
  public:
    OpenFile(fsd::Fsd& fsd, fsd::FileId file, std::uint32_t access, std::uint32_t options, Tag tag,
             HANDLE event)
        : fsd_(fsd), file_(file), access_(access), options_(options), tag_(tag), event_(event) {}
    ~OpenFile();
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;

    fsd::FileId file() const { return file_; }
    std::uint32_t access() const { return access_; }
    std::uint32_t options() const { return options_; }
    Tag tag() const { return tag_; }
    // Whether no process has a handle any more.
    bool is_abandoned() const;
    // Runs the cleanup; once, whoever asks first.
    void cleanup();

  private:
    fsd::Fsd& fsd_;
    fsd::FileId file_;
    std::uint32_t access_;
    std::uint32_t options_;
    Tag tag_;
    HANDLE event_;  // this process's handle
    std::atomic<bool> cleaned_up_{false};
};

// All open files of one server. Thread-safe.
class OpenFiles {
  public:
    OpenFiles(fsd::Fsd& fsd, const Session& session, unsigned mount);

    // Makes the stand-in handle for a file just opened, in the process given (PROCESS_DUP_HANDLE). On failure
    // the file is closed.
    struct Made {
        NTSTATUS status;
        HANDLE handle;  // in that process
        Tag tag;
    };
    Made add(fsd::FileId file, std::uint32_t access, std::uint32_t options, HANDLE process, bool inherit);

    std::shared_ptr<OpenFile> find(std::uint64_t number) const;
    std::size_t count() const;

    // A handle was closed somewhere: cleans up if it was the last.
    void handle_closed(std::uint64_t number);
    // Looks at all of them: processes may have died, or closed handles unseen. When it returns, those that
    // were abandoned when it was called are cleaned up.
    void sweep();
    void close_all();

  private:
    void remove(const std::shared_ptr<OpenFile>& file);

    fsd::Fsd& fsd_;
    EventName prefix_;
    unsigned mount_;
    std::atomic<std::uint64_t> next_;
    std::mutex sweep_lock_;  // taken before lock_
    mutable std::mutex lock_;
    std::map<std::uint64_t, std::shared_ptr<OpenFile>> files_;
};

}  // namespace lab::redirect
