// A client that writes what it likes into the shared memory, calls to the device among it: the server and the
// device neither crash nor hang, every posted call comes back, and an honest client is served as before.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "fuse/protocol.h"
#include "ioctl/contract.h"
#include "lab/channel/scripted_host.h"
#include "lab/device_host/device.h"
#include "lab/transport/client.h"
#include "lab/transport/host_os.h"
#include "tests/fuzz/input.h"

namespace {

using namespace lab::device_host;
using tests::Input;
using tests::require;
namespace transport = lab::transport;
namespace region = lab::transport::region;
namespace os = lab::transport::os;

constexpr std::uint32_t kSlotCount = 4;
constexpr std::uint32_t kFirstBadSlot = 2;  // the attacker's, to the end
constexpr std::uint32_t kAttacker = 200;    // its client number
constexpr std::uint64_t kPatienceNs = 20'000'000'000;

// Answers by the request's `unique`, which the attacker chooses: decently, wrongly, or not until cancelled.
lab::Answer answer_by_unique(const lab::ScriptedRequest& request) {
    const std::uint64_t unique = request.header.unique;
    switch (unique % 8) {
        case 0:
            return lab::NoAnswer{};
        case 1:
            return lab::Failure{fuse::Errno::kEIO};
        case 2:
            return lab::TransportFailure{guest::ChannelError::kRefused};
        case 3:
            return lab::RawAnswer{std::vector<std::byte>(unique / 8 % 64, std::byte{0xFF})};
        default:
            return lab::Success{std::vector<std::byte>(unique / 8 % 5000, std::byte{1})};
    }
}

class Attacker {
  public:
    explicit Attacker(const std::string& name) {
        const std::string path = "/dev/shm/" + name;
        fd_ = static_cast<int>(os::open_file(path.c_str(), false));
        require(fd_ >= 0);
        memory_ = static_cast<std::byte*>(os::map_shared(fd_, region::bytes(kSlotCount)));
        require(memory_ != nullptr);
        require(os::try_lock_byte(fd_, kAttacker));
        header().clients[kAttacker].connected = 1;
        for (std::uint32_t index = kFirstBadSlot; index < kSlotCount; ++index) {
            header().free.words[0].fetch_and(~(std::uint64_t{1} << index));
            slot(index).owner = kAttacker;
            slot(index).state = region::kClaimed;
        }
    }
    ~Attacker() {
        os::unmap(memory_, region::bytes(kSlotCount));
        os::close_file(fd_);
    }
    Attacker(const Attacker&) = delete;
    Attacker& operator=(const Attacker&) = delete;

    // The first open of the device is number 1.
    void open_properly() {
        region::Slot& mine = slot(kFirstBadSlot);
        const RequestHead head = {.operation = Operation::kOpen};
        std::memcpy(mine.head, &head, sizeof head);
        mine.head_bytes = sizeof head;
        mine.payload_bytes = 0;
        post(kFirstBadSlot, region::kPosted);
    }

