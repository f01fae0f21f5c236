# How a change ends badly: an id that programs read, and words for people. The ids are listed, with their meaning, in
# sriov/planning/host_failures.py.
# Needs: common.sh, $state; $staging, the step whose file is being staged (`stop`).
staging=

# stop ID WORDS...: before the first step
stop() {
    section "stopped $1 $staging"
    shift
    v=
    [ -z "$staging" ] || value "$state/output"
    printf '%s%s\n' "$*" "${v:+ ($v)}"
    exit 0
}

# fail ID WORDS...: in a step, which is a shell of its own: the id goes by a file
fail() {
    printf '%s\n' "$1" 2>/dev/null >"$state/failure"
    shift
    printf '%s\n' "$*"
    exit 1
}
