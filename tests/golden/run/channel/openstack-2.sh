{
nonce=NONCE
state=/run/sriov
runs=/var/lib/sriov/runs
restarts_due=/var/lib/sriov/restarts-due
vfs_script=/etc/systemd/system/sriov-vfs.sh
net=/sys/class/net
proc=/proc
dev=/dev
domains=/run/libvirt/qemu
defined=/etc/libvirt/qemu
networks=/run/libvirt/network

run=$runs/RUN
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077

section() { printf '\n@%s %s\n' "$nonce" "$*"; }

value() { v=; [ ! -r "$1" ] || IFS= read -r v 2>/dev/null <"$1" || :; }

target() { v=; if cd -P -- "$1" 2>/dev/null; then there=$PWD v=${PWD##*/}; cd /; fi; }

staging=

stop() {
    section "stopped $1 $staging"
    shift
    v=
    [ -z "$staging" ] || value "$state/output"
    printf '%s%s\n' "$*" "${v:+ ($v)}"
    exit 0
}

fail() {
    printf '%s\n' "$1" 2>/dev/null >"$state/failure"
    shift
    printf '%s\n' "$*"
    exit 1
}

nl='
'
claims=
above=
unseen=
thorough=
reached=

cannot_see() { [ -n "$unseen" ] || unseen=$1; }

has() { command -v "$1" >/dev/null || { cannot_see "this host has no $1" && return 1; }; }

found() {
    case $2 in *"$nl$1 "*) ;; *) return 1 ;; esac
    holder=${2#*"$nl$1 "}
    holder=${holder%%"$nl"*}
}

host_user() {
    holder=
    case $2 in
        '' | vfio-pci | pci-stub) return 0 ;;
        igb_uio | uio_pci_generic | pciback | xen-pciback) holder="user-space driver $2" && return ;;
    esac
    for netdev in "$1"/net/*; do
        if [ "$netdev" = "$1/net/*" ]; then
            [ ! -d "$1/net" ] || holder="another network namespace"
            return 0
        fi
        value "$netdev/flags"
        case $v in *[13579bdfBDF]) up=yes ;; *) up= ;; esac
        [ -n "$up$thorough" ] || continue
        words="network device ${netdev##*/}"
        ! found "dev:${netdev##*/}" "$claims" || return 0
        for upper in "$netdev"/master "$netdev"/upper_*; do
            [ -e "$upper" ] || continue
            target "$upper"
            [ "$upper" = "$netdev/master" ] && holder="$words, part of $v" || holder="$words, which carries $v"
            return
        done
        [ -z "$thorough" ] || value "$netdev/ifindex"
        ! found "$v" "$above" || { holder="$words, which carries $holder" && return; }
        [ -n "$reached" ] || see_names
        case $reached in
            *" ${netdev##*/} an address "*) holder="$words, which has an address" && return ;;
            *" ${netdev##*/} a route "*) holder="$words, which has a route" && return ;;
        esac
        [ -n "$up" ] || continue
        value "$netdev/statistics/tx_packets"
        [ "${v:-0}" -lt 50 ] || holder="host traffic on ${netdev##*/}"
    done
}

see_names() {
    reached=' '
    if has ip; then
        rows=$(ip -o addr show 2>&1) || cannot_see "ip addr: ${rows##*"$nl"}"
        while read -r _ device row; do
            case $row in *'scope link'* | '') ;; *) reached="$reached$device an address " ;; esac
        done <<END
$rows
END
    fi
    while read -r device row; do reached="$reached$device a route "; done <"$proc/net/route"
    [ ! -r "$proc/net/ipv6_route" ] || while read -r row _ _ _ _ _ _ _ _ device; do
        case $row in fe80* | ff*) ;; *) reached="$reached$device a route " ;; esac
    done <"$proc/net/ipv6_route"
} 2>/dev/null

looked=

vf_holders() {
    if [ -z "$looked" ]; then
        looked=yes
        thorough=yes
        claims=$nl
        see_domains
        see_processes
        see_namespaces
    fi
    for link in "$1"/virtfn*; do
        target "$link"
        [ -n "$v" ] || continue
        vf=$v
        vf_holder "$there" "$vf"
        case $holder in '' | 'host traffic '*) pool_guest "$1" ;; esac
        case $holder in
            '' | 'host traffic '*) [ -z "$unseen" ] || holder="cannot be determined: $unseen" ;;
        esac
        printf 'holder=%s %s %s\n' "${link##*/virtfn}" "$vf" "$holder"
    done
}

