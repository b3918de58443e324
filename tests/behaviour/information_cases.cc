// Information classes of files and of the volume: contents and the rules for buffer lengths.
#include <array>
#include <cstring>

#include "tests/behaviour/case.h"

namespace behaviour {
namespace {

using enum Disposition;

struct FixedClass {
    std::uint32_t information_class;
    std::size_t bytes;
};

constexpr auto kFixedClasses = std::to_array<FixedClass>({
    {file_class::kBasic, sizeof(BasicInformation)},
    {file_class::kStandard, sizeof(StandardInformation)},
    {file_class::kInternal, 8},
    {file_class::kEa, 4},
    {file_class::kPosition, 8},
    {file_class::kNetworkOpen, sizeof(NetworkOpenInformation)},
    {file_class::kAttributeTag, sizeof(AttributeTagInformation)},
});

constexpr auto kVolumeClasses = std::to_array<FixedClass>({
    {volume_class::kSize, sizeof(SizeInformation)},
    {volume_class::kDevice, sizeof(DeviceInformation)},
    {volume_class::kFullSize, sizeof(FullSizeInformation)},
});

File open_file(Context& c, std::string_view contents = "text") {
    c.make_file(u"f", contents);
    return c.must_open(
        {.name = u"f", .access = access::kGenericRead | access::kGenericWrite | access::kDelete});
}

std::uint32_t load32(std::span<const std::byte> buffer, std::size_t offset) {
    std::uint32_t value = 0;
    std::memcpy(&value, buffer.data() + offset, sizeof value);
    return value;
}

std::u16string load_name(std::span<const std::byte> buffer, std::size_t offset, std::size_t bytes) {
    std::u16string name(bytes / 2, u'\0');
    std::memcpy(name.data(), buffer.data() + offset, name.size() * 2);
    return name;
}

constexpr auto kCases = std::to_array<Case>({
    {"Query_IntoAShortBuffer_IsALengthMismatch",
     [](Context& c) {
         File file = open_file(c);
         for (const FixedClass& fixed : kFixedClasses) {
             std::vector<std::byte> buffer(fixed.bytes - 1);
             c.equal(file.query(fixed.information_class, buffer).status, Status::kInfoLengthMismatch,
                     "class " + std::to_string(fixed.information_class));
         }
         std::array<std::byte, 4> small{};
         c.equal(file.query(file_class::kName, small).status, Status::kInfoLengthMismatch, "the name");
         std::array<std::byte, 96> less_than_all{};
         c.equal(file.query(file_class::kAll, less_than_all).status, Status::kInfoLengthMismatch, "all");
     }},
    {"Query_IntoALongBuffer_TellsHowMuchWasUsed",
     [](Context& c) {
         File file = open_file(c);
         for (const FixedClass& fixed : kFixedClasses) {
             std::vector<std::byte> buffer(fixed.bytes + 100);
             const Io io = file.query(fixed.information_class, buffer);
             const std::string of = "class " + std::to_string(fixed.information_class);
             c.equal(io.status, Status::kSuccess, of);
             c.equal(io.information, fixed.bytes, of);
         }
     }},
    {"Query_OfAnUnknownClass_IsRefused",
     [](Context& c) {
         File file = open_file(c);
         std::array<std::byte, 512> buffer{};
         for (const std::uint32_t unknown : {0U, 200U, 0xFFFFU}) {
             c.one_of(file.query(unknown, buffer).status,
                      {Status::kInvalidInfoClass, Status::kInvalidParameter});
         }
     }},
    {"Query_OfAClassThatCanOnlyBeSet_IsRefused",
     [](Context& c) {
         File file = open_file(c);
         std::array<std::byte, 512> buffer{};
         for (const std::uint32_t settable :
              {file_class::kDisposition, file_class::kRename, file_class::kEndOfFile}) {
             c.one_of(file.query(settable, buffer).status,
                      {Status::kInvalidInfoClass, Status::kInvalidParameter});
         }
     }},
    {"Set_FromAShortBuffer_IsALengthMismatch",
     [](Context& c) {
         File file = open_file(c);
         c.equal(file.set(file_class::kBasic, std::array<std::byte, 32>{}), Status::kInfoLengthMismatch);
         c.equal(file.set(file_class::kEndOfFile, std::uint32_t{0}), Status::kInfoLengthMismatch);
         c.equal(file.set(file_class::kAllocation, std::uint32_t{0}), Status::kInfoLengthMismatch);
         c.equal(file.set(file_class::kPosition, std::uint32_t{0}), Status::kInfoLengthMismatch);
         c.equal(file.set(file_class::kRename, std::array<std::byte, 8>{}), Status::kInfoLengthMismatch);
         c.equal(file.size(), 4U);
     }},
    {"Set_OfAClassThatCanOnlyBeQueried_IsRefused",
     [](Context& c) {
         File file = open_file(c);
         for (const std::uint32_t queried :
              {file_class::kStandard, file_class::kInternal, file_class::kName}) {
             c.one_of(file.set(queried, std::array<std::byte, 64>{}),
                      {Status::kInvalidInfoClass, Status::kInvalidParameter});
         }
     }},
    {"Query_WithoutTheRightToReadAttributes_IsDenied",
     [](Context& c) {
         c.make_file(u"f");
         File file = c.must_open({.name = u"f", .access = access::kDelete});
         std::array<std::byte, 128> buffer{};
         c.equal(file.query(file_class::kNetworkOpen, buffer).status, Status::kAccessDenied);
         c.equal(file.query(file_class::kStandard, buffer).status, Status::kSuccess, "needs no right");
     },
     Offers::kAttributeRights},
    {"Set_WithoutTheRightToWriteAttributes_IsDenied",
     [](Context& c) {
         c.make_file(u"f");
         File file = c.must_open({.name = u"f"});
         c.equal(file.set_attributes(attribute::kReadOnly), Status::kAccessDenied);
         c.equal(c.attributes_of(u"f") & attribute::kReadOnly, 0U);
     },
     Offers::kAttributeRights},
    {"Standard_DescribesFilesAndDirectories",
     [](Context& c) {
         File file = open_file(c);
         c.equal(file.standard().end_of_file, 4U);
         c.equal(file.standard().directory, 0);
         c.equal(file.standard().links, 1U);
         c.make_directory(u"d");
         File directory = c.must_open({.name = u"d"});
         c.equal(directory.standard().directory, 1);
     }},
    {"Name_IsThePathWithinTheVolume",
     [](Context& c) {
         File file = open_file(c);
         c.equal(file.path(), c.path(u"f"));
         c.make_directory(u"Dir");
         c.equal(c.must_open({.name = u"Dir"}).path(), c.path(u"Dir"));
         c.equal(c.must_open({.name = u"Dir\\"}).path(), c.path(u"Dir"), "without a trailing backslash");
     }},
    {"Name_ThatDoesNotFit_OverflowsWithTheFullLength",
     [](Context& c) {
         File file = open_file(c);
         const std::u16string path = c.path(u"f");
         std::array<std::byte, 14> buffer{};
         const Io io = file.query(file_class::kName, buffer);
         c.equal(io.status, Status::kBufferOverflow);
         c.equal(io.information, buffer.size());
         c.equal(load32(buffer, 0), path.size() * 2, "the full length");
         c.equal(load_name(buffer, 4, 10), path.substr(0, 5), "the name's beginning");
     }},
    {"All_HoldsWhatTheSingleClassesSay",
     [](Context& c) {
         File file = open_file(c);
         c.equal(file.set_position(3), Status::kSuccess);
         std::vector<std::byte> buffer(sizeof(AllInformation) + 1024);
         const Io io = file.query(file_class::kAll, buffer);
         c.require(io.status, "query of all information");
         AllInformation all;
         std::memcpy(&all, buffer.data(), sizeof all);
         const BasicInformation basic = file.basic();
         c.equal(all.basic.last_write_time, basic.last_write_time);
         c.equal(all.basic.attributes, basic.attributes);
         c.equal(all.standard.end_of_file, 4U);
         c.equal(all.standard.links, 1U);
         c.equal(all.index_number, file.index_number());
         c.equal(all.ea_size, 0U);
         c.equal(all.position, 3U);
         const std::u16string path = c.path(u"f");
         c.equal(all.name_bytes, path.size() * 2);
         c.equal(load_name(buffer, kAllNameOffset, all.name_bytes), path);
         c.equal(io.information, kAllNameOffset + all.name_bytes);
     }},
    {"All_WithoutRoomForTheName_Overflows",
     [](Context& c) {
         File file = open_file(c);
         std::vector<std::byte> buffer(sizeof(AllInformation));
         const Io io = file.query(file_class::kAll, buffer);
         c.equal(io.status, Status::kBufferOverflow);
         AllInformation all;
         std::memcpy(&all, buffer.data(), sizeof all);
         c.equal(all.standard.end_of_file, 4U);
         c.equal(all.name_bytes, c.path(u"f").size() * 2, "the full length of the name");
     }},
    {"NetworkOpen_MatchesBasicAndStandard",
     [](Context& c) {
         File file = open_file(c);
         const auto network = file.query_as<NetworkOpenInformation>(file_class::kNetworkOpen);
         const BasicInformation basic = file.basic();
         const StandardInformation standard = file.standard();
         c.equal(network.creation_time, basic.creation_time);
         c.equal(network.last_write_time, basic.last_write_time);
         c.equal(network.change_time, basic.change_time);
         c.equal(network.attributes, basic.attributes);
         c.equal(network.end_of_file, standard.end_of_file);
         c.equal(network.allocation_size, standard.allocation_size);
     }},
    {"AttributeTag_OfAnOrdinaryFile_HasNoTag",
     [](Context& c) {
         File file = open_file(c);
         const auto tag = file.query_as<AttributeTagInformation>(file_class::kAttributeTag);
         c.equal(tag.attributes, file.attributes());
         c.equal(tag.reparse_tag, 0U);
     }},
    {"EaSize_IsZero",
     [](Context& c) {
         File file = open_file(c);
         c.equal(file.query_as<std::uint32_t>(file_class::kEa), 0U);
     }},
    {"IndexNumber_TellsFilesApartAndStays",
     [](Context& c) {
         c.make_file(u"a");
         c.make_file(u"b");
         c.make_directory(u"d");
         const std::uint64_t a = c.must_open({.name = u"a"}).index_number();
         const std::uint64_t b = c.must_open({.name = u"b"}).index_number();
         const std::uint64_t d = c.must_open({.name = u"d"}).index_number();
         c.check(a != 0 && a != b && b != d && a != d, "distinct and not zero");
         c.equal(c.must_open({.name = u"a"}).index_number(), a, "at the next open");
     }},
    {"AlternateName_IsNotThere",
     [](Context& c) {
         File file = open_file(c);
         std::array<std::byte, 128> buffer{};
         c.equal(file.query(file_class::kAlternateName, buffer).status, Status::kObjectNameNotFound);
     }},
    {"StreamInformation_WithoutStreams_IsRefused",
     [](Context& c) {
         File file = open_file(c);
         std::array<std::byte, 256> buffer{};
         c.one_of(file.query(file_class::kStream, buffer).status,
                  {Status::kInvalidParameter, Status::kInvalidInfoClass, Status::kNotImplemented});
     }},
    {"HardLinks_CannotBeMadeYet",
     [](Context& c) {
         File file = open_file(c);
         // FILE_LINK_INFORMATION with the bare name "g".
         std::array<std::byte, 24> link{};
         const std::uint32_t name_bytes = 2;
         std::memcpy(link.data() + 16, &name_bytes, sizeof name_bytes);
         link[20] = std::byte{'g'};
         c.one_of(file.set(file_class::kLink, link), {Status::kNotSupported, Status::kInvalidParameter});
         c.equal(c.status_of(u"g"), Status::kObjectNameNotFound);
     }},
    {"FsControl_UnknownCode_IsAnInvalidRequest",
     [](Context& c) {
         File file = open_file(c);
         std::array<std::byte, 64> out{};
         constexpr std::uint32_t kUnknown = 0x0009'3FF0;
         c.equal(c.system().fs_control(file.handle(), kUnknown, {}, out).status,
                 Status::kInvalidDeviceRequest);
     }},
    {"Volume_SizesArePlausible",
     [](Context& c) {
         File file = open_file(c);
         const auto sizes = file.query_volume_as<SizeInformation>(volume_class::kSize);
         const std::uint64_t unit = std::uint64_t{sizes.sectors_per_unit} * sizes.bytes_per_sector;
         c.check(unit >= 512 && (unit & (unit - 1)) == 0, "the unit is a power of two");
         c.check(sizes.total_units > 0, "there is space");
         c.check(sizes.available_units <= sizes.total_units, "no more is free than there is");
         const auto full = file.query_volume_as<FullSizeInformation>(volume_class::kFullSize);
         c.equal(full.total_units, sizes.total_units);
         c.equal(full.sectors_per_unit, sizes.sectors_per_unit);
         c.equal(full.bytes_per_sector, sizes.bytes_per_sector);
         c.check(full.caller_available_units <= full.actual_available_units, "quotas only take away");
     }},
    {"Volume_AttributesSayWhatItCanDo",
     [](Context& c) {
         File file = open_file(c);
         std::array<std::byte, 256> buffer{};
         const Io io = file.query_volume(volume_class::kAttribute, buffer);
         c.require(io.status, "query of the volume's attributes");
         const std::uint32_t attributes = load32(buffer, 0);
         constexpr std::uint32_t kCaseSensitive = 0x1;
         constexpr std::uint32_t kCasePreserved = 0x2;
         constexpr std::uint32_t kUnicode = 0x4;
         c.equal(attributes & (kCaseSensitive | kCasePreserved | kUnicode),
                 kCaseSensitive | kCasePreserved | kUnicode);
         c.equal(load32(buffer, 4), 255U, "longest component");
         const std::uint32_t name_bytes = load32(buffer, 8);
         c.check(name_bytes > 0 && name_bytes % 2 == 0, "the file system has a name");
         c.equal(io.information, 12 + name_bytes);
     }},
    {"Volume_AttributesThatDoNotFit_Overflow",
     [](Context& c) {
         File file = open_file(c);
         std::array<std::byte, 256> whole{};
         c.require(file.query_volume(volume_class::kAttribute, whole).status,
                   "query of the volume's attributes");
         std::array<std::byte, 16> buffer{};
         const Io io = file.query_volume(volume_class::kAttribute, buffer);
         if (load32(whole, 8) > 4) {
             c.equal(io.status, Status::kBufferOverflow);
             c.equal(load32(buffer, 8), load32(whole, 8), "the full length");
         } else {
             c.equal(io.status, Status::kSuccess);
         }
     }},
    {"Volume_IsADisk",
     [](Context& c) {
         File file = open_file(c);
         const auto device = file.query_volume_as<DeviceInformation>(volume_class::kDevice);
         constexpr std::uint32_t kDisk = 7;
         constexpr std::uint32_t kDiskFileSystem = 8;
         c.check(device.device_type == kDisk || device.device_type == kDiskFileSystem,
                 "the device is a disk");
     }},
    {"Volume_HasALabelOfWholeUnits",
     [](Context& c) {
         File file = open_file(c);
         std::array<std::byte, 512> buffer{};
         const Io io = file.query_volume(volume_class::kVolume, buffer);
         c.require(io.status, "query of the volume");
         const std::uint32_t label_bytes = load32(buffer, 12);
         c.check(label_bytes % 2 == 0 && label_bytes <= 64, "a label of whole units");
         c.equal(io.information, 18 + label_bytes);
     }},
    {"Volume_QueryIntoAShortBuffer_IsALengthMismatch",
     [](Context& c) {
         File file = open_file(c);
         for (const FixedClass& fixed : kVolumeClasses) {
             std::vector<std::byte> buffer(fixed.bytes - 1);
             c.equal(file.query_volume(fixed.information_class, buffer).status, Status::kInfoLengthMismatch,
                     "class " + std::to_string(fixed.information_class));
         }
     }},
    {"Volume_QueryOfAnUnknownClass_IsRefused",
     [](Context& c) {
         File file = open_file(c);
         std::array<std::byte, 512> buffer{};
         c.one_of(file.query_volume(200, buffer).status,
                  {Status::kInvalidInfoClass, Status::kInvalidParameter, Status::kInvalidDeviceRequest});
     }},
    {"Volume_TellsTheSameThroughEveryHandle",
     [](Context& c) {
         File file = open_file(c);
         File root =
             c.must_open({.name = u"\\", .access = access::kReadAttributes, .origin = Origin::kVolume});
         const auto from_file = file.query_volume_as<SizeInformation>(volume_class::kSize);
         const auto from_root = root.query_volume_as<SizeInformation>(volume_class::kSize);
         c.equal(from_file.total_units, from_root.total_units);
         c.equal(from_file.bytes_per_sector, from_root.bytes_per_sector);
     }},
});

}  // namespace

std::span<const Case> information_cases() {
    return kCases;
}

}  // namespace behaviour
