#!/usr/bin/env bash
# lab/run: output, exit code, current directory, drive letter, registry configuration, usage errors.
source "$(dirname "$0")/lib.bash"
echo "from the host" >"$share/hello.txt"
mkdir "$share/sub"

expect "output of a program on the drive" "$(lab/run --share "$share" -- cmd /c 'type V:\hello.txt' | tr -d '\r')" "from the host"
status=0
lab/run --share "$share" -- cmd /c 'exit 7' || status=$?
expect "exit code" "$status" 7
expect "--cd makes the drive the current directory" \
    "$(lab/run --share "$share" --cd -- cmd /c 'cd & type hello.txt' | tr -d '\r')" $'V:\\\nfrom the host'
expect "--drive" "$(lab/run --share "$share" --drive Q: -- cmd /c 'type Q:\hello.txt' | tr -d '\r')" "from the host"
lab/run --share "$share" --cd -- cmd /c 'echo written>sub\new.txt'
expect "redirected output of cmd on the host" "$(tr -d '\r' <"$share/sub/new.txt")" "written"
expect "standard input reaches the program" \
    "$(echo "through stdin" | lab/run --share "$share" --cd -- cmd /c 'more > in.txt & type in.txt' | tr -d '\r\n')" "through stdin"
expect "configuration from the registry" \
    "$(lab/run --share "$share" --registry MountPoint=W: --registry DebugFlags=0 -- cmd /c 'type W:\hello.txt' | tr -d '\r')" \
    "from the host"
expect "a tag of its own" \
    "$(lab/run --share "$share" --tag other_tag -- cmd /c 'type V:\hello.txt' | tr -d '\r')" "from the host"

status=0
lab/run --share "$work/missing" -- cmd /c 'exit 0' 2>"$work/err" || status=$?
expect "a missing share is a usage error" "$status" 2
grep -q "missing: not a directory" "$work/err" || fail "the message names the directory: $(cat "$work/err")"
status=0
lab/run --share "$share" --virtiofs-args "-i" -- cmd /c 'exit 0' 2>"$work/err" || status=$?
expect "an option that is not supported yet stops the run" "$status" 125
grep -q "not supported yet" "$work/err" || fail "the message says so: $(cat "$work/err")"
done_testing
