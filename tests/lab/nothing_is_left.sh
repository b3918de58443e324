#!/usr/bin/env bash
# Whatever ends a lab run, nothing that it started is there afterwards: the normal end, Ctrl-C, SIGKILL of the runner, a
# crash of any part. A crash of a part is told, and the run ends.
# In a /dev/shm of its own, so that whatever is in there at the end was left by its runs.
if [ -z "${OWN_SHARED_MEMORY:-}" ]; then
    exec unshare --mount --propagation private bash -c 'mount -t tmpfs tmpfs /dev/shm && OWN_SHARED_MEMORY=1 exec "$0"' "$0"
fi
source "$(dirname "$0")/lib.bash"
runner=$build/linux-release/bin/lab-run
lab/run --share "$share" -- cmd /c 'exit 0'  # builds what is missing

# start_waiting: a run whose program waits for a file that never comes; sets $runner_pid and $family.
start_waiting() {
    rm -f "$share/started"
    "$runner" --share "$share" --cd -- cmd /c 'echo x>started & for /l %i in (1,0,2) do @ping -n 2 127.0.0.1 >nul' \
        >"$work/out" 2>"$work/err" </dev/null &
    runner_pid=$!
    eventually "the program starts" test -e "$share/started"
    mapfile -t family < <(descendants "$runner_pid")
    [ ${#family[@]} -ge 5 ] || fail "expected the lab's processes below the runner, found ${#family[@]}"
}

# pid_of PATTERN: the member of the family whose command line matches.
pid_of() {
    local pid
    for pid in "${family[@]}"; do
        if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qE "$1"; then echo "$pid"; return; fi
    done
    fail "no process matches $1"
}

for signal in INT TERM KILL; do
    start_waiting
    kill -"$signal" "$runner_pid"
    wait "$runner_pid" 2>/dev/null || true
    eventually "all processes are gone after SIG$signal" all_gone "${family[@]}"
done

for part in 'virtiofsd' 'device-host' 'virtiofs\.exe'; do
    start_waiting
    kill -KILL "$(pid_of "(^|[/\\\\])$part")"
    status=0
    wait "$runner_pid" || status=$?
    [ "$status" -ne 0 ] || fail "the run ended well although $part was killed"
    checks=$((checks + 1))
    eventually "all processes are gone after a crash of $part" all_gone "${family[@]}"
done
expect "no mounts are left" "$(grep -c "$build/lab/" /proc/self/mountinfo || true)" 0
expect "no shared memory is left" "$(find /dev/shm -mindepth 1 | wc -l)" 0
done_testing
