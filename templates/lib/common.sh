# What every script that looks at a host begins with, and what it says and reads by.
# Needs: $nonce. Sets: $v (value, target), $there (target).
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077

# section NAME [ARGUMENT...]: what follows, up to the line feed before the next such line, belongs to it
section() { printf '\n@%s %s\n' "$nonce" "$*"; }

# value FILE: $v is its first line, empty where there is none; builtins only, so that sysfs costs no process
value() { v=; [ ! -r "$1" ] || IFS= read -r v 2>/dev/null <"$1" || :; }

# target LINK: $v is the last name of what it points to, empty where it points nowhere; $there is its whole path
target() { v=; if cd -P -- "$1" 2>/dev/null; then there=$PWD v=${PWD##*/}; cd /; fi; }
