# What sriov-fab reads of a host that is as wanted, as lean as sh can: builtins gather it, one write sends it; then
# stat, head and systemctl. $interfaces is set before: the ports, separated by blanks.
: "${interfaces:?}"
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
n='
'
value() { v=; [ ! -r "$1" ] || IFS= read -r v <"$1"; }
target() { v=; ! cd -P "$1" 2>/dev/null || v=${PWD##*/}; }

value /proc/sys/kernel/random/boot_id
o="boot_id=$v$n"
value /proc/uptime
o="${o}uptime=$v$n"
value /proc/cmdline
o="${o}cmdline=$v$n"
while IFS= read -r v && [ -n "$v" ]; do
    case $v in vendor_id*) o="$o$v$n"; break ;; esac
done </proc/cpuinfo
for f in /sys/firmware/acpi/tables/DMAR /sys/firmware/acpi/tables/IVRS /sys/kernel/iommu_groups/0 \
    /usr/lib/python*/dist-packages/nova-*-info /usr/lib/python*/site-packages/nova-*-info \
    /usr/local/lib/python*/dist-packages/nova-*-info /usr/local/lib/python*/site-packages/nova-*-info \
    /opt/*/lib/python*/site-packages/nova-*-info /var/lib/*/lib/python*/site-packages/nova-*-info \
    /run/libvirt/qemu/*.xml; do
    [ ! -e "$f" ] || o="${o}there=$f$n"
done
value /run/sriov/lock
o="${o}lock=$v$n"
for f in update-grub grubby; do
    ! command -v "$f" >/dev/null || o="${o}tool=$f$n"
done
for p in $interfaces; do
    target "/sys/class/net/$p/device"
    d=/sys/class/net/$p/device
    o="${o}port=$p $v$n"
    value "/run/sriov/writing.$v"
    o="${o}writing=$v$n"
    for f in vendor device sriov_vf_device sriov_totalvfs sriov_offset sriov_stride iommu_group/type \
        "net/$p/address" "net/$p/flags"; do
        value "$d/$f"
        o="$o$f=$v$n"
    done
    target "$d/driver"
    o="${o}driver=$v$n"
    [ ! -e "$d/physfn" ] || o="${o}is a VF$n"
    for f in "$d"/virtfn*; do
        target "$f"
        vf=$v
        target "$f/driver"
        o="${o}vf=${f##*/} $vf $v$n"
    done
done
printf '%s' "$o"
set --
for f in /etc/rc.local /etc/rc.d/rc.local /etc/udev/rules.d/*.rules /etc/systemd/network/*.link \
    /etc/netplan/*.yaml /etc/NetworkManager/system-connections/* /etc/os-net-config/sriov_config.yaml \
    /etc/systemd/system/sriov-vfs-*.service /boot/grub/grub.cfg /boot/grub2/grub.cfg /boot/loader/entries/*.conf \
    /boot/grub/grubenv /boot/grub2/grubenv /etc/default/grub /etc/default/grub.d/zz-sriov.cfg \
    /etc/nova/nova.conf /etc/nova/nova-compute.conf /etc/nova/nova.conf.d/*.conf; do
    [ ! -f "$f" ] || set -- "$@" "$f"
done
stat -L -c '%s %.Y %.Z %n' /proc/self/comm "$@"
head -q -c 8388608 "$@"
set --
for f in /etc/systemd/system/sriov-vfs-*.service; do
    [ ! -e "$f" ] || set -- "$@" "${f##*/}"
done
systemctl show -p Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic \
    nova-compute.service openstack-nova-compute.service "$@"
echo read to the end
