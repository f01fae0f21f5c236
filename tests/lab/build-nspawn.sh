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

say() { echo "build-nspawn.sh: $*" >&2; }

# 1. The system, from the mirror that this machine's apt uses.
mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
    awk '/^URIs:/ {print $2; exit} /^deb / {for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:\/\//) {print $i; exit}}')
[ -n "$mirror" ] || { say "found no mirror in /etc/apt"; exit 1; }
[ "$nova" = standin ] && downloads='nova-common python3-nova nova-compute-kvm' || downloads=
export downloads
rm -rf "$tree"
# Compiling all of Python's modules would take longer than the rest: only what nova imports is compiled, at the end.
# shellcheck disable=SC2016 # mmdebstrap's own shell expands $1 and $downloads
mmdebstrap --mode=root --variant=apt --include="$packages" --quiet \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='force-unsafe-io' \
    --setup-hook='mkdir -p "$1/usr/sbin" "$1/usr/local/bin"
        printf "#!/bin/sh\nexit 101\n" > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"
        printf "#!/bin/sh\n" > "$1/usr/local/bin/py3compile"; chmod 755 "$1/usr/local/bin/py3compile"' \
    --customize-hook='[ -z "$downloads" ] || chroot "$1" sh -c "cd /var/tmp; apt-get -qq download $downloads"' \
    --customize-hook='rm -f "$1/usr/sbin/policy-rc.d" "$1/usr/local/bin/py3compile"' \
    "$suite" "$tree" "deb $mirror $suite main"
rm -rf "$tree"/etc/apt/sources.list.d/* "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/*.bin "$tree"/var/log/apt
: > "$tree/etc/apt/sources.list"

# 2. Logins and names. Each host's address and name come when it starts.
install -d -m 700 "$tree/root/.ssh"
install -m 600 "$public_key" "$tree/root/.ssh/authorized_keys"
printf 'PermitRootLogin prohibit-password\nUseDNS no\n' > "$tree/etc/ssh/sshd_config.d/lab.conf"
cat "$tree"/etc/ssh/ssh_host_*_key.pub > "$tree.newkeys"
: > "$tree/etc/machine-id"

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

# 5. nova: Debian's packages as they come, with a database and a stand-in for placement; or their configuration and version with units that only look alike.
if [ "$nova" = standin ]; then
    chroot "$tree" useradd --system --home-dir /var/lib/nova --create-home nova
    for package in "$tree"/var/tmp/*.deb; do dpkg-deb -x "$package" "$tree/var/tmp/unpacked"; done
    install -d -m 750 "$tree/etc/nova"
    install -m 640 "$tree/var/tmp/unpacked/usr/share/nova-common/nova.conf" "$tree/etc/nova/nova.conf"
    chroot "$tree" chown nova:nova /etc/nova
    chroot "$tree" chown root:nova /etc/nova/nova.conf
    install -m 644 "$tree/var/tmp/unpacked/etc/nova/nova-compute.conf" "$tree/etc/nova/nova-compute.conf"
    install -d "$tree/usr/lib/python3/dist-packages"
    cp -r "$tree"/var/tmp/unpacked/usr/lib/python3/dist-packages/nova-*-info "$tree/usr/lib/python3/dist-packages/"
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
