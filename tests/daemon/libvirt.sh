#!/usr/bin/env bash
# libvirt 9 starts the daemon itself, as it was installed, for a machine with two shares, as docs/host.md says: for one it
# finds the daemon by its JSON file, for the other the machine's description names it, with all options that libvirt knows.
# Both daemons end with the machine, when it is switched off and when libvirt ends it.
# In a mount name space of its own, with the daemon installed in it, and an /etc with the user that libvirt wants.
if [ -z "${OWN_MOUNTS:-}" ]; then OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"; fi
source "$(dirname "$0")/lib.bash"
tests/daemon/make-guest

mkdir "$work/etc" "$work/named" "$work/found" "$work/elsewhere"
DESTDIR=$work/installed PREFIX=/usr scripts/install >"$work/install.log"
installed=/usr/libexec/virtiofs/virtiofsd
cp "$daemon" "$work/installed$installed"
cp "$daemon" "$work/elsewhere/virtiofsd"
mount -t overlay overlay -o "lowerdir=$work/installed/usr:/usr" /usr
mount -t tmpfs tmpfs "$work/etc"
mkdir "$work/etc/upper" "$work/etc/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work" /etc
grep -q '^libvirt-qemu:' /etc/passwd || echo 'libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin' >>/etc/passwd
for group in libvirt-qemu kvm; do grep -q "^$group:" /etc/group || echo "$group:x:64055:" >>/etc/group; done

# Short, since UNIX sockets are in it.
libvirt=$(mktemp -d /tmp/libvirt.XXXXXX)
clean_up() {
    local log pid
    for pid in $(started); do kill -KILL "$pid" 2>/dev/null || true; done
    for log in "$libvirt"/log/qemu/*.log; do [ ! -s "$log" ] || cp "$log" "$work/"; done
    rm -rf "$libvirt"
    umount -l /usr /etc "$work/etc" 2>/dev/null || true
}
mkdir "$libvirt/etc"
cat >"$libvirt/etc/qemu.conf" <<'END'
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
dynamic_ownership = 0
remember_owner = 0
stdio_handler = "file"
END

# As the documentation says, with the places of this test.
here() { sed -e "s|/home/user/viofs|$work/$1|" -e "s|mount_tag|$1|" -e "s|/usr/local/libexec/|$work/elsewhere/|"; }
documented libvirt-script | here script >"$work/script"
chmod +x "$work/script"

# domain KERNEL-OPTIONS [BINARY]: the machine; the share named has this binary, without: the one installed.
domain() {
    cat <<END
<domain type='qemu'>
  <name>guest</name>
  <memory unit='MiB'>512</memory>
  $(documented libvirt-memory)
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$build/guest/vmlinuz</kernel>
    <initrd>$build/guest/initramfs</initrd>
    <cmdline>console=ttyS0 quiet SCENARIO=visit SHARES=found:auto:0,named:always:1 $1</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <serial type='file'><source path='$console'/></serial>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    $(documented libvirt-share | here found)
    $(documented libvirt-options | here named | sed "s|$installed|${2:-$installed}|")
  </devices>
</domain>
END
}

# What libvirt has started, by its notes: the machine and the two daemons, one number a line.
started() {
    local file
    for file in "$libvirt"/run/qemu/guest.pid "$libvirt"/run/qemu/*-guest-fs?-fs.pid; do
        [ ! -e "$file" ] || echo "$(cat "$file")"
    done
}

all_started() { [ "$(started | wc -l)" -eq 3 ]; }
arguments() { tr '\0' ' ' <"/proc/$1/cmdline" | cut -d' ' -f2- | sed -E 's/--fd=[0-9]+/--fd=N/; s/ $//'; }

# start_domain KERNEL-OPTIONS [BINARY]: until both shares were visited. $family: what belongs to it; of the daemons
# $found_arguments, $named_arguments, $found_program and $named_program.
start_domain() {
    rm -f "$console" "$work"/*/from_guest
    domain "$@" >"$work/guest.xml"
    for share in named found; do echo "$share $RANDOM" >"$work/$share/from_host"; done
    virt-qemu-run --root="$libvirt" --verbose "$work/guest.xml" </dev/null >"$work/libvirt.log" 2>&1 &
    runner=$!
    to_end+=("$runner")
    guest_pid=$runner
    eventually 60 "libvirt starts the machine" is_running
    eventually 30 "libvirt's notes of the machine and two daemons" all_started
    mapfile -t family < <(started)
    found_arguments=$(arguments "${family[1]}")
    named_arguments=$(arguments "${family[2]}")
    found_program=$(readlink "/proc/${family[1]}/exe")
    named_program=$(readlink "/proc/${family[2]}/exe")
    guest_says 120 "visited"
    for share in named found; do
        expect "the share $share" "$(cat "$work/$share/from_guest")" "$(cat "$work/$share/from_host")"
    done
}
is_running() {
    kill -0 "$runner" 2>/dev/null || fail "virt-qemu-run has ended"
    grep -q 'guest running' "$work/libvirt.log"
}
ended() { for pid in "${family[@]}"; do eventually 30 "$1: process $pid ends" is_gone "$pid"; done; }

start_domain WAIT=1
expect "arguments of the daemon found" "$found_arguments" "--fd=N -o source=$work/found"
expect "arguments of the daemon named" "$named_arguments" \
    "--fd=N -o source=$work/named,cache=always,sandbox=chroot,xattr,flock,posix_lock --thread-pool-size=16"
expect "the daemon found" "$found_program" "$installed"
expect "the daemon named" "$named_program" "$installed"
kill -INT "$runner"
ended "libvirt stops the machine"
eventually 10 "virt-qemu-run ends" is_gone "$runner"

mkdir -p /etc/qemu/vhost-user
documented json | here json >/etc/qemu/vhost-user/10-virtiofsd.json
start_domain "" "$work/script"
expect "the daemon found elsewhere" "$found_program" "$work/elsewhere/virtiofsd"
expect "arguments of the daemon in the script" "$(grep -oE -- '--thread-pool-size=16 -o writeback$' <<<"$named_arguments")" \
    "--thread-pool-size=16 -o writeback"
ended "the machine is switched off"
# virt-qemu-run itself may miss the end of its machine.
kill -INT "$runner" 2>/dev/null || true
eventually 10 "virt-qemu-run ends" is_gone "$runner"
echo "$checks passed"
