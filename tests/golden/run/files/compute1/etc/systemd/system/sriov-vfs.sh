#!/bin/sh
# Managed by sriov-fab; changes here are overwritten.
# sh sriov-vfs.sh INTERFACE COUNT: makes the virtual functions of a port; run by the unit sriov-vfs-INTERFACE at every boot.
# It stands beside the unit, in /etc, for the unit runs before other file systems are mounted, and there alone an
# image-based host lets root add a file: /usr is read-only, and so may be /usr/local. The unit hands it to /bin/sh to
# read, so neither a noexec mount nor the SELinux type of the file (only /bin/sh is executed) can be in the way.
set -eu
interface=$1
wanted=$2
port=/sys/class/net/$interface/device

stop() {
    echo "$1" >&2
    exit 1
}

ip link set dev "$interface" up || echo "$interface could not be set up" >&2
read -r present <"$port/sriov_numvfs"
[ "$present" != "$wanted" ] || exit 0
# 0 is never written here: virtual functions that stand may have users
[ "$present" = 0 ] || stop "$interface has $present virtual functions, wanted $wanted"
# a driver whose firmware is busy may refuse once; the `echo` of dash would call every refusal an I/O error
tries=5
until said=$(/bin/echo "$wanted" 2>&1 >"$port/sriov_numvfs") && read -r present <"$port/sriov_numvfs" && [ "$present" != 0 ]; do
    tries=$((tries - 1))
    [ "$tries" != 0 ] || stop "the driver of $interface refused them${said:+ (${said##*write error: })}; it has $present of $wanted"
    sleep 1
done
[ "$present" = "$wanted" ] || stop "the driver of $interface made $present virtual functions of $wanted"
until [ -e "$port/virtfn$((wanted - 1))" ]; do sleep 0.2; done
