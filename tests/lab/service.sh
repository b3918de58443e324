#!/usr/bin/env bash
# virtiofs.exe as a Windows service with a share (lab/run --service): its drive is there for every program, its settings
# come from the ImagePath or the registry, several services have several shares, and sc stop ends it with requests in
# flight.
source "$(dirname "$0")/lib.bash"
events=$work/events
end_run_at_exit
mkdir "$work/other"
echo "from the host" >"$share/hello.txt"
echo "from another" >"$work/other/hello.txt"
plain() { tr -d '\r'; }
says() { grep -qF -- "$1" "$events" || fail "the event log says '$1', but it is: $(cat "$events")"; checks=$((checks + 1)); }

expect "the drives of two services" \
    "$(lab/run --service --event-log "$events" --share "$share" --share "$work/other" -- \
        cmd /c 'type V:\hello.txt & type W:\hello.txt' | plain)" $'from the host\nfrom another'
says 'Information: virtiofs: "lab" is mounted at V:'
says 'Information: virtiofs: "lab2" is mounted at W:'
says "Information: virtiofs: stopped"
expect "without arguments, from the registry" \
    "$(lab/run --service --share "$share" --registry MountPoint=Q: --cd -- cmd /c 'cd & type hello.txt' | plain)" \
    $'Q:\\\nfrom the host'
status=0
lab/run --service --share "$share" --virtiofs-args "-o root" -- cmd /c 'exit 0' 2>"$work/err" || status=$?
expect "a service that cannot start ends the run" "$status" 125
grep -qE "WIN32_EXIT_CODE +: 87 " "$work/err" || fail "the message shows the exit code: $(cat "$work/err")"

# Requests in flight: the daemon is stopped while programs are on the drive.
keep_run --service --event-log "$events" --share "$share"
inside cmd /c 'sc query VirtioFsSvc' | grep -q RUNNING || fail "the service does not run"
stop_daemons
readers=()
for i in 1 2 3; do
    timeout -v 60 lab/run --in "$run" -- cmd /c "echo x>$(windows "$work/reading$i") & type V:\\hello.txt" >"$work/read$i" 2>&1 &
    readers+=($!)
done
for i in 1 2 3; do eventually "reader $i begins" test -e "$work/reading$i"; done
inside cmd /c 'sc stop VirtioFsSvc' >"$work/stop"
is_stopped() { inside cmd /c 'sc query VirtioFsSvc' | grep -qE 'STATE +: 1 +STOPPED'; }
eventually "sc stop ends it with requests in flight" is_stopped
inside cmd /c 'sc query VirtioFsSvc' | grep -qE 'WIN32_EXIT_CODE +: 0 ' || fail "it did not stop well: $(cat "$events")"
for reader in "${readers[@]}"; do wait "$reader" || true; done
expect "what was in flight has failed" "$(cat "$work"/read? | grep -c 'from the host' || true)" 0
continue_daemons
expect "the drive is gone" "$(inside cmd /c 'if exist V:\ (echo there) else (echo gone)' | sed 's/ *$//')" gone
inside cmd /c 'sc start VirtioFsSvc' >/dev/null
reads_again() { [ "$(inside cmd /c 'type V:\hello.txt' 2>/dev/null)" = "from the host" ]; }
eventually "it starts again" reads_again
done_testing