see_domains() {
    set --
    for f in "$networks"/*.xml "$defined"/networks/*.xml - "$domains"/*.xml - "$defined"/*.xml; do
        if [ "$f" = - ] || { [ -f "$f" ] && [ -r "$f" ]; }; then
            set -- "$@" "$f"
        elif [ -e "$f" ] || [ -L "$f" ]; then
            cannot_see "libvirt's configuration cannot be read: $f"
        fi
    done
    for f in "${domains%/*}" "$domains" "$networks" "${defined%/*}" "$defined" "$defined/networks"; do
        if [ -d "$f" ] && [ -r "$f" ] && [ -x "$f" ]; then continue; fi
        if [ -e "$f" ] || [ -L "$f" ]; then cannot_see "libvirt's configuration cannot be read: $f"; fi
    done
    [ "$#" != 2 ] || return 0
    has awk || return 0
    f=$(
        kind=network
        for f; do
            shift
            if [ "$f" != - ]; then set -- "$@" "$f"; continue; fi
            [ "$kind" = network ] && kind=running || kind=defined
            set -- "$@" "kind=$kind"
        done
        awk '
            BEGIN { RS = "<"; kind = "network" }
            function of(key) {
                if (!match($0, "[ \t\n]" key "=[\"\047][^\"\047]*")) return ""
                return substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3)
            }
            function hex(text, width) {
                text = tolower(text)
                if (!sub(/^0x/, "", text)) text = sprintf("%x", text)
                while (length(text) < width) text = "0" text
                return text
            }
            function address() {
                return hex(of("domain"), 4) ":" hex(of("bus"), 2) ":" hex(of("slot"), 2) "." hex(of("function"), 1)
            }
            function claim(key) {
                if (kind == "network") pool[name, ++size[name]] = key
                else {
                    print key, (name in runs ? "libvirt" : "shut-off"), "domain", name
                    taken[key] = 1
                }
            }
            FNR == 1 {
                name = FILENAME
                sub(/.*\//, "", name)
                sub(/\.xml$/, "", name)
                inside = 0
                type = ""
                if (kind == "running") runs[name] = 1
            }
            /^(interface|actual|hostdev)[ \t\n>]/ { type = of("type") }
            kind == "network" && /^forward[ \t\n>]/ { inside = 1 }
            kind == "network" && /^\/forward/ { inside = 0 }
            kind == "network" && /^pf[ \t\n]/ { claim("pf:" of("dev")) }
            kind == "network" && inside && /^interface[ \t\n]/ && of("dev") != "" { claim("dev:" of("dev")) }
            kind != "network" && /^source[ \t\n\/>]/ {
                inside = $0 !~ /^source[^>]*\/>/
                if (type == "direct" && of("dev") != "") claim("dev:" of("dev"))
                if (kind == "defined" && of("network") != "") { user[++users] = name; net[users] = of("network") }
            }
            /^\/source/ { inside = 0 }
            /^address[ \t\n]/ && inside && of("function") != "" { claim(address()) }
            END {
                for (i = 1; i <= users; i++) {
                    if (user[i] in runs) continue
                    for (j = 1; j <= size[net[i]]; j++) {
                        key = pool[net[i], j]
                        if (key in taken) continue
                        if (key !~ /^pf:/) taken[key] = 1
                        print key, "shut-off domain", user[i], "(network " net[i] ")"
                        break
                    }
                }
            }' "$@" 2>&1
    ) || cannot_see "libvirt's configuration cannot be read: ${f##*"$nl"}"
    claims="$claims$f$nl"
}

see_processes() {
    own=
    opened=
    spaces=$nl
    has find || return 0
    set -- "$proc/self/ns/net" "$proc"/[0-9]*/ns/net
    for f in "$dev"/vfio/[0-9]* "$dev"/vfio/noiommu-* "$dev"/vfio/devices/* "$dev"/infiniband/uverbs*; do
        if [ -e "$f" ]; then set -- "$@" "$proc"/[0-9]*/fd && break; fi
    done
    f=$(find "$@" \( -path '*/ns/net' -o -lname '/dev/vfio/*' -o -lname '/dev/infiniband/uverbs*' \) -printf '%p %l\n' 2>&1)
    while IFS= read -r line; do
        case $line in
            "$proc/self/ns/net "*) own=${line#* } ;;
            "$proc"/*/ns/net\ "$own") ;;
            "$proc"/*/ns/net\ net:*) case $spaces in
                *"$nl${line##* } "*) ;;
                *) spaces="$spaces${line##* } ${line%% *}$nl" ;;
            esac ;;
            "$proc"/*/fd/*\ /dev/*) opened="$opened$line$nl" ;;
            '' | ' ' | "$proc"/*/ns/net\ | *'No such file or directory' | *'No such process') ;;
            *) cannot_see "$line" ;;
        esac
    done <<END
$f
END
    [ -n "$own" ] || cannot_see "find does not show the host's processes"
}

see_namespaces() {
    above=$nl
    while read -r _ _ _ f place _; do
        case $f in "$own" | net:*) ;; *) continue ;; esac
        [ "$f" = "$own" ] || spaces="$nl$f $place$spaces"
    done <"$proc/self/mountinfo" || cannot_see "$proc/self/mountinfo cannot be read"
    [ "$spaces" != "$nl" ] || return 0
    has nsenter && has ip || return 0
    visited=
    while read -r space place; do
        case " $visited " in *" $space "*) continue ;; esac
        [ -n "$space" ] || continue
        visited="$visited $space"
        f=$(nsenter --net="$place" ip -o -d link show 2>&1) || {
            if [ -e "$place" ] || [ -L "$place" ]; then cannot_see "network namespace $place: ${f##*"$nl"}"; fi
            continue
        }
        case $place in "$proc"/*) place=${place#"$proc"/} place="of process ${place%%/*}" ;; *) place=${place##*/} ;; esac
        while IFS= read -r line; do
            case $line in *' vlan '* | *' macvlan '* | *' macvtap '* | *' ipvlan '* | *' ipvtap '*) ;; *) continue ;; esac
            line=${line#*: }
            line=${line%%:*}
            case $line in *@if*) above="$above${line##*@if} ${line%@*} (network namespace $place)$nl" ;; esac
        done <<END
$f
END
    done <<END
$spaces
END
}

