#!/bin/sh
# Makes OUT, an initial RAM disk for a VM inside this guest, from two files beside this script: nested-init.sh, its
# first process, and smoke.sh, which that one runs. Of Debian it holds busybox and the driver of the card's VFs.
set -eu
here=$(dirname "$0") out=$1
tree=$(mktemp -d)
mkdir "$tree/bin" "$tree/dev" "$tree/modules" "$tree/proc" "$tree/sys"
cp "$(command -v busybox)" "$tree/bin/busybox"
number=10
modprobe --show-depends --ignore-install igbvf | while read -r insmod module _; do
    [ "$insmod" != insmod ] || cp "$module" "$tree/modules/$number-${module##*/}"
    number=$((number + 1))
done
cp "$here/nested-init.sh" "$tree/init"
cp "$here/smoke.sh" "$tree/smoke.sh"
chmod 755 "$tree/init"
(cd "$tree" && find . | cpio --quiet -o -H newc >"$out")
rm -rf "$tree"
