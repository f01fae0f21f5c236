# Files of a run: all new ones arrive beside their targets, are checked and synced; then each takes its place in its step.
# What was staged and is not done is taken back at the end, or by the next run where this one was cut off.
# Needs: common.sh, failures.sh, $runs, $restarts_due, $state, and $run, this run's folder; in a rollback $takes_back, the
# run that is taken back.
# Between the functions: $path, $folder and $new (place); $first, the manifest's first line of this attempt; $lines, its
# number of lines; $staged, the steps of all files, and $staging, that of the present one. Sets for the caller: $settled,
# not empty once all is staged, and $tidied, not empty once there is nothing to take back.
nl='
'
staged=
news=$nl
settled=
tidied=yes
cut_off=

# is PATH SUM: whether that is its checksum; `-` for a file that is not there
is() { if [ -e "$1" ]; then v=$(sha256sum <"$1") && [ "${v%% *}" = "$2" ]; else [ "$2" = - ]; fi; }

# place PATH: $path without links, its $folder, and the name beside it under which $new content waits for its turn
place() {
    path=$1
    [ ! -L "$path" ] || path=$(readlink -f -- "$path")
    folder=${path%/*}
    new=$folder/.${path##*/}.sriov-new
}

# begin_attempt: the lines of the manifest before $first are of earlier attempts at this run
begin_attempt() {
    lines=0
    [ ! -e "$run/manifest" ] || while read -r kept _; do lines=$((kept + 1)); done <"$run/manifest"
    first=$lines
    tidied=
}

# stage STEP PATH SUM-FOUND SUM-WANTED: a file that this step will replace, or remove (SUM-WANTED `-`). What stands
# there goes into this run's folder, with a line in its manifest; $new is ready to be filled.
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
        # false for root too where a file is immutable; and what is mounted on cannot be replaced
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

# open_manifest: this run's folder, where $first says from which line on a run that is cut off here is to be taken back
open_manifest() {
    [ -d "$run" ] || mkdir -p -- "$run" "$restarts_due" || stop staging-failed "cannot write $run"
    # what takes a run back is no run to take back: `rollback` once more goes on with the same one
    [ -z "${takes_back+set}" ] || printf '%s\n' "$takes_back" >"$run/takes-back" ||
        stop staging-failed "cannot write $run"
    printf '%s\n' "$first" >"$run/attempt" || stop staging-failed "cannot write $run"
}

# fill FORMAT: the content, as a format of printf, for that is how a shell by itself writes every byte
# shellcheck disable=SC2059 # the format is the content
fill() { printf -- "$1" >"$new" || stop disk-full "cannot write in $folder: is the disk full?"; }

# fill_from RUN NUMBER SUM-FOUND SUM-WANTED: what run RUN kept of the file just staged
fill_from() {
    saved=$runs/$1/$2
    is "$saved" "$4" || stop copy-damaged "the copy of $path that run $1 kept is missing or damaged"
    if [ "$3" = - ]; then attributes=mode,ownership; else attributes=; fi
    cp ${attributes:+--preserve="$attributes"} -- "$saved" "$new" ||
        stop disk-full "cannot write in $folder: is the disk full?"
}

# modes MODE PATH...: of files staged that are new; the others have those of what they replace
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

# settle: all that was staged arrived whole and is on the disk, before anything is replaced
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

# doubt: says which of the files staged is not as it should be
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

# write_file PATH SUM-FOUND: what was staged takes its place. It is as old as that, for who reads it must begin later.
write_file() {
    place "$1"
    is "$path" "$2" || fail file-changed "$1 was changed since it was read; it was not written. Run again"
    read -r now _ </proc/uptime
    [ "${now%.*}" = "${settled%.*}" ] || touch -c -- "$new" || fail file-unwritable "cannot write $new"
    mv -f -T -- "$new" "$path" || fail file-unwritable "cannot replace $path"
    [ "$2" != - ] || ! command -v restorecon >/dev/null || restorecon -- "$path"
}

# keep_time PATH SUM: what this run wrote there becomes as old as what it replaced, once all whom it concerns have begun
# again. Not if another program has changed it since, nor if the old time is yet to come: neither tells what is new.
keep_time() {
    for f in "$restarts_due"/*; do [ ! -e "$f" ] || return 0; done
    place "$1"
    is "$path" "$2" || return 0
    while read -r kept _ _ target; do
        # shellcheck disable=SC3013 # dash, bash, busybox and mksh have -nt
        if [ "$target" = "$1" ] && [ "$kept" -ge "$first" ] && [ ! "$run/$kept" -nt "$path" ]; then
            touch -c -r "$run/$kept" -- "$path" || return 0
        fi
    done <"$run/manifest"
}

# remove_file PATH SUM-FOUND
remove_file() {
    is "$1" "$2" || fail file-changed "$1 was changed since it was read; it was not removed. Run again"
    rm -f -- "$1" || fail file-unwritable "cannot remove $1"
}

# purge_state: all that runs have kept here, this one's too: there is nothing to take back then
purge_state() { rm -rf -- "${runs%/*}" || fail file-unwritable "cannot remove ${runs%/*}"; }

# tidy: what was staged in this attempt, or in one that was cut off, and not done is no part of its run: such a file
# of ours still waits, any other is as it was. What was done stays after a power cut.
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

# tidy_cut_off: another attempt at this run, or another run, may have been cut off on this host
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
