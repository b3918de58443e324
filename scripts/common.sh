# Sourced by the scripts: where things are, and how the project's parts are built.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
build=$root/build
jobs=${JOBS:-$(nproc)}
# In front of what needs root: Debian's virtiofsd, the lab's namespaces. Building does not.
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo --preserve-env=VIRTIOFS_STRESS_SECONDS,SOAK_FILES,SOAK_SECONDS,JOBS)

# build_preset PRESET [TARGET...]: configures if need be and builds; prints only what went wrong.
build_preset() {
    local preset=$1
    shift
    mkdir -p "$build"
    local log=$build/$preset.log
    local launcher=()
    if command -v ccache >/dev/null; then
        launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    fi
    local targets=()
    [ $# -eq 0 ] || targets=(--target "$@")
    if ! { { [ -f "$build/$preset/build.ninja" ] || cmake --preset "$preset" "${launcher[@]}"; } &&
           cmake --build --preset "$preset" -j "$jobs" "${targets[@]}"; } >"$log" 2>&1; then
        grep -E -A12 'FAILED|error|Error' "$log" | head -n 80 >&2 || tail -n 40 "$log" >&2
        echo "building preset $preset failed; the whole log is $log" >&2
        return 1
    fi
}