    void attack(Input& input) {
        const std::uint8_t how = input.byte();
        const std::uint32_t index = kFirstBadSlot + how % 2;
        region::Slot& mine = slot(index);
        mine.owner = how >= 0xF0 ? input.take<std::uint32_t>() : kAttacker;
        mine.asynchronous = how / 2 % 2;
        mine.reply_room = input.take<std::uint32_t>();

        const std::uint8_t what = input.byte();
        constexpr std::array<std::uint32_t, 4> kCodes = {ioctl::kSubmitMessage, ioctl::kReadDirect,
                                                         ioctl::kGetVolumeName, 0};
        RequestHead head = {.operation = Operation::kControl, .open = 1, .code = kCodes[what % 4]};
        if (what >= 0xE0) head.operation = Operation{input.byte()};
        if (what % 16 == 15) head.open = input.byte();
        const auto arguments = input.take_bytes(input.byte());
        fuse::InHeader message = {
            .len = static_cast<std::uint32_t>(sizeof(fuse::InHeader) + arguments.size()),
            .opcode = head.code == ioctl::kReadDirect ? fuse::Opcode::kRead : fuse::Opcode{input.byte()},
            .unique = input.take<std::uint16_t>()};
        if (what / 4 % 8 == 7) message.len = input.take<std::uint32_t>();
        head.in_length = what / 4 % 8 == 6 ? input.take<std::uint32_t>() : message.len;
        head.out_length = what / 4 % 8 == 5 ? input.take<std::uint32_t>() : input.take<std::uint16_t>();
        std::memcpy(mine.head, &head, sizeof head);
        std::memcpy(mine.payload, &message, sizeof message);
        if (!arguments.empty())
            std::memcpy(mine.payload + sizeof message, arguments.data(), arguments.size());
        mine.head_bytes = how / 4 % 8 == 7 ? input.take<std::uint32_t>() : sizeof head;
        mine.payload_bytes = how / 4 % 8 == 6 ? input.take<std::uint32_t>()
                                              : static_cast<std::uint32_t>(sizeof message + arguments.size());
        // Bits of slots that are not there, or not posted.
        if (how / 4 % 8 == 5) {
            for (auto& word : header().posted.words)
                word = input.take<std::uint64_t>();
        }
        post(index, how / 4 % 8 == 4 ? input.byte() : region::kPosted);
    }

  private:
    region::Header& header() { return *reinterpret_cast<region::Header*>(memory_); }
    region::Slot& slot(std::uint32_t index) {
        return reinterpret_cast<region::Slot*>(memory_ + region::kHeaderBytes)[index];
    }
    void ring() {
        header().posted_sequence.fetch_add(1);
        os::wake(header().posted_sequence, os::kAllWaiters);
    }

    void post(std::uint32_t index, std::uint32_t state) {
        region::Slot& mine = slot(index);
        mine.cancel = 0;
        mine.state = state;
        header().posted.words[0].fetch_or(std::uint64_t{1} << index);
        ring();
        const std::uint64_t deadline = os::monotonic_ns() + kPatienceNs;
        while (mine.state == region::kPosted) {
            os::wait(mine.state, region::kPosted, 2);
            // What the host does not answer ends because the client cancels it.
            mine.cancel = 1;
            header().cancelled.words[0].fetch_or(std::uint64_t{1} << index);
            ring();
            require(os::monotonic_ns() < deadline);
        }
    }

    int fd_ = -1;
    std::byte* memory_ = nullptr;
};

void call_honestly(const std::string& name) {
    transport::Client client;
    require(client.connect(name.c_str()).has_value());
    const auto call = [&](const RequestHead& head) {
        ReplyHead reply;
        std::array<std::byte, 64> payload;
        const auto done =
            client.call({.head = std::as_bytes(std::span(&head, 1))},
                        {.head = std::as_writable_bytes(std::span(&reply, 1)), .payload = payload});
        require(done && done->head == sizeof reply);
        return reply;
    };
    const ReplyHead opened = call({.operation = Operation::kOpen});
    require(opened.status == static_cast<std::uint32_t>(nt::Status::kSuccess));
    const ReplyHead tag = call({.operation = Operation::kControl,
                                .open = opened.open,
                                .code = ioctl::kGetVolumeName,
                                .out_length = 64});
    require(tag.status == static_cast<std::uint32_t>(nt::Status::kSuccess) && tag.information == 8);
    require(call({.operation = Operation::kClose, .open = opened.open}).status == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const std::string name = "virtiofs-fuzz-" + std::to_string(::getpid());
    lab::ScriptedHost host(answer_by_unique);
    Device device(host, u"data");
    {
        auto server = transport::Server::start({.name = name, .slots = kSlotCount}, device);
        require(server.has_value());
        Attacker attacker(name);
        attacker.open_properly();
        while (!input.empty())
            attacker.attack(input);
        call_honestly(name);
    }
    require(device.in_flight() == 0);
    return 0;
}
