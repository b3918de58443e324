#!/usr/bin/env bash
# The short form of scripts/soak: a walk, and several processes in the same directories, within bounds on handles,
# descriptors and memory.
source "$(dirname "$0")/lib.bash"
SOAK_FILES=${SOAK_FILES:-5000} SOAK_SECONDS=${SOAK_SECONDS:-10} scripts/soak | tee "$work/out"
expect "it ends well" "$(tail -n 1 "$work/out")" "soak: OK"
done_testing
