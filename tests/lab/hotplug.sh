#!/usr/bin/env bash
# A Windows program with files open and reads, writes, listings and creations in flight while its device is removed or
# pulled out, or the daemon dies, also while the daemon hangs: every call ends with the right status, nothing hangs, and
# the drive comes back. The orders go through lab/run --control.
source "$(dirname "$0")/lib.bash"
head -c 1M /dev/urandom >"$share/data.bin"
mkdir "$share/folder"
touch "$share/folder/"{a,b,c}
first=yes
coproc program { lab/run --share "$share" --control "$work/control" -- "$(windows "$build/windows-release/bin/hotplug.exe")" V:; }
program_pid=$program_PID
in=${program[0]}
out=${program[1]}
while IFS= read -r -t 120 -u "$in" line; do
    line=${line%$'\r'}
    echo "$line"
    case $line in
        ok:*) checks=$((checks + 1)) ;;
        do:*)
            if [ -n "$first" ]; then
                first=
                expect "an order that does not exist" "$(lab/tell "$work/control" device explode 2>&1 || true)" \
                    "lab/tell: device explode: unknown order 'explode': add, remove, fail-removal, pull-out, busy"
                expect "a second daemon" "$(lab/tell "$work/control" daemon start 2>&1 || true)" \
                    "lab/tell: daemon start: the daemon runs already"
            fi
            IFS=, read -ra orders <<<"${line#do:}"
            # shellcheck disable=SC2086  # an order's words
            for order in "${orders[@]}"; do lab/tell "$work/control" $order || fail "order $order"; done
            echo >&"$out"
            ;;
    esac
done
wait "$program_pid" || fail "hotplug.exe ended with exit code $?"

expect "orders after the end" "$(lab/tell "$work/control" device add 2>&1 || true)" \
    "lab/tell: device add: nothing takes orders at $work/control: No such file or directory"
done_testing
