#!/usr/bin/env bash
# The table of behaviour cases as a Windows program on the real service.
source "$(dirname "$0")/lib.bash"
mkdir "$share/cases"
lab/run --share "$share" -- "$(windows "$build/windows-release/bin/behaviour.exe")" 'V:\cases'
