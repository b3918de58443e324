// Serves one emulated volume to the redirected programs of a Wine prefix: the programs' Nt* calls arrive over
// shared memory and become calls of lab::fsd::Fsd. Lives in the process that loaded the stand-in DLL (a Wine
// process). Must never know: which file system is behind the Fsd, WinFsp's API.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "lab/fsd/fsd.h"

namespace lab::redirect {

struct ServerOptions {
    // What the drive letter stands for: "\Device\Volume{guid}", unique in the prefix. Programs may also open
    // names below it.
    std::u16string device_name;
    // 'A'..'Z'; nullopt: reachable by device name only, until set_drive_letter().
    std::optional<char16_t> drive_letter;
    // Calls served at once. A call blocks its thread while the file system works on it.
    unsigned threads = 8;
};

class Server {
  public:
    // Announces the volume to the prefix: programs started by the lab's launcher with the same VFSLAB_SESSION
    // see it at once, running ones too. The Fsd outlives the server. Errors are sentences for the user.
    static std::expected<std::unique_ptr<Server>, std::string> start(fsd::Fsd& fsd,
                                                                     const ServerOptions& options);

    // Withdraws the volume, waits for calls being served, then closes what programs still have open; their
    // handles fail from then on.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Defines the drive letter (GetLogicalDrives, QueryDosDevice, GetDriveType see it). One at a time; fails
    // when the letter is taken.
    std::expected<void, std::string> set_drive_letter(char16_t letter);
    void clear_drive_letter();

    // Opens that programs hold now, over all of them.
    std::size_t open_count() const;

    // Process id of the program whose call the current thread is serving (FspFileSystemOperationProcessId); 0
    // on other threads.
    static std::uint32_t calling_process_id();

  private:
    class Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab::redirect
