#!/bin/sh
# A virtual environment with nova's own code, for the tests that take it as judge: prints the path of its Python.
# It is kept under the user's cache and made once; nova's dependencies burden no other environment.
# `install.sh 23` prints a folder with that release of nova alone, to be put before the other one (PYTHONPATH): its
# configuration and its whitelist run with the dependencies of the newest.
set -eu
version=34.0.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sriov-nova
venv=$cache/$version
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -e "$venv/.ready" ]; then
    rm -rf "$venv"
    "${PYTHON:-python3}" -m venv "$venv"
    # nova imports pkg_resources, which later setuptools lack, and its models need SQLAlchemy below 2.1
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        "nova==$version" 'setuptools<80' 'SQLAlchemy<2.1' >&2
    touch "$venv/.ready"
fi
if [ "${1:-}" = 23 ]; then
    alone=$cache/23.2.2-alone
    if [ ! -e "$alone/.ready" ]; then
        rm -rf "$alone"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            --no-deps --target "$alone" nova==23.2.2 >&2
        touch "$alone/.ready"
    fi
    printf '%s\n' "$alone"
    exit 0
fi
printf '%s\n' "$venv/bin/python"
