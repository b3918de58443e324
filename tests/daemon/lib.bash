# Sourced by the daemon's tests, which run as root: daemons and a Linux guest in a temporary directory, all ended with the
# test, and checks that say what they expected. The first argument of a test is the daemon; without: the one built here.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
build=$root/build
daemon=${1:-$build/linux-release/bin/virtiofsd}
debians=/usr/lib/qemu/virtiofsd
[ -x "$daemon" ] || { echo "there is no daemon $daemon" >&2; exit 1; }
work=$(mktemp -d "$build/daemon-test.XXXXXX")
console=$work/console
checks=0
declare -A daemon_pid=()
guest_pid=
to_end=()  # pids

is_ours() { [ "$(realpath "$daemon")" != "$debians" ]; }

# Ends by number what the test has started; a daemon's children go with it.
finish() {
    local status=$? pid
    [ -z "${monitor:-}" ] || exec {monitor}>&-
    for pid in "${to_end[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    for pid in "${to_end[@]}"; do wait "$pid" 2>/dev/null || true; done
    if declare -F clean_up >/dev/null; then clean_up; fi
    if [ "$status" -ne 0 ]; then
        [ ! -e "$console" ] || { echo "--- the guest's console:"; tail -n 40 "$console" | tr -d '\r'; }
        local log
        for log in "$work"/*.log; do [ ! -s "$log" ] || { echo "--- $(basename "$log"):"; tail -n 20 "$log"; }; done
    fi
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

# expect WHAT ACTUAL EXPECTED
expect() {
    [ "$2" = "$3" ] || fail "$1: got '$2', expected '$3'"
    checks=$((checks + 1))
}

# eventually SECONDS WHAT COMMAND...: the command must succeed within that time.
eventually() {
    local seconds=$1 what=$2 deadline=$((SECONDS + $1))
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "$what: not within $seconds s"
        sleep 0.05
    done
    checks=$((checks + 1))
}

is_gone() { ! kill -0 "$1" 2>/dev/null; }

# ends_with WHAT PID CODE: it must end within 20 s, with this exit code.
ends_with() {
    local status=0
    eventually 20 "$1 ends" is_gone "$2"
    wait "$2" || status=$?
    expect "exit code of $1" "$status" "$3"
}

# start_daemon NAME COMMAND...: a daemon that makes the socket $work/NAME.sock; its number is ${daemon_pid[NAME]}.
start_daemon() {
    local name=$1
    shift
    "$@" </dev/null >"$work/$name.log" 2>&1 &
    daemon_pid[$name]=$!
    to_end+=($!)
    eventually 10 "socket of the daemon $name" is_listening "$work/$name.sock" "${daemon_pid[$name]}"
}
is_listening() {
    kill -0 "$2" 2>/dev/null || fail "the daemon for $1 has ended"
    grep -qE " 00010000 .* $1\$" /proc/net/unix
}

# start_guest SCENARIO SHARES QEMU-OPTIONS...: a machine that boots and does what tests/daemon/guest/SCENARIO.sh says.
# QEMU-OPTIONS name memory and devices. What it says is in $console.
start_guest() {
    local scenario=$1 shares=$2
    shift 2
    tests/daemon/make-guest
    mkfifo "$work/monitor"
    exec {monitor}<>"$work/monitor"
    qemu-system-x86_64 -accel tcg,thread=multi -smp 2 -machine q35 -cpu max -nodefaults -no-user-config -display none \
        -kernel "$build/guest/vmlinuz" -initrd "$build/guest/initramfs" \
        -append "console=ttyS0 quiet SCENARIO=$scenario SHARES=$shares" \
        -serial "file:$console" -monitor stdio "$@" <"$work/monitor" >"$work/qemu.log" 2>&1 &
    guest_pid=$!
    to_end+=($!)
}
tell_qemu() { echo "$1" >&"$monitor"; }

# guest_says SECONDS TEXT: a line "## TEXT" of the guest.
guest_says() { eventually "$1" "the guest says '$2'" has_said "$2"; }
has_said() {
    if grep -q '^## FAILED' "$console" 2>/dev/null; then fail "$(grep '^## FAILED' "$console" | tr -d '\r')"; fi
    is_running_or_said "$1"
}
is_running_or_said() {
    grep -qE "^## $1" "$console" 2>/dev/null && return
    kill -0 "$guest_pid" 2>/dev/null || fail "the guest has ended before it said '$1'"
    return 1
}

# documented NAME: the lines of the code block of docs/host.md that stands after the comment "tried: NAME".
documented() {
    awk -v mark="<!-- tried: $1 -->" '$0 == mark { found = 1; next } found && /^    / { print substr($0, 5); begun = 1; next }
        found && begun && NF { exit }' docs/host.md | grep . || fail "docs/host.md has no block $1"
}
