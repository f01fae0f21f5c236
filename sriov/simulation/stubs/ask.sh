#!/bin/sh
# Hands its own name and words to the simulation and gives back its output and exit status.
# The answer: a line with the status, the standard error, a line with \001, the standard output.
exec 9<>/dev/simulation || exit 1
printf '%s\0' "${0##*/}" "$@" >&9
answer=$(cat <&9; printf x)
exec 9>&-
newline='
'
mark=$(printf '\001')
status=${answer%%"$newline"*}
answer=${answer#*"$newline"}
errors=${answer%%"$mark$newline"*}
output=${answer#*"$mark$newline"}
[ -z "$errors" ] || printf '%s' "$errors" >&2
[ "$output" = x ] || printf '%s' "${output%x}"
exit "$status"