vf_holder() {
    holder=
    ! found "$2" "$claims" || return 0
    target "$1/iommu_group"
    nodes="/dev/vfio/$v
/dev/vfio/noiommu-$v"
    for f in "$1"/vfio-dev/*; do
        [ ! -e "$f" ] || nodes="$nodes
/dev/vfio/devices/${f##*/}
/dev/vfio/devices/noiommu-${f##*/}"
    done
    for f in "$1"/infiniband_verbs/*; do
        [ ! -e "$f" ] || nodes="$nodes
/dev/infiniband/${f##*/}"
    done
    while read -r f node; do
        case "$nl$nodes$nl" in *"$nl$node$nl"*) ;; *) continue ;; esac
        [ -n "$node" ] || continue
        f=${f#"$proc"/}
        value "$proc/${f%%/*}/comm"
        holder="process ${f%%/*} ($v)"
        return
    done <<END
$opened
END
    for f in "$1"/vdpa*; do
        [ -e "$f" ] || continue
        target "$f/driver"
        holder="vDPA device ${f##*/}${v:+ ($v)}"
        return
    done
    target "$1/driver"
    host_user "$1" "$v"
}

pool_guest() {
    for f in "$1"/net/*; do
        found "pf:${f##*/}" "$claims" || continue
        claims=${claims%%"${nl}pf:${f##*/} $holder$nl"*}$nl${claims#*"${nl}pf:${f##*/} $holder$nl"}
        return
    done
}


take_lock() {
    { { [ -d "$state" ] || mkdir -p "$state"; } && true >>"$state/lock"; } 2>/dev/null ||
        stop state-unwritable "cannot write in $state: is /run full or read-only?"
    exec 9>>"$state/lock"
    if ! flock -w 1 9 9>&9; then
        section locked
        head -c 300 "$state/lock"
        exit 0
    fi
    {
        printf '%s since %s (process %s here)\n' "$1" "$2" "$$" >"$state/lock" &&
            true >"$state/output" && true >"$state/failure"
    } 2>/dev/null || stop state-unwritable "cannot write in $state: is /run full?"
}

nl='
'
staged=
news=$nl
settled=
tidied=yes
cut_off=

is() { if [ -e "$1" ]; then v=$(sha256sum <"$1") && [ "${v%% *}" = "$2" ]; else [ "$2" = - ]; fi; }

place() {
    path=$1
    [ ! -L "$path" ] || path=$(readlink -f -- "$path")
    folder=${path%/*}
    new=$folder/.${path##*/}.sriov-new
}

begin_attempt() {
    lines=0
    [ ! -e "$run/manifest" ] || while read -r kept _; do lines=$((kept + 1)); done <"$run/manifest"
    first=$lines
    tidied=
}

stage() {
    staging=$1
    place "$2"
    case $news in
        *"$nl$new$nl"*) stop file-twice "$2 is another name of a file that is to be written too: make it a file of its own" ;;
        *) news="$news$new$nl" ;;
    esac
    staged="$staged$1 "
    if [ "$3" = - ]; then [ ! -e "$path" ]; else [ -e "$path" ]; fi ||
        stop file-changed "$2 was changed since it was read; nothing was written. Run again"
    if [ "$3" != - ]; then
        [ -w "$path" ] || stop file-unwritable "$2 cannot be written: is it immutable (lsattr) or its disk read-only?"
        while read -r _ _ _ _ f _; do
            [ "$f" != "$path" ] || stop file-unwritable "$2 cannot be replaced, for something is mounted on it"
        done </proc/self/mountinfo
    fi
    open_manifest
    if [ -e "$new" ] || [ -L "$new" ]; then rm -f -- "$new"; fi
    if [ "$4" != - ]; then
        umask 022
        [ -d "$folder" ] || mkdir -p -- "$folder" || stop staging-failed "cannot make $folder"
        umask 077
        true >"$new" || stop staging-failed "cannot write in $folder"
    fi
    if ! printf '%s %s %s %s\n' "$lines" "$3" "$4" "$2" >>"$run/manifest"; then
        rm -f -- "$new"
        stop staging-failed "cannot write $run/manifest"
    fi
    if [ "$3" != - ]; then
        [ "$4" = - ] || cp --preserve=all --attributes-only -- "$path" "$new" ||
            stop staging-failed "cannot copy mode and owner of $2"
        cp --preserve=all -- "$path" "$run/$lines" || stop staging-failed "cannot keep a copy of $2"
    fi
    lines=$((lines + 1))
}

open_manifest() {
    [ -d "$run" ] || mkdir -p -- "$run" "$restarts_due" || stop staging-failed "cannot write $run"
    [ -z "${takes_back+set}" ] || printf '%s\n' "$takes_back" >"$run/takes-back" ||
        stop staging-failed "cannot write $run"
    printf '%s\n' "$first" >"$run/attempt" || stop staging-failed "cannot write $run"
}

fill() { printf -- "$1" >"$new" || stop disk-full "cannot write in $folder: is the disk full?"; }

fill_from() {
    saved=$runs/$1/$2
    is "$saved" "$4" || stop copy-damaged "the copy of $path that run $1 kept is missing or damaged"
    if [ "$3" = - ]; then attributes=mode,ownership; else attributes=; fi
    cp ${attributes:+--preserve="$attributes"} -- "$saved" "$new" ||
        stop disk-full "cannot write in $folder: is the disk full?"
}

modes() {
    mode=$1
    shift
    count=$#
    for target; do
        place "$target"
        set -- "$@" "$new"
    done
    shift "$count"
    chmod "$mode" -- "$@" || stop staging-failed "cannot set the mode of new files"
}

