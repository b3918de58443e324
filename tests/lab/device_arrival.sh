#!/usr/bin/env bash
# The service and its device: it starts without one, mounts the one with its tag when that arrives, unmounts when it is
# removed or pulled out, lets go when asked, survives the daemon and the device host, and mounts again each time.
# device_arrival.sh [BINARY_DIR]
source "$(dirname "$0")/lib.bash"
binaries=$(realpath "${1:-$build/windows-release/bin}")
native=${LAB_NATIVE:-$build/linux-release/bin}
wine=/usr/lib/wine/wine64
scripts/make-wine-prefix
cp -a "$build/wine-prefix" "$work/prefix"
export WINEPREFIX=$work/prefix WINEDEBUG=-all WINEARCH=win64 WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe="
export VFSLAB_SESSION=arrival-$$ VFSLAB_MOUNTED
VFSLAB_MOUNTED=$(windows "$work/mounted")
declare -A daemon host
service=
end_tree() { kill -9 $(descendants "$1") "$1" 2>/dev/null || true; wait "$1" 2>/dev/null || true; }
finish() {
    [ $? -eq 0 ] || cat "$work/err" "$work/host.log" >&2 || true
    for pid in $service "${daemon[@]}" "${host[@]}"; do end_tree "$pid"; done
    /usr/lib/wine/wineserver64 -k 2>/dev/null || true
    /usr/lib/wine/wineserver64 -w 2>/dev/null || true
    rm -rf "$work" "/dev/shm/vfslab-$VFSLAB_SESSION"-*
}
trap finish EXIT

# start_daemon NUMBER: on $work/shareNUMBER.
start_daemon() {
    rm -f "$work/daemon$1.sock"
    "${VIRTIOFSD:-$native/virtiofsd}" --socket-path="$work/daemon$1.sock" -f -o "source=$work/share$1" >>"$work/daemon.log" 2>&1 &
    daemon[$1]=$!
    eventually "daemon $1 starts" test -S "$work/daemon$1.sock"
}
kill_daemon() { end_tree "${daemon[$1]}"; unset "daemon[$1]"; }
# start_host NUMBER TAG ARGUMENTS...: a device, connected to daemon NUMBER.
start_host() {
    local number=$1 tag=$2
    shift 2
    rm -f "$work/ready$number"
    "$native/device-host" --socket "$work/daemon$number.sock" --tag "$tag" --session "$VFSLAB_SESSION" --index "$number" \
        --control "$work/control$number" --ready-file "$work/ready$number" "$@" 2>>"$work/host.log" &
    host[$number]=$!
    eventually "device host $number starts" test -e "$work/ready$number"
}
# order NUMBER ORDER: to device NUMBER.
order() { "$native/lab-control" "$work/control$1" "$2" || fail "order $2"; }
# said COUNT TEXT: the service's lines have it that often.
said() { [ "$(grep -cF -- "$2" "$work/err" || true)" -ge "$1" ]; }
# soon_says COUNT TEXT: in the end the service has said it that often.
soon_says() { eventually "the service says '$2' ($1 times)" said "$1" "$2"; }
# What a Windows program reads from the drive.
read_drive() { timeout 60 "$wine" "$binaries/launcher.exe" cmd /c 'type V:\name.txt' 2>/dev/null | tr -d '\r'; }
drive_has() { [ "$(read_drive)" = "$1" ]; }

touch "$work/err"
mkdir "$work/share0" "$work/share1"
echo "share of wanted" >"$work/share0/name.txt"
echo "share of other" >"$work/share1/name.txt"
"$native/lab-device-registry" --prefix "$WINEPREFIX" --devices 2
start_daemon 0
start_daemon 1

# No device, not even its host.
env --default-signal=INT "$wine" "$binaries/launcher.exe" "$(windows "$binaries/virtiofs.exe")" -t wanted -m V: \
    >"$work/out" 2>"$work/err" &
service=$!
soon_says 1 'waiting for the virtio-fs device "wanted"'

start_host 1 other
start_host 0 wanted --absent
order 0 add
soon_says 1 '"wanted" is mounted at V:'
expect "the drive is the wanted share" "$(read_drive)" "share of wanted"

# Another device comes and goes: nothing to it.
order 1 remove
order 1 add
order 1 pull-out
expect "the drive stays" "$(read_drive)" "share of wanted"

# In order: the service lets go, or the order would fail.
order 0 remove
soon_says 1 'the device is gone of "wanted"'
soon_says 2 'waiting for the virtio-fs device "wanted"'
order 1 add
order 0 add
soon_says 2 '"wanted" is mounted at V:'
expect "the drive is back" "$(read_drive)" "share of wanted"

# A removal that fails for other reasons.
order 0 fail-removal
soon_says 3 '"wanted" is mounted at V:'
expect "the drive is back when the device stays" "$(read_drive)" "share of wanted"

# Without a word.
order 0 pull-out
soon_says 3 'the device is gone of "wanted"'
order 0 add
soon_says 4 '"wanted" is mounted at V:'
expect "the drive is back after the surprise" "$(read_drive)" "share of wanted"

# The daemon dies while nobody uses the drive; the device stays.
kill_daemon 0
soon_says 1 'the host of "wanted" does not answer any more'
soon_says 1 'nothing answers behind the virtio-fs device "wanted"'
echo "second life" >"$work/share0/name.txt"
start_daemon 0
soon_says 5 '"wanted" is mounted at V:'
expect "the drive is back with its daemon" "$(read_drive)" "second life"

# Its device host is killed, and replaced.
end_tree "${host[0]}"
soon_says 4 'the device is gone of "wanted"'
start_daemon 0  # a daemon serves one connection
start_host 0 wanted
soon_says 6 '"wanted" is mounted at V:'
expect "the drive is back with a new device" "$(read_drive)" "second life"

# A daemon that hangs before it is asked for anything, as QEMU leaves a device whose daemon died: no removal waits for it,
# nor Ctrl-C below.
order 0 pull-out
soon_says 5 'the device is gone of "wanted"'
kill -STOP $(descendants "${daemon[0]}") "${daemon[0]}"
for how in remove pull-out fail-removal; do
    order 0 add
    eventually "the service tries to mount" "$native/lab-control" "$work/control0" busy 2>/dev/null
    order 0 $how
done
eventually "the service tries again when the device stays" "$native/lab-control" "$work/control0" busy 2>/dev/null
kill -INT "$(session_process 'virtiofs\.exe' "$service")"
eventually "Ctrl-C ends it" all_gone "$service"
status=0
wait "$service" || status=$?
service=
expect "Ctrl-C ends it as it should" "$status" 0
done_testing
