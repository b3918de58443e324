#!/usr/bin/env bash
# lab/run with several shares: each is a device with its own daemon, tag and drive.
source "$(dirname "$0")/lib.bash"
mkdir "$work/first" "$work/second" "$work/third"
for name in first second third; do echo "$name" >"$work/$name/name.txt"; done
plain() { tr -d '\r'; }

expect "every share is a drive of its own" \
    "$(lab/run --share "$work/first" --share "$work/second" --share "$work/third" -- \
        cmd /c 'type V:\name.txt & type W:\name.txt & type X:\name.txt' | plain)" $'first\nsecond\nthird'
expect "tags and letters belong to the shares in their order" \
    "$(lab/run --share "$work/first" --tag one --drive Q: --share "$work/second" --tag two --drive R: --cd -- \
        cmd /c 'type name.txt & type R:\name.txt & copy R:\name.txt copied.txt >nul' | plain)" $'first\nsecond'
expect "a copy from drive to drive" "$(cat "$work/first/copied.txt")" second

refused() {
    status=0
    lab/run "$@" -- cmd /c 'exit 0' 2>"$work/err" || status=$?
    expect "a usage error: $*" "$status" 2
}
refused --share "$work/first" --drive Q: --drive R:
refused --share "$work/first" --drive Q: --share "$work/second" --drive q
refused --share "$work/first" --share "$work/second" --registry Owner=0:0
grep -q "one --share only" "$work/err" || fail "the message says why: $(cat "$work/err")"
done_testing
