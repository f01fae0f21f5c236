{
nonce=NONCE
state=/run/sriov
runs=/var/lib/sriov/runs
restarts_due=/var/lib/sriov/restarts-due
vfs_script=/etc/systemd/system/sriov-vfs.sh
net=/sys/class/net
proc=/proc
dev=/dev
domains=/run/libvirt/qemu
defined=/etc/libvirt/qemu
networks=/run/libvirt/network
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077

section() { printf '\n@%s %s\n' "$nonce" "$*"; }

value() { v=; [ ! -r "$1" ] || IFS= read -r v 2>/dev/null <"$1" || :; }

target() { v=; if cd -P -- "$1" 2>/dev/null; then there=$PWD v=${PWD##*/}; cd /; fi; }
nl='
'
claims=
above=
unseen=
thorough=
reached=

cannot_see() { [ -n "$unseen" ] || unseen=$1; }

has() { command -v "$1" >/dev/null || { cannot_see "this host has no $1" && return 1; }; }

found() {
    case $2 in *"$nl$1 "*) ;; *) return 1 ;; esac
    holder=${2#*"$nl$1 "}
    holder=${holder%%"$nl"*}
}

host_user() {
    holder=
    case $2 in
        '' | vfio-pci | pci-stub) return 0 ;;
        igb_uio | uio_pci_generic | pciback | xen-pciback) holder="user-space driver $2" && return ;;
    esac
    for netdev in "$1"/net/*; do
        if [ "$netdev" = "$1/net/*" ]; then
            [ ! -d "$1/net" ] || holder="another network namespace"
            return 0
        fi
        value "$netdev/flags"
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
        [ "${v:-0}" -lt 50 ] || holder="host traffic on ${netdev##*/}"
    done
}

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
all_ports=''
ports=''
by_address='0000:01:00.0 52:54:00:12:34:57'
holders=''
compute=yes
files='/var/lib/sriov/restarts-due/* /boot/grub/grub.cfg /boot/grub2/grub.cfg /boot/loader/entries/*.conf /boot/grub2/grubenv /boot/grub/grubenv /etc/default/grub /etc/default/grub.d/zz-sriov.cfg /var/lib/sriov/rebooted /var/lib/sriov/grubby /etc/systemd/system/sriov-vfs-*.service /etc/systemd/system/sriov-vfs.sh /etc/nova/nova.conf /etc/nova/nova-compute.conf /etc/nova/nova.conf.d/*.conf /etc/nova/nova-compute.conf.d/*.conf /etc/neutron/neutron.conf /etc/neutron/plugins/ml2/sriov_agent.ini /etc/neutron/conf.d/common/*.conf /etc/neutron/conf.d/neutron-sriov-nic-agent/*.conf'
units='nova-compute.service openstack-nova-compute.service'
own_units='/etc/systemd/system/sriov-vfs-*.service'
values=/var/lib/sriov/version
tools='update-grub grubby'
needed='cp flock head mv readlink setsid sha256sum stat sync tail timeout wc'
limit=8388608
manifest=''
own_lock=''
nl='
'
read -r boot_id </proc/sys/kernel/random/boot_id
facts=$(
section host
IFS= read -r cmdline </proc/cmdline
printf 'boot_id=%s\ncmdline=%s\n' "$boot_id" "$cmdline"
while IFS= read -r line && [ -n "$line" ]; do
    case $line in vendor_id*) printf '%s\n' "$line" && break ;; esac
done </proc/cpuinfo
for f in /sys/firmware/acpi/tables/DMAR /sys/firmware/acpi/tables/IVRS; do
    [ ! -e "$f" ] || printf 'acpi=%s\n' "${f##*/}"
done
for f in /usr/lib/python*/dist-packages/nova-*-info /usr/lib/python*/site-packages/nova-*-info \
    /usr/local/lib/python*/dist-packages/nova-*-info /usr/local/lib/python*/site-packages/nova-*-info \
    /opt/*/lib/python*/site-packages/nova-*-info /var/lib/*/lib/python*/site-packages/nova-*-info; do
    [ ! -e "$f" ] || printf 'nova=%s\n' "${f##*/nova-}"