settle() {
    staging=
    set -- "$run/manifest" "$run/attempt"
    sums=
    while read -r kept before after target; do
        [ "$kept" -ge "$first" ] || continue
        place "$target"
        [ "$before" = - ] || { set -- "$@" "$run/$kept"; sums="$sums$before  $run/$kept$nl"; }
        [ "$after" = - ] || { set -- "$@" "$new"; sums="$sums$after  $new$nl"; }
    done <"$run/manifest"
    printf '%s' "$sums" | sha256sum --check --status || doubt
    sync -- "$@" || stop disk-failed "cannot write to the disk"
    read -r settled _ </proc/uptime
}

doubt() {
    while read -r kept before after target; do
        [ "$kept" -ge "$first" ] || continue
        staging=${staged%% *}
        staged=${staged#* }
        is "$target" "$before" || stop file-changed "$target was changed since it was read; nothing was written. Run again"
        [ "$before" = - ] || is "$run/$kept" "$before" ||
            stop disk-full "cannot keep a copy of $target: is the disk full?"
        place "$target"
        [ "$after" = - ] || is "$new" "$after" || stop disk-full "the new $target did not arrive whole: is the disk full?"
    done <"$run/manifest"
    stop staging-failed "the new files could not be checked"
}

write_file() {
    place "$1"
    is "$path" "$2" || fail file-changed "$1 was changed since it was read; it was not written. Run again"
    read -r now _ </proc/uptime
    [ "${now%.*}" = "${settled%.*}" ] || touch -c -- "$new" || fail file-unwritable "cannot write $new"
    mv -f -T -- "$new" "$path" || fail file-unwritable "cannot replace $path"
    [ "$2" != - ] || ! command -v restorecon >/dev/null || restorecon -- "$path"
}

keep_time() {
    for f in "$restarts_due"/*; do [ ! -e "$f" ] || return 0; done
    place "$1"
    is "$path" "$2" || return 0
    while read -r kept _ _ target; do
        if [ "$target" = "$1" ] && [ "$kept" -ge "$first" ] && [ ! "$run/$kept" -nt "$path" ]; then
            touch -c -r "$run/$kept" -- "$path" || return 0
        fi
    done <"$run/manifest"
}

remove_file() {
    is "$1" "$2" || fail file-changed "$1 was changed since it was read; it was not removed. Run again"
    rm -f -- "$1" || fail file-unwritable "cannot remove $1"
}

purge_state() { rm -rf -- "${runs%/*}" || fail file-unwritable "cannot remove ${runs%/*}"; }

tidy() {
    tidied=yes
    [ -s "$run/attempt" ] && [ -e "$run/manifest" ] || return 0
    dropped=
    left=
    set --
    while read -r kept before after target; do
        place "$target"
        if [ "$kept" -ge "$first" ] &&
            if [ -z "$cut_off" ] && [ "$after" != - ]; then [ -e "$new" ]; else is "$target" "$before"; fi; then
            dropped=yes
            rm -f -- "$run/$kept"
        else
            left="$left$kept $before $after $target$nl"
            [ "$kept" -lt "$first" ] || set -- "$@" "$folder"
        fi
        [ "$kept" -lt "$first" ] || [ ! -e "$new" ] || rm -f -- "$new"
    done <"$run/manifest"
    if [ -z "$left" ]; then
        rm -f -- "$run/manifest"
        [ -e "$run/log.jsonl" ] || rm -rf -- "$run"
    elif [ -n "$dropped" ]; then
        { printf '%s' "$left" >"$run/manifest-new" && sync -- "$run/manifest-new" &&
            mv -f -- "$run/manifest-new" "$run/manifest"; } || return 1
        set -- "$@" "$run"
    fi
    [ "$#" = 0 ] || sync -- "$@" || return 1
    [ ! -e "$run/attempt" ] || true >"$run/attempt"
}

tidy_cut_off() {
    ours=$run
    cut_off=yes
    for f in "$runs"/*/attempt; do
        [ -s "$f" ] || continue
        run=${f%/attempt}
        value "$f"
        first=${v:-0}
        tidy
    done
    run=$ours
    cut_off=
}


count_vfs() {
    present=0
    for f in "$1"/virtfn*; do [ ! -e "$f" ] || present=$((present + 1)); done
}

written() {
    target "$1"
    marker=$state/writing.$v
    until_then=$(($2 * 10))
    shift 2
    rm -f -- "$marker" "$marker.done" "$marker.said"
    setsid sh -c 'm=$1; shift; echo $$ >"$m"; "$@" >"$m.said" 2>&1; echo $? >"$m.done"; rm -f "$m"' \
        sriov-write "$marker" "$@" </dev/null >/dev/null 2>&1 9>&- &
    waited=0
    until [ -s "$marker.done" ]; do
        v=
        [ "$waited" -lt "$until_then" ] || return 0
        sleep 0.1
        waited=$((waited + 1))
    done
    said=
    [ ! -s "$marker.said" ] || while IFS= read -r v; do said=${v##*write error: }; done <"$marker.said"
    value "$marker.done"
    rm -f -- "$marker.done" "$marker.said"
}

clear_vfs() {
    port=$net/$1/device
    count_vfs "$port"
    [ "$present" = "$2" ] || fail vf-count-changed "$1 has $present virtual functions, not the $2 that were seen. Run again"
    target "$port/driver"
    [ "$v" != bnxt_en ] || ip link set dev "$1" up || fail port-not-up "$1 could not be set up"
    [ "$4" = force ] || stop_at_users "$port"
    written "$port" "$3" sh -c '/bin/echo 0 >"$1"' sriov-write "$port/sriov_numvfs"
    [ -n "$v" ] || fail kernel-not-answering \
        "the kernel has not answered a write of 0 to sriov_numvfs of $1 within $3 seconds: a virtual function is still in use. The write takes effect when that use ends"
    [ "$v" = 0 ] || fail vf-removal-refused "the kernel refused to remove the virtual functions of $1${said:+: $said}"
    count_vfs "$port"
    [ "$present" = 0 ] || fail vf-removal-refused "virtual functions of $1 are still there"
}

stop_at_users() {
    users=$(vf_holders "$1")
    held=
    blind=
    while read -r index vf holder; do
        index=${index#holder=}
        case $holder in
            '' | 'host traffic '*) ;;
            'cannot be determined'*) blind="${blind}Who uses VF $index ($vf) $holder. " ;;
            *) held="${held}VF $index ($vf) is in use by $holder. " ;;
        esac
    done <<END
$users
END
    [ -z "$held" ] || fail vf-in-use "$held$blind"
    [ -z "$blind" ] || fail vf-users-unknown "$blind"
}

