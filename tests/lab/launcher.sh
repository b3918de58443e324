#!/usr/bin/env bash
# Several shares through WinFsp's launcher, which the lab plays: fsreg registers virtiofs.exe, launchctl starts and stops
# instances, and the end of one does no harm to the others.
source "$(dirname "$0")/lib.bash"
events=$work/events
end_run_at_exit
mkdir "$work/one" "$work/two" "$work/three"
for name in one two three; do echo "share $name" >"$work/$name/name.txt"; done
head -c 20000000 /dev/urandom >"$work/two/big.bin"
program=$(windows "$build/windows-release/bin/virtiofs.exe")

keep_run --unmounted --event-log "$events" --share "$work/one" --tag mount_tag0 --share "$work/two" --tag mount_tag1 \
    --share "$work/three" --tag "mount tag 2"
launchctl() { inside 'C:\Program Files (x86)\WinFsp\bin\launchctl-x64.exe' "$@"; }
# reads LETTER TEXT
reads() { [ "$(inside cmd /c "type $1:\\name.txt" 2>/dev/null)" = "$2" ]; }
has_drive() { inside cmd /c "if exist $1:\\ (echo there) else (echo gone)" | grep -q there; }
# fsreg ARGUMENTS: as somebody types it. Wine's cmd expands a script's arguments twice, hence %%, and wants a file.
fsreg() {
    printf 'cd /d "C:\\Program Files (x86)\\WinFsp\\bin"\r\nfsreg.bat %s\r\n' "$1" >"$work/typed"
    inside cmd <"$work/typed" >/dev/null
}

fsreg "virtiofs \"$program\" \"-t %%1 -m %%2\""
expect "the command line in the registry" \
    "$(inside reg query 'HKLM\Software\WinFsp\Services\virtiofs' /reg:32 /v CommandLine | sed -nE 's/.*REG_SZ +//p')" "-t %1 -m %2"
expect "an instance" "$(launchctl start virtiofs viofsY mount_tag0 Y:)" OK
expect "another" "$(launchctl start virtiofs viofsX mount_tag1 X:)" OK
expect "a tag with spaces" "$(launchctl start virtiofs 'viofs W' 'mount tag 2' W:)" OK
eventually "the first drive" reads Y "share one"
eventually "the second drive" reads X "share two"
eventually "the third drive" reads W "share three"
expect "the list" "$(launchctl list)" $'OK\nvirtiofs viofs W\nvirtiofs viofsX\nvirtiofs viofsY'
expect "what an instance is" "$(launchctl info virtiofs 'viofs W')" \
    $'OK\nvirtiofs\nviofs W\n'"\"$program\" -t \"mount tag 2\" -m \"W:\""
expect "a name that is taken" "$(launchctl start virtiofs VIOFSy mount_tag0 V:)" "KO 183"
expect "a class that nobody registered" "$(launchctl start nobody viofsY mount_tag0 V:)" "KO 2"
expect "an instance that nobody started" "$(launchctl stop virtiofs viofsV)" "KO 2"

# One is stopped while another works.
inside cmd /c 'copy X:\big.bin X:\copy.bin' >"$work/copied" &
copying=$!
expect "one is stopped" "$(launchctl stop virtiofs viofsY)" OK
grep -q "Information: virtiofs: stopped" "$events" || fail "CTRL-BREAK unmounts cleanly: $(cat "$events")"
wait "$copying" || fail "the copy on another drive: $(cat "$work/copied")"
cmp "$work/two/big.bin" "$work/two/copy.bin"
! has_drive Y || fail "its drive is still there"
reads X "share two" && reads W "share three" || fail "the others have come to harm"
expect "the list afterwards" "$(launchctl list)" $'OK\nvirtiofs viofs W\nvirtiofs viofsX'
expect "it starts again" "$(launchctl start virtiofs viofsY mount_tag0 Y:)" OK
eventually "its drive is back" reads Y "share one"

# With requests in flight it still unmounts by itself, before the launcher's patience ends.
stop_daemons
inside cmd /c "echo x>$(windows "$work/reading") & type Y:\\name.txt" >"$work/read" 2>&1 &
reading=$!
eventually "a reader begins" test -e "$work/reading"
expect "stop with a request in flight" "$(launchctl stop virtiofs viofsY)" OK
expect "it was not killed" "$(grep -c "Information: virtiofs: stopped" "$events")" 2
wait "$reading" || true
continue_daemons
reads X "share two" || fail "the others have come to harm"

# An instance that cannot mount ends and is not in the list.
launchctl start virtiofs viofsC mount_tag0 C: >/dev/null
eventually "the event log says why" grep -qF 'the mount point "C:" is taken' "$events"
is_forgotten() { ! launchctl list | grep -q "$1"; }
eventually "it is gone" is_forgotten viofsC

# Who does not listen to CTRL-BREAK is killed.
fsreg "stubborn \"$(windows "$build/windows-release/bin/launcher.exe")\" \"ping -n 100 127.0.0.1\""
expect "a stubborn program" "$(launchctl start stubborn one)" OK
expect "is stopped, too" "$(launchctl stop stubborn one)" OK
is_forgotten stubborn || fail "it is still there"

# So is who hangs altogether.
hung=$(for pid in $(descendants "$run"); do
    if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q 'virtiofs\.exe -t mount tag 2 '; then echo "$pid"; fi
done)
kill -STOP "$hung"
expect "a hanging instance is stopped" "$(launchctl stop virtiofs 'viofs W')" OK
eventually "its process is gone" all_gone "$hung"
reads X "share two" || fail "the others have come to harm"

fsreg "-u virtiofs"
expect "a class that is not registered any more" "$(launchctl start virtiofs viofsV mount_tag0 V:)" "KO 2"
inside sc stop WinFsp.Launcher >/dev/null
is_without() { ! has_drive "$1"; }
eventually "instances end with the launcher" is_without X
done_testing
