#!/usr/bin/env bash
# Whom files made by Windows programs belong to on the host: the share's owner, also when that changes while mounted;
# whom -o or Owner names; the owner known before when the share appears to be nobody's.
source "$(dirname "$0")/lib.bash"
owner_of() { stat -c %u:%g "$share/$1"; }
# make ARGUMENTS...: a file and a folder from a Windows program, with lab/run's ARGUMENTS.
make() {
    rm -rf "$share/file" "$share/folder"
    lab/run --share "$share" "$@" -- cmd /c 'echo x>V:\file & md V:\folder' || fail "cannot make files: $*"
}
# made_for WHAT OWNER
made_for() {
    expect "$1: a file" "$(owner_of file)" "$2"
    expect "$1: a folder" "$(owner_of folder)" "$2"
}

chown 1234:2345 "$share"
make
made_for "the share's owner" 1234:2345
chmod 777 "$share"
make --virtiofs-args "-o 1000:1001"
made_for "-o" 1000:1001
make --registry Owner=1002:1003
made_for "Owner in the registry" 1002:1003
chown 65534:65534 "$share"
make
made_for "a share of nobody, as far as the host says" 0:0
make --registry OverflowUid=99 --registry OverflowGid=98
made_for "nobody as an ordinary owner" 65534:65534
make --virtiofs-args "-o 65534:65534"
made_for "nobody by choice" 65534:65534

# The share changes hands while a program makes files, each of a number of its own.
chown 1234:2345 "$share"
lab/run --share "$share" -- cmd /c 'for /l %i in (1,1,100000) do @echo x>V:\made%i' >/dev/null 2>&1 </dev/null &
run=$!
# newest_belongs_to OWNER
newest_belongs_to() {
    local newest
    newest=$(find "$share" -name 'made*' -printf '%T@ %U:%G\n' | sort -n | tail -n 1)
    [ "${newest#* }" = "$1" ]
}
eventually "files belong to the first owner" newest_belongs_to 1234:2345
chown 1300:1400 "$share"
eventually "files belong to the second owner" newest_belongs_to 1300:1400
chown 65534:65534 "$share"
count=$(find "$share" -name 'made*' | wc -l)
more_than() { [ "$(find "$share" -name 'made*' | wc -l)" -gt "$1" ]; }
eventually "more files are made" more_than "$((count + 20))"
newest_belongs_to 1300:1400 || fail "files do not belong to the owner known before"
kill -TERM "$run"
wait "$run" 2>/dev/null || true
expect "files of nobody" "$(find "$share" -name 'made*' -uid 65534 | wc -l)" 0
done_testing
