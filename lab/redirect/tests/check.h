// A check that prints what failed and goes on: the test programs' whole framework, as they run under Wine
// without one.
#pragma once

#include <windows.h>

#include <cstdio>

namespace check {

inline int& failures() {
    static int count = 0;
    return count;
}

inline bool report(bool ok, const char* file, int line, const char* what) {
    if (!ok) {
        std::fprintf(stderr, "%s:%d: failed, last error %lu: %s\n", file, line, GetLastError(), what);
        ++failures();
    }
    return ok;
}

}  // namespace check

#define CHECK(condition) check::report(static_cast<bool>(condition), __FILE__, __LINE__, #condition)
// The call must fail, with that error.
#define CHECK_ERROR(call, error) \
    (SetLastError(0),            \
     check::report(!(call) && GetLastError() == (error), __FILE__, __LINE__, #call " fails with " #error))
