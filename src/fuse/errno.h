// Linux's error numbers as FUSE carries them, whatever the guest's own <errno.h> says.
// Must never know: NTSTATUS. Source: Linux, include/uapi/asm-generic/errno-base.h and errno.h.
#pragma once

#include <cstdint>

namespace fuse {

// Positive; kNone is success. Values without a name here occur and are legal up to kMaxErrno.
enum class Errno : std::int32_t {
    kNone = 0,
    kEPERM = 1,
    kENOENT = 2,
    kESRCH = 3,
    kEINTR = 4,
    kEIO = 5,
    kENXIO = 6,
    kE2BIG = 7,
    kEBADF = 9,
    kEAGAIN = 11,
    kENOMEM = 12,
    kEACCES = 13,
    kEFAULT = 14,
    kEBUSY = 16,
    kEEXIST = 17,
    kEXDEV = 18,
    kENODEV = 19,
    kENOTDIR = 20,
    kEISDIR = 21,
    kEINVAL = 22,
    kENFILE = 23,
    kEMFILE = 24,
    kENOTTY = 25,
    kETXTBSY = 26,
    kEFBIG = 27,
    kENOSPC = 28,
    kESPIPE = 29,
    kEROFS = 30,
    kEMLINK = 31,
    kERANGE = 34,
    kEDEADLK = 35,
    kENAMETOOLONG = 36,
    kENOLCK = 37,
    kENOSYS = 38,
    kENOTEMPTY = 39,
    kELOOP = 40,
    kENODATA = 61,
    kEPROTO = 71,
    kEOVERFLOW = 75,
    kEILSEQ = 84,
    kENOTSUP = 95,
    kENOTCONN = 107,
    kETIMEDOUT = 110,
    kESTALE = 116,
    kEDQUOT = 122,
    kECANCELED = 125,
};

inline constexpr std::int32_t kMaxErrno = 4095;

}  // namespace fuse
