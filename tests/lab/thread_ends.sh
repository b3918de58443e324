#!/usr/bin/env bash
# Threads that end at the same time do not wait for each other for ever. thread_ends.sh [BINARY_DIR]
source "$(dirname "$0")/lib.bash"
binaries=$(realpath "${1:-$build/windows-release/bin}")
export WINEDEBUG=-all WINEARCH=win64 WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe=" WINEPREFIX=$work/prefix
trap '/usr/lib/wine/wineserver64 -k >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
scripts/make-wine-prefix
cp -a "$build/wine-prefix" "$WINEPREFIX"
status=0
timeout 120 /usr/lib/wine/wine64 "$binaries/thread_ends.exe" || status=$?
expect "the threads end" "$status" 0
# What thread_ends.exe shows of one class holds for all that is thread_local.
for binary in virtiofs.exe winfsp-x64.dll; do
    expect "$binary destroys nothing with a thread" \
        "$(x86_64-w64-mingw32-nm "$binaries/$binary" | grep -c __cxa_thread_atexit || true)" 0
done
done_testing
