// Each way in which the other side of a virtqueue can break the protocol is found out, and stays found out.
#include <gtest/gtest.h>

#include <array>

#include "virtio/test_memory.h"

namespace virtio {
namespace {

class HostileDriver : public testing::Test {
  protected:
    static constexpr std::uint16_t kSize = 8;
    TestMemory memory_{kSize, 0, 4096};
    SplitRing ring_ = memory_.ring();
    DeviceQueue device_{ring_};
    std::array<Segment, 16> room_;

    void offer(std::uint16_t head, std::uint16_t index = 1) {
        *ring_.available_entry(0) = head;
        *ring_.available_index() = index;
    }
    void describe(std::uint16_t number, Descriptor descriptor) { *ring_.descriptor(number) = descriptor; }
    void expect(DriverFault fault) {
        const auto chain = device_.pop(memory_.translator(), room_);
        ASSERT_FALSE(chain);
        EXPECT_EQ(chain.error(), fault);
        EXPECT_EQ(device_.pop(memory_.translator(), room_).error(), DriverFault::kBroken);
    }
    Descriptor plain(std::uint16_t flags = 0, std::uint16_t next = 0) const {
        return {.address = memory_.data_address(), .length = 8, .flags = flags, .next = next};
    }
    void put_table(std::size_t offset, std::initializer_list<Descriptor> entries) {
        std::memcpy(memory_.data(offset), entries.begin(), entries.size() * sizeof(Descriptor));
    }
    Descriptor indirect(std::size_t offset, std::uint32_t length, std::uint16_t flags = 0) const {
        return {.address = memory_.data_address(offset),
                .length = length,
                .flags = static_cast<std::uint16_t>(descriptor_flag::kIndirect | flags)};
    }
};

TEST_F(HostileDriver, IndexTooFarAhead_IsFound) {
    offer(0, kSize + 1);
    expect(DriverFault::kBadIndex);
}
TEST_F(HostileDriver, HeadOutsideTheTable_IsFound) {
    offer(kSize);
    expect(DriverFault::kBadDescriptor);
}
TEST_F(HostileDriver, LinkOutsideTheTable_IsFound) {
    describe(0, plain(descriptor_flag::kNext, kSize));
    offer(0);
    expect(DriverFault::kBadDescriptor);
}
TEST_F(HostileDriver, Loop_IsFound) {
    describe(0, plain(descriptor_flag::kNext, 1));
    describe(1, plain(descriptor_flag::kNext, 0));
    offer(0);
    expect(DriverFault::kTooManyPieces);
}
TEST_F(HostileDriver, LoopInAnIndirectTable_IsFound) {
    put_table(512, {plain(descriptor_flag::kNext, 0)});
    describe(0, indirect(512, 16));
    offer(0);
    expect(DriverFault::kTooManyPieces);
}
TEST_F(HostileDriver, ReadableAfterWritable_IsFound) {
    describe(0, plain(descriptor_flag::kNext | descriptor_flag::kWrite, 1));
    describe(1, plain());
    offer(0);
    expect(DriverFault::kBadOrder);
}
TEST_F(HostileDriver, EmptyBuffer_IsFound) {
    describe(0, {.address = memory_.data_address(), .length = 0});
    offer(0);
    expect(DriverFault::kBadLength);
}
TEST_F(HostileDriver, UnknownAddresses_AreFound) {
    describe(0, {.address = 16, .length = 8});
    offer(0);
    expect(DriverFault::kBadAddress);
}
TEST_F(HostileDriver, BufferBeyondTheEndOfMemory_IsFound) {
    describe(0, {.address = memory_.data_address(4090), .length = 8});
    offer(0);
    expect(DriverFault::kBadAddress);
}
TEST_F(HostileDriver, BufferAroundTheEndOfTheAddressSpace_IsFound) {
    describe(0, {.address = UINT64_MAX - 3, .length = 8});
    offer(0);
    expect(DriverFault::kBadAddress);
}
TEST_F(HostileDriver, NestedIndirectTable_IsFound) {
    put_table(512, {indirect(1024, 16)});
    describe(0, indirect(512, 16));
    offer(0);
    expect(DriverFault::kBadIndirect);
}
TEST_F(HostileDriver, IndirectTableWithALink_IsFound) {
    put_table(512, {plain()});
    describe(0, indirect(512, 16, descriptor_flag::kNext));
    offer(0);
    expect(DriverFault::kBadIndirect);
}
TEST_F(HostileDriver, IndirectTableOfOddLength_IsFound) {
    describe(0, indirect(512, 17));
    offer(0);
    expect(DriverFault::kBadLength);
}
TEST_F(HostileDriver, IndirectTableBeyondTheEndOfMemory_IsFound) {
    describe(0, indirect(4080, 32));
    offer(0);
    expect(DriverFault::kBadAddress);
}
TEST_F(HostileDriver, MorePiecesThanThereIsRoomFor_AreFound) {
    for (std::uint16_t i = 0; i < 17; ++i) {
        const Descriptor entry =
            plain(i < 16 ? descriptor_flag::kNext : 0, static_cast<std::uint16_t>(i + 1));
        std::memcpy(memory_.data(512 + 16 * std::size_t{i}), &entry, 16);
    }
    describe(0, indirect(512, 16 * 17));
    offer(0);
    expect(DriverFault::kTooManyPieces);
}
TEST_F(HostileDriver, ChainBeyond4GiB_IsFound) {
    // A translation that knows every address: only the sum is wrong.
    const auto anywhere = [&](std::uint64_t, std::uint32_t length) {
        return Segment(memory_.data(), length);
    };
    describe(0, {.address = 4096, .length = UINT32_MAX, .flags = descriptor_flag::kNext, .next = 1});
    describe(1, {.address = 4096, .length = 1});
    offer(0);
    EXPECT_EQ(device_.pop(anywhere, room_).error(), DriverFault::kBadLength);
}
TEST_F(HostileDriver, UnalignedIndirectTable_IsRead) {
    put_table(513, {plain(descriptor_flag::kNext, 1), plain(descriptor_flag::kWrite)});
    describe(0, indirect(513, 32));
    offer(0);
    const auto chain = device_.pop(memory_.translator(), room_);
    ASSERT_TRUE(chain && *chain);
    EXPECT_EQ((*chain)->readable_bytes, 8U);
    EXPECT_EQ((*chain)->writable_bytes, 8U);
}

class HostileDevice : public testing::Test {
  protected:
    static constexpr std::uint16_t kSize = 8;
    TestMemory memory_{kSize, 4, 4096};
    SplitRing ring_ = memory_.ring();
    DriverQueue driver_ = memory_.driver();

