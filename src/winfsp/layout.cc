// Asserts that the declared ABI has WinFsp's layouts (x64, offsets and sizes in bytes). Compiled, never
// linked into anything.
#include <cstddef>

#include "winfsp/winfsp.h"

// FileNameBuf and Buffer are trailing arrays of no size, offsetof is meant to see them.
#define AT(type, member, offset) static_assert(offsetof(type, member) == (offset), #type "." #member)
#define SIZE(type, size) static_assert(sizeof(type) == (size), #type)

SIZE(FSP_FSCTL_VOLUME_PARAMS, 504);
AT(FSP_FSCTL_VOLUME_PARAMS, MaxComponentLength, 6);
AT(FSP_FSCTL_VOLUME_PARAMS, VolumeCreationTime, 8);
AT(FSP_FSCTL_VOLUME_PARAMS, VolumeSerialNumber, 16);
AT(FSP_FSCTL_VOLUME_PARAMS, IrpTimeout, 24);
AT(FSP_FSCTL_VOLUME_PARAMS, FileInfoTimeout, 32);
AT(FSP_FSCTL_VOLUME_PARAMS, Prefix, 40);
AT(FSP_FSCTL_VOLUME_PARAMS, FileSystemName, 424);
AT(FSP_FSCTL_VOLUME_PARAMS, VolumeInfoTimeout, 460);
AT(FSP_FSCTL_VOLUME_PARAMS, DirInfoTimeout, 464);
AT(FSP_FSCTL_VOLUME_PARAMS, EaTimeout, 476);
AT(FSP_FSCTL_VOLUME_PARAMS, FsextControlCode, 480);
AT(FSP_FSCTL_VOLUME_PARAMS, Reserved64, 488);

SIZE(FSP_FSCTL_VOLUME_INFO, 88);
AT(FSP_FSCTL_VOLUME_INFO, FreeSize, 8);
AT(FSP_FSCTL_VOLUME_INFO, VolumeLabelLength, 16);
AT(FSP_FSCTL_VOLUME_INFO, VolumeLabel, 18);

SIZE(FSP_FSCTL_FILE_INFO, 72);
AT(FSP_FSCTL_FILE_INFO, ReparseTag, 4);
AT(FSP_FSCTL_FILE_INFO, AllocationSize, 8);
AT(FSP_FSCTL_FILE_INFO, FileSize, 16);
AT(FSP_FSCTL_FILE_INFO, CreationTime, 24);
AT(FSP_FSCTL_FILE_INFO, ChangeTime, 48);
AT(FSP_FSCTL_FILE_INFO, IndexNumber, 56);
AT(FSP_FSCTL_FILE_INFO, HardLinks, 64);
AT(FSP_FSCTL_FILE_INFO, EaSize, 68);

SIZE(FSP_FSCTL_OPEN_FILE_INFO, 88);
AT(FSP_FSCTL_OPEN_FILE_INFO, NormalizedName, 72);
AT(FSP_FSCTL_OPEN_FILE_INFO, NormalizedNameSize, 80);

SIZE(FSP_FSCTL_DIR_INFO, 104);
AT(FSP_FSCTL_DIR_INFO, FileInfo, 8);
AT(FSP_FSCTL_DIR_INFO, FileNameBuf, 104);

SIZE(FSP_FSCTL_STREAM_INFO, 24);
AT(FSP_FSCTL_STREAM_INFO, StreamSize, 8);
AT(FSP_FSCTL_STREAM_INFO, StreamNameBuf, 24);

