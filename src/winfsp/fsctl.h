// WinFsp's user-mode ABI, x64: the structures its kernel half and its DLL exchange and that a file system
// sees. Layouts and names are those of WinFsp 2.x's public interface; layout.cc asserts them. Must never
// know: what uses them.
#pragma once

#include <windows.h>
#include <winternl.h>

inline constexpr unsigned kFspPathBytesMax = 2048;       // FSP_FSCTL_TRANSACT_PATH_SIZEMAX
inline constexpr unsigned kFspRequestBytesMax = 16320;   // FSP_FSCTL_TRANSACT_REQ_SIZEMAX
inline constexpr unsigned kFspResponseBytesMax = 16384;  // FSP_FSCTL_TRANSACT_RSP_SIZEMAX

#define FSP_FSCTL_DISK_DEVICE_NAME "WinFsp.Disk"
#define FSP_FSCTL_NET_DEVICE_NAME "WinFsp.Net"

enum {
    FspFsctlTransactReservedKind = 0,
    FspFsctlTransactCreateKind,
    FspFsctlTransactOverwriteKind,
    FspFsctlTransactCleanupKind,
    FspFsctlTransactCloseKind,
    FspFsctlTransactReadKind,
    FspFsctlTransactWriteKind,
    FspFsctlTransactQueryInformationKind,
    FspFsctlTransactSetInformationKind,
    FspFsctlTransactQueryEaKind,
    FspFsctlTransactSetEaKind,
    FspFsctlTransactFlushBuffersKind,
    FspFsctlTransactQueryVolumeInformationKind,
    FspFsctlTransactSetVolumeInformationKind,
    FspFsctlTransactQueryDirectoryKind,
    FspFsctlTransactFileSystemControlKind,
    FspFsctlTransactDeviceControlKind,
    FspFsctlTransactShutdownKind,
    FspFsctlTransactLockControlKind,
    FspFsctlTransactQuerySecurityKind,
    FspFsctlTransactSetSecurityKind,
    FspFsctlTransactQueryStreamInformationKind,
    FspFsctlTransactKindCount,
};

// Zero fields take the driver's defaults; timeouts in ms, 0 = no cache, 0xFFFFFFFF = never expires. Version
// is 0 (the structure ends after FileSystemName) or sizeof.
struct FSP_FSCTL_VOLUME_PARAMS {
    UINT16 Version;
    UINT16 SectorSize;
    UINT16 SectorsPerAllocationUnit;
    UINT16 MaxComponentLength;  // UTF-16 units
    UINT64 VolumeCreationTime;  // FILETIME
    UINT32 VolumeSerialNumber;
    UINT32 TransactTimeout;
    UINT32 IrpTimeout;
    UINT32 IrpCapacity;
    UINT32 FileInfoTimeout;
    UINT32 CaseSensitiveSearch : 1;
    UINT32 CasePreservedNames : 1;
    UINT32 UnicodeOnDisk : 1;
    UINT32 PersistentAcls : 1;
    UINT32 ReparsePoints : 1;
    UINT32 ReparsePointsAccessCheck : 1;
    UINT32 NamedStreams : 1;
    UINT32 HardLinks : 1;
    UINT32 ExtendedAttributes : 1;
    UINT32 ReadOnlyVolume : 1;
    UINT32 PostCleanupWhenModifiedOnly : 1;
    UINT32 PassQueryDirectoryPattern : 1;
    UINT32 AlwaysUseDoubleBuffering : 1;
    UINT32 PassQueryDirectoryFileName : 1;
    UINT32 FlushAndPurgeOnCleanup : 1;
    UINT32 DeviceControl : 1;
    UINT32 UmFileContextIsUserContext2 : 1;
    UINT32 UmFileContextIsFullContext : 1;
    UINT32 UmNoReparsePointsDirCheck : 1;
    UINT32 UmReservedFlags : 5;
    UINT32 AllowOpenInKernelMode : 1;
    UINT32 CasePreservedExtendedAttributes : 1;
    UINT32 WslFeatures : 1;
    UINT32 DirectoryMarkerAsNextOffset : 1;
    UINT32 RejectIrpPriorToTransact0 : 1;
    UINT32 SupportsPosixUnlinkRename : 1;
    UINT32 PostDispositionWhenNecessaryOnly : 1;
    UINT32 KmReservedFlags : 1;
    WCHAR Prefix[192];
    WCHAR FileSystemName[16];
    UINT32 VolumeInfoTimeoutValid : 1;
    UINT32 DirInfoTimeoutValid : 1;
    UINT32 SecurityTimeoutValid : 1;
    UINT32 StreamInfoTimeoutValid : 1;
    UINT32 EaTimeoutValid : 1;
    UINT32 KmAdditionalReservedFlags : 27;
    UINT32 VolumeInfoTimeout;
    UINT32 DirInfoTimeout;
    UINT32 SecurityTimeout;
    UINT32 StreamInfoTimeout;
    UINT32 EaTimeout;
    UINT32 FsextControlCode;
    UINT32 Reserved32[1];
    UINT64 Reserved64[2];
};

struct FSP_FSCTL_VOLUME_INFO {
    UINT64 TotalSize;  // bytes
    UINT64 FreeSize;
    UINT16 VolumeLabelLength;  // bytes, no terminator
    WCHAR VolumeLabel[32];
};

