#!/usr/bin/env bash
# A Linux guest's programs work on shares of all cache modes; the host sees what they did. The machine is reset while it
# writes, boots again with the same daemons and works; when it is switched off the daemons end by themselves.
# The first share is set up as docs/host.md says; the last one is of Debian's daemon, by which the test itself is judged.
source "$(dirname "$0")/lib.bash"

# share NAME DAEMON CACHE XATTR OPTIONS [DEVICE-OPTIONS]: a daemon on a directory of its own, and a device of the machine.
names=()
shares=
devices=()
share() {
    local name=$1
    mkdir "$work/$name"
    start_daemon "$name" "$2" --socket-path="$work/$name.sock" -o "source=$work/$name,$5"
    devices+=(-chardev "socket,id=$name,path=$work/$name.sock"
              -device "vhost-user-fs-pci,queue-size=1024,chardev=$name,tag=$name${6:-}")
    names+=("$name")
    shares+=,$name:$3:$4
}

mkdir "$work/my_virtiofs"
here() { sed -e "s|^virtiofsd|$daemon|" -e "s|/tmp/virtiofs_socket|$work/my_virtiofs.sock|g" \
             -e "s|/home/user/viofs|$work/my_virtiofs|g" -e 's|4G|512M|g'; }
read -ra command < <(documented daemon | here)
start_daemon my_virtiofs "${command[@]}"
read -ra machine < <(documented qemu | here | tr '\n' ' '; echo)
names=(my_virtiofs)
shares=my_virtiofs:auto:0
queues=,num-request-queues=2
is_ours || queues=  # Debian's has one
share none "$daemon" none 1 cache=none,xattr
share always "$daemon" always 0 cache=always,no_xattr "$queues"
share writeback "$daemon" auto 1 cache=auto,writeback,xattr,flock,posix_lock
share debians "$debians" auto 1 cache=auto,xattr

start_guest functional "$shares" "${machine[@]}" "${devices[@]}"
guest_says 180 "ready for the reset"
grep '^##' "$console" | tr -d '\r'
tell_qemu system_reset
for name in "${names[@]}"; do guest_says 90 "$name: works after the reset"; done
guest_says 30 "ended 0"
ends_with "QEMU" "$guest_pid" 0

for name in "${names[@]}"; do
    ends_with "the daemon $name" "${daemon_pid[$name]}" 0
    cd "$work/$name/kept"
    expect "$name: a file's owner, mode and time" "$(TZ=UTC stat -c '%u %g %a %y' c)" "1000 1001 4751 2001-02-03 04:05:06.000000000 +0000"
    expect "$name: a directory's" "$(stat -c '%u %g %a %F' dir)" "5 6 1770 directory"
    expect "$name: links" "$(readlink soft) $(readlink dangling) $(stat -c '%h %s' b)" "b nowhere 2 100000"
    expect "$name: a big file" "$(md5sum <big)" "$(cat big.md5)"
    expect "$name: a file of after the reset" "$(cat second)" "after the reset"
    expect "$name: another user's file" "$(stat -c '%u %g' ../posix/posix.Create_ByAnotherUser_BelongsToThatUser/file)" "1000 1001"
    expect "$name: records are whole" "$(cat ../written/records.* | grep -vcE '^record [0-9]+ \.*$' || true)" 0
    expect "$name: records of after the reset" "$(cat ../again/records.* | wc -l)" 20
    cd "$root"
done
echo "$checks passed"
