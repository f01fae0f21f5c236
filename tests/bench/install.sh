#!/bin/sh
# The tools to compare with, in a virtual environment of their own beside that of the project.
set -eu
cd "$(dirname "$0")/../.."
peers=${BENCH_PEERS:-.venv/bench}
[ -x /usr/sbin/sshd ] || { echo "please install openssh-server first" >&2; exit 1; }
[ -e "$peers/.ready" ] && exit 0
python=${PYTHON:-.venv/bin/python}
[ -x "$python" ] || python=python3
"$python" -m venv "$peers"
"$peers/bin/python" -m pip install --quiet 'ansible-core>=2.16,<2.20' 'pyinfra>=3.2,<4'
touch "$peers/.ready"
