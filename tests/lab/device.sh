#!/usr/bin/env bash
# The device's control codes from a Windows program through device-host to a real virtiofsd: messages, completions,
# cancellation, and the loss of the daemon and of the host.
source "$(dirname "$0")/lib.bash"
native=${LAB_NATIVE:-$build/linux-release/bin}
windows_bin=${LAB_WINDOWS:-$build/windows-release/bin}
cp -a "$build/wine-prefix" "$work/prefix"
export WINEPREFIX=$work/prefix WINEDEBUG=-all WINEARCH=win64 WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe="
export VFSLAB_SESSION=device-$$
daemon=
host=
finish() {
    for pid in $daemon $host; do
        kill -9 $(descendants "$pid") "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    /usr/lib/wine/wineserver64 -k 2>/dev/null || true
    /usr/lib/wine/wineserver64 -w 2>/dev/null || true
    rm -rf "$work" "/dev/shm/vfslab-$VFSLAB_SESSION"-*
}
trap finish EXIT

start_all() {
    rm -f "$work/daemon.sock" "$work/ready"
    "${VIRTIOFSD:-$native/virtiofsd}" --socket-path="$work/daemon.sock" -f -o "source=$share" >"$work/daemon.log" 2>&1 &
    daemon=$!
    eventually "the daemon starts" test -S "$work/daemon.sock"
    "$native/device-host" --socket "$work/daemon.sock" --tag mytag --session "$VFSLAB_SESSION" \
        --ready-file "$work/ready" 2>>"$work/host.log" &
    host=$!
    eventually "the device host starts" test -e "$work/ready"
}
# The daemon's process that serves is a child of the one that was started.
signal_daemon() { kill "-$1" $(descendants "$daemon") "$daemon"; }
# A stop reaches the threads one after another, and nobody is told when the last one stands.
daemon_stands() {
    local pid
    for pid in $(descendants "$daemon") "$daemon"; do
        ! cat "/proc/$pid"/task/*/status | grep '^State:' | grep -qv 'T (stopped)' || return 1
    done
}

echo "hello from the host" >"$share/hello.txt"
"$native/lab-device-registry" --prefix "$WINEPREFIX" --devices 2
start_all
coproc program { /usr/lib/wine/wine64 "$windows_bin/device-check.exe"; }
program_pid=$program_PID
in=${program[0]}
out=${program[1]}
while IFS= read -r -t 60 -u "$in" line; do
    line=${line%$'\r'}
    echo "$line"
    case $line in
        ok:*) checks=$((checks + 1)) ;;
        "do: stop the daemon") signal_daemon STOP; eventually "the daemon stands" daemon_stands ;;
        "do: continue the daemon") signal_daemon CONT ;;
        "do: kill the daemon") signal_daemon KILL; wait "$daemon" 2>/dev/null || true ;;
        "do: kill the device host") kill -9 "$host"; wait "$host" 2>/dev/null || true ;;
        "do: restart everything")
            kill -TERM "$host"
            status=0
            wait "$host" || status=$?
            expect "device-host's exit code after SIGTERM" "$status" 0
            [ ! -e "/dev/shm/vfslab-$VFSLAB_SESSION-device-0" ] || fail "device-host left its region"
            start_all
            ;;
    esac
    case $line in do:*) echo >&"$out" ;; esac
done
wait "$program_pid" || fail "device-check.exe ended with exit code $?; $(cat "$work/host.log")"
done_testing
