// Functions of kernelbase that Wine 8.0 implements differently from Windows above the Nt calls, replaced by
// what Windows does. Must never know: emulated volumes (the replacements serve every drive).
#pragma once

#include "lab/redirect/nt.h"

namespace lab::redirect {

void replace_kernelbase_functions();

// Rights that Windows' function would ask for where kernelbase's, at the given return address, asks for
// fewer.
ACCESS_MASK access_as_windows_asks(ACCESS_MASK access, const void* return_address);

}  // namespace lab::redirect
