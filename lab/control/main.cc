// lab-control (lab/tell): gives an order to a running lab (lab/run --control) or device-host and waits for
// its end.
#include <cstdio>
#include <string>

#include "lab/control/control.h"

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: lab/tell SOCKET ORDER...\n");
        return 2;
    }
    std::string order = argv[2];
    for (int i = 3; i < argc; ++i)
        order += std::string(" ") + argv[i];
    if (const auto done = lab::give_order(argv[1], order); !done) {
        std::fprintf(stderr, "lab/tell: %s: %s\n", order.c_str(), done.error().c_str());
        return 1;
    }
    return 0;
}
