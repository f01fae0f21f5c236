# Units of ours, and services that are not.
# Needs: failures.sh, $net, $restarts_due. Sets: nothing that others read.

# start_unit UNIT INTERFACE: its oneshot makes the virtual functions; its own words if it fails. `enable` loads all unit
# files again, as daemon-reload does (systemctl(1)).
start_unit() {
    enable_unit "$1"
    timeout 240 systemctl restart "$1" && return
    present=0
    for f in "$net/$2/device"/virtfn*; do [ ! -e "$f" ] || present=$((present + 1)); done
    ! command -v journalctl >/dev/null || journalctl -q -o cat -n 5 -u "$1" 2>/dev/null
    fail unit-failed "$1 failed; $2 has $present virtual functions"
}

# enable_unit UNIT: systemd takes in its new text; what has run is not run again
enable_unit() { systemctl enable -q "$1" || fail unit-refused "cannot enable $1"; }

# stop_unit UNIT: it will not come back at boot
stop_unit() {
    systemctl disable -q "$1" || fail unit-refused "cannot disable $1"
    timeout 60 systemctl stop "$1" || fail unit-refused "cannot stop $1"
}

# restart UNIT
restart() {
    timeout 180 systemctl restart "$1" && systemctl is-active -q "$1" && rm -f -- "$restarts_due/$1" && return
    fail service-not-starting \
        "$1 does not start: $(systemctl show -p ActiveState,SubState,Result,ExecMainStatus "$1" | tr '\n' ' ')"
}
