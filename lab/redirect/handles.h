// Which handles of this process stand for files of an emulated volume. A stand-in is a handle to a named
// event that the server made; identity survives DuplicateHandle and inheritance through the event's name.
// Must never know: what is done with the file.
#pragma once

#include "lab/redirect/mounts.h"
#include "lab/redirect/tag.h"

namespace lab::redirect {

// Before anything else here. False: no memory.
bool start_handles(const Session& session);

// The handle's tag; a handle not seen before is looked at (two server calls of Wine at most, once). Pseudo
// handles and values beyond the table's range are foreign or looked at each time.
Tag tag_of(HANDLE handle);
// What is known without looking: Kind::kUnknown if nothing.
Tag known_tag_of(HANDLE handle);
void set_tag(HANDLE handle, Tag tag);
// The handle is about to be closed: forgets it and returns what was known.
Tag forget_handle(HANDLE handle);

// The first known handle of an open file beyond `after` (null: the first of all); null when there are no
// more.
HANDLE next_file_handle(HANDLE after);

// Looks at all handles of this process that could be stand-ins: those a parent left to it.
void find_inherited_handles();

}  // namespace lab::redirect
