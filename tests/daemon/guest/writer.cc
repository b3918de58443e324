// Writes records to files, one fsync each, and tells of each once it was acknowledged, until something fails.
// writer DIRECTORY [RECORDS]. A record: 64 bytes with its number, in DIRECTORY/records.(number mod 4).
// The last line says what ended it: "done" or the call and its error.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

// Prints a line at once, whatever stdout is.
void tell(const std::string& line) {
    std::puts(line.c_str());
    std::fflush(stdout);
}

[[noreturn]] void end(const char* call, long record) {
    tell("writer: " + std::string(call) + " of record " + std::to_string(record) + ": " +
         std::strerror(errno));
    std::exit(1);
}

std::string record(long number) {
    std::string text = "record " + std::to_string(number) + " ";
    text.resize(63, '.');
    return text + '\n';
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fputs("usage: writer DIRECTORY [RECORDS]\n", stderr);
        return 2;
    }
    const long records = argc > 2 ? std::atol(argv[2]) : 1'000'000;
    std::array<int, 4> files{};
    for (std::size_t i = 0; i < files.size(); ++i) {
        const std::string path = std::string(argv[1]) + "/records." + std::to_string(i);
        files[i] = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (files[i] < 0) end("open", 0);
    }
    for (long number = 0; number < records; ++number) {
        const int file = files[static_cast<std::size_t>(number) % files.size()];
        const std::string text = record(number);
        if (::write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            end("write", number);
        if (::fsync(file) != 0) end("fsync", number);
        tell("acknowledged " + std::to_string(number));
    }
    tell("writer: done");
    return 0;
}
