# The steps of a plan, one after the other.
# Needs: common.sh, failures.sh, $state, $run. Sets: $number, the last step that began, and $failed, the one that failed.
failed=

# note LINE: to the log that stays on the host
note() { { [ -d "$run" ] || mkdir -p "$run"; } && printf '%s\n' "$1" >>"$run/log.jsonl"; }

# say_failed: the id is that of `fail`; a command of another program has none
say_failed() {
    value "$state/failure"
    section "failed $number ${v:-step-failed}"
}

# step NUMBER BEGINS LOG COMMAND...: stops the whole at the first that fails. Where no one listens any more, the
# pipe ends the script at the first step of the next change (`change`), but never inside of one (`-`).
step() {
    [ -z "$failed" ] || return 0
    number=$1
    begins=$2
    log=$3
    shift 3
    [ "$begins" = change ] || trap '' PIPE
    section "begin $number"
    trap 'exit 1' PIPE
    ("$@") </dev/null >"$state/output" 2>&1 || failed=$number
    trap '' PIPE
    if [ -n "$failed" ]; then
        say_failed
        tail -c 2000 "$state/output"
    else
        section "done $number"
        [ -z "$log" ] || note "$log"
    fi
    trap 'exit 1' PIPE
}