struct FSP_FSCTL_FILE_INFO {
    UINT32 FileAttributes;
    UINT32 ReparseTag;
    UINT64 AllocationSize;
    UINT64 FileSize;
    UINT64 CreationTime;
    UINT64 LastAccessTime;
    UINT64 LastWriteTime;
    UINT64 ChangeTime;
    UINT64 IndexNumber;
    UINT32 HardLinks;
    UINT32 EaSize;
};

// What the FileInfo pointer of Create and Open really points at: room for a name in its true case.
struct FSP_FSCTL_OPEN_FILE_INFO {
    FSP_FSCTL_FILE_INFO FileInfo;
    PWSTR NormalizedName;
    UINT16 NormalizedNameSize;  // bytes: capacity on entry, length on return
};

// Followed by the name, Size - sizeof bytes without terminator. Records lie at multiples of 8; a zero UINT16
// ends a list.
struct FSP_FSCTL_DIR_INFO {
    UINT16 Size;
    FSP_FSCTL_FILE_INFO FileInfo;
    union {
        UINT64 NextOffset;
        UINT8 Padding[24];
    };
#ifdef __GNUC__
    __extension__ WCHAR FileNameBuf[0];
#else
    WCHAR FileNameBuf[];
#endif
};

struct FSP_FSCTL_STREAM_INFO {
    UINT16 Size;
    UINT64 StreamSize;
    UINT64 StreamAllocationSize;
#ifdef __GNUC__
    __extension__ WCHAR StreamNameBuf[0];
#else
    WCHAR StreamNameBuf[];
#endif
};

struct FSP_FSCTL_TRANSACT_BUF {
    UINT16 Offset;
    UINT16 Size;
};

// One request of the kernel half. Only the members that a user-mode program may look at are spelled out.
struct FSP_FSCTL_TRANSACT_REQ {
    UINT16 Version;
    UINT16 Size;
    UINT32 Kind;
    UINT64 Hint;
    union {
        struct {
            UINT32 CreateOptions;  // disposition in the top 8 bits
            UINT32 FileAttributes;
            FSP_FSCTL_TRANSACT_BUF SecurityDescriptor;
            UINT64 AllocationSize;
            UINT64 AccessToken;  // process id in the high half
            UINT32 DesiredAccess;
            UINT32 GrantedAccess;
            UINT32 ShareAccess;
            FSP_FSCTL_TRANSACT_BUF Ea;
            UINT32 UserMode : 1;
            UINT32 HasTraversePrivilege : 1;
            UINT32 HasBackupPrivilege : 1;
            UINT32 HasRestorePrivilege : 1;
            UINT32 OpenTargetDirectory : 1;
            UINT32 CaseSensitive : 1;
            UINT32 HasTrailingBackslash : 1;
            UINT32 AcceptsSecurityDescriptor : 1;
            UINT32 EaIsReparsePoint : 1;
            UINT32 : 0;
            UINT32 ReservedFlags : 24;
            UINT16 NamedStream;
        } Create;
        struct {
            UINT64 UserContext;
            UINT64 UserContext2;
            UINT32 Delete : 1;
            UINT32 SetAllocationSize : 1;
            UINT32 SetArchiveBit : 1;
            UINT32 SetLastAccessTime : 1;
            UINT32 SetLastWriteTime : 1;
            UINT32 SetChangeTime : 1;
        } Cleanup;
        struct {
            UINT64 UserContext;
            UINT64 UserContext2;
            UINT64 Address;
            UINT64 Offset;
            UINT32 Length;
            UINT32 Key;
        } Read;
        struct {
            UINT64 UserContext;
            UINT64 UserContext2;
            UINT64 Address;
            UINT64 Offset;
            UINT32 Length;
            UINT32 Key;
            UINT32 ConstrainedIo : 1;
        } Write;
        struct {
            UINT64 UserContext;
            UINT64 UserContext2;
            UINT32 FileInformationClass;
            union {
                struct {
                    FSP_FSCTL_TRANSACT_BUF NewFileName;
                    UINT64 AccessToken;
                } Rename;
                UINT64 Words[5];
            } Info;
        } SetInformation;
        struct {
            UINT64 UserContext;
            UINT64 UserContext2;
        } FlushBuffers;
        struct {
            UINT64 UserContext;
            UINT64 UserContext2;
            UINT64 Address;
            UINT32 Length;
            FSP_FSCTL_TRANSACT_BUF Pattern;
            FSP_FSCTL_TRANSACT_BUF Marker;
            UINT32 CaseSensitive : 1;
            UINT32 PatternIsFileName : 1;
        } QueryDirectory;
        UINT64 Words[8];
    } Req;
    FSP_FSCTL_TRANSACT_BUF FileName;
#ifdef __GNUC__
    __extension__ alignas(8) UINT8 Buffer[0];
#else
    alignas(8) UINT8 Buffer[];
#endif
};

// The answer to one request; also what FspFileSystemSendResponse takes.
struct FSP_FSCTL_TRANSACT_RSP {
    UINT16 Version;
    UINT16 Size;
    UINT32 Kind;
    UINT64 Hint;
    struct {
        UINT32 Information;
        UINT32 Status;
    } IoStatus;
    union {
        struct {
            FSP_FSCTL_FILE_INFO FileInfo;
        } Write;
        UINT64 Words[13];
    } Rsp;
#ifdef __GNUC__
    __extension__ alignas(8) UINT8 Buffer[0];
#else
    alignas(8) UINT8 Buffer[];
#endif
};