done
for f in "$domains"/*.xml; do
    [ ! -e "$f" ] || { f=${f##*/}; printf 'instance=%s\n' "${f%.xml}"; }
done
if [ -z "$own_lock" ]; then
    value "$state/lock"
    [ -z "$v" ] || flock -s -n "$state/lock" true || printf 'lock=%s\n' "$v"
fi
for f in $tools; do
    ! command -v "$f" >/dev/null || printf 'tool=%s\n' "$f"
done
for f in $needed; do
    command -v "$f" >/dev/null || printf 'missing=%s\n' "$f"
done
for f in $values; do
    [ -r "$f" ] || continue
    value "$f"
    printf 'value=%s %s\n' "$f" "$v"
done

[ -z "$compute" ] || for f in "$net"/*/device; do
    [ -e "$f" ] || continue
    d=${f%/device}
    value "$f/sriov_totalvfs"
    case $v in '' | 0) kind= ;; *) kind=pf ;; esac
    v=
    [ -e "$f/physfn" ] || target "$f"
    printf 'netdev=%s %s %s\n' "${d##*/}" "$v" "$kind"
done

port() {
    d=$net/$1/device
    [ -e "$d/vendor" ] || return 0
    section "port $1"
    target "$d"
    pci=$v
    d=$there
    printf 'pci=%s\n' "$pci"
    for f in vendor device sriov_vf_device sriov_totalvfs sriov_offset sriov_stride; do
        value "$d/$f"
        printf '%s=%s\n' "$f" "$v"
    done
    value "$net/$1/address"
    printf 'mac=%s\n' "$v"
    value "$d/iommu_group/type"
    printf 'group_type=%s\n' "$v"
    target "$d/driver"
    printf 'driver=%s\n' "$v"
    [ ! -e "$d/iommu_group" ] || printf 'group=yes\n'
    if [ "$d/iommu_group" -ef "$d/virtfn0/iommu_group" ]; then
        target "$d/iommu_group"
        printf 'group_shared=%s\n' "$v"
    fi
    [ ! -e "$d/physfn" ] || printf 'is_vf=yes\n'
    for f in "$d"/net/*; do
        [ "$f" = "$d/net/$1" ] || [ ! -e "$f" ] || printf 'beside=%s\n' "${f##*/}"
    done
    value "$state/writing.$pci"
    if [ -n "$v" ] && [ -d "/proc/$v" ]; then printf 'hung=%s\n' "$v"; fi
    count=0
    for f in "$d"/virtfn*; do
        target "$f"
        [ -n "$v" ] || continue
        vf=$there
        target "$vf/driver"
        driver=$v
        for g in "$vf"/net/*; do
            [ ! -e "$g" ] || v="$v ${g##*/}"
        done
        printf 'vf=%s %s %s\n' "${f##*/virtfn}" "${vf##*/}" "$v"
        count=$((count + 1))
        [ -z "$holders" ] || continue
        host_user "$vf" "$driver"
        [ -z "$holder" ] || printf 'holder=%s %s %s\n' "${f##*/virtfn}" "${vf##*/}" "$holder"
    done
    [ "$count" = 0 ] || [ -z "$holders" ] || vf_holders "$d"
}
[ -z "$all_ports" ] || for f in "$net"/*; do port "${f##*/}"; done
set -f
for named in $ports; do
    set +f
    port "$named"
done
set +f
[ -z "$by_address" ] || for f in "$net"/*; do
    target "$f/device"
    pci=$v
    value "$f/address"
    for named in $by_address; do
        case $named in "$pci" | "$v") port "${f##*/}"; break ;; esac
    done
done
[ -n "$all_ports" ] || for f in $own_units; do
    [ -e "$f" ] || continue
    while IFS= read -r line; do
        case $line in '# interface '*)
            case " $ports " in
                *" ${line#\# interface } "*) ;;
                *) [ -z "${line#\# interface }" ] || port "${line#\# interface }" ;;
            esac
            break
            ;;
        esac
    done <"$f"
