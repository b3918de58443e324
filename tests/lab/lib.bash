# Sourced by the lab's tests: a share in a temporary directory, and checks that say what they expected.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
build=$root/build
work=$(mktemp -d "$build/lab-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
share=$work/share
mkdir "$share"
checks=0

# Host path -> path of a Wine program.
windows() { printf 'Z:%s' "${1//\//\\}"; }

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

# expect WHAT ACTUAL EXPECTED
expect() {
    [ "$2" = "$3" ] || fail "$1: got '$2', expected '$3'"
    checks=$((checks + 1))
}

# eventually WHAT COMMAND...: the command must succeed within 20 s.
eventually() {
    local what=$1 deadline=$((SECONDS + 20))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "$what: not within 20 s"
        sleep 0.05
    done
    checks=$((checks + 1))
}

# All descendants of a process, as seen from here, one pid a line.
descendants() {
    local child
    for child in $(pgrep -P "$1" || true); do
        echo "$child"
        descendants "$child"
    done
}

# The virtiofsd processes of a kept run.
daemons_of() {
    local pid
    for pid in $(descendants "$1"); do
        case $(readlink "/proc/$pid/exe") in */virtiofsd) echo "$pid" ;; esac
    done
}

# end_run_at_exit: for tests with a kept run. It ends with the test; those of its processes that $stopped names, go on first.
run=
stopped=()
finish_run() {
    [ ${#stopped[@]} -eq 0 ] || kill -CONT "${stopped[@]}" 2>/dev/null || true
    [ -z "$run" ] || lab/run --end "$run" >/dev/null 2>&1 || true
    rm -rf "$work"
}
end_run_at_exit() { trap finish_run EXIT; }

# keep_run OPTIONS...: begins it, and sets $run.
keep_run() {
    lab/run --keep "$@" -- cmd /c 'exit 0' 2>"$work/err" || fail "no run begins: $(cat "$work/err")"
    run=$(sed -nE 's/.*as run ([0-9]+)$/\1/p' "$work/err")
}
# A program in it.
inside() { timeout -v 60 lab/run --in "$run" -- "$@" | tr -d '\r'; }
# stop_daemons, continue_daemons: of it.
stop_daemons() {
    mapfile -t stopped < <(daemons_of "$run")
    [ ${#stopped[@]} -gt 0 ] || fail "the run has no daemon"
    kill -STOP "${stopped[@]}"
}
continue_daemons() {
    kill -CONT "${stopped[@]}"
    stopped=()
}

# session_process PATTERN BESIDES: the process of this test's VFSLAB_SESSION whose command line matches, but not BESIDES
# (the launcher names the program, too).
session_process() {
    local process
    for process in $(pgrep -f "$1"); do
        if [ "$process" != "$2" ] &&
            tr '\0' '\n' 2>/dev/null <"/proc/$process/environ" | grep -qx "VFSLAB_SESSION=$VFSLAB_SESSION"; then
            echo "$process"
            return
        fi
    done
    fail "no process matches $1"
}

all_gone() {
    local pid
    for pid in "$@"; do
        [ ! -d "/proc/$pid" ] || [ "$(awk '/^State/ {print $2}' "/proc/$pid/status" 2>/dev/null)" = Z ] || return 1
    done
}

done_testing() { echo "$checks passed, 0 failed"; }
