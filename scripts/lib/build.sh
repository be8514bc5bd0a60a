# shellcheck shell=bash
# build_preset PRESET [CMAKE OPTION...]: configures and builds build/PRESET.
build_preset() {
    local preset=$1
    shift
    (cd "$ROOT" && cmake --preset "$preset" "$@" && cmake --build "build/$preset")
}
