#!/bin/sh
# Install what the test cloud needs on Debian 12, as root: MariaDB and RabbitMQ from Debian, OpenStack from PyPI.
#
# Some 2 GiB, a few minutes. Debian's packages start no service here: the cloud runs its own, on loopback.
set -eu

[ "$(id -u)" = 0 ] || { echo "install.sh: needs root" >&2; exit 1; }
cloud=${SRIOV_CLOUD:-${XDG_CACHE_HOME:-$HOME/.cache}/sriov-cloud}
mkdir -p "$cloud"
[ ! -e "$cloud/installed" ] || exit 0

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends \
    mariadb-server rabbitmq-server python3-venv > "$cloud/install.log" 2>&1

# Debian's own interpreter: the simulated hosts see /usr, and not where another one might stand
[ -x "$cloud/venv/bin/python" ] || /usr/bin/python3 -m venv "$cloud/venv"
# one moment's versions: each service requires the others' clients and oslo libraries of its own cycle
"$cloud/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    nova==34.0.0 openstack-placement==16.0.0 keystone==30.0.0 neutron==29.0.0 glance==32.0.0 \
    openstacksdk pymysql gunicorn 'sqlalchemy<2.1' 'setuptools<81'
touch "$cloud/installed"
