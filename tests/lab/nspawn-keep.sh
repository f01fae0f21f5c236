#!/bin/sh
# Run a command that keeps containers, and take away what the kernel would leave of them: empty control groups, a
# raised limit. It is not ended with its caller, only with the command, so it does so however the caller ends.
#
#   nspawn-keep.sh CGROUP INSTANCES COMMAND...
#
# CGROUP is the folder below which the command makes control groups. INSTANCES is what fs.inotify must allow: all
# systemds of all containers count as one user's.
set -eu
cgroup=$1 instances=$2
shift 2
limit=/proc/sys/fs/inotify/max_user_instances
before=$(cat "$limit") # not with read: to one that asks byte by byte, such a file gives only its first
if [ "$before" -ge "$instances" ]; then before=; else echo "$instances" >"$limit"; fi
mkdir "$cgroup"
status=0
"$@" || status=$?
find "$cgroup" -depth -type d -exec rmdir {} +
[ -z "$before" ] || echo "$before" >"$limit"
exit "$status"
