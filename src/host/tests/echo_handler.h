// For tests: a RequestHandler that answers every request with its own arguments, reads files through AsyncIo,
// and counts. Must never know: rings.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "fuse/protocol.h"
#include "host/async_io.h"
#include "host/exchange.h"

namespace host {

// What all workers of one handler count. Thread-safe.
struct EchoCounts {
    std::atomic<int> workers = 0;  // that exist
    std::atomic<int> outstanding = 0;
    std::atomic<int> served = 0;
    std::atomic<int> opened =
        0;  // by the test, which says so for the race checker's sake: see race_checker.h
    std::atomic<int> forgets = 0;
    std::atomic<int> resets = 0;
    std::atomic<int> wrong_resets = 0;  // while a worker existed
    std::atomic<bool> has_io = false;
};

// READ: `size` bytes at `offset` of the descriptor numbered `fh`, through the kernel's ring. FORGET: nothing.
// Everything else: what came behind the header.
class EchoWorker final : public RequestWorker {
  public:
    EchoWorker(EchoCounts& counts, AsyncIo* io) : counts_(counts), io_(io) { ++counts_.workers; }
    ~EchoWorker() override { --counts_.workers; }

    void serve(Exchange& exchange) noexcept override {
        ++counts_.served;
        fuse::InHeader header;
        copy(exchange.request, 0, std::as_writable_bytes(std::span(&header, 1)));
        if (header.opcode == fuse::Opcode::kForget) {
            ++counts_.forgets;
            return exchange.finish(0);
        }
        if (header.opcode == fuse::Opcode::kRead) return read(exchange, header);
        const std::size_t body = exchange.request_bytes - std::min(exchange.request_bytes, sizeof header);
        echo_.resize(body);
        copy(exchange.request, sizeof header, echo_);
        finish(exchange, header.unique, 0, echo_);
    }

  private:
    // A read on its way.
    struct Reading final : AsyncOperation {
        explicit Reading(EchoWorker& of) : worker(of) {}
        void completed(std::int32_t result) noexcept override {
            --worker.counts_.outstanding;
            worker.finish(*exchange, unique, result < 0 ? result : 0,
                          std::span(bytes).first(static_cast<std::size_t>(std::max(result, 0))));
            delete this;
        }
        EchoWorker& worker;
        Exchange* exchange = nullptr;
        std::uint64_t unique = 0;
        std::vector<std::byte> bytes;
        iovec piece{};
    };

    void read(Exchange& exchange, const fuse::InHeader& header) {
        fuse::ReadIn arguments;
        copy(exchange.request, sizeof header, std::as_writable_bytes(std::span(&arguments, 1)));
        auto reading = std::make_unique<Reading>(*this);
        reading->exchange = &exchange;
        reading->unique = header.unique;
        reading->bytes.resize(std::min<std::size_t>(arguments.size, 1U << 20));
        reading->piece = {.iov_base = reading->bytes.data(), .iov_len = reading->bytes.size()};
        const int fd = static_cast<int>(arguments.fh);
        (void)counts_.opened.load();
        ++counts_.outstanding;
        if (io_ != nullptr) {
            counts_.has_io = true;
            if (io_->readv(fd, std::span(&reading->piece, 1), arguments.offset, 0, *reading)) {
                (void)reading.release();
                return;
            }
        }
        exchange.before_blocking();
        ssize_t got = ::preadv(fd, &reading->piece, 1, static_cast<off_t>(arguments.offset));
        if (got < 0 && errno == ESPIPE) got = ::readv(fd, &reading->piece, 1);
        reading.release()->completed(static_cast<std::int32_t>(got < 0 ? -errno : got));
    }

    void finish(Exchange& exchange, std::uint64_t unique, std::int32_t error,
                std::span<const std::byte> body) {
        body = body.first(std::min(
            body.size(), exchange.reply_bytes - std::min(exchange.reply_bytes, sizeof(fuse::OutHeader))));
        const fuse::OutHeader header{.len = static_cast<std::uint32_t>(sizeof(fuse::OutHeader) + body.size()),
                                     .error = error,
                                     .unique = unique};
        std::vector<std::byte> bytes(header.len);
        std::memcpy(bytes.data(), &header, sizeof header);
        std::ranges::copy(body, bytes.begin() + sizeof header);
        std::size_t done = 0;
        for (const iovec& piece : exchange.reply) {
            const std::size_t part = std::min(piece.iov_len, bytes.size() - done);
            if (part != 0) std::memcpy(piece.iov_base, bytes.data() + done, part);
            done += part;
        }
        exchange.finish(static_cast<std::uint32_t>(done));
    }

    // As many bytes from there on as there are and fit.
    static void copy(std::span<const iovec> from, std::size_t offset, std::span<std::byte> into) {
        for (const iovec& piece : from) {
            if (into.empty()) return;
            if (offset >= piece.iov_len) {
                offset -= piece.iov_len;
                continue;
            }
            const std::size_t part = std::min(into.size(), piece.iov_len - offset);
            std::memcpy(into.data(), static_cast<const std::byte*>(piece.iov_base) + offset, part);
            into = into.subspan(part);
            offset = 0;
        }
    }

    EchoCounts& counts_;
    AsyncIo* io_;
    std::vector<std::byte> echo_;
};

class EchoHandler final : public RequestHandler {
  public:
    std::unique_ptr<RequestWorker> make_worker(AsyncIo* io) override {
        return std::make_unique<EchoWorker>(counts, io);
    }
    void reset() noexcept override {
        ++counts.resets;
        if (counts.workers != 0 || counts.outstanding != 0) ++counts.wrong_resets;
    }

    EchoCounts counts;
};

}  // namespace host
