// What Wine 8.0's kernelbase does not know of symbolic links: making them, and opening the links themselves.
// Must never know: emulated volumes (it serves every drive).
#pragma once

#include "lab/redirect/nt.h"

namespace lab::redirect {

// CreateSymbolicLink is replaced, CreateFile gets FILE_FLAG_OPEN_REPARSE_POINT through. `replace_function`
// and the hooks must be in place.
void add_symbolic_links(HMODULE kernelbase);

// Whether the calling thread is within a CreateFile that opens the reparse point itself.
bool wants_reparse_point();

}  // namespace lab::redirect
