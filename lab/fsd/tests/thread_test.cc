#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "lab/fsd/tests/fixture.h"

namespace lab::fsd {
namespace {

// Holds the callbacks that match until let go.
class Gate {
  public:
    void hold(std::string call) {
        const std::scoped_lock lock(mutex_);
        held_ = std::move(call);
    }
    void let_go() {
        {
            const std::scoped_lock lock(mutex_);
            held_.clear();
        }
        changed_.notify_all();
    }
    void pass(std::string_view call) {
        std::unique_lock lock(mutex_);
        if (held_.empty() || call != held_) return;
        waiting_ = true;
        changed_.notify_all();
        changed_.wait(lock, [&] { return held_.empty() || call != held_; });
    }
    void wait_until_held() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return waiting_; });
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string held_;
    bool waiting_ = false;
};

class Threads : public FsdTest {
  protected:
    void gate(std::string call) {
        gate_.hold(std::move(call));
        memory_->set_hook([this](std::string_view name) -> std::optional<Status> {
            gate_.pass(name);
            return std::nullopt;
        });
    }
    Gate gate_;
};

TEST_F(Threads, ABlockedOpen_HoldsUpNoOtherOpen) {
    make_file(u"\\slow");
    make_file(u"\\fast");
    gate("open \\slow");
    std::thread slow([&] { fsd_->close_handle(open(u"\\slow", access::kReadData, Disposition::kOpen)); });
    gate_.wait_until_held();
    EXPECT_EQ(probe(u"\\fast"), Status::kSuccess);
    make_file(u"\\new", "content");
    gate_.let_go();
    slow.join();
}

TEST_F(Threads, ABlockedRead_HoldsUpNeitherOtherHandlesNorAsynchronousReads) {
    make_file(u"\\a", "abc");
    const CreateResult file =
        create(u"\\a", {.desired_access = access::kReadData, .share_access = share::kAll});
    gate("read \\a");
    std::thread reader([&] { EXPECT_EQ(fsd_->read(file.file, Buffer(3).span(), 0).information, 3U); });
    gate_.wait_until_held();
    Buffer standard(24);
    EXPECT_EQ(fsd_->query_information(file.file, file_class::kStandard, standard.span()).status,
              Status::kSuccess);
    make_file(u"\\b", "content");
    gate_.let_go();
    reader.join();
    fsd_->close_handle(file.file);
}

TEST_F(Threads, CleanupDuringARead_WaitsForIt) {
    make_file(u"\\a", "abc");
    const FileId file = open(u"\\a");
    gate("read \\a");
    std::thread reader([&] { EXPECT_EQ(fsd_->read(file, Buffer(3).span(), 0).information, 3U); });
    gate_.wait_until_held();
    std::atomic<bool> closed = false;
    std::thread closer([&] {
        fsd_->close_handle(file);
        closed = true;
    });
    EXPECT_FALSE(closed);
    gate_.let_go();
    reader.join();
    closer.join();
    EXPECT_EQ(fsd_->open_count(), 0U);
}

TEST_F(Threads, ManyOfThemOnFewNames_KeepTheProtocol) {
    constexpr int kThreads = 4;
    constexpr int kRounds = 150;
    make_directory(u"\\d");
    make_directory(u"\\e");
    const std::u16string names[] = {u"\\d\\a", u"\\d\\b", u"\\e\\a", u"\\c"};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
            for (int round = 0; round < kRounds; ++round) {
                const std::u16string& name = names[(round * 7 + thread) % 4];
                const CreateResult file = create(
                    name, {.desired_access = access::kFileAllAccess,
                           .share_access = share::kAll,
                           .disposition = round % 5 == 0 ? Disposition::kOverwriteIf : Disposition::kOpenIf,
                           .options = round % 2 == 0 ? option::kSynchronousIoNonalert : 0U});
                if (file.file == FileId::kNone) continue;
                Buffer buffer(512);
                fsd_->write(file.file, buffer.span(), 0);
                fsd_->read(file.file, buffer.span(), 0);
                fsd_->query_information(file.file, file_class::kAll, buffer.span());
                if (round % 3 == 0) set_disposition(file.file, true);
                if (round % 4 == 1) {
                    fsd_->rename(file.file, {.new_name = names[(round + thread) % 4],
                                             .replace_if_exists = round % 8 == 1});
                }
                fsd_->close_handle(file.file);
                const CreateResult root =
                    create(u"\\d", {.desired_access = access::kReadData, .share_access = share::kAll});
                if (root.file == FileId::kNone) continue;
                fsd_->query_directory(root.file, {.information_class = file_class::kNames}, buffer.span());
                fsd_->close_handle(root.file);
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(fsd_->open_count(), 0U);
}

TEST_F(Threads, OneHandleUsedAndClosedByMany_EndsOnce) {
    for (int round = 0; round < 50; ++round) {
        const FileId file = open(u"\\a");
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&] {
                Buffer buffer(8);
                fsd_->write(file, buffer.span(), std::nullopt);
                fsd_->close_handle(file);
            });
        }
        for (std::thread& thread : threads)
            thread.join();
    }
    EXPECT_EQ(fsd_->open_count(), 0U);
}

}  // namespace
}  // namespace lab::fsd
