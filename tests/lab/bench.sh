#!/usr/bin/env bash
# The benchmark's Windows program, in short: every figure that the table takes is there and is a number.
source "$(dirname "$0")/lib.bash"
mkdir "$share/files"
head -c 4M /dev/urandom >"$share/data"
before=$(sha256sum <"$share/data")
lab/run --share "$share" -- "$(windows "$build/windows-release/bin/bench.exe")" 'V:' 100 | tr -d '\r' >"$work/figures"
rows=$(sed -nE 's/^inline constexpr char k[A-Z][A-Za-z]*\[\] = "([^"]{12,})";.*/\1/p' tests/bench/rows.h)
expect "rows known" "$(grep -c . <<<"$rows")" 9
while IFS= read -r row; do
    grep -qE "^figure: [0-9]+\.[0-9]+: $row\$" "$work/figures" || fail "no figure for '$row' in: $(cat "$work/figures")"
    checks=$((checks + 1))
done <<<"$rows"
expect "the files it made are deleted" "$(find "$share/files" -type f | wc -l)" 0
[ "$(sha256sum <"$share/data")" != "$before" ] || fail "the data file was not written to"
done_testing
