#!/bin/sh
# Build the root tree that the containers of one kind share: Debian with systemd and sshd, nova as wanted.
#
#   build-nspawn.sh TREE SUITE PUBLIC_KEY PACKAGE,PACKAGE,... nova|standin
#
# To be run as root in a mount and a process namespace of its own, as build-image.sh: image.py does that.
# Writes the folder TREE and, when it is whole, TREE.hostkeys with its SSH host keys (public halves).
set -eu
tree=$1 suite=$2 public_key=$3 packages=$4 nova=$5
here=$(dirname "$0")
# shellcheck source=tests/lab/build-common.sh
. "$here/build-common.sh"

# 1. The system. Compiling all of Python's modules would take longer than the rest: only what nova imports is compiled,
# at the end.
rm -rf "$tree"
# shellcheck disable=SC2016 # mmdebstrap's own shell expands $1
make_system "$suite" "$packages" 'mkdir -p "$1/usr/local/bin"
    printf "#!/bin/sh\n" > "$1/usr/local/bin/py3compile"; chmod 755 "$1/usr/local/bin/py3compile"' \
    'rm -f "$1/usr/local/bin/py3compile"'

# 2. Logins. Each host's address and name come when it starts.
let_root_in
cat "$tree"/etc/ssh/ssh_host_*_key.pub > "$tree.newkeys"

# 3. systemd, as on any host but for what a container has no use for; the journal stays over reboots.
chroot "$tree" systemctl -q enable ssh
chroot "$tree" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    fstrim.timer getty.target console-getty.service systemd-networkd.service systemd-resolved.service \
    systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service
mkdir -p "$tree/etc/systemd/journald.conf.d" "$tree/var/log/journal"
printf '[Journal]\nSystemMaxFileSize=1M\nSystemMaxUse=16M\n' > "$tree/etc/systemd/journald.conf.d/lab.conf"
cat > "$tree/etc/systemd/system/lab-life.service" <<'END'
[Unit]
Description=The host's own record of when it served SSH, in seconds of the clock that all hosts share
After=ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'read -r now rest </proc/uptime; echo "up $now" >>/var/log/lab-life'
ExecStop=/bin/sh -c 'read -r now rest </proc/uptime; echo "down $now" >>/var/log/lab-life'
[Install]
WantedBy=multi-user.target
END
chroot "$tree" systemctl -q enable lab-life

# 4. A boot loader's files as Debian lays them out. grub-mkconfig itself needs a disk: the simulation's stands in.
mkdir -p "$tree/etc/default" "$tree/boot/grub"
cat > "$tree/etc/default/grub" <<'END'
GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX=""
END
: > "$tree/boot/vmlinuz-6.1.0-lab"
install -m 755 "$here/../../sriov/simulation/stubs/update-grub.sh" "$tree/usr/sbin/update-grub"
chroot "$tree" update-grub 2>/dev/null

# 5. nova: a stand-in, or Debian's packages with a database and a stand-in for placement.
if [ "$nova" = standin ]; then
    stand_in_for_nova
else
    install -m 755 "$here/nspawn_placement.py" "$tree/usr/local/sbin/lab-placement"
    install -m 644 "$here/nspawn_driver.py" "$here/../cloud/sysfs_driver.py" "$tree/usr/lib/python3/dist-packages/nova/virt/"
    cat > "$tree/etc/systemd/system/lab-placement.service" <<'END'
[Unit]
Description=Stand-in for placement
Before=nova-scheduler.service nova-compute.service
[Service]
ExecStart=/usr/bin/python3 /usr/local/sbin/lab-placement
[Install]
WantedBy=multi-user.target
END
    chroot "$tree" systemctl -q enable lab-placement
    mount -t proc proc "$tree/proc"
    chroot "$tree" python3 - < "$here/nspawn_nova.py"
    umount "$tree/proc"
    rm -rf "$tree"/var/log/nova/*
fi
mv "$tree.newkeys" "$tree.hostkeys"
