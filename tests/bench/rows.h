// The operations that are measured three ways, by native system calls, the volume and a Windows program in
// the lab, as the table and the lab's figures name them. No dependencies: included on both sides.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bench {

// A figure of the lab is a line "figure: <microseconds an operation>: <row>".
inline constexpr char kFigurePrefix[] = "figure: ";

inline constexpr char kSequentialRead[] = "read of 256 MiB, each MiB";
inline constexpr char kSequentialWrite[] = "write of 256 MiB, each MiB";
inline constexpr char kRandomRead[] = "random read of 4 KiB, 1 in flight";
inline constexpr char kRandomReads[] = "random reads of 4 KiB, 16 in flight";
inline constexpr char kCreate[] = "create each of 10,000 files";
inline constexpr char kOpen[] = "open and close each of 10,000 files";
inline constexpr char kAttributes[] = "attributes of each of 10,000 names";
inline constexpr char kList[] = "list 10,000 files with attributes, each";
inline constexpr char kDelete[] = "delete each of 10,000 files";

inline constexpr char kDataFile[] = "data";         // in the measured directory, of kDataBytes
inline constexpr char kFilesDirectory[] = "files";  // there, empty at the beginning
inline constexpr std::size_t kMegabyte = std::size_t{1} << 20;
inline constexpr std::size_t kDataBytes = 256 * kMegabyte;
inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kFiles = 10000;
inline constexpr int kInFlight = 16;

// Offsets of random reads: the same everywhere.
class RandomPages {
  public:
    explicit RandomPages(std::uint64_t seed, std::uint64_t pages) : state_(seed), pages_(pages) {}
    std::uint64_t next_offset() {
        state_ = state_ * 6364136223846793005U + 1442695040888963407U;
        return (state_ >> 33) % pages_ * kPageBytes;
    }

  private:
    std::uint64_t state_;
    std::uint64_t pages_;
};

}  // namespace bench
