# Whether a service of nova would start with the files that are staged: its own code reads them, by the interpreter of the
# service and as its user, before anything takes its place. What it would die of stops the run; where it cannot be
# asked, that is said, and is no obstacle.
# Needs: common.sh, failures.sh, file_transaction.sh, $state, $nova_reader (templates/nova-reader.py).
# Between the functions: $service, $unit; $pid (its process, 0 for none), $python, $script, $uid, $gid, $groups; $started,
# the unit's ExecStart; $why, why it cannot be asked.
nova_seconds=90
nova_memory=300000 # kB: nova-scheduler with all its filters takes 150,000

# the second program is the first with the service's environment, which is to be seen from the start
nova_as_started='import os, sys
own = dict(word.split(b"=", 1) for word in os.fdopen(os.dup(3), "rb").read().split(b"\0") if b"=" in word)
own.pop(b"NOTIFY_SOCKET", None)
own[b"PYTHONDONTWRITEBYTECODE"] = b"1"
told = getattr(os, "environb", os.environ)
own.update((name, told[name]) for name in told if name.startswith(b"OS_") and b"__" in name)
own.setdefault(b"PYTHONPATH", told.get(b"PYTHONPATH", b""))
os.execve(sys.executable, [sys.executable, "-c"] + sys.argv[1:], own)'

# ask_nova SERVICE UNIT STEP PATH...: of the staged files PATH, step STEP's is the one to name
ask_nova() {
    service=$1
    unit=$2
    staging=$3
    shift 3
    count=$#
    for target; do
        place "$target"
        [ -e "$new" ] || new=
        set -- "$@" "$path" "$new"
    done
    shift "$count"
    if find_nova; then said=$(read_by_nova "$@"); else said="unasked $why"; fi
    said=${said%%"$nl"*}
    true >"$state/output"
    case $said in
        ok*) ;;
        refused\ *) stop nova-refuses-file "$service would not start with it. Read by $python: ${said#refused }" ;;
        *)
            section "unasked $service"
            printf '%s\n' "${said#unasked }"
            ;;
    esac
    staging=
}

# property NAME: $v is the unit's
property() {
    v=$(systemctl show -p "$1" "$unit.service" 2>/dev/null)
    v=${v#*=}
}

# find_nova: false where it cannot be asked, with the reason in $why
find_nova() {
    why=
    property MainPID
    pid=${v:-0}
    property ExecStart
    started=$v
    while read -r key v _; do
        [ "$key" != MemAvailable: ] || [ "$v" -ge "$nova_memory" ] || why="too little memory is free: $v kB"
    done </proc/meminfo
    [ -z "$why" ] || return
    [ -d "/proc/$pid" ] || pid=0
    if [ "$pid" != 0 ]; then
        [ "/proc/$pid/root/." -ef /. ] || { why="it runs in a container"; return 1; }
        nova_process || pid=0
    fi
    if [ "$pid" != 0 ]; then nova_running; else nova_stopped; fi
    [ -n "$python" ] || { why="no Python of it was found"; return 1; }
    [ "$uid" = 0 ] || command -v setpriv >/dev/null || { why="the program setpriv is missing"; return 1; }
}

# nova_process: $pid is the Python that runs the service: the unit's process, or one that this has started
nova_process() {
    for f in "$pid" $(cat "/proc/$pid/task/$pid/children" 2>/dev/null); do
        v=$(readlink "/proc/$f/exe")
        case ${v##*/} in
            python*)
                pid=$f
                return
                ;;
        esac
    done
    return 1
}

# nova_running: as it runs. An environment's python is a link to another one: its name tells where the modules are
nova_running() {
    script=
    python=
    v=$(tr '\0' '\n' <"/proc/$pid/cmdline" | head -n 4)
    while IFS= read -r word; do
        case $word in -*) continue ;; esac
        [ -n "$python" ] || { python=$word; continue; }
        [ -n "$script" ] || script=$word
    done <<EOF
$v
EOF
    for f in "$python" "${script%/*}/python3" "${script%/*}/python" "$(readlink "/proc/$pid/exe")"; do
        python=
        case $f in
            /*) [ ! -x "$f" ] || [ ! "$f" -ef "/proc/$pid/exe" ] || { python=$f; break; } ;;
        esac
    done
    while read -r key f v rest; do
        case $key in
            Uid:) uid=$v ;;
            Gid:) gid=$v ;;
            Groups:) groups=$(printf '%s' "$f $v $rest" | tr -s ' ' ,) ;;
        esac
    done <"/proc/$pid/status"
}

# nova_stopped: as its unit says. It may call a script of the shell, which calls the program of that name.
nova_stopped() {
    python=
    v=${started#*path=}
    for script in "${v%% *}" "$(command -v "$service")"; do
        case ${script##*/} in
            python*) python=$script ;;
            *)
                value "$script"
                # shellcheck disable=SC2086 # words of a first line
                case $v in '#!'*python*) set -- ${v#??} ;; *) continue ;; esac
                python=$1
                [ "${1##*/}" != env ] || python=$(command -v "$2")
                ;;
        esac
        [ ! -x "$python" ] || break
        python=
    done
    property User
    user=${v:-root}
    uid=$(id -u "$user" 2>/dev/null) && gid=$(id -g "$user") && groups=$(id -G "$user" | tr ' ' ,) || python=
}

# read_by_nova [PATH NEW]...: its answer; see templates/nova-reader.py
read_by_nova() {
    environ=/dev/null
    cmdline=/dev/null
    if [ "$pid" != 0 ]; then
        environ=/proc/$pid/environ
        cmdline=/proc/$pid/cmdline
    fi
    # as it will be started
    property Environment
    set -f
    for f in $v; do case $f in PYTHONPATH=* | OS_[A-Z]*__[A-Z]*=*) export "${f?}" ;; esac; done
    set +f
    set -- "$python" -c "$nova_as_started" "$nova_reader" "$service" "$started" "$@"
    groups=${groups%,}
    [ "$uid" = 0 ] || set -- setpriv --reuid "$uid" --regid "$gid" --no-new-privs \
        "${groups:+--groups=}${groups:---clear-groups}" "$@"
    cd /
    {
        timeout -k 5 "$nova_seconds" "$@" </dev/null 2>/dev/null 3<"$environ" 4<"$cmdline" 9>&- ||
            printf 'unasked it ended with status %s within %s seconds\n' "$?" "$nova_seconds"
    } | head -c 2000
}
