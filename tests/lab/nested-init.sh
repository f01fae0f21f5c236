#!/bin/busybox sh
# The first process of a VM inside a guest of the lab: says on its serial console what it sees of its virtual function
# and who answers it, then stays. `address` and `peers` come from the kernel's command line.
# shellcheck disable=SC2154,SC1091
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
dmesg -n 1 # from here on the console is this script's
for module in /modules/*; do insmod "$module"; done

for device in /sys/bus/pci/devices/*; do
    driver=$(readlink "$device/driver")
    echo "nested pci $(cat "$device/vendor") $(cat "$device/device") ${driver##*/}"
done
port=
for device in /sys/class/net/*/device; do
    [ -e "$device" ] || continue
    port=${device#/sys/class/net/}
    port=${port%/device}
done
ip link set "$port" up
ip addr add "$address/24" dev "$port"
waited=0
until [ "$(cat "/sys/class/net/$port/carrier")" = 1 ] || [ "$waited" -ge 60 ]; do
    sleep 1
    waited=$((waited + 1))
done
for peer in $(echo "$peers" | tr , ' '); do
    echo "nested ping $peer $(ping -c 3 -W 5 "$peer" | grep -o '[0-9]* packets received')"
done
(. /smoke.sh)
while :; do sleep 3600; done
