# What a host is: read only, one pass, few processes. The text is fixed; sriov/facts/parser.py reads the sections, and
# sriov/planning/probe.py sets these variables before. Words of a list are parted by blanks; empty means no.
#   all_ports   every port
#   ports       ports to look at, by interface
#   by_address  the same by PCI or MAC address
#   holders     also who holds each VF; else those alone that the host itself uses
#   compute     a compute host: also its interfaces, and who else sets numbers of VFs
#   files       globs of files to read whole
#   units       names of systemd units
#   own_units   globs of unit files of ours, which are asked for by name; `# interface NAME` in one names a port
#   values      globs of files of one line
#   tools       commands that the host may have
#   needed      commands that a change is made with
#   limit       bytes of one file
#   manifest    the run whose manifest to read, `-` for the last one that can be taken back
#   own_lock    the caller holds the lock itself
nl='
'
read -r boot_id </proc/sys/kernel/random/boot_id
# it leaves in few large pieces: each small write would be a packet that three processes here and there wake for
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
    # words in the lock: a run is under way, or one was cut off
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

# interfaces that have a device; a VF's is not told
[ -z "$compute" ] || for f in "$net"/*/device; do
    [ -e "$f" ] || continue
    d=${f%/device}
    value "$f/sriov_totalvfs"
    case $v in '' | 0) kind= ;; *) kind=pf ;; esac
    v=
    [ -e "$f/physfn" ] || target "$f"
    printf 'netdev=%s %s %s\n' "${d##*/}" "$v" "$kind"
done

# port INTERFACE
port() {
    d=$net/$1/device
    [ -e "$d/vendor" ] || return 0
    section "port $1"
    target "$d"
    pci=$v
    # without links: each would be followed again for each file
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
    # shellcheck disable=SC3013 # dash, bash, busybox and mksh have -ef
    if [ "$d/iommu_group" -ef "$d/virtfn0/iommu_group" ]; then
        target "$d/iommu_group"
        printf 'group_shared=%s\n' "$v"
    fi
    [ ! -e "$d/physfn" ] || printf 'is_vf=yes\n'
    for f in "$d"/net/*; do
        # representors
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
        # and the names of its network interfaces: nova's whitelist may go by them
        for g in "$vf"/net/*; do
            [ ! -e "$g" ] || v="$v ${g##*/}"
        done
        printf 'vf=%s %s %s\n' "${f##*/virtfn}" "${vf##*/}" "$v"
        count=$((count + 1))
        [ -z "$holders" ] || continue
        host_user "$vf" "$driver"
        [ -z "$holder" ] || printf 'holder=%s %s %s\n' "${f##*/virtfn}" "${vf##*/}" "$holder"
    done
    # sriov_numvfs itself is not read: while a write to it hangs, reading it hangs as well
    [ "$count" = 0 ] || [ -z "$holders" ] || vf_holders "$d"
}
[ -z "$all_ports" ] || for f in "$net"/*; do port "${f##*/}"; done
# a name may look like a glob
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
# a port that the testbed no longer names
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
    # a file below /proc is as old as the process that looks at it: the first line tells what time it is, now that the
    # host has been up so long
    read -r uptime rest </proc/uptime
    section "files $uptime"
    {
        stat -L -c '%s %.Y %.Z %h %n' /proc/self/comm "$@" 2>/dev/null && section content &&
            { [ "$#" = 0 ] || head -q -c "$limit" -- "$@" 2>/dev/null; }
    } || for f; do
        # one of them cannot be read
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
    # of an environment, as it runs or would be, names like OS_GROUP__OPTION alone are told: they beat a service's files
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
        # a shell leaves NULs out
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
        # of files that would come back, what rests on virtual functions: how many a unit makes, and how; entries for them
        section kept
        grep -s -e '^Description=' -e '^ExecStart=' -e '^[[:blank:]]*\(pci_\)\{0,1\}passthrough_whitelist[[:blank:]]*[=:]' \
            -e '^[[:blank:]]*device_spec[[:blank:]]*[=:]' -e '^[[:blank:]]*physical_device_mappings[[:blank:]]*[=:]' \
            -e '^[[:blank:]]*exclude_devices[[:blank:]]*[=:]' /dev/null "$runs/$manifest"/[0-9]*
    fi
fi
section end
