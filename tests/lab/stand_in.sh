#!/usr/bin/env bash
# The stand-in for WinFsp's DLL with a WinFsp file system of its own, in memory, whose reads, writes and listings complete
# asynchronously: programs use its drive, and every callback comes as WinFsp's contract says. stand_in.sh [BINARY_DIR]
source "$(dirname "$0")/lib.bash"
binaries=$(realpath "${1:-$build/windows-release/bin}")
wine=/usr/lib/wine/wine64
export WINEDEBUG=-all WINEARCH=win64 WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe=" WINEPREFIX=$work/prefix
export VFSLAB_SESSION=stand-in-$$ VFSLAB_MOUNTED
VFSLAB_MOUNTED=$(windows "$work/mounted")
trap '/usr/lib/wine/wineserver64 -k >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
scripts/make-wine-prefix
cp -a "$build/wine-prefix" "$WINEPREFIX"
launch() { timeout 120 "$wine" "$binaries/launcher.exe" "$@"; }
plain() { tr -d '\r' | sed 's/ *$//'; }

env --default-signal=INT "$wine" "$binaries/winfsp_memory.exe" '*' >"$work/out" 2>"$work/err" &
service=$!
eventually "it mounts" test -s "$work/mounted"
drive=$(head -c 2 "$work/mounted")
expect "without a mount point it is at a letter from Z: down" "$(grep -c '^[D-Z]:$' <<<"$drive")" 1

expect "cmd writes and reads" "$(launch cmd /c "echo hello> $drive\\a.txt&& type $drive\\a.txt" | plain)" hello
expect "cmd appends" "$(launch cmd /c "echo more>> $drive\\a.txt&& type $drive\\a.txt" | plain | xargs)" "hello more"
launch cmd /c "md $drive\\d && for /l %i in (1,1,300) do @echo %i> $drive\\d\\file_with_a_rather_long_name_%i" >/dev/null
expect "a listing of many buffers" "$(launch cmd /c "dir /b $drive\\d" | plain | sort -u | wc -l)" 300
status=0
launch --cd 'C:\' -- "$binaries/redirect_test_client.exe" "$drive" >"$work/client" || status=$?
[ "$status" -eq 0 ] || grep -v '^ok' "$work/client" >&2
expect "Win32 calls of all kinds" "$status" 0
kill -INT "$service"
status=0
wait "$service" || status=$?
[ "$status" -eq 0 ] || cat "$work/err" >&2
expect "Ctrl-C ends it, and all callbacks came in order" "$status" 0
expect "the drive is gone" "$(launch cmd /c "if exist $drive\\ (echo there) else (echo gone)" | plain)" gone
done_testing
