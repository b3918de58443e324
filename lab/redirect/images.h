// Programs and DLLs on an emulated volume: Wine's Unix side opens images by itself, so they are copied to
// drive C: first. Must never know: processes, sections.
#pragma once

#include "lab/redirect/nt.h"
#include "lab/redirect/tag.h"
#include "lab/redirect/wide_text.h"

namespace lab::redirect {

using ImagePath = WideText<600>;

// Copies the file (once for each state of it) and gives the copy's DOS path on drive C:.
NTSTATUS spool_image(Tag file, ImagePath& path);

// The copy, opened for an image section.
NTSTATUS open_spooled_image(Tag file, HANDLE& handle);

// Keeps reads and writes on behalf of the system from moving a synchronous handle's current position.
class PositionGuard {
  public:
    explicit PositionGuard(Tag file);
    ~PositionGuard();
    PositionGuard(const PositionGuard&) = delete;
    PositionGuard& operator=(const PositionGuard&) = delete;

  private:
    Tag file_;
    std::uint64_t position_ = 0;
    bool known_ = false;
};

}  // namespace lab::redirect
