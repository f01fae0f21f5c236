#!/bin/sh
# Build a bootable raw disk image of stock Debian 12 (MBR, GRUB, Debian's kernel, systemd, sshd) without booting one.
#
#   build-image.sh OUT SIZE PUBLIC_KEY PACKAGE,PACKAGE,... nova|standin KERNEL-ARGUMENTS
#
# To be run as root in a mount and a process namespace of its own: whatever ends it, the kernel then ends its
# children and drops its mounts, and with the last mount the loop device. image.py does that.
# Writes OUT, and OUT.hostkeys with the image's SSH host keys (public halves).
set -eu
out=$1 size=$2 public_key=$3 packages=$4 nova=$5 arguments=$6
tree=$out.tree
# shellcheck source=tests/lab/build-common.sh
. "$(dirname "$0")/build-common.sh"

# 1. One bootable partition; the first MiB stays free for GRUB's core image.
mkdir -p "$tree"
rm -f "$out"
truncate -s "$size" "$out"
printf 'label: dos\nstart=2048, type=83, bootable\n' | sfdisk -q "$out"
loop=$(losetup -f --show -P "$out")
[ -b "${loop}p1" ] || partx -a "$loop"
mkfs.ext4 -q -F -L labroot "${loop}p1"
mount -o noatime,nobarrier "${loop}p1" "$tree"
losetup -d "$loop" # still mounted: this only says that the device goes with its last user
uuid=$(blkid -s UUID -o value "${loop}p1")

# 2. The system.
# shellcheck disable=SC2016 # mmdebstrap's own shell expands $1
make_system bookworm "$packages" 'mkdir -p "$1/etc/initramfs-tools/conf.d"
    printf "MODULES=list\nCOMPRESS=zstd\n" > "$1/etc/initramfs-tools/conf.d/lab"' true

# 3. Who may log in: root and ops by key, opspw by key or password; ops uses sudo without a password, opspw with.
let_root_in
for user in ops opspw; do
    chroot "$tree" useradd -m -s /bin/bash "$user"
    install -d -m 700 "$tree/home/$user/.ssh"
    install -m 600 "$public_key" "$tree/home/$user/.ssh/authorized_keys"
    chroot "$tree" chown -R "$user:$user" "/home/$user/.ssh"
done
echo 'opspw:lab-password' | chroot "$tree" chpasswd
echo 'ops ALL=(ALL) NOPASSWD:ALL' > "$tree/etc/sudoers.d/ops"
echo 'opspw ALL=(ALL) ALL' > "$tree/etc/sudoers.d/opspw"
chmod 440 "$tree/etc/sudoers.d/ops" "$tree/etc/sudoers.d/opspw"
cat "$tree"/etc/ssh/ssh_host_*_key.pub > "$out.hostkeys"

# 4. Network and services. The management port is the virtio one; the SR-IOV ports are left as on a fresh host.
printf 'UUID=%s / ext4 errors=remount-ro,noatime 0 1\n' "$uuid" > "$tree/etc/fstab"
echo lab > "$tree/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 lab\n' > "$tree/etc/hosts"
printf '[Match]\nDriver=virtio_net\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n' \
    > "$tree/etc/systemd/network/10-management.network"
printf '[Match]\nDriver=igb igbvf\n[Link]\nUnmanaged=yes\n' > "$tree/etc/systemd/network/90-data.network"
chroot "$tree" systemctl -q enable systemd-networkd ssh
chroot "$tree" systemctl -q mask systemd-networkd-wait-online.service e2scrub_reap.service e2scrub_all.timer \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer

# A boot under emulation is a quarter shorter without what no scenario looks at: other file systems, other hardware.
chroot "$tree" systemctl -q mask proc-sys-fs-binfmt_misc.automount systemd-binfmt.service dev-mqueue.mount \
    sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service modprobe@efi_pstore.service \
    modprobe@fuse.service modprobe@loop.service systemd-pstore.service systemd-random-seed.service getty@tty1.service
for module in ahci button cfg80211 evdev i2c_i801 iTCO_wdt lpc_ich pcspkr psmouse serio_raw; do
    echo "blacklist $module"
done > "$tree/etc/modprobe.d/lab.conf"

# On a busy machine an emulated boot takes minutes; systemd's 90 s for a device or a service are for hardware.
mkdir -p "$tree/etc/systemd/system.conf.d"
printf '[Manager]\nDefaultDeviceTimeoutSec=600\nDefaultTimeoutStartSec=600\n' > "$tree/etc/systemd/system.conf.d/lab.conf"

# 5. nova.
[ "$nova" = nova ] || stand_in_for_nova

# 6. Boot loader. /etc/default/grub stays Debian's own; what the lab needs stands in grub.d. Page table isolation
# would make every system call of an emulated Intel guest flush the emulator's caches: a boot takes half as long again.
# Early in its boot the kernel waits 10 ticks for the timer and panics if they do not come: a busy machine is late.
mkdir -p "$tree/etc/default/grub.d" "$tree/boot/grub"
cp "$tree/usr/share/grub/default/grub" "$tree/etc/default/grub"
cat > "$tree/etc/default/grub.d/lab.cfg" <<END
GRUB_TIMEOUT=0
GRUB_RECORDFAIL_TIMEOUT=0
GRUB_DISABLE_OS_PROBER=true
GRUB_TERMINAL=console
GRUB_CMDLINE_LINUX="\$GRUB_CMDLINE_LINUX console=ttyS0,115200 mitigations=off no_timer_check${arguments:+ $arguments}"
END
printf 'virtio_pci\nvirtio_blk\next4\ncrc32c_generic\ncrc32c_intel\n' >> "$tree/etc/initramfs-tools/modules"
for directory in dev proc sys; do mount --rbind "/$directory" "$tree/$directory"; done
chroot "$tree" update-initramfs -u -k all
printf '(hd0) %s\n' "$loop" > "$tree/boot/grub/device.map"
chroot "$tree" grub-install --target=i386-pc --no-floppy --modules='part_msdos ext2 biosdisk' "$loop"
chroot "$tree" update-grub
rm -f "$tree/boot/grub/device.map" # it named the loop device
grep -q "root=UUID=$uuid" "$tree/boot/grub/grub.cfg" ||
    sed -i "s#root=/dev/[^ ]*#root=UUID=$uuid#" "$tree/boot/grub/grub.cfg"

# 7. For VMs inside a guest: the kernel out of its wrapping, which an emulated emulator would need minutes to undo.
# Where the packed kernel lies in the file: Documentation/arch/x86/boot.rst, setup_sects, payload_offset and _length.
if [ -d "$tree/var/lib/libvirt/images" ]; then
    for kernel in "$tree"/boot/vmlinuz-*; do
        sectors=$(od -An -tu1 -j 497 -N 1 "$kernel")
        offset=$(od -An -tu4 -j 584 -N 4 "$kernel")
        length=$(od -An -tu4 -j 588 -N 4 "$kernel")
        tail -c "+$(((sectors + 1) * 512 + offset + 1))" "$kernel" | head -c "$((length))" |
            xz -dc --single-stream > "$tree/var/lib/libvirt/images/vmlinux"
    done
fi

for directory in dev proc sys; do umount -l "$tree/$directory"; done
fstrim "$tree" 2>/dev/null || true
sync -f "$tree"
umount "$tree"
rmdir "$tree"
