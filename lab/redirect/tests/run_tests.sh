#!/usr/bin/env bash
# Tests the redirection under Wine: run_tests.sh BINARY_DIR WORK_DIR [TEMPLATE]. Serves an in-memory file system as drive
# V: in a private prefix and lets Windows programs at it. TEMPLATE is a prefix to start from (default: one made and kept
# in WORK_DIR).
set -euo pipefail
binaries=$(realpath "$1")
mkdir -p "$2"
work=$(realpath "$2")
wine=${WINE:-/usr/lib/wine/wine64}
wineserver=${WINESERVER_PROGRAM:-/usr/lib/wine/wineserver64}
export WINEDEBUG=-all WINEARCH=win64 WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe="
export VFSLAB_SESSION=redirect-$$

template=${3:-$work/template}
if [ ! -f "$template/complete" ]; then
    rm -rf "$template"
    WINEPREFIX=$template "$wine" wineboot -i >/dev/null 2>&1
    WINEPREFIX=$template "$wineserver" -w
    touch "$template/complete"
fi
run=$(mktemp -d "$work/run.XXXXXX")
export WINEPREFIX=$run/prefix
finish() {
    "$wineserver" -k >/dev/null 2>&1 || true
    rm -rf "$run"
}
trap finish EXIT
cp -a "$template" "$WINEPREFIX"

passes=0
failures=0
check() {
    if [ "$2" = "$3" ]; then
        echo "ok     $1"
        passes=$((passes + 1))
    else
        echo "FAILED $1: expected '$3', got '$2'"
        failures=$((failures + 1))
    fi
}
launch() { timeout 120 "$wine" "$binaries/launcher.exe" "$@"; }
# Without carriage returns and trailing blanks.
plain() { tr -d '\r' | sed 's/ *$//'; }

start_server() {
    rm -f "$run/ready"
    coproc SERVER { exec timeout 280 "$wine" "$binaries/redirect_test_server.exe" V "$run/ready" 2>"$run/server.log"; }
    server_pid=$SERVER_PID
    for _ in $(seq 600); do
        [ -s "$run/ready" ] && return
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$run/server.log" >&2
    exit 1
}
# How many files programs have open.
open_files() {
    local answer
    echo >&"${SERVER[1]}"
    read -r -t 20 answer <&"${SERVER[0]}"
    echo "$answer" | plain
}

imports=$(x86_64-w64-mingw32-objdump -p "$binaries/vfsredirect.dll" | awk '/DLL Name/ { print tolower($3) }' | sort | xargs)
check "the DLL imports kernel32 and ntdll only" "$imports" "kernel32.dll ntdll.dll"

code=0
launch cmd /c 'if exist V:\ exit 3' || code=$?
check "without a server there is no drive" "$code" 0

start_server
code=0
launch --cd C:\\ -- "$binaries/redirect_test_client.exe" V: || code=$?
check "Win32 calls" "$code" 0
code=0
launch "$binaries/redirect_test_client.exe" --by-device '\Device\Volume{5d0a2c6e-0000-4000-8000-VVVVVVVVVVVV}' V: || code=$?
check "the volume's device name" "$code" 0
check "and every file was closed" "$(open_files)" "open 0"

check "cmd writes and reads" "$(launch cmd /c 'echo hello> V:\a.txt&& type V:\a.txt' | plain)" "hello"
check "cmd appends" "$(launch cmd /c 'echo more>> V:\a.txt&& type V:\a.txt' | plain | xargs)" "hello more"
printf 'from the host\n' >"$WINEPREFIX/drive_c/x.txt"
launch cmd /c 'copy C:\x.txt V:\y.txt' >/dev/null
check "cmd copies to the drive" "$(launch cmd /c 'type V:\y.txt' | plain)" "from the host"
launch cmd /c 'copy V:\y.txt C:\back.txt' >/dev/null
check "and back" "$(cat "$WINEPREFIX/drive_c/back.txt")" "from the host"
printf '@type V:\\y.txt | find "host"\r\n' >"$WINEPREFIX/drive_c/pipe.cmd"
check "pipes between programs" "$(launch cmd /c 'C:\pipe.cmd' | plain)" "from the host"
check "--cd and relative names" "$(launch --cd 'V:\' -- cmd /c 'md d && cd d && echo in d> f && cd .. && type d\f' | plain)" "in d"
check "the current directory" "$(launch --cd 'V:\d' -- cmd /c cd | plain)" 'V:\d'
printf '@exit /b 42\r\n' >"$WINEPREFIX/drive_c/code.cmd"
code=0
launch cmd /c 'copy C:\code.cmd V:\ >nul' || true
launch cmd /c 'V:\code.cmd' || code=$?
check "batch files on the drive, and exit codes" "$code" 42
printf '@cmd /c echo child> V:\\child.txt\r\n@type V:\\child.txt\r\n' >"$WINEPREFIX/drive_c/child.cmd"
check "redirection of a child's output" "$(launch cmd /c 'C:\child.cmd' | plain)" "child"
check "listing" "$(launch cmd /c 'dir /b V:\d' | plain)" "f"
launch cmd /c 'ren V:\d\f g && del V:\d\g && rd V:\d' || true
check "rename, delete, remove" "$(launch cmd /c 'if exist V:\d (echo there) else (echo gone)' | plain)" "gone"
code=0
launch no-such-program 2>/dev/null || code=$?
check "a program that does not exist" "$code" 125

# Ten programs at once.
pids=()
for i in $(seq 10); do
    launch cmd /c "md V:\\p$i" >/dev/null
done
for i in $(seq 10); do
    launch "$binaries/redirect_test_client.exe" "V:\\p$i" >"$run/parallel.$i" 2>&1 &
    pids+=($!)
done
bad=0
for i in $(seq 10); do
    wait "${pids[$((i - 1))]}" || { bad=$((bad + 1)); grep -v '^ok' "$run/parallel.$i" || true; }
done
check "ten programs at once" "$bad" 0
check "and every file was closed" "$(open_files)" "open 0"

# The server ends while a program runs: its calls fail, nothing hangs; afterwards the letter is free for the next server.
exec {input}>&"${SERVER[1]}"
eval "exec ${SERVER[1]}>&-"
exec {input}>&-
code=0
wait "$server_pid" || code=$?
[ "$code" = 0 ] || cat "$run/server.log"
check "the server ends in order, all callbacks too" "$code" 0
code=0
launch cmd /c 'if exist V:\ exit 3' || code=$?
check "the drive is gone" "$code" 0

# A server that dies: programs get errors, and the next one takes its letter over.
start_server
launch "$binaries/redirect_test_client.exe" --outlive 'V:\f' 'C:\ready' 'C:\go' &
outliving=$!
for _ in $(seq 600); do
    [ -s "$WINEPREFIX/drive_c/ready" ] && break
    sleep 0.1
done
# The server runs below timeout(1).
pkill -KILL -P "$server_pid"
wait "$server_pid" 2>/dev/null || true
touch "$WINEPREFIX/drive_c/go"
code=0
wait "$outliving" || code=$?
check "a program outlives the server" "$code" 0
start_server
check "the next server has the letter" "$(launch cmd /c 'echo again> V:\a.txt&& type V:\a.txt' | plain)" "again"

echo "$passes passed, $failures failed"
[ "$failures" = 0 ]
