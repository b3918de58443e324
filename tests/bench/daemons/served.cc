#include "tests/bench/daemons/served.h"

#include <unistd.h>

#include <chrono>
#include <ctime>

#include "fuse/directory.h"
#include "tests/bench/rows.h"

namespace bench {
namespace {

constexpr std::uint64_t kInitFlags = fuse::init_flag::kAsyncRead | fuse::init_flag::kAtomicOTrunc |
                                     fuse::init_flag::kBigWrites | fuse::init_flag::kAutoInvalData |
                                     fuse::init_flag::kDoReadDirPlus | fuse::init_flag::kReadDirPlusAuto |
                                     fuse::init_flag::kAsyncDio | fuse::init_flag::kParallelDirOps |
                                     fuse::init_flag::kMaxPages | fuse::init_flag::kHandleKillPrivV2;

constexpr std::size_t kDirectoryBytes = 65536;  // of one READDIRPLUS reply

// Keeps `in_flight` operations going until so many are done. begin(slot) queues an operation's first call;
// step(call) takes an answer: true if the operation is done, false if it queued the next call.
template <typename Begin, typename Step>
void keep_in_flight(FuseDriver& driver, std::size_t in_flight, std::size_t operations, const Begin& begin,
                    const Step& step) {
    std::size_t begun = 0;
    for (; begun < std::min(in_flight, operations); ++begun)
        begin(begun);
    for (std::size_t done = 0; done < operations;) {
        Call& call = driver.next();
        if (!step(call)) continue;
        ++done;
        if (begun == operations) continue;
        ++begun;
        begin(call.slot);
    }
}

double seconds_of(clockid_t clock) {
    timespec time{};
    if (::clock_gettime(clock, &time) != 0)
        throw Failure("the daemon's processor time cannot be read: is it gone?");
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

class Served::Stopwatch {
  public:
    explicit Stopwatch(const Served& served) : served_(served) {}
    Taken taken() const {
        return {.seconds = seconds_of(CLOCK_MONOTONIC) - start_,
                .cpu = seconds_of(served_.cpu_clock_) - cpu_};
    }

  private:
    const Served& served_;
    double cpu_ = seconds_of(served_.cpu_clock_);
    double start_ = seconds_of(CLOCK_MONOTONIC);
};

Served::Served(const Contender& contender, const std::string& directory, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), contender.arguments.begin(), contender.arguments.end());
    auto daemon = lab::Daemon::start(
        {.directory = directory, .binary = contender.binary, .arguments = std::move(arguments)});
    if (!daemon) throw Failure(daemon.error());
    daemon_ = std::move(*daemon);
    try {
        driver_ = std::make_unique<FuseDriver>(daemon_->socket_path());
        init();
    } catch (const Failure& failure) {
        throw Failure(contender.name + ": " + failure.what() + "\n" + daemon_->log());
    }
    if (::clock_getcpuclockid(daemon_->serving_pid(), &cpu_clock_) != 0) {
        throw Failure(contender.name + ": no processor clock of the daemon");
    }
}

void Served::init() {
    const Watchdog watchdog;
    const auto call = driver_->make_call();
    driver_->prepare(*call, fuse::Opcode::kInit, fuse::kNoNode,
                     fuse::InitIn{.major = fuse::kMajorVersion,
                                  .minor = fuse::kMinorVersion,
                                  .max_readahead = 131072,
                                  .flags = static_cast<std::uint32_t>(kInitFlags)},
                     {}, sizeof(fuse::InitOut));
    driver_->transact(*call);
    const auto& init = call->body_as<fuse::InitOut>();
    if (init.max_write < kMegabyte || (init.flags & fuse::init_flag::kMaxPages) == 0) {
        throw Failure("the daemon takes no requests of 1 MiB");
    }
    if ((init.flags & fuse::init_flag::kDoReadDirPlus) == 0) throw Failure("the daemon has no READDIRPLUS");
}

Served::Calls Served::make_calls(std::size_t count) {
    Calls calls(count);
    for (std::size_t i = 0; i < count; ++i) {
        calls[i] = driver_->make_call();
        calls[i]->slot = i;
    }
    return calls;
}

fuse::EntryOut Served::look_up(fuse::NodeId parent, const std::string& name) {
    const auto call = driver_->make_call();
    driver_->prepare(*call, fuse::Opcode::kLookup, parent, fuse::NoArguments{}, name, sizeof(fuse::EntryOut));
    driver_->transact(*call);
    return call->body_as<fuse::EntryOut>();
}

fuse::FileHandle Served::open(fuse::NodeId node, std::uint32_t flags, fuse::Opcode opcode) {
    const auto call = driver_->make_call();
    driver_->prepare(*call, opcode, node, fuse::OpenIn{.flags = flags}, {}, sizeof(fuse::OpenOut));
    driver_->transact(*call);
    return call->body_as<fuse::OpenOut>().fh;
}

std::function<Taken(std::size_t)> Served::get_attr(std::size_t in_flight) {
    auto calls = std::make_shared<Calls>(make_calls(in_flight));
    for (const auto& call : *calls) {
        driver_->prepare(*call, fuse::Opcode::kGetAttr,
                         look_up(fuse::kRootNodeId, small_file(call->slot)).node, fuse::GetAttrIn{}, {},
                         sizeof(fuse::AttrOut));
    }
    return [=, this](std::size_t operations) {
        const Stopwatch watch(*this);
        keep_in_flight(
            *driver_, in_flight, operations, [&](std::size_t slot) { driver_->add(*(*calls)[slot]); },
            [](Call&) { return true; });
        return watch.taken();
    };
}

// The nodes stay referenced from look_up() on, as those of names that a guest uses; a guest takes all further
// references back with one FORGET when it drops a node, and so does this, after the watch has stopped.
std::function<Taken(std::size_t)> Served::look_up(std::size_t in_flight) {
    auto calls = std::make_shared<Calls>(make_calls(in_flight));
    std::vector<fuse::NodeId> nodes;
    for (const auto& call : *calls) {
        nodes.push_back(look_up(fuse::kRootNodeId, small_file(call->slot)).node);
        driver_->prepare(*call, fuse::Opcode::kLookup, fuse::kRootNodeId, fuse::NoArguments{},
                         small_file(call->slot), sizeof(fuse::EntryOut));
    }
    return [=, this](std::size_t operations) {
        std::vector<fuse::LookupCount> references(in_flight);
        const Stopwatch watch(*this);
        keep_in_flight(
            *driver_, in_flight, operations, [&](std::size_t slot) { driver_->add(*(*calls)[slot]); },
            [&](Call& call) {
                if (call.body_as<fuse::EntryOut>().node != nodes[call.slot])
                    throw Failure("LOOKUP: another node");
                ++references[call.slot];
                return true;
            });
        const Taken taken = watch.taken();
        for (std::size_t i = 0; i < in_flight; ++i)
            driver_->forget(nodes[i], references[i]);
        driver_->wait_for_forgets();
        return taken;
    };
}

std::function<Taken(std::size_t)> Served::random_read(const std::string& file, std::size_t file_bytes,
                                                      std::size_t in_flight, std::uint32_t flags) {
    auto calls = std::make_shared<Calls>(make_calls(in_flight));
    const fuse::NodeId node = look_up(fuse::kRootNodeId, file).node;
    const fuse::FileHandle handle = open(node, flags);
    for (const auto& call : *calls) {
        driver_->prepare(*call, fuse::Opcode::kRead, node,
                         fuse::ReadIn{.fh = handle, .size = kPageBytes, .flags = flags}, {}, 0, std::nullopt,
                         driver_->make_buffer(kPageBytes).piece);
    }
    auto pages = std::make_shared<RandomPages>(in_flight, file_bytes / kPageBytes);
    return [=, this](std::size_t operations) {
        const Stopwatch watch(*this);
        keep_in_flight(
            *driver_, in_flight, operations,
            [&](std::size_t slot) {
                Call& call = *(*calls)[slot];
                call.arguments_as<fuse::ReadIn>().offset = pages->next_offset();
                driver_->add(call);
            },
            [](const Call& call) {
                if (call.reply->len != sizeof(fuse::OutHeader) + kPageBytes)
                    throw Failure("READ: too little");
                return true;
            });
        return watch.taken();
    };
}

std::function<Taken(std::size_t)> Served::long_read() {
    std::shared_ptr<Call> call = driver_->make_call();
    const fuse::NodeId node = look_up(fuse::kRootNodeId, kDataFile).node;
    driver_->prepare(*call, fuse::Opcode::kRead, node,
                     fuse::ReadIn{.fh = open(node, fuse::open_flag::kReadOnly), .size = kMegabyte}, {}, 0,
                     std::nullopt, driver_->make_buffer(kMegabyte).piece);
    return [=, this, next = std::uint64_t{0}](std::size_t operations) mutable {
        const Stopwatch watch(*this);
        for (std::size_t i = 0; i < operations; ++i) {
            call->arguments_as<fuse::ReadIn>().offset = next++ % (kDataFileBytes / kMegabyte) * kMegabyte;
            driver_->transact(*call);
            if (call->reply->len != sizeof(fuse::OutHeader) + kMegabyte) throw Failure("READ: too little");
        }
        return watch.taken();
    };
}

std::function<Taken(std::size_t)> Served::long_write() {
    std::shared_ptr<Call> call = driver_->make_call();
    const fuse::NodeId node = look_up(fuse::kRootNodeId, kDataFile).node;
    driver_->prepare(*call, fuse::Opcode::kWrite, node,
                     fuse::WriteIn{.fh = open(node, fuse::open_flag::kReadWrite),
                                   .size = kMegabyte,
                                   .flags = fuse::open_flag::kReadWrite},
                     {}, sizeof(fuse::WriteOut), driver_->make_buffer(kMegabyte).piece);
    return [=, this, next = std::uint64_t{0}](std::size_t operations) mutable {
        const Stopwatch watch(*this);
        for (std::size_t i = 0; i < operations; ++i) {
            call->arguments_as<fuse::WriteIn>().offset = next++ % (kDataFileBytes / kMegabyte) * kMegabyte;
            driver_->transact(*call);
            if (call->body_as<fuse::WriteOut>().size != kMegabyte) throw Failure("WRITE: too little");
        }
        return watch.taken();
    };
}

// A life of a file, as a guest says it: the FORGET of the node is part of it, since only then the file is
// gone.
std::function<Taken(std::size_t)> Served::create(std::size_t in_flight) {
    constexpr std::size_t kSteps = 5;
    constexpr std::uint32_t kFlags =
        fuse::open_flag::kReadWrite | fuse::open_flag::kCreate | fuse::open_flag::kExclusive;
    struct Slot {
        Calls calls;
        fuse::NodeId node{};
    };
    auto slots = std::make_shared<std::vector<Slot>>(in_flight);
    for (std::size_t i = 0; i < in_flight; ++i) {
        Calls& calls = (*slots)[i].calls;
        calls = make_calls(kSteps);
        for (std::size_t step = 0; step < kSteps; ++step) {
            calls[step]->slot = i;
            calls[step]->step = step;
        }
        const std::string name = "made-" + std::to_string(i);
        driver_->prepare(*calls[0], fuse::Opcode::kCreate, fuse::kRootNodeId,
                         fuse::CreateIn{.flags = kFlags, .mode = fuse::mode::kRegular | 0644, .umask = 022},
                         name, sizeof(fuse::CreateOut));
        driver_->prepare(*calls[1], fuse::Opcode::kWrite, fuse::kNoNode,
                         fuse::WriteIn{.size = kPageBytes, .flags = fuse::open_flag::kReadWrite}, {},
                         sizeof(fuse::WriteOut), driver_->make_buffer(kPageBytes).piece);
        driver_->prepare(*calls[2], fuse::Opcode::kFlush, fuse::kNoNode, fuse::FlushIn{}, {}, 0);
        driver_->prepare(*calls[3], fuse::Opcode::kRelease, fuse::kNoNode,
                         fuse::ReleaseIn{.flags = fuse::open_flag::kReadWrite}, {}, 0);
        driver_->prepare(*calls[4], fuse::Opcode::kUnlink, fuse::kRootNodeId, fuse::NoArguments{}, name, 0);
    }
    return [=, this](std::size_t operations) {
        const Stopwatch watch(*this);
        keep_in_flight(
            *driver_, in_flight, operations,
            [&](std::size_t slot) { driver_->add(*(*slots)[slot].calls[0]); },
            [&](const Call& call) {
                Slot& slot = (*slots)[call.slot];
                if (call.step == 0) {
                    const auto& made = call.body_as<fuse::CreateOut>();
                    slot.node = made.entry.node;
                    for (std::size_t i = 1; i <= 3; ++i)
                        slot.calls[i]->request->node = made.entry.node;
                    slot.calls[1]->arguments_as<fuse::WriteIn>().fh = made.open.fh;
                    slot.calls[2]->arguments_as<fuse::FlushIn>().fh = made.open.fh;
                    slot.calls[3]->arguments_as<fuse::ReleaseIn>().fh = made.open.fh;
                }
                if (call.step + 1 < kSteps) {
                    driver_->add(*slot.calls[call.step + 1]);
                    return false;
                }
                driver_->forget(slot.node, 1);
                return true;
            });
        driver_->wait_for_forgets();
        return watch.taken();
    };
}

std::function<Taken(std::size_t)> Served::read_directory(Entries entries, bool with_forgets) {
    std::shared_ptr<Call> call = driver_->make_call();
    const fuse::NodeId node = look_up(fuse::kRootNodeId, kFilesDirectory).node;
    const Buffer buffer = driver_->make_buffer(kDirectoryBytes);
    const fuse::FileHandle handle =
        open(node, fuse::open_flag::kReadOnly | fuse::open_flag::kDirectory, fuse::Opcode::kOpenDir);
    driver_->prepare(*call, fuse::Opcode::kReadDirPlus, node,
                     fuse::ReadIn{.fh = handle, .size = kDirectoryBytes}, {}, 0, std::nullopt, buffer.piece);
    // Reads the whole directory; the references that were given.
    auto read_all = [=, this, references = std::vector<fuse::ForgetOne>{}]() mutable {
        references.clear();
        auto& arguments = call->arguments_as<fuse::ReadIn>();
        for (arguments.offset = 0;;) {
            driver_->transact(*call);
            if (call->reply->len <= sizeof(fuse::OutHeader)) break;
            fuse::DirectoryPlusReader reader(
                std::span(buffer.data, call->reply->len - sizeof(fuse::OutHeader)));
            while (true) {
                const auto record = reader.next();
                if (!record) throw Failure("READDIRPLUS: a bad record");
                if (!*record) break;
                arguments.offset = (*record)->dirent.off;
                if ((*record)->entry.node != fuse::kNoNode) {
                    references.push_back({.node = (*record)->entry.node, .nlookup = 1});
                }
            }
        }
        if (references.size() != kEntries) throw Failure("READDIRPLUS: not all entries");
        return references;
    };
    const auto forget = [this](const std::vector<fuse::ForgetOne>& references) {
        driver_->forget(references);
        driver_->wait_for_forgets();
    };
    return [=, this](std::size_t operations) mutable {
        Taken sum;
        std::vector<fuse::ForgetOne> kept;
        if (entries == Entries::kKnown) kept = read_all();
        for (std::size_t seen = 0; seen < operations; seen += kEntries) {
            const Stopwatch watch(*this);
            const auto references = read_all();
            Taken taken = watch.taken();
            forget(references);
            if (with_forgets) taken = watch.taken();
            sum.seconds += taken.seconds;
            sum.cpu += taken.cpu;
        }
        forget(kept);
        return sum;
    };
}

Runs Served::memory_rows() {
    const Watchdog watchdog;
    return {{kGetAttr1, get_attr(1)},
            {kGetAttr16, get_attr(16)},
            {kLookup1, look_up(1)},
            {kLookup16, look_up(16)},
            {kRead1, random_read(kDataFile, kDataFileBytes, 1, fuse::open_flag::kReadOnly)},
            {kRead16, random_read(kDataFile, kDataFileBytes, 16, fuse::open_flag::kReadOnly)},
            {kLongRead, long_read()},
            {kLongWrite, long_write()},
            {kCreate1, create(1)},
            {kCreate8, create(8)},
            {kReadDirPlus, read_directory(Entries::kNew, false)},
            {kReadDirPlusForget, read_directory(Entries::kNew, true)},
            {kReadDirPlusKnown, read_directory(Entries::kKnown, false)}};
}

Runs Served::disk_rows() {
    const Watchdog watchdog;
    constexpr std::uint32_t kFlags = fuse::open_flag::kReadOnly | fuse::open_flag::kDirect;
    return {{kDirect1, random_read(kDataFile, kDiskFileBytes, 1, kFlags)},
            {kDirect16, random_read(kDataFile, kDiskFileBytes, 16, kFlags)}};
}

}  // namespace bench
