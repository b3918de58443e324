#!/usr/bin/env bash
# Symbolic links in the lab: a Windows program and cmd follow, make, move and remove them; the host sees the same.
source "$(dirname "$0")/lib.bash"
plain() { tr -d '\r' | sed 's/ *$//'; }
mkdir "$share/w32" "$share/w32/sub" "$share/cmd" "$share/cmd/real"
printf target >"$share/w32/target.txt"
ln -s target.txt "$share/w32/file_host"
ln -s sub "$share/w32/dir_host"
printf 'first\n' >"$share/cmd/real/a.txt"
ln -s real/a.txt "$share/cmd/host.txt"
ln -s /cmd/real "$share/cmd/rooted"
echo outside >"$work/outside.txt"
ln -s ../../outside.txt "$share/cmd/out.txt"
ln -s loop "$share/cmd/loop"
cat >"$share/cmd/work.bat" <<'BATCH'
@echo off
type host.txt
type rooted\a.txt
mklink guest.txt real\a.txt >nul
mklink /D guest real >nul
type guest.txt
echo second>guest\b.txt
type rooted\b.txt
echo through>>guest.txt
type out.txt >nul 2>nul || echo not followed
type loop >nul 2>nul || echo not resolved
mklink bad.txt C:\windows >nul 2>nul || echo refused
dir /b /ad
rmdir guest
del host.txt
BATCH

program=$(windows "$build/windows-release/bin/links.exe")
status=0
lab/run --share "$share" --cd -- cmd /c "$program V:\\w32 > w32.out & cd cmd & work.bat > ..\\cmd.out" || status=$?
expect "exit code" "$status" 0
grep -q ' passed, 0 failed' "$share/w32.out" || fail "Win32 calls on links: $(cat "$share/w32.out")"
expect "cmd on links" "$(plain <"$share/cmd.out")" "first
first
first
second
not followed
not resolved
refused
guest
real
rooted"

expect "the program's file link on the host" "$(readlink "$share/w32/file_guest")" target.txt
expect "its directory link" "$(readlink "$share/w32/dir_guest")" sub
expect "and nothing else" "$(cd "$share/w32" && echo *)" "dir_guest dir_host file_guest file_host sub target.txt"
expect "mklink's link on the host" "$(readlink "$share/cmd/guest.txt")" real/a.txt
[ ! -e "$share/cmd/guest" ] && [ ! -e "$share/cmd/host.txt" ] || fail "rmdir and del leave links"
expect "what was written through links" "$(tr -d '\r' <"$share/cmd/real/a.txt" | xargs)" "first through"
expect "what is outside stays as it was" "$(cat "$work/outside.txt")" outside
done_testing
