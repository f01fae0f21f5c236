# Which virtual functions the host itself uses. Reads only, and costs a process only where one of them is up.
# Needs: common.sh, $proc. Sets: $holder, who uses one of them, and $reached, each interface with an address of more than
# the link's scope, or a route. $claims, $above, $unseen and $thorough are those of holders.sh, which looks for guests too.
nl='
'
claims=
above=
unseen=
thorough=
reached=

# cannot_see WORDS: the first reason is the one to tell
cannot_see() { [ -n "$unseen" ] || unseen=$1; }

# has PROGRAM
has() { command -v "$1" >/dev/null || { cannot_see "this host has no $1" && return 1; }; }

# found KEY LINES: $holder is what LINES say behind that key
found() {
    case $2 in *"$nl$1 "*) ;; *) return 1 ;; esac
    holder=${2#*"$nl$1 "}
    holder=${holder%%"$nl"*}
}

# host_user VF_DEVICE DRIVER: $holder is its user in the host's network, or the driver for a program of the host. A device
# that is down is passed over, unless $thorough: every further file is a price that each look at a host pays.
host_user() {
    holder=
    case $2 in
        '' | vfio-pci | pci-stub) return 0 ;;
        igb_uio | uio_pci_generic | pciback | xen-pciback) holder="user-space driver $2" && return ;;
    esac
    for netdev in "$1"/net/*; do
        if [ "$netdev" = "$1/net/*" ]; then
            # a network driver without a device here: sysfs shows a device only in its own namespace
            [ ! -d "$1/net" ] || holder="another network namespace"
            return 0
        fi
        value "$netdev/flags"
        # the last bit is IFF_UP
        case $v in *[13579bdfBDF]) up=yes ;; *) up= ;; esac
        [ -n "$up$thorough" ] || continue
        words="network device ${netdev##*/}"
        ! found "dev:${netdev##*/}" "$claims" || return 0
        for upper in "$netdev"/master "$netdev"/upper_*; do
            [ -e "$upper" ] || continue
            target "$upper"
            [ "$upper" = "$netdev/master" ] && holder="$words, part of $v" || holder="$words, which carries $v"
            return
        done
        [ -z "$thorough" ] || value "$netdev/ifindex"
        ! found "$v" "$above" || { holder="$words, which carries $holder" && return; }
        [ -n "$reached" ] || see_names
        case $reached in
            *" ${netdev##*/} an address "*) holder="$words, which has an address" && return ;;
            *" ${netdev##*/} a route "*) holder="$words, which has a route" && return ;;
        esac
        [ -n "$up" ] || continue
        value "$netdev/statistics/tx_packets"
        # a link that comes up sends a few by itself
        [ "${v:-0}" -lt 50 ] || holder="host traffic on ${netdev##*/}"
    done
}

# see_names: fills $reached
see_names() {
    reached=' '
    if has ip; then
        rows=$(ip -o addr show 2>&1) || cannot_see "ip addr: ${rows##*"$nl"}"
        while read -r _ device row; do
            case $row in *'scope link'* | '') ;; *) reached="$reached$device an address " ;; esac
        done <<END
$rows
END
    fi
    while read -r device row; do reached="$reached$device a route "; done <"$proc/net/route"
    [ ! -r "$proc/net/ipv6_route" ] || while read -r row _ _ _ _ _ _ _ _ device; do
        case $row in fe80* | ff*) ;; *) reached="$reached$device a route " ;; esac
    done <"$proc/net/ipv6_route"
} 2>/dev/null
