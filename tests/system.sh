#!/bin/sh
# What simulated hosts need from the system: an SSH client and server, namespaces; with `tests` as its argument also the
# shells in which the tests run the functions of templates/lib. Installs it where it may.
set -eu
missing=
command -v ssh >/dev/null || missing="$missing openssh-client"
[ -x /usr/sbin/sshd ] || missing="$missing openssh-server"
command -v nsenter >/dev/null || missing="$missing util-linux"
if [ "${1:-}" = tests ]; then
    for shell in dash bash busybox mksh; do
        command -v "$shell" >/dev/null || missing="$missing $shell"
    done
fi
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "please install these packages first:$missing" >&2
    exit 1
fi
echo "installing$missing"
# a server that is only a test's own must not be started by its installation
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# shellcheck disable=SC2086 # a list
apt-get -qq install -y --no-install-recommends $missing >/dev/null
