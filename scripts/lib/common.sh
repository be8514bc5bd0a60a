# shellcheck shell=bash
# What every script shares: where things are, numbered steps that show they are alive, and an end that leaves nothing
# running. Sourced by bash with `set -euo pipefail`; the caller sets STEPS to the number of its steps.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export LC_ALL=C.UTF-8
STEP=0
STEPS=${STEPS:-0}
STEP_PID=
CLEANUPS=()

say() { printf '%s\n' "$*"; }
die() {
    printf '\n%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# cleanup COMMAND: run at the end, last registered first.
cleanup() { CLEANUPS+=("$1"); }

# Runs once, whatever ended the script: a finished run, an error, Ctrl-C, TERM or a closed terminal.
run_cleanups() {
    local status=$? i
    trap - EXIT
    trap '' INT TERM HUP
    if [ -n "$STEP_PID" ]; then end_group "$STEP_PID"; fi
    for ((i = ${#CLEANUPS[@]} - 1; i >= 0; i--)); do
        eval "${CLEANUPS[i]}" || true
    done
    exit "$status"
}
trap run_cleanups EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# A process group that we started: asked to end, then made to.
end_group() {
    local tries
    kill -INT -- "-$1" 2>/dev/null || return 0
    for ((tries = 0; tries < 100; tries++)); do
        kill -0 -- "-$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL -- "-$1" 2>/dev/null || true
}

# start_process LOG COMMAND...: in a process group of its own, so that a Ctrl-C at the terminal reaches this script first
# and it can end things in order. Sets STARTED_PID.
start_process() {
    local log=$1
    shift
    set -m
    "$@" </dev/null >>"$log" 2>&1 &
    STARTED_PID=$!
    set +m
    disown "$STARTED_PID" 2>/dev/null || true
}

# stop_process PID [SIGNAL]: by pid only, never by name.
stop_process() {
    local pid=$1 signal=${2:-TERM} tries
    kill "-$signal" "$pid" 2>/dev/null || return 0
    for ((tries = 0; tries < 150; tries++)); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
}

step_begin() {
    STEP=$((STEP + 1))
    if [ "$STEPS" -gt 0 ]; then
        STEP_TITLE=$(printf '[%d/%d] %s' "$STEP" "$STEPS" "$1")
    else
        STEP_TITLE="[$STEP] $1"
    fi
    STEP_SINCE=$SECONDS
}

# step TITLE COMMAND...: the command's output goes to $LOGS and is shown when it fails. The command runs in a child, so
# it cannot set variables here.
step() {
    local title=$1 status=0 waited=0
    shift
    step_begin "$title"
    STEP_LOG=$LOGS/$(printf '%02d' "$STEP").log
    if [ -t 1 ]; then printf '%s ...' "$STEP_TITLE"; else printf '%s ...\n' "$STEP_TITLE"; fi
    set -m
    "$@" </dev/null >"$STEP_LOG" 2>&1 &
    STEP_PID=$!
    set +m
    while kill -0 "$STEP_PID" 2>/dev/null; do
        sleep 0.2
        waited=$((waited + 1))
        if [ -t 1 ]; then
            if [ $((waited % 5)) -eq 0 ]; then printf '\r%s ... %d s' "$STEP_TITLE" $((SECONDS - STEP_SINCE)); fi
        elif [ $((waited % 150)) -eq 0 ]; then
            printf '      ... %d s: %s\n' $((SECONDS - STEP_SINCE)) "$(tail -n 1 "$STEP_LOG" | cut -c 1-100)"
        fi
    done
    wait "$STEP_PID" || status=$?
    STEP_PID=
    if [ "$status" -ne 0 ]; then
        printf '\n'
        tail -n 60 "$STEP_LOG"
        mkdir -p "$ROOT/build" && cp "$STEP_LOG" "$ROOT/build/failed-step.log"
        die "failed: $title (exit code $status; the whole output is in build/failed-step.log)"
    fi
    if [ -t 1 ]; then printf '\r'; fi
    printf '%s: done, %d s\n' "$STEP_TITLE" $((SECONDS - STEP_SINCE))
}

# A TCP port of 127.0.0.1 that nobody listens on.
free_port() {
    local port tries
    for ((tries = 0; tries < 200; tries++)); do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s\n' "$port"
            return 0
        fi
    done
    return 1
}

# wait_for_port PORT PID SECONDS: until something answers there, or the process is gone.
wait_for_port() {
    local tries
    for ((tries = 0; tries < $3 * 10; tries++)); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
        kill -0 "$2" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

work_dir() {
    WORK=$(mktemp -d "${TMPDIR:-/tmp}/pgvigil-$1.XXXXXX")
    chmod 711 "$WORK"
    LOGS=$WORK/logs
    mkdir "$LOGS"
    cleanup 'rm -rf "$WORK"'
}
