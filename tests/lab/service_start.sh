#!/usr/bin/env bash
# virtiofs.exe's start and stop under Wine, without any device: what it says when something is missing or wrong, its exit
# codes (Win32 error codes), and Ctrl-C. service_start.sh [BINARY_DIR]
source "$(dirname "$0")/lib.bash"
binaries=$(realpath "${1:-$build/windows-release/bin}")
wine=/usr/lib/wine/wine64
export WINEDEBUG=-all WINEARCH=win64 WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe=" WINEPREFIX=$work/prefix
trap '/usr/lib/wine/wineserver64 -k >/dev/null 2>&1 || true; rm -rf "$work" /dev/shm/vfslab-service-start-$$-*' EXIT
scripts/make-wine-prefix
cp -a "$build/wine-prefix" "$WINEPREFIX"
# One that ends between two programs could be met while it does.
/usr/lib/wine/wineserver64 -p
mkdir "$work/alone" "$work/winfsp" "$work/winfsp/bin"
cp "$binaries/virtiofs.exe" "$work/alone/"

# run ARGUMENTS...: exit code in $status, standard output and error in $work/out and $work/err.
run() {
    status=0
    timeout 60 "$wine" "$work/alone/virtiofs.exe" "$@" >"$work/out" 2>"$work/err" || status=$?
}
# says FILE TEXT
says() {
    grep -qF -- "$2" "$work/$1" || fail "std$1 says '$2', but it was: $(cat "$work/$1")"
    checks=$((checks + 1))
}
set_value() { "$wine" reg add "$1" /v "$2" /t "$3" /d "$4" /f >/dev/null; }

run --version
expect "--version succeeds" "$status" 0
says out "virtiofs 0."
says out "Bill Zissimopoulos"
says out "https://github.com/winfsp/winfsp"
run --help
expect "--help succeeds" "$status" 0
says out "-t Tag"

run --mount V:
expect "an unknown option" "$status" 87
says err 'unknown option "--mount"'
run -m
expect "a missing value" "$status" 87
says err "option -m needs a value"
for owner in root 1000 -1:0 0:4294967295 1000:1000x; do
    run -o "$owner"
    expect "a wrong owner" "$status" 87
    says err "an owner is UID:GID, two numbers from 0 to 4294967294, such as 1000:1000, not \"$owner\""
done
run -i
expect "-i" "$status" 50
says err "not supported yet"

run -m V:
expect "WinFsp is missing" "$status" 126
says err "https://winfsp.dev/rel/"

# Without arguments the registry counts, the documented key first.
set_value 'HKLM\Software\VirtIO-FS' Owner REG_SZ nobody
run
expect "a wrong value in the released key" "$status" 87
says err "registry value Owner"
set_value 'HKLM\Software\virtiofs' Owner REG_SZ 1000:1000
run
expect "the documented key wins" "$status" 126
set_value 'HKLM\Software\virtiofs' CaseInsensitive REG_DWORD 1
run
expect "CaseInsensitive" "$status" 50
run -m V:
expect "arguments switch the registry off" "$status" 126

set_value 'HKLM\Software\virtiofs' OverflowUid REG_SZ 1
run -m V:
expect "OverflowUid of the wrong type, which is read in any case" "$status" 87
says err "registry value OverflowUid of HKLM\Software\virtiofs or HKLM\Software\VirtIO-FS: a DWORD is expected"
set_value 'HKLM\Software\virtiofs' OverflowUid REG_DWORD 0xffffffff
run -m V:
expect "OverflowUid out of range" "$status" 87
says err "ids go from 0 to 4294967294"
run --help
expect "--help needs no registry" "$status" 0
set_value 'HKLM\Software\virtiofs' OverflowUid REG_DWORD 65534

# WinFsp as its installer leaves it: found through the registry.
cp "$binaries/winfsp-x64.dll" "$work/winfsp/bin/"
set_value 'HKLM\Software\Wow6432Node\WinFsp' InstallDir REG_SZ "$(windows "$work/winfsp")\\"

run -m C:
expect "a mount point that is taken, before there is a device" "$status" 85
says err 'the mount point "C:" is taken'

# Waits for its device, says so once, and ends at once with Ctrl-C.
# The launcher supplies what Wine lacks: notifications of devices.
export VFSLAB_SESSION=service-start-$$
env --default-signal=INT "$wine" "$binaries/launcher.exe" "$(windows "$work/alone/virtiofs.exe")" -t nowhere -m V: \
    -D - -d -1 >"$work/out" 2>"$work/err" &
service=$!
eventually "it says that it waits" grep -qF 'waiting for the virtio-fs device "nowhere"' "$work/err"
before=$(date +%s%N)
kill -INT "$(session_process 'virtiofs\.exe' "$service")"
status=0
wait "$service" || status=$?
expect "Ctrl-C ends it as it should" "$status" 0
took=$((($(date +%s%N) - before) / 1000000))
[ "$took" -lt 2000 ] || fail "Ctrl-C took $took ms"
expect "it says once that it waits" "$(grep -c waiting "$work/err")" 1
done_testing
