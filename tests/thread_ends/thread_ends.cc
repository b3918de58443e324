// thread_ends.exe: threads of ours that have waited for the host end while threads of the system's do that
// have called into us, as the service's do at its stop. Both ends take a lock of the loader's and one of the
// C++ run-time library's, so that they could wait for each other for ever.
#include <windows.h>

#include <array>
#include <cstdio>
#include <thread>

#include "guest/volume/call.h"

namespace {

constexpr int kRounds = 150;
constexpr int kOfEach = 3;           // threads at once
constexpr DWORD kPatience = 60'000;  // ms, for all rounds

void wait_for_reply() {
    guest::Countdown replies(1);
    replies.count();
    replies.wait();
}

DWORD WINAPI call_into_us(void* may_end) {
    const bool known = std::this_thread::get_id() != std::thread::id();
    WaitForSingleObject(may_end, INFINITE);
    return known ? 0 : 1;
}

void run_round() {
    const HANDLE may_end = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    std::array<std::thread, kOfEach> ours;
    std::array<HANDLE, kOfEach> others{};
    for (int i = 0; i < kOfEach; ++i) {
        ours[i] = std::thread([may_end] {
            wait_for_reply();
            WaitForSingleObject(may_end, INFINITE);
        });
        others[i] = CreateThread(nullptr, 0, call_into_us, may_end, 0, nullptr);
    }
    SetEvent(may_end);
    for (std::thread& thread : ours)
        thread.join();
    WaitForMultipleObjects(kOfEach, others.data(), TRUE, INFINITE);
    for (const HANDLE thread : others)
        CloseHandle(thread);
    CloseHandle(may_end);
}

DWORD WINAPI run_rounds(void*) {
    for (int i = 0; i < kRounds; ++i)
        run_round();
    return 0;
}

}  // namespace

int main() {
    const HANDLE rounds = CreateThread(nullptr, 0, run_rounds, nullptr, 0, nullptr);
    if (WaitForSingleObject(rounds, kPatience) == WAIT_OBJECT_0) return 0;
    std::fprintf(stderr, "threads wait for each other's end\n");
    std::fflush(stderr);
    TerminateProcess(GetCurrentProcess(), 1);  // an orderly exit would wait, too
}
