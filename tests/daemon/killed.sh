#!/usr/bin/env bash
# kill -9 of the daemon in the middle of writes: what was flushed is on the disk, all of it. A local mount's programs get
# errors. A Linux guest lives on; its requests hang, since QEMU 7.2 does not tell it, until a reset; with a new device and
# a new daemon the share is back.
# In a mount name space of its own, so that nothing stays mounted.
if [ -z "${OWN_MOUNTS:-}" ]; then OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"; fi
source "$(dirname "$0")/lib.bash"
programs=$build/linux-release/bin
[ -x "$programs/virtiofs-mount" ] || scripts/build linux-release virtiofs-mount
clean_up() { umount -l "$work/mounted" "$work/after" "$work/share" 2>/dev/null || true; }

# The share is a file system of its own, in a file: what that file holds is on the disk, the rest is in memory.
make_disk() {
    truncate -s 64M "$work/disk"
    mkfs.ext4 -q -F "$work/disk"
    mkdir -p "$work/share" "$work/after"
    mount -o loop "$work/disk" "$work/share"
}
# check_disk ACKNOWLEDGED: a copy of the disk, as if the host had lost its power now, has all these records.
check_disk() {
    cp "$work/disk" "$work/disk.after"
    sed -nE 's/^(## )?acknowledged ([0-9]+)\r?$/\2/p' "$1" | sort -n >"$work/acknowledged"
    mount -o loop "$work/disk.after" "$work/after"
    { cat "$work"/after/records.* 2>/dev/null || true; } | sed -nE 's/^record ([0-9]+) \.*$/\1/p' | sort -n >"$work/found"
    umount "$work/after"
    [ -s "$work/acknowledged" ] || fail "no record was acknowledged"
    expect "acknowledged records that are not on the disk" "$(comm -23 <(sort "$work/acknowledged") <(sort "$work/found"))" ""
}
says_more_than() { [ "$(grep -c "$1" "$2")" -gt "$3" ]; }
remove_disk() {
    umount "$work/share"
    rm -f "$work/disk" "$work/disk.after"
}

# A local mount. The process that serves is killed; the one that was started tells of it.
make_disk
mkdir "$work/mounted"
start_daemon a "$daemon" --socket-path="$work/a.sock" -o "source=$work/share"
"$programs/virtiofs-mount" --socket "$work/a.sock" "$work/mounted" -- "$programs/guest_writer" "$work/mounted" \
    >"$work/writer" 2>"$work/mount.log" &
mount_pid=$!
to_end+=("$mount_pid")
eventually 20 "records are written" says_more_than acknowledged "$work/writer" 50
serving=$(pgrep -P "${daemon_pid[a]}")
kill -KILL "$serving"
ends_with "the mount" "$mount_pid" 125
expect "the last that the writer says" "$(tail -n 1 "$work/writer" | sed -E 's/ of record [0-9]+: .*//' | grep -cE '^writer: (write|fsync)$')" 1
eventually 5 "the daemon's other process ends" is_gone "${daemon_pid[a]}"
check_disk "$work/writer"
echo "local mount: $(wc -l <"$work/acknowledged") records acknowledged; $(tail -n 1 "$work/writer")"
remove_disk

# A guest. The process that was started is killed; the one that serves goes with it.
make_disk
start_daemon b "$daemon" --socket-path="$work/b.sock" -o "source=$work/share"
device() { echo "vhost-user-fs-pci,id=$1,bus=$2,queue-size=1024,chardev=$1,tag=share"; }
start_guest write_on share:auto:0 -m 512M -object memory-backend-memfd,id=mem,size=512M,share=on -numa node,memdev=mem \
    -device pcie-root-port,id=slot0,chassis=1 -device pcie-root-port,id=slot1,chassis=2 \
    -chardev "socket,id=b,path=$work/b.sock" -device "$(device b slot0)"
guest_says 120 "acknowledged 50"
serving=$(pgrep -P "${daemon_pid[b]}")
kill -KILL "${daemon_pid[b]}"
eventually 5 "the process that serves ends" is_gone "$serving"
alive=$(grep -c '^## alive' "$console" || true)
check_disk "$console"
eventually 10 "the guest lives on" says_more_than '^## alive' "$console" $((alive + 1))
start_daemon c "$daemon" --socket-path="$work/c.sock" -o "source=$work/share"
tell_qemu "device_del b"
tell_qemu system_reset
tell_qemu "chardev-add socket,id=c,path=$work/c.sock"
tell_qemu "device_add $(device c slot1)"
guest_says 120 "found"
guest_says 60 "ended 0"
ends_with "QEMU" "$guest_pid" 0
ends_with "the new daemon" "${daemon_pid[c]}" 0
echo "guest: $(wc -l <"$work/acknowledged") records acknowledged; after the reset it $(grep -oE 'found [0-9]+' "$console")"
remove_disk
echo "$checks passed"
