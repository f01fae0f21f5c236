# Who uses a virtual function. Reads only.
# Needs: common.sh, $domains. Between the two functions: $libvirt, $opened and $addresses, what the host shows of all VFs.

# vf_holders PF_DEVICE: a line for each VF: index, PCI address, and its holder if it is in use.
# libvirt's own state comes first because it names the guest; then open vfio groups and RDMA devices (DPDK uses those
# of Mellanox cards); then vDPA and network devices.
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

# vf_holder VF_DEVICE ADDRESS: who uses it, in words; nothing where it is free
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
            # a network driver without a device here: sysfs shows a device only in its own namespace
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
