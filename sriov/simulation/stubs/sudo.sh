#!/bin/sh
# sudo: asks for the password, on stderr and from stdin with -S, and runs a command as root.
# This part runs as the caller; the setuid copy of setpriv runs the part with `--granted` as root.
lib=/usr/local/lib/simulation
fail() { echo "$1" >&2; exit 1; }

if [ "$1" != --granted ]; then
    name=$(id -un)
    [ "$name" != root ] || name=${USER:-root} # without real root everybody is root here, by another name
    exec "$lib/as-root" --reuid 0 --regid 0 --keep-groups -- /bin/sh /usr/local/bin/sudo --granted "$name" "$@"
fi
shift
user=$1
shift
ask=terminal prompt="[sudo] password for $user: " checked=run
while [ $# -gt 0 ]; do
    case $1 in
        -[nSkKHEi]?*) # several letters in one word
            rest=${1#-?}
            first=${1%"$rest"}
            shift
            set -- "$first" "-$rest" "$@"
            continue
            ;;
        -n | --non-interactive) ask=never ;;
        -S | --stdin) ask=stdin ;;
        -p) prompt=$2; shift ;;
        --prompt=*) prompt=${1#*=} ;;
        -p*) prompt=${1#-p} ;;
        -u) shift ;;
        -v) checked=only ;;
        -k | -K) [ $# -gt 1 ] || exit 0 ;;
        -H | -E | -i) ;;
        --) shift; break ;;
        -*) fail "sudo: unrecognized option '$1'" ;;
        *) break ;;
    esac
    shift
done
while [ $# -gt 0 ]; do
    case $1 in
        [A-Za-z_]*=*) variables="$variables $1"; shift ;;
        *) break ;;
    esac
done
if [ $# = 0 ] && [ "$checked" = run ]; then
    echo 'usage: sudo -h | -K | -k | -V' >&2
    echo 'usage: sudo [-ABbEHnPS] [-p prompt] [-u user] [VAR=value] [command [arg ...]]' >&2
    exit 1
fi

right=nopasswd secret=
if [ "$user" != root ]; then
    right=no
    while read -r name what word; do
        if [ "$name" = "$user" ]; then right=$what secret=$word; fi
    done </etc/simulated-sudoers
fi
if [ "$right" != nopasswd ]; then
    [ "$ask" != never ] || fail 'sudo: a password is required'
    if [ "$ask" = terminal ]; then
        echo 'sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper' >&2
        fail 'sudo: a password is required'
    fi
    tries=0
    while :; do
        printf '%s' "$prompt" >&2
        if ! IFS= read -r word; then
            echo >&2
            [ "$tries" = 0 ] && fail 'sudo: no password was provided'
            [ "$tries" = 1 ] && fail 'sudo: 1 incorrect password attempt'
            fail "sudo: $tries incorrect password attempts"
        fi
        [ -z "$secret" ] || [ "$word" != "$secret" ] || break
        tries=$((tries + 1))
        [ "$tries" -lt 3 ] || fail 'sudo: 3 incorrect password attempts'
        echo 'Sorry, try again.' >&2
    done
    [ "$right" = password ] || fail "$user is not in the sudoers file.  This incident will be reported."
fi
[ "$checked" = run ] || exit 0
command -v -- "$1" >/dev/null 2>&1 || fail "sudo: $1: command not found"
# shellcheck disable=SC2086 # assignments, one word each
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root LOGNAME=root \
    SHELL=/bin/sh SUDO_USER="$user" ${variables:-} "$@"
