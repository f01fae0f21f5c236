#!/bin/sh
# A virtual environment with nova's own code, for the tests that take it as judge: prints the path of its Python.
# It is kept under the user's cache and made once; nova's dependencies burden no other environment.
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
printf '%s\n' "$venv/bin/python"
