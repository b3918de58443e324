#!/usr/bin/env bash
# What a served directory must stand, for one daemon, mounted by virtiofs-mount: the POSIX tests, fsx, fio --verify, and
# stress-ng's file system stressors. Needs root and a release build of virtiofs-mount, fsx and posix_test.
#   torture.sh BINARY short|long [PART...]      parts: posix fsx fio stress
# Prints a line a part; exit code 1 if one failed. Logs stay in build/torture-<name of the binary>.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
daemon=$1
length=$2
shift 2
parts=("$@")
[ $# -gt 0 ] || parts=(posix fsx fio stress)
bin=${TORTURE_BIN:-$root/build/linux-release/bin}
logs=$root/build/torture-$(basename "$(dirname "$daemon")")
here=$root/tests/bridge

work=$(mktemp -d "$root/build/torture.XXXXXX")
trap 'umount "$work/share" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir -p "$work/share" "$work/mount" "$logs"
chmod 755 "$work"
mount -t tmpfs -o size=2G virtiofs-torture "$work/share"
chmod 1777 "$work/share"

debians=no
[[ $daemon != /usr/lib/qemu/* ]] || debians=yes
options=(--daemon "$daemon" --share "$work/share" --daemon-arg -o --daemon-arg xattr)
# A daemon with sanitizers cannot look for leaks from within its sandbox.
export ASAN_OPTIONS=detect_leaks=0
# Without it Linux' FUSE leaves set-id bits to whoever truncates a file by opening it.
posix_options=(--daemon-arg -o --daemon-arg killpriv_v2)
# Debian's daemon crashed under stress while INTERRUPT was passed, and never without.
[ "$debians" = yes ] || options+=(--interrupts)

# mounted SECONDS COMMAND...: runs it in the mount.
mounted() {
    local seconds=$1
    shift
    timeout -k 10 "$seconds" "$bin/virtiofs-mount" "${options[@]}" "$work/mount" -- "$@"
}

run_posix() {
    local filter='*'
    if [ "$debians" = yes ]; then
        filter+=':-*.Tmpfile_*'                                       # it has no TMPFILE
        filter+=':PosixUsers.SupplementaryGroup_CountsForNewNames'    # it is not told of the group
    fi
    [ "$length" = long ] || export VIRTIOFS_TEST_NAMES=2500
    options+=("${posix_options[@]}")
    VIRTIOFS_TEST_DIRECTORY=$work/mount mounted 200 "$bin/posix_test" --gtest_filter="$filter"
}

# fsx_seconds SECONDS [MOUNT OPTIONS...]: four at once: two small files, which are truncated to nothing often, two larger ones.
fsx_seconds() {
    local seconds=$1
    options+=("${@:2}")
    mounted $((seconds + 60)) bash -c '
        pids=()
        for number in 1 2 3 4; do
            bytes=$((number % 2 == 0 ? 4194304 : 100000))
            "$1/fsx" "$2/mount/fsx$number" --seconds "$3" --length "$bytes" --beneath "$2/share/fsx$number" &
            pids+=($!)
        done
        failed=0
        for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
        exit $failed' _ "$bin" "$work" "$seconds"
}

run_fsx() {
    if [ "$length" = short ]; then
        fsx_seconds 3
    else
        (fsx_seconds 30) || return
        echo "With the kernel's cache written back late:"
        fsx_seconds 30 --daemon-arg -o --daemon-arg writeback
    fi
}

run_fio() {
    local size=16M written=16M
    [ "$length" = short ] || { size=128M written=256M; }
    SIZE=$size WRITTEN=$written mounted 300 fio --directory="$work/mount" "$here/verify.fio"
}

# stress-ng's stressors of the classes filesystem and io. Left out:
#   bind-mount binderfs ramfs loop     mount file systems of their own
#   dup eventfd ioprio procfs          work on nothing in the directory
#   rawdev                             wants a disk
#   fiemap verity                      FUSE has neither: they skip themselves
#   io-uring                           fails on bare tmpfs, too: it asks for attributes of a name that it has removed
stressors=(access aio aiol chattr chdir chmod chown copy-file dentry dir dirdeep dirmany dnotify fallocate fanotify fcntl
           file-ioctl filename flock fpunch fsize fstat getdent handle hdd inode-flags inotify io iomix lease link locka lockf
           lockofd mknod open readahead rename revio seek symlink sync-file touch utime xattr)
short_stressors=(dentry dir fpunch hdd iomix link rename xattr)
# Debian's daemon keeps a descriptor for each name that the kernel knows, and these make more directories than it may have.
if [ "$debians" = yes ]; then
    for index in "${!stressors[@]}"; do [ "${stressors[index]}" != chdir ] || unset "stressors[index]"; done
fi

run_stress() {
    local each=2 list=("${stressors[@]}")
    if [ "$length" = short ]; then
        each=1
        list=("${short_stressors[@]}")
    fi
    mounted $((60 + 15 * ${#list[@]})) bash -c '
        failed=0
        for name in "${@:4}"; do
            status=0
            timeout -k 5 60 stress-ng "--$name" 2 "--$name-ops" 20000 --iomix-bytes 64M --hdd-bytes 64M --timeout "$3" --verify \
                --temp-path "$1" --log-brief >"$2" 2>&1 || status=$?
            if [ "$status" -eq 0 ]; then
                echo "$name: passed"
            else
                echo "$name: FAILED, exit code $status"
                cat "$2"
                failed=1
            fi
        done
        exit $failed' _ "$work/mount" "$work/stressor.log" "$each" "${list[@]}"
}

failed=0
for part in "${parts[@]}"; do
    before=$SECONDS
    log=$logs/$part.log
    status=0
    ("run_$part") >"$log" 2>&1 || status=$?
    if [ "$status" -eq 0 ]; then
        echo "  $part: passed, $((SECONDS - before)) s"
    else
        tail -n 60 "$log"
        echo "  $part: FAILED, exit code $status; the whole log is $log"
        failed=1
    fi
done
exit "$failed"
