#!/usr/bin/env bash
# lab/run --keep leaves the drive mounted until --end, for any number of --in; lab/shell is an interactive cmd.
source "$(dirname "$0")/lib.bash"
echo "from the host" >"$share/hello.txt"
plain() { tr -d '\r' | sed 's/ *$//'; }

# Whatever fails, no run stays.
trap 'for id in "${kept[@]}"; do lab/run --end "$id" 2>"$work/err" || true; done; rm -rf "$work"' EXIT
kept=()

# keep PROGRAM...: sets $status, $out and $id. The pipe shows that nothing of the run holds its output open.
keep() {
    status=0
    out=$(lab/run --keep --share "$share" --cd -- "$@" 2>"$work/err" | plain) || status=$?
    id=$(sed -nE 's/.*lab\/run --end ([0-9]+)$/\1/p' "$work/err")
    [ -n "$id" ] || fail "the run says how to end it: $(cat "$work/err")"
    kept+=("$id")
}

keep cmd /c 'type hello.txt & echo kept>made.txt & exit 3'
expect "its output" "$out" "from the host"
expect "its exit code" "$status" 3
expect "what it wrote" "$(plain <"$share/made.txt")" kept
expect "another program on the same drive" "$(lab/run --in "$id" --cd -- cmd /c 'cd & type made.txt' | plain)" $'V:\\\nkept'
status=0
lab/run --in "$id" -- cmd /c 'echo x>C:\of-the-run.txt & exit 5' || status=$?
expect "its exit code" "$status" 5
expect "C: is the run's, too" "$(lab/run --in "$id" -- cmd /c 'type C:\of-the-run.txt' | plain)" x
first=$id
mapfile -t family < <(descendants "$first")

keep cmd /c 'exit 0'
expect "several runs can be kept" "$(lab/run --in "$first" --cd -- cmd /c 'type hello.txt' | plain)" "from the host"
status=0
lab/run --end 1 2>"$work/err" || status=$?
expect "what is not a kept run is told" "$status" 2
grep -q "$first: $share" "$work/err" || fail "those that there are, are named: $(cat "$work/err")"

lab/run --end "$first"
eventually "everything is gone" all_gone "$first" "${family[@]}"
status=0
lab/run --in "$first" -- cmd /c 'exit 0' 2>"$work/err" || status=$?
expect "a run that was ended cannot be used" "$status" 2

mapfile -t family < <(descendants "$id")
for pid in "${family[@]}"; do
    if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qE '/virtiofsd '; then kill -KILL "$pid" 2>"$work/err" || true; fi
done
eventually "a run whose daemon is gone ends by itself" all_gone "$id" "${family[@]}"

for wrong in "--keep" "--end 5 -- cmd" "--share $share" "--share $share --in 5 -- cmd" "--in x -- cmd"; do
    status=0
    # shellcheck disable=SC2086 # split on purpose
    lab/run $wrong >"$work/out" 2>"$work/err" || status=$?
    [ "$status" -ne 0 ] && [ "$status" -lt 125 ] || fail "usage error of lab/run $wrong: exit code $status"
    checks=$((checks + 1))
done

# A terminal, as script(1) makes one, in which a person types.
mkfifo "$work/keys"
timeout 120 script -qec "lab/shell '$share' --drive Q:" "$work/typescript" <"$work/keys" >"$work/out" 2>&1 &
terminal=$!
exec 7>"$work/keys"
eventually "the prompt comes" grep -qF 'Q:\>' "$work/out"
printf 'type hello.txt\r' >&7
eventually "a command's output comes" grep -qF 'from the host' "$work/out"
printf 'exit 4\r' >&7
status=0
wait "$terminal" || status=$?
exec 7>&-
expect "the shell's exit code" "$status" 4
status=0
lab/shell 2>"$work/err" || status=$?
expect "lab/shell without a directory is a usage error" "$status" 2
done_testing
