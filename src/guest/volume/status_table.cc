#include "guest/volume/status_table.h"

namespace guest {

nt::Status status_of(fuse::Errno error) {
    using fuse::Errno;
    using nt::Status;
    switch (error) {
        case Errno::kNone:
            return Status::kSuccess;
        case Errno::kEPERM:
        case Errno::kEACCES:
            return Status::kAccessDenied;
        case Errno::kENOENT:
            return Status::kObjectNameNotFound;
        case Errno::kEINTR:
        case Errno::kECANCELED:
            return Status::kCancelled;
        case Errno::kEIO:
            return Status::kUnexpectedIoError;
        case Errno::kENXIO:
        case Errno::kENODEV:
            return Status::kNoSuchDevice;
        case Errno::kEBADF:
            return Status::kInvalidHandle;
        case Errno::kEAGAIN:
        case Errno::kEDEADLK:
        case Errno::kENOLCK:
            return Status::kFileLockConflict;
        case Errno::kENOMEM:
        case Errno::kENFILE:
            return Status::kInsufficientResources;
        case Errno::kEMFILE:
            return Status::kTooManyOpenedFiles;
        case Errno::kEBUSY:
        case Errno::kETXTBSY:
            return Status::kSharingViolation;
        case Errno::kEEXIST:
            return Status::kObjectNameCollision;
        case Errno::kEXDEV:
            return Status::kNotSameDevice;
        case Errno::kENOTDIR:
            return Status::kNotADirectory;
        case Errno::kEISDIR:
            return Status::kFileIsADirectory;
        case Errno::kE2BIG:
        case Errno::kEINVAL:
        case Errno::kERANGE:
        case Errno::kESPIPE:
            return Status::kInvalidParameter;
        case Errno::kEFBIG:
        case Errno::kEOVERFLOW:
            return Status::kFileTooLarge;
        case Errno::kENOSPC:
        case Errno::kEDQUOT:  // NTFS answers a quota that is used up in the same way
            return Status::kDiskFull;
        case Errno::kEROFS:
            return Status::kMediaWriteProtected;
        case Errno::kEMLINK:
            return Status::kTooManyLinks;
        case Errno::kENAMETOOLONG:
        case Errno::kEILSEQ:
            return Status::kObjectNameInvalid;
        case Errno::kENOTTY:
        case Errno::kENOSYS:
        case Errno::kENOTSUP:
            return Status::kNotSupported;
        case Errno::kENOTEMPTY:
            return Status::kDirectoryNotEmpty;
        case Errno::kELOOP:
            return Status::kReparsePointNotResolved;
        case Errno::kESTALE:
            return Status::kFileDeleted;
        case Errno::kETIMEDOUT:
            return Status::kIoTimeout;
        case Errno::kENOTCONN:
            return Status::kDeviceNotReady;
        case Errno::kEPROTO:
            return Status::kDeviceProtocolError;
        case Errno::kESRCH:
        case Errno::kEFAULT:
        case Errno::kENODATA:
            return Status::kInternalError;
    }
    return Status::kIoDeviceError;
}

nt::Status status_of(ChannelError error) {
    switch (error) {
        case ChannelError::kLost:
            return nt::Status::kDeviceRemoved;
        case ChannelError::kCancelled:
            return nt::Status::kCancelled;
        case ChannelError::kRefused:
            return nt::Status::kDeviceProtocolError;
    }
    return nt::Status::kInternalError;
}

nt::Status path_status(nt::Status status) {
    switch (status) {
        case nt::Status::kObjectNameNotFound:
        case nt::Status::kNotADirectory:
        case nt::Status::kFileDeleted:
            return nt::Status::kObjectPathNotFound;
        default:
            return status;
    }
}

}  // namespace guest
