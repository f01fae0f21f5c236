#!/bin/sh
# First process of a container; becomes its systemd. Before that it gives the container the machine that its host
# pretends to be: command line, CPU, and a /sys that nspawn_server.py answers. Words: INTERFACE=PCI ...
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
for file in cmdline cpuinfo; do mount --bind "/lab/$file" "/proc/$file"; done

# The machine's own cards and cgroups stay out of sight. A control group of its own, as the root of a host's tree.
umount --recursive --lazy /sys
mount --bind /lab/sys /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup

# No udev runs in a container. What it would have said of the cards: a device unit for each, under its netdev's name.
mkdir -p /run/udev/data /run/udev/tags/systemd
for card; do
    id=+pci:${card#*=}
    printf 'I:1\nE:SYSTEMD_ALIAS=/sys/subsystem/net/devices/%s\nG:systemd\nQ:systemd\nV:1\n' "${card%%=*}" \
        >"/run/udev/data/$id"
    : >"/run/udev/tags/systemd/$id"
done
# systemd takes devices from a real sysfs only, unless it is told that this one will do
export SYSTEMD_DEVICE_VERIFY_SYSFS=0
exec /lib/systemd/systemd
