# What the VFs of a host have received and sent: read only, one `ip` for each port with VFs and reading. The text is
# fixed; sriov/facts/counters_parser.py reads the sections, and sriov/planning/probe.py sets this variable before.
#   interval    seconds between two readings; empty: one reading
# sriov_numvfs is not read: while a write to it hangs, reading it hangs as well, and `ip` answers.

# statistics_of FOLDER NAME...: $line has behind it each name and the first line of its file, where there is one
statistics_of() {
    folder=$1
    shift
    for f; do
        value "$folder/$f"
        [ -z "$v" ] || line="$line $f $v"
    done
}

# vf_counters PF_DEVICE VF: what the PF's driver shows in sysfs, and the interface of the VF
vf_counters() {
    f=$1/sriov/$2/stats
    if [ -d "$f" ]; then
        # out-of-tree drivers of Intel: a file for each counter
        line=
        statistics_of "$f" rx_bytes rx_packets rx_dropped rx_errors rx_broadcast rx_multicast \
            tx_bytes tx_packets tx_dropped tx_errors tx_broadcast tx_multicast
        printf 'sysfs=%s%s\n' "$2" "$line"
    elif [ -r "$f" ]; then
        # Mellanox OFED: one file, `rx_bytes : 12` in each line
        while IFS= read -r line; do printf 'sysfs=%s %s\n' "$2" "$line"; done <"$f"
    fi
    for f in "$1/virtfn$2"/net/*; do
        if [ -e "$f" ]; then
            line="$2 ${f##*/}"
            statistics_of "$f/statistics" rx_bytes rx_packets rx_dropped rx_errors multicast \
                tx_bytes tx_packets tx_dropped tx_errors
            printf 'netdev=%s\n' "$line"
        elif [ -d "$1/virtfn$2/net" ]; then
            # sysfs shows a network device only in its own namespace
            printf 'away=%s\n' "$2"
        fi
        break
    done
}

# port_counters INTERFACE VIRTFN...
port_counters() {
    interface=$1
    device=/sys/class/net/$1/device
    shift
    [ -e "$1" ] || return 0
    read -r uptime rest </proc/uptime
    section "counted $uptime $interface"
    target "$device"
    printf 'pci=%s\n' "$v"
    for virtfn; do
        vf_counters "$device" "${virtfn##*/virtfn}"
    done
    read -r uptime rest </proc/uptime
    section "link $uptime $interface"
    ip -s -j link show dev "$interface" 2>/dev/null || {
        section "silent $?"
        ip -s -j link show dev "$interface" 2>&1 >/dev/null | head -c 300
    }
}

reading() {
    for port in /sys/class/net/*; do
        port_counters "${port##*/}" "$port"/device/virtfn*
    done
}

value /proc/sys/kernel/osrelease
section "kernel $v"
counted=$(reading)
printf '%s' "$counted"
[ -z "$interval" ] || {
    sleep "$interval"
    counted=$(reading)
    printf '%s' "$counted"
}
