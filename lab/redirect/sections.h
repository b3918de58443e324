// Sections over files of an emulated volume. A data section is a copy of the file in the page file, written
// back when a view is flushed or unmapped and when the process ends: coherent within a process, not with
// reads and writes. Must never know: how files are transferred.
#pragma once

#include "lab/redirect/nt.h"
#include "lab/redirect/tag.h"

namespace lab::redirect {

// One handle of the section more or less in this process.
void retain_section(Tag section);
void release_section(Tag section);

// Writes back what views of this process changed: it is about to end.
void flush_all_views();

}  // namespace lab::redirect
