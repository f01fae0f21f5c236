# shellcheck shell=sh disable=SC2154
# What the recipes of disk images and of containers share. Sourced; $tree is the system's root folder, $public_key may
# log in, $nova is `nova` (Debian's packages as they come) or `standin` (their configuration and version, with units
# that only look alike).

say() { echo "$(basename "$0"): $*" >&2; }

# make_system SUITE PACKAGES SETUP CLEANUP: Debian, from the mirror that this machine's apt uses, and nothing of that
# mirror left in it. SETUP and CLEANUP are mmdebstrap's hooks around the installation, with the root folder as $1.
# shellcheck disable=SC2016 # mmdebstrap's own shell expands $1 and $downloads
make_system() {
    mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
        awk '/^URIs:/ {print $2; exit} /^deb / {for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:\/\//) {print $i; exit}}')
    [ -n "$mirror" ] || { say "found no mirror in /etc/apt"; exit 1; }
    [ "$nova" = standin ] && downloads='nova-common python3-nova nova-compute-kvm' || downloads=
    export downloads
    mmdebstrap --mode=root --variant=apt --include="$2" --skip=check/empty --quiet \
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
        --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='force-unsafe-io' \
        --setup-hook='mkdir -p "$1/usr/sbin"
            printf "#!/bin/sh\nexit 101\n" > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
        --setup-hook="$3" \
        --customize-hook='[ -z "$downloads" ] || chroot "$1" sh -c "cd /var/tmp; apt-get -qq download $downloads"' \
        --customize-hook='rm -f "$1/usr/sbin/policy-rc.d"' \
        --customize-hook="$4" \
        "$1" "$tree" "deb $mirror $1 main"
    rm -rf "$tree"/etc/apt/sources.list.d/* "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/*.bin "$tree"/var/log/apt
    : > "$tree/etc/apt/sources.list"
    : > "$tree/etc/machine-id"
}

# let_root_in: by key
let_root_in() {
    install -d -m 700 "$tree/root/.ssh"
    install -m 600 "$public_key" "$tree/root/.ssh/authorized_keys"
    printf 'PermitRootLogin prohibit-password\nUseDNS no\n' > "$tree/etc/ssh/sshd_config.d/lab.conf"
}

# stand_in_for_nova: from the packages that make_system has downloaded
stand_in_for_nova() {
    unpacked=$tree/var/tmp/unpacked
    chroot "$tree" useradd --system --home-dir /var/lib/nova --create-home nova
    for package in "$tree"/var/tmp/*.deb; do dpkg-deb -x "$package" "$unpacked"; done
    install -d -m 750 "$tree/etc/nova"
    install -m 640 "$unpacked/usr/share/nova-common/nova.conf" "$tree/etc/nova/nova.conf"
    chroot "$tree" chown nova:nova /etc/nova
    chroot "$tree" chown root:nova /etc/nova/nova.conf
    install -m 644 "$unpacked/etc/nova/nova-compute.conf" "$tree/etc/nova/nova-compute.conf"
    install -d "$tree/usr/lib/python3/dist-packages"
    cp -r "$unpacked"/usr/lib/python3/dist-packages/nova-*-info "$tree/usr/lib/python3/dist-packages/"
    rm -rf "$unpacked" "$tree"/var/tmp/*.deb
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
}