SIZE(FSP_FSCTL_TRANSACT_REQ, 88);
AT(FSP_FSCTL_TRANSACT_REQ, Kind, 4);
AT(FSP_FSCTL_TRANSACT_REQ, Hint, 8);
AT(FSP_FSCTL_TRANSACT_REQ, Req, 16);
AT(FSP_FSCTL_TRANSACT_REQ, Req.Create.AccessToken, 40);
AT(FSP_FSCTL_TRANSACT_REQ, Req.Create.ShareAccess, 56);
AT(FSP_FSCTL_TRANSACT_REQ, Req.Create.NamedStream, 72);
AT(FSP_FSCTL_TRANSACT_REQ, Req.Read.Length, 48);
AT(FSP_FSCTL_TRANSACT_REQ, Req.Write.Key, 52);
AT(FSP_FSCTL_TRANSACT_REQ, Req.SetInformation.FileInformationClass, 32);
AT(FSP_FSCTL_TRANSACT_REQ, Req.SetInformation.Info, 40);
AT(FSP_FSCTL_TRANSACT_REQ, Req.SetInformation.Info.Rename.AccessToken, 48);
AT(FSP_FSCTL_TRANSACT_REQ, Req.QueryDirectory.Marker, 48);
AT(FSP_FSCTL_TRANSACT_REQ, FileName, 80);
AT(FSP_FSCTL_TRANSACT_REQ, Buffer, 88);

SIZE(FSP_FSCTL_TRANSACT_RSP, 128);
AT(FSP_FSCTL_TRANSACT_RSP, IoStatus.Information, 16);
AT(FSP_FSCTL_TRANSACT_RSP, IoStatus.Status, 20);
AT(FSP_FSCTL_TRANSACT_RSP, Rsp.Write.FileInfo, 24);
AT(FSP_FSCTL_TRANSACT_RSP, Buffer, 128);

SIZE(FSP_FILE_SYSTEM_INTERFACE, 512);
AT(FSP_FILE_SYSTEM_INTERFACE, GetSecurityByName, 16);
AT(FSP_FILE_SYSTEM_INTERFACE, Create, 24);
AT(FSP_FILE_SYSTEM_INTERFACE, Cleanup, 48);
AT(FSP_FILE_SYSTEM_INTERFACE, Read, 64);
AT(FSP_FILE_SYSTEM_INTERFACE, SetBasicInfo, 96);
AT(FSP_FILE_SYSTEM_INTERFACE, CanDelete, 112);
AT(FSP_FILE_SYSTEM_INTERFACE, ReadDirectory, 144);
AT(FSP_FILE_SYSTEM_INTERFACE, GetStreamInfo, 184);
AT(FSP_FILE_SYSTEM_INTERFACE, GetDirInfoByName, 192);
AT(FSP_FILE_SYSTEM_INTERFACE, SetDelete, 208);
AT(FSP_FILE_SYSTEM_INTERFACE, CreateEx, 216);
AT(FSP_FILE_SYSTEM_INTERFACE, SetEa, 240);
AT(FSP_FILE_SYSTEM_INTERFACE, DispatcherStopped, 256);
AT(FSP_FILE_SYSTEM_INTERFACE, Reserved, 264);

SIZE(FSP_FILE_SYSTEM, 792);
AT(FSP_FILE_SYSTEM, UserContext, 8);
AT(FSP_FILE_SYSTEM, VolumeName, 16);
AT(FSP_FILE_SYSTEM, VolumeHandle, 528);
AT(FSP_FILE_SYSTEM, EnterOperation, 536);
AT(FSP_FILE_SYSTEM, Operations, 552);
AT(FSP_FILE_SYSTEM, Interface, 728);
AT(FSP_FILE_SYSTEM, DispatcherResult, 748);
AT(FSP_FILE_SYSTEM, MountPoint, 752);
AT(FSP_FILE_SYSTEM, DebugLog, 768);
AT(FSP_FILE_SYSTEM, OpGuardStrategy, 772);
AT(FSP_FILE_SYSTEM, OpGuardLock, 776);
AT(FSP_FILE_SYSTEM, UmFileContextIsUserContext2, 784);

SIZE(FSP_FILE_SYSTEM_OPERATION_CONTEXT, 16);

SIZE(FSP_SERVICE, 176);
AT(FSP_SERVICE, UserContext, 8);
AT(FSP_SERVICE, AcceptControl, 40);
AT(FSP_SERVICE, StatusHandle, 48);
AT(FSP_SERVICE, ServiceStatus, 56);
AT(FSP_SERVICE, ServiceStatusGuard, 88);
AT(FSP_SERVICE, AllowConsoleMode, 168);
AT(FSP_SERVICE, ServiceName, 170);

static_assert(FspFsctlTransactQueryDirectoryKind == 14 && FspFsctlTransactQueryStreamInformationKind == 21 &&
              FspFsctlTransactKindCount == 22);
