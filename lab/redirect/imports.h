// Functions that a program imports and Wine's DLL lacks: the program's import is pointed at a stand-in. Must
// never know: what the functions do.
#pragma once

#include "lab/redirect/nt.h"

namespace lab::redirect {

// Points this process's program (not its DLLs) at `replacement` where it imports `function` of `dll` by name,
// both ASCII in any case. False: it does not import it.
bool replace_import(const char* dll, const char* function, const void* replacement);

}  // namespace lab::redirect
