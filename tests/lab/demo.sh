#!/usr/bin/env bash
# The demo itself.
source "$(dirname "$0")/lib.bash"
scripts/demo | tee "$work/transcript"
expect "its last line" "$(tail -n 1 "$work/transcript")" "demo: OK"
done_testing
