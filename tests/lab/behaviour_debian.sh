#!/usr/bin/env bash
# The same table of behaviour cases on Debian's daemon.
source "$(dirname "$0")/lib.bash"
mkdir "$share/cases"
lab/run --daemon /usr/lib/qemu/virtiofsd --share "$share" -- "$(windows "$build/windows-release/bin/behaviour.exe")" 'V:\cases'