    void add_one(std::uint32_t writable_bytes) {
        const std::array readable{Piece{memory_.data_address(), 8}};
        const std::array writable{Piece{memory_.data_address(64), writable_bytes}};
        ASSERT_TRUE(driver_.add(readable, writable, this));
    }
    void use(std::uint32_t id, std::uint32_t length, std::uint16_t index = 1) {
        *ring_.used_entry(static_cast<std::uint16_t>(index - 1)) = {.id = id, .length = length};
        *ring_.used_index() = index;
    }
    void expect(DeviceFault fault) {
        const auto used = driver_.pop_used();
        ASSERT_FALSE(used);
        EXPECT_EQ(used.error(), fault);
        EXPECT_EQ(driver_.pop_used().error(), DeviceFault::kBroken);
        const std::array piece{Piece{memory_.data_address(), 8}};
        EXPECT_EQ(driver_.add(piece, {}, this).error(), AddError::kBroken);
    }
};

TEST_F(HostileDevice, UsedWithoutAnythingOutstanding_IsFound) {
    use(0, 0);
    expect(DeviceFault::kBadIndex);
}
TEST_F(HostileDevice, UsedBeforePublished_IsFound) {
    add_one(16);
    use(0, 0);
    expect(DeviceFault::kBadIndex);
}
TEST_F(HostileDevice, IndexTooFarAhead_IsFound) {
    add_one(16);
    driver_.publish();
    use(0, 0, 2);
    expect(DeviceFault::kBadIndex);
}
TEST_F(HostileDevice, IdOutsideTheTable_IsFound) {
    add_one(16);
    driver_.publish();
    use(kSize, 0);
    expect(DeviceFault::kUnknownId);
}
TEST_F(HostileDevice, IdOfNoHead_IsFound) {
    add_one(16);
    driver_.publish();
    use(3, 0);
    expect(DeviceFault::kUnknownId);
}
TEST_F(HostileDevice, IdUsedTwice_IsFound) {
    add_one(16);
    add_one(16);
    driver_.publish();
    use(0, 0);
    ASSERT_TRUE(driver_.pop_used());
    use(0, 0, 2);
    expect(DeviceFault::kUnknownId);
}
TEST_F(HostileDevice, LengthBeyondTheBuffer_IsFound) {
    add_one(16);
    driver_.publish();
    use(0, 17);
    expect(DeviceFault::kBadLength);
}
TEST_F(HostileDevice, OverwrittenDescriptors_DoNotMatter) {
    add_one(16);
    driver_.publish();
    std::memset(static_cast<void*>(ring_.descriptor(0)), 0xff, kSize * sizeof(Descriptor));
    use(0, 16);
    const auto used = driver_.pop_used();
    ASSERT_TRUE(used && *used);
    EXPECT_EQ((*used)->token, this);
    EXPECT_EQ(driver_.free_descriptors(), kSize);
}
TEST_F(HostileDevice, AfterAFault_TokensAreStillGivenBack) {
    add_one(16);
    driver_.publish();
    use(7, 0);
    ASSERT_FALSE(driver_.pop_used());
    int given_back = 0;
    driver_.abandon([&](Token given) {
        EXPECT_EQ(given, this);
        ++given_back;
    });
    EXPECT_EQ(given_back, 1);
}

}  // namespace
}  // namespace virtio
