{
nonce=NONCE
state=/run/sriov
runs=/var/lib/sriov/runs
restarts_due=/var/lib/sriov/restarts-due
net=/sys/class/net
domains=/run/libvirt/qemu
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077

section() { printf '\n@%s %s\n' "$nonce" "$*"; }

value() { v=; [ ! -r "$1" ] || IFS= read -r v 2>/dev/null <"$1" || :; }

target() { v=; if cd -P -- "$1" 2>/dev/null; then v=${PWD##*/}; cd /; fi; }

vf_holders() {
    libvirt=$(for f in "$domains"/*.xml; do
        [ -e "$f" ] || continue
        f_name=${f##*/}
        sed -n "/<source/,/<\/source>/s/.*<address.*domain='0x\(....\)'.*bus='0x\(..\)'.*slot='0x\(..\)'.*function='0x\(.\)'.*/\1:\2:\3.\4/p" "$f" |
            while IFS= read -r a; do printf '%s %s\n' "$a" "${f_name%.xml}"; done
    done)
    opened=
    for f in /dev/vfio/[0-9]* /dev/vfio/noiommu-* /dev/vfio/devices/* /dev/infiniband/uverbs*; do
        [ -e "$f" ] || continue
        opened=$(find /proc/[0-9]*/fd \( -lname '/dev/vfio/*' -o -lname '/dev/infiniband/uverbs*' \) -printf '%p %l\n' 2>/dev/null)
        break
    done
    addresses=$(ip -o addr show 2>/dev/null | grep -v 'scope link')
    for link in "$1"/virtfn*; do
        target "$link"
        [ -n "$v" ] || continue
        vf=$v
        printf '%s %s %s\n' "${link##*/virtfn}" "$vf" "$(vf_holder "$link" "$vf")"
    done
}

vf_holder() {
    guest=$(printf '%s\n' "$libvirt" | grep -m1 -F "$2 ")
    if [ -n "$guest" ]; then printf 'libvirt domain %s' "${guest#* }"; return; fi
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
    open=$(printf '%s\n' "$opened" | while read -r f node; do
        case "
$nodes
" in *"
$node
"*) [ -z "$node" ] || { printf '%s\n' "$f"; break; } ;; esac
    done)
    if [ -n "$open" ]; then
        open=${open#/proc/}
        value "/proc/${open%%/*}/comm"
        printf 'process %s (%s)' "${open%%/*}" "$v"
        return
    fi
    for f in "$1"/vdpa*; do
        [ -e "$f" ] || continue
        printf 'vDPA device %s' "${f##*/}"
        return
    done
    target "$1/driver"
    case $v in
        '' | vfio-pci | pci-stub) return ;;
        igb_uio | uio_pci_generic | pciback | xen-pciback) printf 'user-space driver %s' "$v"; return ;;
    esac
    for f in "$1"/net/*; do
        if [ ! -e "$f" ]; then
            [ ! -d "$1/net" ] || printf 'another network namespace'
            return
        fi
        for upper in "$f"/upper_* "$f"/master; do
            [ -e "$upper" ] || continue
            target "$upper"
            printf 'network device %s, part of %s' "${f##*/}" "$v"
            return
        done
        if printf '%s\n' "$addresses" | grep -q "^[0-9]*: ${f##*/} "; then
            printf 'network device %s, which has an address' "${f##*/}"
            return
        fi
    done
}
all_ports=''
ports=eth0:7
by_address=''
compute=yes
files='/var/lib/sriov/restarts-due/* /boot/grub/grub.cfg /boot/grub2/grub.cfg /boot/loader/entries/*.conf /boot/grub2/grubenv /boot/grub/grubenv /etc/default/grub /etc/default/grub.d/zz-sriov.cfg /var/lib/sriov/rebooted /var/lib/sriov/grubby /etc/systemd/system/sriov-vfs-*.service /etc/systemd/system/sriov-vfs.sh /etc/nova/nova.conf /etc/nova/nova-compute.conf /etc/nova/nova.conf.d/*.conf /etc/nova/nova-compute.conf.d/*.conf'
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
    value "$state/writing.$pci"
    if [ -n "$v" ] && [ -d "/proc/$v" ]; then printf 'hung=%s\n' "$v"; fi
    count=0
    for f in "$d"/virtfn*; do
        target "$f"
        [ -n "$v" ] || continue
        vf=$v
        target "$f/driver"
        printf 'vf=%s %s %s\n' "${f##*/virtfn}" "$vf" "$v"
        count=$((count + 1))
    done
    [ "$count" = 0 ] || [ "$count" = "$2" ] || vf_holders "$d" | sed 's/^/holder=/'
}
[ -z "$all_ports" ] || for f in "$net"/*; do port "${f##*/}" -; done
set -f
for named in $ports; do
    set +f
    port "${named%:*}" "${named##*:}"
done
set +f
[ -z "$by_address" ] || for f in "$net"/*; do
    target "$f/device"
    pci=$v
    value "$f/address"
    for named in $by_address; do
        case ${named%=*} in "$pci" | "$v") port "${f##*/}" "${named##*=}"; break ;; esac
    done
done
[ -n "$all_ports" ] || for f in $own_units; do
    [ -e "$f" ] || continue
    while IFS= read -r line; do
        case $line in '# interface '*)
            case " $ports" in
                *" ${line#\# interface }:"*) ;;
                *) [ -z "${line#\# interface }" ] || port "${line#\# interface }" 0 ;;
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
        stat -L -c '%s %.Y %.Z %n' /proc/self/comm "$@" 2>/dev/null && section content &&
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
        grep -s -e '^Description=' -e '^ExecStart=' /dev/null "$runs/$manifest"/[0-9]*
    fi
fi
section end

}
