// The rows of the daemons' benchmark, and the ways in which each is run. Must never know: how a way does it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>

namespace bench {

enum class Unit { kThousands, kGigabytes };  // a second; an operation of the latter moves 1 MiB

struct DaemonRow {
    const char* name;
    std::size_t operations;  // of one run; a row counts in these
    Unit unit = Unit::kThousands;
};

inline constexpr char kGetAttr1[] = "GETATTR, 1 in flight";
inline constexpr char kGetAttr16[] = "GETATTR, 16";
inline constexpr char kLookup1[] = "LOOKUP of a known name, 1";
inline constexpr char kLookup16[] = "LOOKUP of a known name, 16";
inline constexpr char kRead1[] = "read of 4 KiB, 1";
inline constexpr char kRead16[] = "read of 4 KiB, 16";
inline constexpr char kLongRead[] = "read of 1 MiB, 1";
inline constexpr char kLongWrite[] = "write of 1 MiB, 1";
inline constexpr char kCreate1[] = "create, write 4 KiB, flush, release, unlink, 1";
inline constexpr char kCreate8[] = "create, write 4 KiB, flush, release, unlink, 8";
inline constexpr char kReadDirPlusKnown[] = "READDIRPLUS, each of 10,000 known entries";
inline constexpr char kReadDirPlus[] = "the same of new ones, without their FORGETs";
inline constexpr char kReadDirPlusForget[] = "the same of new ones, and their FORGETs";
inline constexpr char kDirect1[] = "O_DIRECT random read of 4 KiB on disk, 1";
inline constexpr char kDirect16[] = "O_DIRECT random read of 4 KiB on disk, 16";

inline constexpr std::size_t kEntries = 10000;  // of the directory that is read

inline constexpr DaemonRow kDaemonRows[] = {
    {kGetAttr1, 1000},
    {kGetAttr16, 2000},
    {kLookup1, 1000},
    {kLookup16, 2000},
    {kRead1, 1000},
    {kRead16, 2000},
    {kLongRead, 16, Unit::kGigabytes},
    {kLongWrite, 16, Unit::kGigabytes},
    {kCreate1, 100},
    {kCreate8, 200},
    {kReadDirPlusKnown, kEntries},
    {kReadDirPlus, kEntries},
    {kReadDirPlusForget, kEntries},
    {kDirect1, 200},
    {kDirect16, 1000},
};

// What one run took. `cpu` is the daemon's processor time, 0 natively.
struct Taken {
    double seconds = 0;
    double cpu = 0;
};

// One way to do all rows: does so many operations of a row and says what they took. Throws Failure.
using Runs = std::map<std::string, std::function<Taken(std::size_t operations)>>;

// Names in the directories that are measured; prepare_directory() makes them.
inline constexpr std::size_t kSmallFiles = 16;
inline constexpr std::size_t kDataFileBytes = std::size_t{64} << 20;
inline constexpr std::size_t kDiskFileBytes = std::size_t{256} << 20;
inline std::string small_file(std::size_t i) {
    return "small-" + std::to_string(i);
}

}  // namespace bench