make_vfs() {
    port=$net/$1/device
    written "$port" "$3" sh "$vfs_script" "$1" "$2"
    [ "$v" != 0 ] || return 0
    [ -n "$v" ] || fail kernel-not-answering \
        "the kernel has not answered a write of $2 to sriov_numvfs of $1 within $3 seconds. It had $4 virtual functions before"
    refused="$1 cannot have $2 virtual functions: ${said:-the script that makes them failed}"
    count_vfs "$port"
    [ "$present" = 0 ] || (clear_vfs "$1" "$present" "$3" free) ||
        fail vf-count-refused "$refused. The $4 from before are not put back; $1 has $present now"
    if [ "$5" = - ]; then
        written "$port" "$3" sh "$vfs_script" "$1" "$4"
    else
        said="$5 failed"
        timeout "$3" systemctl restart "$5"
    fi
    count_vfs "$port"
    [ "$present" = "$4" ] ||
        fail vf-count-refused "$refused. The $4 from before could not be put back: $said; $1 has $present now"
    fail vf-count-refused "$refused. The $4 from before are back"
}


start_unit() {
    enable_unit "$1"
    timeout 240 systemctl restart "$1" && return
    present=0
    for f in "$net/$2/device"/virtfn*; do [ ! -e "$f" ] || present=$((present + 1)); done
    ! command -v journalctl >/dev/null || journalctl -q -o cat -n 5 -u "$1" 2>/dev/null
    fail unit-failed "$1 failed; $2 has $present virtual functions"
}

enable_unit() { systemctl enable -q "$1" || fail unit-refused "cannot enable $1"; }

stop_unit() {
    systemctl disable -q "$1" || fail unit-refused "cannot disable $1"
    timeout 60 systemctl stop "$1" || fail unit-refused "cannot stop $1"
}

restart() {
    timeout 180 systemctl restart "$1" && systemctl is-active -q "$1" && rm -f -- "$restarts_due/$1" && return
    fail service-not-starting \
        "$1 does not start: $(systemctl show -p ActiveState,SubState,Result,ExecMainStatus "$1" | tr '\n' ' ')"
}

failed=

note() { { [ -d "$run" ] || mkdir -p "$run"; } && printf '%s\n' "$1" >>"$run/log.jsonl"; }

say_failed() {
    value "$state/failure"
    section "failed $number ${v:-step-failed}"
}

step() {
    [ -z "$failed" ] || return 0
    number=$1
    begins=$2
    log=$3
    shift 3
    [ "$begins" = change ] || trap '' PIPE
    section "begin $number"
    trap 'exit 1' PIPE
    ("$@") </dev/null >"$state/output" 2>&1 || failed=$number
    trap '' PIPE
    if [ -n "$failed" ]; then
        say_failed
        tail -c 2000 "$state/output"
    else
        section "done $number"
        [ -z "$log" ] || note "$log"
    fi
    trap 'exit 1' PIPE
}


take_lock 'operator@desk (pid PID, run RUN)' 'TIME'
trap '[ -n "$tidied" ] || tidy; true >"$state/lock"' EXIT
trap 'exit 1' PIPE TERM HUP INT
tidy_cut_off
begin_attempt
{ command eval "$(head -c 1437)"; } 2>"$state/output"
[ -n "$settled" ] || stop cut-off "the new files did not arrive whole"
nova_seconds=90
nova_memory=300000 # kB: nova-scheduler with all its filters takes 150,000

nova_as_started='import os, sys
own = dict(word.split(b"=", 1) for word in os.fdopen(os.dup(3), "rb").read().split(b"\0") if b"=" in word)
own.pop(b"NOTIFY_SOCKET", None)
own[b"PYTHONDONTWRITEBYTECODE"] = b"1"
told = getattr(os, "environb", os.environ)
own.update((name, told[name]) for name in told if name.startswith(b"OS_") and b"__" in name)
own.setdefault(b"PYTHONPATH", told.get(b"PYTHONPATH", b""))
os.execve(sys.executable, [sys.executable, "-c"] + sys.argv[1:], own)'

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

