# Who uses a virtual function. Reads only. What cannot be seen is said: "no user was found" and "no user can be found"
# are two answers, and only the first one frees a VF.
# Needs: common.sh, host_users.sh, $proc, $dev, $domains, $defined, $networks. Sets, of all VFs: $claims, what libvirt's
# files say; $opened, processes with a device open; $above, devices of other network namespaces by the index of what they
# stand on; $unseen, why users may be missing. Of one VF: $holder.
looked=

# vf_holders PF_DEVICE: a line for each VF: `holder=`, index, PCI address, and its holder if it is in use.
# libvirt's own files come first because they name the guest; then open vfio groups and RDMA devices (DPDK uses those
# of Mellanox cards); then vDPA and network devices; last, guests that will take any VF of the port when they start.
vf_holders() {
    if [ -z "$looked" ]; then
        looked=yes
        thorough=yes
        claims=$nl
        see_domains
        see_processes
        see_namespaces
    fi
    for link in "$1"/virtfn*; do
        target "$link"
        [ -n "$v" ] || continue
        vf=$v
        vf_holder "$there" "$vf"
        case $holder in '' | 'host traffic '*) pool_guest "$1" ;; esac
        case $holder in
            '' | 'host traffic '*) [ -z "$unseen" ] || holder="cannot be determined: $unseen" ;;
        esac
        printf 'holder=%s %s %s\n' "${link##*/virtfn}" "$vf" "$holder"
    done
}

# see_domains: `0000:01:10.0 libvirt domain NAME` of guests that run; `shut-off domain NAME` of those that are only
# defined. The key is a PCI address, `dev:NETDEV`, or `pf:INTERFACE` where a guest takes a VF of a libvirt network's pool.
see_domains() {
    set --
    for f in "$networks"/*.xml "$defined"/networks/*.xml - "$domains"/*.xml - "$defined"/*.xml; do
        # anything but a file is passed over by one awk, ends another one, and a pipe holds each
        if [ "$f" = - ] || { [ -f "$f" ] && [ -r "$f" ]; }; then
            set -- "$@" "$f"
        elif [ -e "$f" ] || [ -L "$f" ]; then
            cannot_see "libvirt's configuration cannot be read: $f"
        fi
    done
    for f in "${domains%/*}" "$domains" "$networks" "${defined%/*}" "$defined" "$defined/networks"; do
        if [ -d "$f" ] && [ -r "$f" ] && [ -x "$f" ]; then continue; fi
        if [ -e "$f" ] || [ -L "$f" ]; then cannot_see "libvirt's configuration cannot be read: $f"; fi
    done
    [ "$#" != 2 ] || return 0
    has awk || return 0
    f=$(
        # `-` parts networks, guests that run, guests that are defined
        kind=network
        for f; do
            shift
            if [ "$f" != - ]; then set -- "$@" "$f"; continue; fi
            [ "$kind" = network ] && kind=running || kind=defined
            set -- "$@" "kind=$kind"
        done
        awk '
            BEGIN { RS = "<"; kind = "network" }
            function of(key) {
                if (!match($0, "[ \t\n]" key "=[\"\047][^\"\047]*")) return ""
                return substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3)
            }
            function hex(text, width) {
                text = tolower(text)
                if (!sub(/^0x/, "", text)) text = sprintf("%x", text)
                while (length(text) < width) text = "0" text
                return text
            }
            function address() {
                return hex(of("domain"), 4) ":" hex(of("bus"), 2) ":" hex(of("slot"), 2) "." hex(of("function"), 1)
            }
            function claim(key) {
                if (kind == "network") pool[name, ++size[name]] = key
                else {
                    print key, (name in runs ? "libvirt" : "shut-off"), "domain", name
                    taken[key] = 1
                }
            }
            FNR == 1 {
                name = FILENAME
                sub(/.*\//, "", name)
                sub(/\.xml$/, "", name)
                inside = 0
                type = ""
                if (kind == "running") runs[name] = 1
            }
            /^(interface|actual|hostdev)[ \t\n>]/ { type = of("type") }
            kind == "network" && /^forward[ \t\n>]/ { inside = 1 }
            kind == "network" && /^\/forward/ { inside = 0 }
            kind == "network" && /^pf[ \t\n]/ { claim("pf:" of("dev")) }
            kind == "network" && inside && /^interface[ \t\n]/ && of("dev") != "" { claim("dev:" of("dev")) }
            kind != "network" && /^source[ \t\n\/>]/ {
                inside = $0 !~ /^source[^>]*\/>/
                if (type == "direct" && of("dev") != "") claim("dev:" of("dev"))
                if (kind == "defined" && of("network") != "") { user[++users] = name; net[users] = of("network") }
            }
            /^\/source/ { inside = 0 }
            /^address[ \t\n]/ && inside && of("function") != "" { claim(address()) }
            END {
                for (i = 1; i <= users; i++) {
                    if (user[i] in runs) continue
                    for (j = 1; j <= size[net[i]]; j++) {
                        key = pool[net[i], j]
                        if (key in taken) continue
                        if (key !~ /^pf:/) taken[key] = 1
                        print key, "shut-off domain", user[i], "(network " net[i] ")"
                        break
                    }
                }
            }' "$@" 2>&1
    ) || cannot_see "libvirt's configuration cannot be read: ${f##*"$nl"}"
    claims="$claims$f$nl"
}

# see_processes: network namespaces of all processes and, where there are such devices, who has one open
see_processes() {
    own=
    opened=
    spaces=$nl
    has find || return 0
    set -- "$proc/self/ns/net" "$proc"/[0-9]*/ns/net
    for f in "$dev"/vfio/[0-9]* "$dev"/vfio/noiommu-* "$dev"/vfio/devices/* "$dev"/infiniband/uverbs*; do
        if [ -e "$f" ]; then set -- "$@" "$proc"/[0-9]*/fd && break; fi
    done
    f=$(find "$@" \( -path '*/ns/net' -o -lname '/dev/vfio/*' -o -lname '/dev/infiniband/uverbs*' \) -printf '%p %l\n' 2>&1)
    while IFS= read -r line; do
        case $line in
            "$proc/self/ns/net "*) own=${line#* } ;;
            "$proc"/*/ns/net\ "$own") ;;
            "$proc"/*/ns/net\ net:*) case $spaces in
                *"$nl${line##* } "*) ;;
                *) spaces="$spaces${line##* } ${line%% *}$nl" ;;
            esac ;;
            "$proc"/*/fd/*\ /dev/*) opened="$opened$line$nl" ;;
            # a process that has ended meanwhile: find had begun its line, and goes on with it behind the error
            '' | ' ' | "$proc"/*/ns/net\ | *'No such file or directory' | *'No such process') ;;
            *) cannot_see "$line" ;;
        esac
    done <<END
