#!/bin/sh
# grubby on the BLS entries of the RHEL family: --info, --default-kernel, --update-kernel with --args and --remove-args.
set -e
entries=/boot/loader/entries
default=$(sed -n 's/^saved_entry=//p' /boot/grub2/grubenv)
kernel='' add='' drop='' show=''
while [ $# -gt 0 ]; do
    case $1 in
        --update-kernel=*) kernel=${1#*=} ;;
        --update-kernel) kernel=$2; shift ;;
        --args=*) add=${1#*=} ;;
        --args) add=$2; shift ;;
        --remove-args=*) drop=${1#*=} ;;
        --remove-args) drop=$2; shift ;;
        --info=*) show=${1#*=} ;;
        --info) show=$2; shift ;;
        --default-kernel) sed -n 's/^linux /\/boot/p' "$entries/$default.conf"; exit 0 ;;
        --grub2 | --no-etc-grub-update) ;;
        *) echo "grubby: unexpected argument '$1'" >&2; exit 1 ;;
    esac
    shift
done

selected() { # kernel path, ALL or DEFAULT -> entry files
    for file in "$entries"/*.conf; do
        path=/boot$(sed -n 's/^linux //p' "$file")
        case $1 in
            ALL) echo "$file" ;;
            DEFAULT) [ "$file" != "$entries/$default.conf" ] || echo "$file" ;;
            *) [ "$path" != "$1" ] || echo "$file" ;;
        esac
    done
}

edit() { # arguments -> the same with $drop removed and $add put in; an added key replaces its old value
    printf '%s\n' "$1" | awk -v add="$add" -v drop="$drop" '
        function key(word) { sub(/=.*/, "", word); return word }
        {
            count = split(drop, gone, " "); for (i = 1; i <= count; i++) remove[gone[i]] = 1
            number = split(add, new, " "); for (i = 1; i <= number; i++) replaced[key(new[i])] = 1
            for (i = 1; i <= NF; i++) {
                if ($i in remove || key($i) in remove || key($i) in replaced) continue
                line = line (line == "" ? "" : " ") $i
            }
            for (i = 1; i <= number; i++) line = line (line == "" ? "" : " ") new[i]
            print line
        }'
}

if [ -n "$show" ]; then
    index=0
    for file in $(selected "$show" | sort -rV); do
        options=$(sed -n 's/^options //p' "$file")
        root=$(printf '%s\n' "$options" | tr ' ' '\n' | sed -n 's/^root=//p')
        arguments=$(printf '%s\n' "$options" | tr ' ' '\n' | grep -v '^root=' | tr '\n' ' ')
        printf 'index=%s\nkernel="/boot%s"\nargs="%s"\nroot="%s"\ninitrd="/boot%s"\ntitle="%s"\nid="%s"\n' "$index" \
            "$(sed -n 's/^linux //p' "$file")" "${arguments% }" "$root" "$(sed -n 's/^initrd //p' "$file")" \
            "$(sed -n 's/^title //p' "$file")" "$(basename "$file" .conf)"
        index=$((index + 1))
    done
    [ "$index" -gt 0 ] || { echo 'The param '"$show"' is incorrect' >&2; exit 1; }
    exit 0
fi
[ -n "$kernel" ] || { echo 'grubby: one of --info, --update-kernel is needed' >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo 'You must be root to run grubby' >&2; exit 1; }
lib=/usr/local/lib/simulation
if [ -s "$lib/update-grub.error" ]; then cat "$lib/update-grub.error" >&2; exit 1; fi
if [ -e "$lib/update-grub.ignore" ]; then exit 0; fi
files=$(selected "$kernel")
[ -n "$files" ] || { echo "The param $kernel is incorrect" >&2; exit 1; }

for file in $files; do
    options=$(edit "$(sed -n 's/^options //p' "$file")")
    sed "s|^options .*|options $(printf %s "$options" | sed 's/[&|\\]/\\&/g')|" "$file" >"$file.new"
    mv -f "$file.new" "$file"
done
if [ "$kernel" = ALL ]; then # then the default for new kernels follows too, in GRUB_CMDLINE_LINUX
    line=$(sed -n 's/^GRUB_CMDLINE_LINUX="\(.*\)"$/\1/p' /etc/default/grub)
    line=$(edit "$line" | sed 's/[&|\\]/\\&/g')
    sed -i "s|^GRUB_CMDLINE_LINUX=.*|GRUB_CMDLINE_LINUX=\"$line\"|" /etc/default/grub
fi
