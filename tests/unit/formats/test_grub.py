"""GRUB's generated files read."""

from __future__ import annotations

import pytest

from sriov.formats.grub import bls_default_arguments, default_arguments, environment

HEADER = """\
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="DEFAULT"
fi

if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  else
    insmod efi_gop
  fi
}
"""
MENU = """\
menuentry 'Debian GNU/Linux' --class debian --class os $menuentry_id_option 'gnulinux-simple-1' {
	load_video
	if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
	echo	'Loading Linux 6.1.0-22-amd64 ...'
	linux	/boot/vmlinuz-6.1.0-22-amd64 root=UUID=1 ro simple dyndbg="file x +p"
	initrd	/boot/initrd.img-6.1.0-22-amd64
}
submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-1' {
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-22-amd64' --class gnu $menuentry_id_option 'gnulinux-22-advanced' {
		linux	/boot/vmlinuz-6.1.0-22-amd64 root=UUID=1 ro advanced
	}
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-22 (recovery)' $menuentry_id_option 'gnulinux-22-recovery' {
		linux	/boot/vmlinuz-6.1.0-22-amd64 root=UUID=1 ro single
	}
	menuentry 'Debian GNU/Linux, with Linux 5.10' --class debian $menuentry_id_option 'gnulinux-10-advanced' {
		linuxefi /boot/vmlinuz-5.10 root=UUID=1 ro old
	}
}
menuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' {
	fwsetup
}
menuentry "It's \\"mine\\"" {
	linux16 /vmlinuz
}
"""


def cfg(default: str) -> str:
    return HEADER.replace("DEFAULT", default) + MENU


@pytest.mark.parametrize(
    ("default", "grubenv", "last"),
    [
        ("0", "", '+p"'),
        ("1>0", "", "advanced"),
        ("1>2", "", "old"),
        ("1", "", "advanced"),
        ("9", "", '+p"'),
        ("1>9", "", "advanced"),
        ("no such title", "", '+p"'),
        ("Debian GNU/Linux", "", '+p"'),
        ("Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 5.10", "", "old"),
        ("gnulinux-advanced-1>gnulinux-22-recovery", "", "single"),
        ("${saved_entry}", "", '+p"'),
        ("${saved_entry}", "# GRUB Environment Block\nsaved_entry=1>2\n####", "old"),
        ("${saved_entry}", "saved_entry=gnulinux-advanced-1>gnulinux-10-advanced\n", "old"),
        ("0", "next_entry=1>2\n", "old"),
        ("0", "next_entry=\nsaved_entry=1>2\n", '+p"'),
        ("${saved_entry}", "saved_entry=0\nnext_entry=1>0\n", "advanced"),
    ],
)
def test_default_arguments_follows_grub_to_the_entry(default: str, grubenv: str, last: str) -> None:
    arguments = default_arguments(cfg(default), grubenv)
    assert arguments is not None
    assert arguments.split()[-1] == last
    assert arguments.startswith("root=UUID=1 ro ")


def test_default_arguments_is_none_for_an_entry_that_loads_no_linux() -> None:
    assert default_arguments(cfg("uefi-firmware"), "") is None
    assert default_arguments("", "") is None
    assert default_arguments("blscfg\n", "") is None


def test_default_arguments_is_empty_for_a_kernel_without_arguments() -> None:
    assert default_arguments(cfg('It\'s \\"mine\\"'), "") == ""


def test_default_arguments_takes_the_lines_that_a_probe_greps() -> None:
    kinds = ("menuentry", "submenu", "linux", "set default", "}", "if", "fi", "else", "blscfg")
    for default in ("0", "1>2", "gnulinux-advanced-1>gnulinux-22-recovery"):
        some = "\n".join(line for line in cfg(default).splitlines() if line.strip().startswith(kinds))
        assert default_arguments(some, "") == default_arguments(cfg(default), "")
        assert default_arguments(some, "next_entry=1>0") == default_arguments(cfg("1>0"), "")


def test_default_arguments_lets_a_later_setting_win() -> None:
    assert default_arguments(cfg("0") + 'set default="1>2"\n', "") == "root=UUID=1 ro old"


BLS = {
    "a-5.14.0-70.el9.x86_64.conf": "title CentOS 70\nlinux /v\noptions root=/dev/a $kernelopts ${tuned}\n",
    "a-5.14.0-427.el9.x86_64.conf": "title CentOS 427\n# options x\noptions root=/dev/a new\noptions more\n",
    "a-0-rescue.conf": "title Rescue\noptions rescue\n",
}


@pytest.mark.parametrize(
    ("grubenv", "expected"),
    [
        ("", "root=/dev/a new more"),
        ("saved_entry=a-5.14.0-70.el9.x86_64\n", "root=/dev/a  "),
        ("saved_entry=a-5.14.0-70.el9.x86_64\nkernelopts=ro q\ntuned=nohz=1\n", "root=/dev/a ro q nohz=1"),
        ("saved_entry=CentOS 70\nkernelopts=q\n", "root=/dev/a q "),
        ("saved_entry=1\nkernelopts=q\n", "root=/dev/a q "),
        ("saved_entry=gone\n", "root=/dev/a new more"),
        ("saved_entry=1\nnext_entry=a-0-rescue\n", "rescue"),
    ],
)  # fmt: skip
def test_bls_default_arguments_follows_grub_to_the_entry(grubenv: str, expected: str) -> None:
    assert bls_default_arguments(BLS, grubenv) == expected.strip()


def test_bls_default_arguments_is_none_without_entries() -> None:
    assert bls_default_arguments({}, "") is None


def test_bls_puts_a_release_candidate_below_its_release() -> None:
    entries = {"a-6.1~rc1.conf": "options candidate", "a-6.1.conf": "options final", "a-6.0.9.conf": "options old"}
    assert bls_default_arguments(entries, "") == "final"


def test_environment_reads_escapes_and_skips_the_padding() -> None:
    assert environment("# GRUB Environment Block\na=b=c\nd=\\\\x\n######") == {"a": "b=c", "d": "\\x"}
