// Functions of kernelbase that Wine 8.0 implements differently from Windows above the Nt calls, replaced by
// what Windows does. Must never know: emulated volumes (the replacements serve every drive).
#pragma once

#include "lab/redirect/nt.h"

namespace lab::redirect {

void replace_kernelbase_functions();

// How a function of Windows would open a file where kernelbase's, at the given return address, opens it.
struct OpenAs {
    ACCESS_MASK access;
    ULONG options;
};
OpenAs as_windows_opens(const OpenAs& open, ULONG share, const void* return_address);
// The same for NtCreateFile.
ULONG options_as_windows_asks(ULONG options, const void* return_address);

}  // namespace lab::redirect