property() {
    v=$(systemctl show -p "$1" "$unit.service" 2>/dev/null)
    v=${v#*=}
}

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

nova_stopped() {
    python=
    v=${started#*path=}
    for script in "${v%% *}" "$(command -v "$service")"; do
        case ${script##*/} in
            python*) python=$script ;;
            *)
                value "$script"
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

read_by_nova() {
    environ=/dev/null
    cmdline=/dev/null
    if [ "$pid" != 0 ]; then
        environ=/proc/$pid/environ
        cmdline=/proc/$pid/cmdline
    fi
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

nova_reader='from __future__ import unicode_literals

import glob
import os
import re
import sys

service, started, staged = sys.argv[1], sys.argv[2], dict(zip(sys.argv[3::2], sys.argv[4::2]))
secrets = set()
answer = os.dup(1)
os.dup2(2, 1)


def say(word, text=""):
    line = "%s %s" % (word, " ".join(text.split())[:600])
    os.write(answer, line.encode("ascii", "backslashreplace") + b"\n")
    os._exit(0)


def told(error):
    try:
        text = "%s" % (error,)
    except Exception:
        text = ""
    for value in secrets:
        text = text.replace(value, "***")
    for path, new in staged.items():
        text = text.replace(new or path, path)
    text = re.sub("(:[0-9]+, .*?): [bu]?['"'"'\"].*", r"\1", text, flags=re.DOTALL)
    return "%s: %s" % (type(error).__name__, text)


class Complaints(object):

    text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def words_of_service():
    with os.fdopen(4, "rb") as file:
        words = [word.decode("utf-8", "replace") if str is not bytes else word for word in file.read().split(b"\0")]
    if any(word.startswith("--config-") for word in words):
        return words
    return started.partition("argv[]=")[2].partition(" ; ")[0].split(" ")


def named_files():
    from oslo_config import cfg

    named = re.findall("--config-(file|dir)[= \0]([^\0]+)", "\0".join(words_of_service()))
    kinds = [kind for kind, _ in named]
    search = [
        (kind, path)
        for kind, find in (("file", cfg.find_config_files), ("dir", cfg.find_config_dirs))
        if kind not in kinds
        for path in find("nova", service)
    ]
    for kind, path in search + named:
        paths = [path]
        if kind == "dir":
            coming = [name for name in staged if os.path.dirname(name) == os.path.realpath(path)]
            names = {os.path.basename(name) for name in glob.glob(os.path.join(path, "*.conf")) + coming}
            paths = [os.path.join(path, name) for name in sorted(names) if name.endswith(".conf")]
        for file in paths:
            file = staged.get(os.path.realpath(file), file)
            if file:
                yield file


def read_every_option(conf):
    for group, holder in [("DEFAULT", conf)] + [(name, conf[name]) for name in conf._groups]:
        options = conf._opts if holder is conf else conf._groups[group]._opts
        for name in sorted(options):
            option = options[name]["opt"]
            try:
                value = getattr(holder, name)
            except Exception as error:
                if group in ("pci", "filter_scheduler"):
                    raise
                say("refused", "[%s] %s: %s" % (group, option.name, type(error).__name__))
            if option.secret and hasattr(value, "split") and len(value) > 3:
                secrets.add(value)


def load_whitelist(conf):
    from nova.pci import whitelist

    is_new = "device_spec" in conf._groups["pci"]._opts  # since 26
    return whitelist.Whitelist(conf.pci.device_spec if is_new else conf.pci.passthrough_whitelist).specs


def load_pools(specs):
    from nova.objects import pci_device_pool
    from nova.pci import stats

    device = {"vendor_id": "0000", "product_id": "0000", "address": "0000:00:00.0", "parent_addr": None}
    ignored = getattr(stats.PciDeviceStats, "ignored_pool_tags", ())
    for spec in specs:
        spec.match(device)
        pool = {"vendor_id": "0000", "product_id": "0000", "numa_node": 0}
        pool.update((key, value) for key, value in spec.get_tags().items() if key not in ignored)
        pool.update(count=1)
        pool.pop("devices", None)
        pci_device_pool.PciDevicePool.from_dict(pool)


def load_filters(conf):
    from nova.scheduler import filters, host_manager, weights

    chosen = host_manager.HostManager.__new__(host_manager.HostManager)
    classes = filters.HostFilterHandler().get_matching_classes(conf.filter_scheduler.available_filters)
    chosen.filter_cls_map = {one.__name__: one for one in classes}
    chosen.filter_obj_map = {}
    chosen._choose_host_filters(chosen._load_filters())
    for weigher in weights.HostWeightHandler().get_matching_classes(conf.filter_scheduler.weight_classes):
        weigher()


try:
    import nova.conf
    import nova.pci.stats  # and the whitelist
    from oslo_log import log

    if service == "nova-scheduler":
        import nova.scheduler.host_manager
    arguments = ["--config-file=" + path for path in named_files()]
    log.register_options(nova.conf.CONF)
except BaseException as error:
    say("unasked", told(error))
complaints = sys.stderr = Complaints()
try:
    conf = nova.conf.CONF
    conf(arguments, project="nova", prog=service, default_config_files=[], default_config_dirs=[])
    read_every_option(conf)
    specs = load_whitelist(conf)
    if service == "nova-compute":
        load_pools(specs)
    else:
        load_filters(conf)
except (MemoryError, KeyboardInterrupt) as error:
    say("unasked", told(error))
except SystemExit:
    option = re.search("argument --([^ :]+): Invalid", complaints.text)
    say("refused" if option else "unasked", "%s: SystemExit" % (option.group(1) if option else "it"))
except BaseException as error:
    say("refused", told(error))
say("ok")
'
ask_nova nova-scheduler nova-scheduler 0 /etc/nova/nova.conf 
[ -d "$restarts_due" ] || mkdir -p "$restarts_due" 2>/dev/null
{ true >"$restarts_due"/nova-scheduler; } 2>/dev/null
{ { [ -d "${run%/*/*}" ] || mkdir -p "${run%/*/*}"; } && printf '%s\n' VERSION >/var/lib/sriov/version-new &&
    sync -- /var/lib/sriov/version-new && mv -f -T -- /var/lib/sriov/version-new /var/lib/sriov/version; } 2>"$state/output" ||
    stop state-unwritable "cannot write /var/lib/sriov/version: is the disk full or read-only?"
step 0 change '{"time": "TIME", "run": "RUN", "who": "operator@desk (pid PID, run RUN)", "version": "VERSION", "host": "root@127.77.0.6:22222", "resource": "nova-options", "target": "/etc/nova/nova.conf", "found": "", "wanted": "1 line to add, 0 to remove", "effect": "service restart", "diff": ["--- /etc/nova/nova.conf", "+++ /etc/nova/nova.conf", "+# BEGIN sriov-fab filters: managed, edits inside are overwritten", "+enabled_filters = ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter,PciPassthroughFilter", "+# END sriov-fab filters f4f69d14"]}' write_file /etc/nova/nova.conf 4d75f8ff33cc0e7c5053f5f346d558d30f91ee13e59cf0ab863a6f4fa1ca7a4e 
step 1 change '{"time": "TIME", "run": "RUN", "who": "operator@desk (pid PID, run RUN)", "version": "VERSION", "host": "root@127.77.0.6:22222", "resource": "services", "target": "nova-scheduler", "found": "it has not read the new /etc/nova/nova.conf", "wanted": "restarted", "effect": "service restart", "diff": []}' restart nova-scheduler 
if ! tidy && [ -z "$failed" ]; then
    printf 'disk-failed\n' >"$state/failure"
    say_failed
    printf 'cannot write to the disk\n'
fi
true >"$state/output"
set -- "$runs"/*
while [ "$#" -gt 20 ]; do
    rm -rf -- "$1"
    shift
done
all_ports=''
ports=''
by_address=''
holders=''
compute=''
files='/var/lib/sriov/restarts-due/* /etc/nova/nova.conf /etc/nova/nova-scheduler.conf /etc/nova/nova.conf.d/*.conf /etc/nova/nova-scheduler.conf.d/*.conf /etc/neutron/neutron.conf /etc/neutron/plugins/ml2/ml2_conf.ini /etc/neutron/conf.d/common/*.conf /etc/neutron/conf.d/neutron-server/*.conf'
units='nova-scheduler.service openstack-nova-scheduler.service'
own_units=''
values=/var/lib/sriov/version
tools=''
needed='cp flock head mv readlink setsid sha256sum stat sync tail timeout wc'
limit=8388608
manifest=''
own_lock=yes
nl='
'
read -r boot_id </proc/sys/kernel/random/boot_id
facts=$(
section host
IFS= read -r cmdline </proc/cmdline
printf 'boot_id=%s\ncmdline=%s\n' "$boot_id" "$cmdline"
while IFS= read -r line && [ -n "$line" ]; do
    case $line in vendor_id*) printf '%s\n' "$line" && break ;; esac
done </proc/cpuinfo
for f in /sys/firmware/acpi/tables/DMAR /sys/firmware/acpi/tables/IVRS; do
    [ ! -e "$f" ] || printf 'acpi=%s\n' "${f##*/}"
done
for f in /usr/lib/python*/dist-packages/nova-*-info /usr/lib/python*/site-packages/nova-*-info \
    /usr/local/lib/python*/dist-packages/nova-*-info /usr/local/lib/python*/site-packages/nova-*-info \
    /opt/*/lib/python*/site-packages/nova-*-info /var/lib/*/lib/python*/site-packages/nova-*-info; do
    [ ! -e "$f" ] || printf 'nova=%s\n' "${f##*/nova-}"
done
for f in "$domains"/*.xml; do
    [ ! -e "$f" ] || { f=${f##*/}; printf 'instance=%s\n' "${f%.xml}"; }
