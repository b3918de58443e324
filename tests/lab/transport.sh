#!/usr/bin/env bash
# The call channel between processes under Wine and native ones, in all four pairings, and what each side makes of the
# other's death.
source "$(dirname "$0")/lib.bash"
native=${LAB_NATIVE:-$build/linux-release/bin}/transport-peer
windows_peer=${LAB_WINDOWS:-$build/windows-release/bin}/transport-peer.exe
cp -a "$build/wine-prefix" "$work/prefix"
export WINEPREFIX=$work/prefix WINEDEBUG=-all WINEARCH=win64 WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe="
finish() {
    [ -z "${server:-}" ] || kill -9 "$server" 2>/dev/null || true
    /usr/lib/wine/wineserver64 -k 2>/dev/null || true
    /usr/lib/wine/wineserver64 -w 2>/dev/null || true
    rm -rf "$work" "/dev/shm/$name"
}
trap finish EXIT
name=transport-$$

# peer native|wine ARGUMENTS...
peer() {
    local kind=$1
    shift
    if [ "$kind" = native ]; then "$native" "$@"; else /usr/lib/wine/wine64 "$windows_peer" "$@"; fi
}

# start native|wine: a server whose process id is $server, and which ends when descriptor 9 is closed.
start() {
    rm -f "$work/input" "$work/server"
    mkfifo "$work/input"
    if [ "$1" = native ]; then
        "$native" serve "$name" <"$work/input" >"$work/server" 2>&1 &
    else
        /usr/lib/wine/wine64 "$windows_peer" serve "$name" <"$work/input" >"$work/server" 2>&1 &
    fi
    server=$!
    exec 9>"$work/input"
    eventually "the $1 server starts" grep -qs ready "$work/server"
}
stop() {
    exec 9>&-
    wait "$server"
    server=
}
gone() { [ ! -e "/dev/shm/$name" ]; }
noticed() { grep -qs noticed "$work/outlive"; }

for serving in native wine; do
    start "$serving"
    for calling in native wine; do
        peer "$calling" check "$name" 9>&- >"$work/check" 2>&1 || { cat "$work/check" >&2; fail "$calling calls $serving"; }
        echo "$calling calls $serving: $(grep median "$work/check")"
        checks=$((checks + 1))
        # A client that is killed leaves nothing behind: the next one finds every slot free again.
        rm -f "$work/hang"  # or the last one's "ready" would be taken for this one's
        peer "$calling" hang "$name" 9>&- >"$work/hang" 2>&1 &
        hanging=$!
        eventually "$calling hangs" grep -qs ready "$work/hang"
        kill -9 "$hanging"
        wait "$hanging" 2>/dev/null || true
    done
    stop
    eventually "the $serving server removes its region" gone
    for calling in native wine; do
        start "$serving"
        rm -f "$work/outlive"
        peer "$calling" outlive "$name" 9>&- >"$work/outlive" 2>&1 &
        waiting=$!
        eventually "$calling waits for $serving" grep -qs ready "$work/outlive"
        kill -9 "$server"
        wait "$server" 2>/dev/null || true
        exec 9>&-
        eventually "$calling notices that $serving died" noticed
        wait "$waiting"
    done
done
server=
done_testing
