#!/usr/bin/env bash
# Windows programs through the redirection, on a file system in memory. redirect.sh [BINARY_DIR]
source "$(dirname "$0")/lib.bash"
scripts/make-wine-prefix
lab/redirect/tests/run_tests.sh "${1:-$build/windows-release/bin}" "$work" "$build/wine-prefix"
