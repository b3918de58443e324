#!/usr/bin/env bash
# SIGTERM, SIGINT and SIGHUP end the daemon at once with exit code 0, whether it waits or works, and its socket is gone.
# A daemon whose options are wrong says why and makes none.
source "$(dirname "$0")/lib.bash"
programs=$build/linux-release/bin
[ -x "$programs/virtiofs-mount" ] || scripts/build linux-release virtiofs-mount
mkdir "$work/share" "$work/mounted"

for sandbox in namespace chroot none; do
    for signal in TERM INT HUP; do
        start_daemon waiting "$daemon" --socket-path="$work/waiting.sock" --shared-dir="$work/share" --sandbox="$sandbox"
        children=$(pgrep -P "${daemon_pid[waiting]}" || true)
        kill -"$signal" "${daemon_pid[waiting]}"
        ends_with "the daemon that waits ($sandbox, SIG$signal)" "${daemon_pid[waiting]}" 0
        for child in $children; do eventually 2 "its child ends" is_gone "$child"; done
        expect "what it leaves" "$(find "$work" -name 'waiting.sock*')" ""
    done
done

# is_being_written: there is some data.
is_being_written() { [ -s "$work/share/records.3" ]; }
for sandbox in namespace none; do
    rm -f "$work"/share/*
    start_daemon busy "$daemon" --socket-path="$work/busy.sock" --shared-dir="$work/share" --sandbox="$sandbox"
    "$programs/virtiofs-mount" --socket "$work/busy.sock" "$work/mounted" -- "$programs/guest_writer" "$work/mounted" \
        >"$work/writer" 2>"$work/mount.log" &
    mount_pid=$!
    to_end+=("$mount_pid")
    eventually 20 "records are written" is_being_written
    kill -TERM "${daemon_pid[busy]}"
    ends_with "the daemon that works ($sandbox)" "${daemon_pid[busy]}" 0
    expect "what it leaves" "$(find "$work" -name 'busy.sock*')" ""
    ends_with "the mount" "$mount_pid" 125
    expect "the writer gets an error" "$(tail -n 1 "$work/writer" | grep -cE '^writer: (write|fsync) of record')" 1
done

"$daemon" --socket-path="$work/wrong.sock" --shared-dir="$work/no-such-directory" >"$work/wrong.log" 2>&1 &&
    fail "a directory that is not there was shared"
grep -q "no-such-directory" "$work/wrong.log" || fail "the message does not name the directory: $(cat "$work/wrong.log")"
expect "what it leaves" "$(find "$work" -name 'wrong.sock*')" ""
expect "it tells libvirt that it knows today's options" "$("$daemon" --print-capabilities | grep -cE '"separate-options"|"type": *"fs"')" 2
echo "$checks passed"
