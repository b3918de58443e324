#!/usr/bin/env bash
# virtiofs.exe as a service of Wine's service control manager, without any device: where its settings come from, what the
# manager and the event log learn when it cannot start, that it stops, and that it starts with the machine.
# service_manager.sh [BINARY_DIR]
source "$(dirname "$0")/lib.bash"
binaries=$(realpath "${1:-$build/windows-release/bin}")
wine=/usr/lib/wine/wine64
# Wine keeps no event log, but tells on the standard error of the process what an event says.
export WINEDEBUG=-all,+eventlog WINEARCH=win64 WINEPREFIX=$work/prefix
export WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe=;services.exe=n,b" VFSLAB_SESSION=service-manager-$$
machine=
finish() {
    /usr/lib/wine/wineserver64 -k >/dev/null 2>&1 || true
    [ -z "$machine" ] || wait "$machine" 2>/dev/null || true
    rm -rf "$work" "/dev/shm/vfslab-$VFSLAB_SESSION"-*
}
trap finish EXIT
scripts/make-wine-prefix
cp -a "$build/wine-prefix" "$WINEPREFIX"
mkdir "$work/virtio fs"
cp "$binaries/virtiofs.exe" "$work/virtio fs/"
program=$(windows "$work/virtio fs/virtiofs.exe")
events=$work/events

boot() {
    rm -f "$work/up"
    "$wine" "$binaries/lab-boot.exe" "$(windows "$work/up")" >>"$work/machine" 2>&1 &
    machine=$!
    eventually "the machine is up" test -e "$work/up"
}
reboot() {
    /usr/lib/wine/wineserver64 -k || true
    wait "$machine" 2>/dev/null || true
    /usr/lib/wine/wineserver64 -w
    boot
}
sc() { timeout 60 "$wine" sc "$@" 2>/dev/null; }
set_value() { "$wine" reg add "$1" /v "$2" /t "$3" /d "$4" /f >/dev/null 2>&1; }
is_state() { sc query VirtioFsSvc | grep -qE "STATE +: [0-9]+ +$1"; }
exit_code() { sc query VirtioFsSvc | sed -nE 's/^ *WIN32_EXIT_CODE +: ([0-9]+) .*/\1/p'; }
# says FILE TEXT
says() { grep -qF -- "$2" "$1" || fail "$(basename "$1") says '$2', but it is: $(cat "$1")"; checks=$((checks + 1)); }
# starts_badly WHAT CODE: it cannot start, and the manager learns the reason without waiting for its time-out.
starts_badly() {
    local begun=$SECONDS
    sc start VirtioFsSvc || true
    eventually "$1: it stops" is_state STOPPED
    [ $((SECONDS - begun)) -lt 30 ] || fail "$1: the service control manager waited $((SECONDS - begun)) s"
    expect "$1: the exit code that the manager shows" "$(exit_code)" "$2"
}
# service ARGUMENTS: VirtioFsSvc with these arguments in its ImagePath.
service() {
    ! sc query VirtioFsSvc >/dev/null || sc delete VirtioFsSvc
    sc create VirtioFsSvc "binPath=\"$program\"${1:+ $1}" start=demand depend=VirtioFsDrv || fail "sc create failed"
}

"$wine" wineboot -i >/dev/null 2>&1
set_value 'HKLM\System\CurrentControlSet\Control\Session Manager\Environment' VFSLAB_EVENT_LOG REG_SZ "$(windows "$events")"
set_value 'HKLM\System\CurrentControlSet\Control\Session Manager\Environment' VFSLAB_SESSION REG_SZ "$VFSLAB_SESSION"
/usr/lib/wine/wineserver64 -k
/usr/lib/wine/wineserver64 -w
# Services under the redirection, as in a run: it supplies the notifications of devices that Wine lacks.
windows_folder=$WINEPREFIX/drive_c/windows
mkdir "$windows_folder/vfslab"
mv "$windows_folder/system32/services.exe" "$windows_folder/vfslab/"
ln -s "$binaries/lab-services.exe" "$windows_folder/system32/services.exe"
ln -s "$binaries/vfsredirect.dll" "$windows_folder/vfslab/"
boot

service "-o root"
starts_badly "wrong arguments" 87
says "$work/machine" "an owner is UID:GID, two numbers"
service "-i"
starts_badly "an unsupported option" 50
service "-t share -m V:"
starts_badly "WinFsp is missing" 126
says "$work/machine" "https://winfsp.dev/rel/"

# Without arguments the registry counts, the documented key first.
service ""
set_value 'HKLM\Software\VirtIO-FS' Owner REG_SZ nobody
starts_badly "a wrong value in the registry" 87
says "$work/machine" "registry value Owner"

# With WinFsp, as its installer leaves it.
mkdir -p "$work/winfsp/bin"
cp "$binaries/winfsp-x64.dll" "$work/winfsp/bin/"
set_value 'HKLM\Software\Wow6432Node\WinFsp' InstallDir REG_SZ "$(windows "$work/winfsp")\\"
set_value 'HKLM\Software\virtiofs' Owner REG_SZ 1000:1000
set_value 'HKLM\Software\VirtIO-FS' MountPoint REG_SZ C:
starts_badly "the released key's mount point, taken" 85
says "$events" 'Error: virtiofs: the mount point "C:" is taken'
set_value 'HKLM\Software\virtiofs' MountPoint REG_SZ V:
sc start VirtioFsSvc
eventually "the documented key's mount point is free, and it waits" grep -qF "waiting for a virtio-fs device" "$events"
eventually "it runs" is_state RUNNING
sc stop VirtioFsSvc
eventually "it stops" is_state STOPPED
expect "its exit code" "$(exit_code)" 0
says "$events" "Information: virtiofs: stopped"

# Arguments come from the ImagePath, not from whoever starts it.
service "-t my_virtiofs -m V:"
sc start VirtioFsSvc -t other
eventually "the ImagePath's tag counts" grep -qF 'waiting for the virtio-fs device "my_virtiofs"' "$events"
sc stop VirtioFsSvc
eventually "it stops again" is_state STOPPED

# As documented: with the machine.
sc delete VirtioFsSvc
sc create VirtioFsSvc "binPath=$program" start=auto depend=VirtioFsDrv
: >"$events"
reboot
eventually "it has started with the machine" is_state RUNNING
eventually "and waits for its device" grep -qF "waiting for a virtio-fs device" "$events"
done_testing
