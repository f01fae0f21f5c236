# Taking the virtual functions of a port away, and making others in their place.
# Needs: common.sh, failures.sh, holders.sh, $net, $state, $vfs_script. Sets: $said, $present.

# count_vfs PORT_DEVICE: $present, how many there are
count_vfs() {
    present=0
    for f in "$1"/virtfn*; do [ ! -e "$f" ] || present=$((present + 1)); done
}

# written PORT_DEVICE SECONDS COMMAND...: a command that writes to sriov_numvfs, which may hang. A child of its own makes
# it, which holds neither this session nor the lock; what it wrote last is left for the next probe to see.
# $v: how it ended, empty where it has not; $said: its last words.
written() {
    target "$1"
    marker=$state/writing.$v
    until_then=$(($2 * 10))
    shift 2
    rm -f -- "$marker" "$marker.done" "$marker.said"
    # shellcheck disable=SC2016 # for the child to expand
    setsid sh -c 'm=$1; shift; echo $$ >"$m"; "$@" >"$m.said" 2>&1; echo $? >"$m.done"; rm -f "$m"' \
        sriov-write "$marker" "$@" </dev/null >/dev/null 2>&1 9>&- &
    waited=0
    until [ -s "$marker.done" ]; do
        v=
        [ "$waited" -lt "$until_then" ] || return 0
        sleep 0.1
        waited=$((waited + 1))
    done
    said=
    [ ! -s "$marker.said" ] || while IFS= read -r v; do said=${v##*write error: }; done <"$marker.said"
    value "$marker.done"
    rm -f -- "$marker.done" "$marker.said"
}

# clear_vfs INTERFACE COUNT SECONDS FORCE
clear_vfs() {
    port=$net/$1/device
    count_vfs "$port"
    [ "$present" = "$2" ] || fail vf-count-changed "$1 has $present virtual functions, not the $2 that were seen. Run again"
    # this driver takes a 0 while the port is down for done, and does nothing
    target "$port/driver"
    [ "$v" != bnxt_en ] || ip link set dev "$1" up || fail port-not-up "$1 could not be set up"
    [ "$4" = force ] || stop_at_users "$port"
    # shellcheck disable=SC2016 # for the child to expand
    written "$port" "$3" sh -c '/bin/echo 0 >"$1"' sriov-write "$port/sriov_numvfs"
    [ -n "$v" ] || fail kernel-not-answering \
        "the kernel has not answered a write of 0 to sriov_numvfs of $1 within $3 seconds: a virtual function is still in use. The write takes effect when that use ends"
    [ "$v" = 0 ] || fail vf-removal-refused "the kernel refused to remove the virtual functions of $1${said:+: $said}"
    count_vfs "$port"
    [ "$present" = 0 ] || fail vf-removal-refused "virtual functions of $1 are still there"
}

# stop_at_users PORT_DEVICE: one that is in use, or may be, stops the step
stop_at_users() {
    users=$(vf_holders "$1")
    held=
    blind=
    while read -r index vf holder; do
        index=${index#holder=}
        case $holder in
            '' | 'host traffic '*) ;;
            'cannot be determined'*) blind="${blind}Who uses VF $index ($vf) $holder. " ;;
            *) held="${held}VF $index ($vf) is in use by $holder. " ;;
        esac
    done <<END
$users
END
    [ -z "$held" ] || fail vf-in-use "$held$blind"
    [ -z "$blind" ] || fail vf-users-unknown "$blind"
}

# make_vfs INTERFACE COUNT SECONDS OLD UNIT: COUNT of them on a port that clear_vfs has left without. What the driver
# refuses, or does in part, leaves what was there before: OLD of them, by UNIT, or where that is `-` by the script.
make_vfs() {
    port=$net/$1/device
    written "$port" "$3" sh "$vfs_script" "$1" "$2"
    [ "$v" != 0 ] || return 0
    [ -n "$v" ] || fail kernel-not-answering \
        "the kernel has not answered a write of $2 to sriov_numvfs of $1 within $3 seconds. It had $4 virtual functions before"
    refused="$1 cannot have $2 virtual functions: ${said:-the script that makes them failed}"
    count_vfs "$port"
    [ "$present" = 0 ] || (clear_vfs "$1" "$present" "$3" free) ||
        fail vf-count-refused "$refused. The $4 from before are not put back; $1 has $present now"
    if [ "$5" = - ]; then
        written "$port" "$3" sh "$vfs_script" "$1" "$4"
    else
        said="$5 failed"
        timeout "$3" systemctl restart "$5"
    fi
    count_vfs "$port"
    [ "$present" = "$4" ] ||
        fail vf-count-refused "$refused. The $4 from before could not be put back: $said; $1 has $present now"
    fail vf-count-refused "$refused. The $4 from before are back"
}