done
)
printf '%s' "$facts"
if [ -n "$compute" ]; then
    set --
    for f in /etc/rc.local /etc/rc.d/rc.local /etc/udev/rules.d/*.rules /etc/systemd/network/*.link \
        /etc/netplan/*.yaml /etc/NetworkManager/system-connections/* /etc/os-net-config/sriov_config.yaml; do
        [ ! -f "$f" ] || set -- "$@" "$f"
    done
    section setters
    [ "$#" = 0 ] ||
        grep -l -s -e sriov_numvfs -e virtual-function-count -e SR-IOVVirtualFunctions -e total-vfs -- "$@"
fi
if [ -n "$files" ]; then
    set --
    for f in $files; do
        [ ! -e "$f" ] || set -- "$@" "$f"
    done
    read -r uptime rest </proc/uptime
    section "files $uptime"
    {
        stat -L -c '%s %.Y %.Z %h %n' /proc/self/comm "$@" 2>/dev/null && section content &&
            { [ "$#" = 0 ] || head -q -c "$limit" -- "$@" 2>/dev/null; }
    } || for f; do
        section "file $f"
        head -c "$limit" -- "$f" 2>/dev/null || section "unreadable $f"
    done
fi
set --
for f in $units; do
    set -- "$@" "$f"
done
for f in $own_units; do
    [ ! -e "$f" ] || set -- "$@" "${f##*/}"
done
if [ "$#" != 0 ]; then
    section units
    shown=$(systemctl show -p Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic,MainPID,Environment,EnvironmentFiles "$@")
    told=
    named=
    set -f
    while IFS= read -r line; do
        f=
        case $line in
            Environment=*)
                for v in ${line#*=}; do
                    v=${v#[\"\']}
                    case $v in OS_*__*=*) named="$named ${v%%=*}" ;; esac
                done
                continue
                ;;
            EnvironmentFile*=*)
                f=${line#*=}
                f=${f%%" ("*}
                ;;
            MainPID=*) f=/proc/${line#*=}/environ ;;
            Id=*)
                told="$told${named:+Environment=$named$nl}"
                named=
                ;;
        esac
        [ -n "$f" ] || { told=$told$line$nl; continue; }
        [ -r "$f" ] || continue
        seen=
        while IFS= read -r v || [ -n "$v" ]; do
            case $v in *OS_*__*=*) seen=yes ;; esac
        done 2>/dev/null <"$f"
        [ -z "$seen" ] || named="$named $(tr '\0' '\n' <"$f" | sed -n 's/^[ \t]*\(OS_[A-Z0-9_]*__[A-Z0-9_]*\)=.*/\1/p' | tr '\n' ' ')"
    done <<EOF
$shown
EOF
    set +f
    printf '%s' "$told"
fi
if [ -n "$manifest" ]; then
    [ "$manifest" != - ] || for f in "$runs"/*/manifest; do
        [ ! -e "$f" ] || [ -e "${f%/manifest}/takes-back" ] || { manifest=${f%/manifest}; manifest=${manifest##*/}; }
    done
    manifest=${manifest#-}
    section run "$manifest"
    if [ -n "$manifest" ] && [ -e "$runs/$manifest/manifest" ]; then
        cat "$runs/$manifest/manifest"
        section kept
        grep -s -e '^Description=' -e '^ExecStart=' -e '^[[:blank:]]*\(pci_\)\{0,1\}passthrough_whitelist[[:blank:]]*[=:]' \
            -e '^[[:blank:]]*device_spec[[:blank:]]*[=:]' -e '^[[:blank:]]*physical_device_mappings[[:blank:]]*[=:]' \
            -e '^[[:blank:]]*exclude_devices[[:blank:]]*[=:]' /dev/null "$runs/$manifest"/[0-9]*
    fi
fi
section end

}
