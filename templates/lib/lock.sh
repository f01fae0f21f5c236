# The host's lock, which the kernel releases when the last process that has it open ends.
# Needs: common.sh, failures.sh, $state. Sets: descriptor 9.

# take_lock OWNER SINCE: ends the script where another run has it
take_lock() {
    { { [ -d "$state" ] || mkdir -p "$state"; } && true >>"$state/lock"; } 2>/dev/null ||
        stop state-unwritable "cannot write in $state: is /run full or read-only?"
    exec 9>>"$state/lock"
    # The second is for a probe, which looks at the lock by trying it. The descriptor is handed over by name: POSIX
    # leaves open whether a command gets one that `exec` opened, and in mksh it does not.
    if ! flock -w 1 9 9>&9; then
        section locked
        head -c 300 "$state/lock"
        exit 0
    fi
    {
        printf '%s since %s (process %s here)\n' "$1" "$2" "$$" >"$state/lock" &&
            true >"$state/output" && true >"$state/failure"
    } 2>/dev/null || stop state-unwritable "cannot write in $state: is /run full?"
}
