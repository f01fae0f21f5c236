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

say() { echo "build-image.sh: $*" >&2; }

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

# 2. The system, from the mirror that this machine's apt uses.
mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
    awk '/^URIs:/ {print $2; exit} /^deb / {for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:\/\//) {print $i; exit}}')
[ -n "$mirror" ] || { say "found no mirror in /etc/apt"; exit 1; }
[ "$nova" = standin ] && downloads='nova-common python3-nova nova-compute-kvm' || downloads=
export downloads
# shellcheck disable=SC2016 # mmdebstrap's own shell expands $1 and $downloads
mmdebstrap --mode=root --variant=apt --include="$packages" --skip=check/empty --quiet \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='force-unsafe-io' \
    --setup-hook='mkdir -p "$1/usr/sbin" "$1/etc/initramfs-tools/conf.d"
        printf "#!/bin/sh\nexit 101\n" > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"
        printf "MODULES=list\nCOMPRESS=zstd\n" > "$1/etc/initramfs-tools/conf.d/lab"' \
    --customize-hook='[ -z "$downloads" ] || chroot "$1" sh -c "cd /var/tmp; apt-get -qq download $downloads"' \
    --customize-hook='rm -f "$1/usr/sbin/policy-rc.d"' \
    bookworm "$tree" "deb $mirror bookworm main"

# 3. No mirror stays in the image.
rm -rf "$tree"/etc/apt/sources.list.d/* "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/*.bin "$tree"/var/log/apt
: > "$tree/etc/apt/sources.list"

# 4. Who may log in: root and ops by key, opspw by key or password; ops uses sudo without a password, opspw with.
install -d -m 700 "$tree/root/.ssh"
install -m 600 "$public_key" "$tree/root/.ssh/authorized_keys"
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
printf 'PermitRootLogin prohibit-password\nUseDNS no\n' > "$tree/etc/ssh/sshd_config.d/lab.conf"
cat "$tree"/etc/ssh/ssh_host_*_key.pub > "$out.hostkeys"

# 5. Network and services. The management port is the virtio one; the SR-IOV ports are left as on a fresh host.
printf 'UUID=%s / ext4 errors=remount-ro,noatime 0 1\n' "$uuid" > "$tree/etc/fstab"
echo lab > "$tree/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 lab\n' > "$tree/etc/hosts"
: > "$tree/etc/machine-id"
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

# 6. nova: Debian's packages as they come; or their configuration and version with units that only look alike.
if [ "$nova" = standin ]; then
    chroot "$tree" useradd --system --home-dir /var/lib/nova --create-home nova
    for package in "$tree"/var/tmp/*.deb; do dpkg-deb -x "$package" "$tree/var/tmp/unpacked"; done
    install -d -m 750 "$tree/etc/nova"
    install -m 640 "$tree/var/tmp/unpacked/usr/share/nova-common/nova.conf" "$tree/etc/nova/nova.conf"
    chroot "$tree" chown nova:nova /etc/nova
    chroot "$tree" chown root:nova /etc/nova/nova.conf
    install -m 644 "$tree/var/tmp/unpacked/etc/nova/nova-compute.conf" "$tree/etc/nova/nova-compute.conf"
    install -d "$tree/usr/lib/python3/dist-packages"
    cp -r "$tree"/var/tmp/unpacked/usr/lib/python3/dist-packages/nova-*.egg-info "$tree/usr/lib/python3/dist-packages/"
    rm -rf "$tree/var/tmp/unpacked" "$tree"/var/tmp/*.deb
    for unit in nova-compute nova-scheduler; do
        cat > "$tree/lib/systemd/system/$unit.service" <<END
[Unit]
Description=$unit (stand-in)
After=network-online.target local-fs.target remote-fs.target
[Service]
User=nova
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
END
        chroot "$tree" systemctl -q enable "$unit"
    done
fi

# 7. Boot loader. /etc/default/grub stays Debian's own; what the lab needs stands in grub.d. Page table isolation
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

# 8. For VMs inside a guest: the kernel out of its wrapping, which an emulated emulator would need minutes to undo.
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