done
if [ -z "$own_lock" ]; then
    value "$state/lock"
    [ -z "$v" ] || flock -s -n "$state/lock" true || printf 'lock=%s\n' "$v"
fi
for f in $tools; do
    ! command -v "$f" >/dev/null || printf 'tool=%s\n' "$f"
done
for f in $needed; do
    command -v "$f" >/dev/null || printf 'missing=%s\n' "$f"
done
for f in $values; do
    [ -r "$f" ] || continue
    value "$f"
    printf 'value=%s %s\n' "$f" "$v"
done

[ -z "$compute" ] || for f in "$net"/*/device; do
    [ -e "$f" ] || continue
    d=${f%/device}
    value "$f/sriov_totalvfs"
    case $v in '' | 0) kind= ;; *) kind=pf ;; esac
    v=
    [ -e "$f/physfn" ] || target "$f"
    printf 'netdev=%s %s %s\n' "${d##*/}" "$v" "$kind"
done

port() {
    d=$net/$1/device
    [ -e "$d/vendor" ] || return 0
    section "port $1"
    target "$d"
    pci=$v
    d=$there
    printf 'pci=%s\n' "$pci"
    for f in vendor device sriov_vf_device sriov_totalvfs sriov_offset sriov_stride; do
        value "$d/$f"
        printf '%s=%s\n' "$f" "$v"
    done
    value "$net/$1/address"
    printf 'mac=%s\n' "$v"
    value "$d/iommu_group/type"
    printf 'group_type=%s\n' "$v"
    target "$d/driver"
    printf 'driver=%s\n' "$v"
    [ ! -e "$d/iommu_group" ] || printf 'group=yes\n'
    if [ "$d/iommu_group" -ef "$d/virtfn0/iommu_group" ]; then
        target "$d/iommu_group"
        printf 'group_shared=%s\n' "$v"
    fi
    [ ! -e "$d/physfn" ] || printf 'is_vf=yes\n'
    for f in "$d"/net/*; do
        [ "$f" = "$d/net/$1" ] || [ ! -e "$f" ] || printf 'beside=%s\n' "${f##*/}"
    done
    value "$state/writing.$pci"
    if [ -n "$v" ] && [ -d "/proc/$v" ]; then printf 'hung=%s\n' "$v"; fi
    count=0
    for f in "$d"/virtfn*; do
        target "$f"
        [ -n "$v" ] || continue
        vf=$there
        target "$vf/driver"
        driver=$v
        for g in "$vf"/net/*; do
            [ ! -e "$g" ] || v="$v ${g##*/}"
        done
        printf 'vf=%s %s %s\n' "${f##*/virtfn}" "${vf##*/}" "$v"
        count=$((count + 1))
        [ -z "$holders" ] || continue
        host_user "$vf" "$driver"
        [ -z "$holder" ] || printf 'holder=%s %s %s\n' "${f##*/virtfn}" "${vf##*/}" "$holder"
    done
    [ "$count" = 0 ] || [ -z "$holders" ] || vf_holders "$d"
}
[ -z "$all_ports" ] || for f in "$net"/*; do port "${f##*/}"; done
set -f
for named in $ports; do
    set +f
    port "$named"