$f
END
    [ -n "$own" ] || cannot_see "find does not show the host's processes"
}

# see_namespaces: a VLAN, macvlan or ipvlan that was moved to another network namespace leaves no link in this one
see_namespaces() {
    above=$nl
    # a namespace without a process is held by a mount, as `ip netns` makes it; its name tells more than a process
    while read -r _ _ _ f place _; do
        case $f in "$own" | net:*) ;; *) continue ;; esac
        [ "$f" = "$own" ] || spaces="$nl$f $place$spaces"
    done <"$proc/self/mountinfo" || cannot_see "$proc/self/mountinfo cannot be read"
    [ "$spaces" != "$nl" ] || return 0
    has nsenter && has ip || return 0
    visited=
    while read -r space place; do
        case " $visited " in *" $space "*) continue ;; esac
        [ -n "$space" ] || continue
        visited="$visited $space"
        f=$(nsenter --net="$place" ip -o -d link show 2>&1) || {
            if [ -e "$place" ] || [ -L "$place" ]; then cannot_see "network namespace $place: ${f##*"$nl"}"; fi
            continue
        }
        case $place in "$proc"/*) place=${place#"$proc"/} place="of process ${place%%/*}" ;; *) place=${place##*/} ;; esac
        while IFS= read -r line; do
            case $line in *' vlan '* | *' macvlan '* | *' macvtap '* | *' ipvlan '* | *' ipvtap '*) ;; *) continue ;; esac
            line=${line#*: }
            line=${line%%:*}
            case $line in *@if*) above="$above${line##*@if} ${line%@*} (network namespace $place)$nl" ;; esac
        done <<END
$f
END
    done <<END
$spaces
END
}

# vf_holder VF_DEVICE ADDRESS: who uses it, in words; nothing where no one was found
vf_holder() {
    holder=
    ! found "$2" "$claims" || return 0
    target "$1/iommu_group"
    nodes="/dev/vfio/$v
/dev/vfio/noiommu-$v"
    for f in "$1"/vfio-dev/*; do
        [ ! -e "$f" ] || nodes="$nodes
/dev/vfio/devices/${f##*/}
/dev/vfio/devices/noiommu-${f##*/}"
    done
    for f in "$1"/infiniband_verbs/*; do
        [ ! -e "$f" ] || nodes="$nodes
/dev/infiniband/${f##*/}"
    done
    while read -r f node; do
        case "$nl$nodes$nl" in *"$nl$node$nl"*) ;; *) continue ;; esac
        [ -n "$node" ] || continue
        f=${f#"$proc"/}
        value "$proc/${f%%/*}/comm"
        holder="process ${f%%/*} ($v)"
        return
    done <<END
$opened
END
    for f in "$1"/vdpa*; do
        [ -e "$f" ] || continue
        target "$f/driver"
        holder="vDPA device ${f##*/}${v:+ ($v)}"
        return
    done
    target "$1/driver"
    host_user "$1" "$v"
}

# pool_guest PF_DEVICE: a guest that is shut off and takes any VF of this port when it starts has the first free one
pool_guest() {
    for f in "$1"/net/*; do
        found "pf:${f##*/}" "$claims" || continue
        claims=${claims%%"${nl}pf:${f##*/} $holder$nl"*}$nl${claims#*"${nl}pf:${f##*/} $holder$nl"}
        return
    done
}
