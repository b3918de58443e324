#!/usr/bin/env bash
# Several lab runs at once do not disturb each other.
source "$(dirname "$0")/lib.bash"
pids=()
for i in 1 2 3 4; do
    mkdir "$work/share$i"
    echo "share $i" >"$work/share$i/name.txt"
    lab/run --share "$work/share$i" --cd -- cmd /c 'copy name.txt copy.txt & type copy.txt' >"$work/out$i" 2>&1 &
    pids+=($!)
done
for i in 1 2 3 4; do
    wait "${pids[$((i - 1))]}" || fail "run $i: $(cat "$work/out$i")"
    grep -q "share $i" "$work/out$i" || fail "run $i saw another share: $(cat "$work/out$i")"
    expect "copy of share $i" "$(cat "$work/share$i/copy.txt")" "share $i"
done
done_testing
