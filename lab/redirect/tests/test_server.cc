// Serves an in-memory file system as a drive until its standard input ends: redirect_test_server.exe LETTER
// READY_FILE. Exit code 0 means that every file was closed again and all callbacks came in order.
#include <windows.h>

#include <cstdio>
#include <string>

#include "lab/fsd/fsd.h"
#include "lab/fsd/memory_file_system.h"
#include "lab/redirect/server.h"

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: redirect_test_server.exe LETTER READY_FILE\n");
        return 2;
    }
    lab::fsd::MemoryFileSystem files;
    lab::fsd::VolumeParams params;
    params.serial_number = 0x12345678;
    params.file_system_name = u"LABFS";
    lab::fsd::Fsd fsd(files, params);
    {
        auto server = lab::redirect::Server::start(
            fsd, {.device_name = u"\\Device\\Volume{5d0a2c6e-0000-4000-8000-" +
                                 std::u16string(12, static_cast<char16_t>(argv[1][0])) + u"}",
                  .drive_letter = static_cast<char16_t>(argv[1][0])});
        if (!server) {
            std::fprintf(stderr, "redirect_test_server: %s\n", server.error().c_str());
            return 1;
        }
        if (std::FILE* ready = std::fopen(argv[2], "w")) {
            std::fputs(argv[1], ready);
            std::fclose(ready);
        }
        // One line asks how many files are open; the end of input ends the server.
        char line[64];
        while (std::fgets(line, sizeof(line), stdin)) {
            std::printf("open %zu\n", (*server)->open_count());
            std::fflush(stdout);
        }
    }
    int failures = 0;
    for (const std::string& violation : files.violations(true)) {
        std::fprintf(stderr, "redirect_test_server: %s\n", violation.c_str());
        ++failures;
    }
    if (fsd.open_count() != 0) {
        std::fprintf(stderr, "redirect_test_server: %zu files are still open\n", fsd.open_count());
        ++failures;
    }
    return failures ? 1 : 0;
}
