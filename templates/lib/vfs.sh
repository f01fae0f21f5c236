# Taking the virtual functions of a port away.
# Needs: common.sh, failures.sh, holders.sh, $net, $state. Sets: nothing that others read.

# clear_vfs INTERFACE COUNT SECONDS FORCE: the write that may hang is made by a child of its own, which
# holds neither this session nor the lock; what it wrote last is left for the next probe to see
clear_vfs() {
    port=$net/$1/device
    target "$port"
    marker=$state/writing.$v
    count=0
    for f in "$port"/virtfn*; do [ ! -e "$f" ] || count=$((count + 1)); done
    [ "$count" = "$2" ] || fail vf-count-changed "$1 has $count virtual functions, not the $2 that were seen. Run again"
    # this driver takes a 0 while the port is down for done, and does nothing
    target "$port/driver"
    [ "$v" != bnxt_en ] || ip link set dev "$1" up || fail port-not-up "$1 could not be set up"
    target "$port"
    if [ "$4" != force ]; then
        held=$(vf_holders "$port" | while read -r index vf holder; do
            [ -z "$holder" ] || printf 'VF %s (%s) is in use by %s. ' "$index" "$vf" "$holder"
        done)
        [ -z "$held" ] || fail vf-in-use "$held"
    fi
    rm -f -- "$marker" "$marker.done"
    # shellcheck disable=SC2016 # for the child to expand
    setsid sh -c 'echo $$ >"$2"; echo 0 >"$1"; echo $? >"$2.done"; rm -f "$2"' \
        sriov-write "$port/sriov_numvfs" "$marker" </dev/null >/dev/null 2>&1 9>&- &
    waited=0
    until [ -e "$marker.done" ]; do
        [ "$waited" -lt "$(($3 * 10))" ] || fail kernel-not-answering \
            "the kernel has not answered a write of 0 to sriov_numvfs of $1 within $3 seconds: a virtual function is still in use. The write takes effect when that use ends"
        sleep 0.1
        waited=$((waited + 1))
    done
    value "$marker.done"
    rm -f -- "$marker.done"
    [ "$v" = 0 ] || fail vf-removal-refused "the kernel refused to remove the virtual functions of $1"
    for f in "$port"/virtfn*; do
        [ ! -e "$f" ] || fail vf-removal-refused "virtual functions of $1 are still there"
    done
}
