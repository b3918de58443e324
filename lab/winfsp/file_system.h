// The object behind FSP_FILE_SYSTEM: a dispatcher, the operations table as a file system, the kernel half
// that serves programs from it, and where it is mounted. Must never know: how programs' calls arrive.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lab/fsd/fsd.h"
#include "lab/redirect/server.h"
#include "lab/winfsp/dispatcher.h"
#include "lab/winfsp/winfsp_file_system.h"
#include "winfsp/winfsp.h"

namespace lab::winfsp {

class FileSystemObject {
  public:
    // The table outlives the object.
    FileSystemObject(const FSP_FSCTL_VOLUME_PARAMS& params, const FSP_FILE_SYSTEM_INTERFACE& operations);
    // Stops the dispatcher, unmounts.
    ~FileSystemObject();
    FileSystemObject(const FileSystemObject&) = delete;
    FileSystemObject& operator=(const FileSystemObject&) = delete;

    static FileSystemObject& of(FSP_FILE_SYSTEM* fs) { return *reinterpret_cast<FileSystemObject*>(fs); }

    // nullptr, "*" or "*:": the first free letter from Z: down to D:.
    NTSTATUS set_mount_point(const wchar_t* mount_point);
    void remove_mount_point();
    // Tells the lab's runner, once programs can use the drive: writes the letter to the file that
    // VFSLAB_MOUNTED names.
    void announce() const;

    FSP_FILE_SYSTEM api;  // first: programs hold a pointer to it
    Dispatcher dispatcher;

  private:
    NTSTATUS mount_at(wchar_t letter);

    fsd::VolumeParams params_;
    std::optional<WinfspFileSystem> file_system_;
    std::optional<fsd::Fsd> fsd_;
    std::unique_ptr<redirect::Server> server_;
    std::wstring mount_point_;  // what api.MountPoint points at
};

}  // namespace lab::winfsp