done
set +f
[ -z "$by_address" ] || for f in "$net"/*; do
    target "$f/device"
    pci=$v
    value "$f/address"
    for named in $by_address; do
        case $named in "$pci" | "$v") port "${f##*/}"; break ;; esac
    done
done
[ -n "$all_ports" ] || for f in $own_units; do
    [ -e "$f" ] || continue
    while IFS= read -r line; do
        case $line in '# interface '*)
            case " $ports " in
                *" ${line#\# interface } "*) ;;
                *) [ -z "${line#\# interface }" ] || port "${line#\# interface }" ;;
            esac
            break
            ;;
        esac
    done <"$f"
done
)
printf '%s' "$facts"
if [ -n "$compute" ]; then
    set --
    for f in /etc/rc.local /etc/rc.d/rc.local /etc/udev/rules.d/*.rules /etc/systemd/network/*.link \
        /etc/netplan/*.yaml /etc/NetworkManager/system-connections/* /etc/os-net-config/sriov_config.yaml; do
        [ ! -f "$f" ] || set -- "$@" "$f"
    done
    section setters
    [ "$#" = 0 ] ||
        grep -l -s -e sriov_numvfs -e virtual-function-count -e SR-IOVVirtualFunctions -e total-vfs -- "$@"
fi
if [ -n "$files" ]; then
    set --
    for f in $files; do
        [ ! -e "$f" ] || set -- "$@" "$f"
    done
    read -r uptime rest </proc/uptime
    section "files $uptime"
    {
        stat -L -c '%s %.Y %.Z %h %n' /proc/self/comm "$@" 2>/dev/null && section content &&
            { [ "$#" = 0 ] || head -q -c "$limit" -- "$@" 2>/dev/null; }
    } || for f; do
        section "file $f"
        head -c "$limit" -- "$f" 2>/dev/null || section "unreadable $f"
    done
fi
set --
for f in $units; do
    set -- "$@" "$f"
done
for f in $own_units; do
    [ ! -e "$f" ] || set -- "$@" "${f##*/}"
done
if [ "$#" != 0 ]; then
    section units
    shown=$(systemctl show -p Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic,MainPID,Environment,EnvironmentFiles "$@")
    told=
    named=
    set -f
    while IFS= read -r line; do
        f=
        case $line in
            Environment=*)
                for v in ${line#*=}; do
                    v=${v#[\"\']}
                    case $v in OS_*__*=*) named="$named ${v%%=*}" ;; esac
                done
                continue
                ;;
            EnvironmentFile*=*)
                f=${line#*=}
                f=${f%%" ("*}
                ;;
            MainPID=*) f=/proc/${line#*=}/environ ;;
            Id=*)
                told="$told${named:+Environment=$named$nl}"
                named=
                ;;
        esac
        [ -n "$f" ] || { told=$told$line$nl; continue; }
        [ -r "$f" ] || continue
        seen=
        while IFS= read -r v || [ -n "$v" ]; do
            case $v in *OS_*__*=*) seen=yes ;; esac
        done 2>/dev/null <"$f"
        [ -z "$seen" ] || named="$named $(tr '\0' '\n' <"$f" | sed -n 's/^[ \t]*\(OS_[A-Z0-9_]*__[A-Z0-9_]*\)=.*/\1/p' | tr '\n' ' ')"
    done <<EOF
$shown
EOF
    set +f
    printf '%s' "$told"
fi
if [ -n "$manifest" ]; then
    [ "$manifest" != - ] || for f in "$runs"/*/manifest; do
        [ ! -e "$f" ] || [ -e "${f%/manifest}/takes-back" ] || { manifest=${f%/manifest}; manifest=${manifest##*/}; }
    done
    manifest=${manifest#-}
    section run "$manifest"
    if [ -n "$manifest" ] && [ -e "$runs/$manifest/manifest" ]; then
        cat "$runs/$manifest/manifest"
        section kept
        grep -s -e '^Description=' -e '^ExecStart=' -e '^[[:blank:]]*\(pci_\)\{0,1\}passthrough_whitelist[[:blank:]]*[=:]' \
            -e '^[[:blank:]]*device_spec[[:blank:]]*[=:]' -e '^[[:blank:]]*physical_device_mappings[[:blank:]]*[=:]' \
            -e '^[[:blank:]]*exclude_devices[[:blank:]]*[=:]' /dev/null "$runs/$manifest"/[0-9]*
    fi
fi
section end


}
