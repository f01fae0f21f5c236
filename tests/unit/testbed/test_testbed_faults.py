"""Testbeds that do not load: each fault with its words, its line and its remedy, all of them in one error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sriov.errors import SriovError, TestbedError
from sriov.testbed import READ_KEYS, load

HEAD = "from fabric.api import env\na, b = 'root@10.0.0.1', 'root@10.0.0.2'\n"
ROLES = "env.roledefs = {'compute': [a], 'openstack': [b]}\n"  # line 3
SECRET = "Xyzzy_42"


def entry(**keys: str) -> str:
    """A testbed whose one entry has these keys, as Python text; it stands in line 4."""
    given_keys = {"interface": "'eth0'", "VF": "7", "physnets": "['p1']"} | keys
    text = ", ".join(f"{name!r}: {value}" for name, value in given_keys.items() if value)
    return f"{HEAD}{ROLES}env.sriov = {{a: [{{{text}}}]}}\n"


def entries(text: str) -> str:
    return f"{HEAD}{ROLES}env.sriov = {{a: {text}}}\n"


def roledefs(text: str) -> str:
    return f"{HEAD}env.roledefs = {text}\n"


def extra(text: str) -> str:
    return f"{HEAD}{ROLES}{text}\n"


def failure(tmp_path: Path, content: str | bytes, name: str = "testbed.py") -> TestbedError:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TestbedError) as caught:
        load(path)
    return caught.value


# name: (file, line or None, fragments of the message)
PYTHON_FAULTS: dict[str, tuple[str | bytes, int | None, tuple[str, ...]]] = {
    # the file as a whole
    "empty": ("", None, ("is empty", "testbeds/small.py")),
    "blank": (" \n\n", None, ("is empty",)),
    "only comments": ("# nothing\n", None, ("names no host with the role compute or openstack",)),
    "binary": (b"\x7fELF\0\0", None, ("binary file",)),
    "huge": (b"#" * (5 * 1024 * 1024), None, ("larger than 4 MiB",)),
    "latin-1": (HEAD.encode() + b"c = 'M\xfcnchen'\n", 3, ("not UTF-8", "save it as UTF-8")),
    # text that is no Python 3
    "missing comma": (HEAD + "env.roledefs = {'compute': [a b]}\n", 3, ("syntax error", "comma")),
    "stray brace": (HEAD + "env.roledefs = {'compute': [a]}}\n", 3, ("unmatched '}'", "count the brackets")),
    "open bracket": (HEAD + "env.roledefs = {'compute': [a]\n", 3, ("never closed",)),
    "open quote": (HEAD + "c = 'root@c\n", 3, ("unterminated", "closing quote")),
    "curly quote": (HEAD + "c = \u2018root@c\u2019\n", 3, ("curly quote", "straight quotes")),
    "wrong indent": (HEAD + "  c = 1\n", 3, ("indent", "same number of blanks")),
    "python 2 print": (HEAD + "print 'hello'\n", 3, ("print", "Python 2")),
    "python 2 operator": (HEAD + "if a <> b:\n    pass\n", 3, ("Python 2",)),
    "python 2 octal": (HEAD + "mode = 0755\n", 3, ("Python 2",)),
    "template block": (HEAD + "{% for h in hosts %}\n", 3, ("syntax error", "placeholder")),
    # text that does not run
    "undefined host": (roledefs("{'compute': [host9]}"), 3, ("'host9' is not defined", "define it above")),
    "undefined env": ("a = 1\nenv.roledefs = {}\n", 2, ("'env' is not defined", "from fabric.api import env")),
    "undefined os": (HEAD + "x = os.getenv('x')\n", 3, ("'os' is not defined", "import os")),
    "lower-case true": (HEAD + "x = true\n", 3, ("'true' is not defined", "True, False and None")),
    "template name": (HEAD + "c = {host}\n", 3, ("'host' is not defined", "placeholder")),
    "template set": (HEAD + "h = 1\nc = {{ h }}\n", 4, ("placeholder",)),
    "python 2 comparison": (HEAD + "if a < 1:\n    pass\n", 3, ("compares values", "Python 2")),
    "python 2 name": (HEAD + "c = unicode(a)\n", 3, ("'unicode'", "Python 2")),
    "python 2 method": (HEAD + "{}.has_key(a)\n", 3, (".has_key()", "Python 2")),
    "missing module": (HEAD + "import no_such_module_here\n", 3, ("'no_such_module_here'", "not there")),
    "sys.exit": (HEAD + "import sys\nsys.exit(0)\n", 4, ("sys.exit", "take the call out")),
    "raises": (HEAD + "raise RuntimeError('x')\n", 3, ("RuntimeError",)),
    "deep recursion": (HEAD + "def f(): f()\nf()\n", 3, ("RecursionError",)),
    "list as key": (HEAD + "env.sriov = {[a]: []}\n", 3, ("key of a dictionary",)),
    "runs a command": (HEAD + "from fabric.api import run\nrun('ls')\n", 4, ("fabric.api.run", "describes")),
    "unset env key": (HEAD + "x = env.colour\n", 3, (".colour", "env.colour = ...")),
    # roles and hosts
    "roledefs a list": (roledefs("[a]"), 3, ("env.roledefs: is a list, not a dictionary",)),
    "role a string": (roledefs("{'compute': 'root@c'}"), 3, ("is text, not a list", "['root@c']")),
    "role None": (roledefs("{'compute': None}"), 3, ("is None, not a list",)),
    "host a number": (roledefs("{'compute': [7]}"), 3, ("is a whole number, not a host string",)),
    "nobody": (roledefs("{'control': [a]}"), 3, ("names no host with the role compute or openstack",)),
    "role misspelt": (roledefs("{'computes': [a]}"), 3, ("'computes' meant",)),
    "host empty": (roledefs("{'compute': ['']}"), 3, ("is empty",)),
    "host template": (roledefs("{'compute': ['{host1}']}"), 3, ("placeholder of a template",)),
    "host no user": (roledefs("{'compute': ['@h']}"), 3, ("no user before the @",)),
    "host with option": (roledefs("{'compute': ['-oProxyCommand=x']}"), 3, ("a name or address",)),
    "user with option": (roledefs("{'compute': ['-l@h']}"), 3, ("user's name",)),
    "host with blank": (roledefs("{'compute': ['root@a b']}"), 3, ("a name or address",)),
    "port zero": (roledefs("{'compute': ['h:0']}"), 3, ("not a number from 1 to 65535",)),
    "port too high": (roledefs("{'compute': ['h:65536']}"), 3, ("not a number from 1 to 65535",)),
    "port a word": (roledefs("{'compute': ['h:ssh']}"), 3, ("not a number from 1 to 65535",)),
    "port missing": (roledefs("{'compute': ['h:']}"), 3, ("not a number from 1 to 65535",)),
    "ipv4 impossible": (roledefs("{'compute': ['10.0.0.256']}"), 3, ("invalid IPv4 address",)),
    "ipv4 short": (roledefs("{'compute': ['10.0.0']}"), 3, ("invalid IPv4 address",)),
    "ipv6 impossible": (roledefs("{'compute': ['r@[fd00::1::2]']}"), 3, ("invalid IPv6 address",)),
    "ipv6 unclosed": (roledefs("{'compute': ['r@[fd00::1']}"), 3, ("no ] after",)),
    "two users of a host": (roledefs("{'compute': [a, 'ubuntu@10.0.0.1']}"), 3, ("are the same host",)),
    "two users in two roles": (roledefs("{'compute': [a], 'openstack': ['10.0.0.1:22']}"), 3, ("are the same host",)),
    # env.sriov
    "sriov a list": (extra("env.sriov = [a]"), 4, ("env.sriov: is a list, not a dictionary",)),
    "sriov of a dictionary": (entries("{'interface': 'eth0'}"), 4, ("is a dictionary, not a list of entries",)),
    "entry a string": (entries("['eth0']"), 4, ("[0]: is text, not a dictionary",)),
    "sriov key a number": (extra("env.sriov = {5: []}"), 4, ("a whole number, not a host string",)),
    "openstack only": (extra("env.sriov = {b: []}"), 4, ("openstack, but not compute", "env.roledefs['compute']")),
    "not in roledefs": (extra("env.sriov = {'root@x': []}"), 4, ("is not in env.roledefs['compute']",)),
    "other user": (extra("env.sriov = {'10.0.0.1': []}"), 4, ("did you mean 'root@10.0.0.1'?",)),
    "unknown key": (entry(physnet="['p']"), 4, ("unknown key 'physnet'", "did you mean 'physnets'?")),
    "lower-case key": (entry(vf="7"), 4, ("unknown key 'vf'", "did you mean 'VF'?")),
    "strange key": (entry(zzzzzzz="1"), 4, ("unknown key 'zzzzzzz'", "known keys: interface")),
    "no interface": (entry(interface=""), 4, ("names no interface",)),
    "interface and pci": (entry(pci="'0000:01:00.0'"), 4, ("both 'interface' and 'pci'",)),
    "interface empty": (entry(interface="''"), 4, ("empty interface name",)),
    "interface a number": (entry(interface="0"), 4, ("is a whole number, not text",)),
    "interface 16 bytes": (entry(interface="'enp0123456789012'"), 4, ("longer than 15 bytes",)),
    "interface slash": (entry(interface="'eth/0'"), 4, ("characters that no interface name has",)),
    "interface blank": (entry(interface="'eth 0'"), 4, ("characters that no interface name has",)),
    "interface quote": (entry(interface='"eth\'0"'), 4, ("characters that no interface name has",)),
    "interface semicolon": (entry(interface="'eth0;reboot'"), 4, ("characters that no interface name has",)),
    "interface newline": (entry(interface="'eth0\\n'"), 4, (r"'eth0\n' holds characters",)),
    "interface dots": (entry(interface="'..'"), 4, ("cannot be an interface name",)),
    "interface dash": (entry(interface="'-h'"), 4, ("characters that no interface name has",)),
    "interface alias": (entry(interface="'eth0:1'"), 4, ("is an alias",)),
    "pci broken": (entry(interface="", pci="'01:00'"), 4, ("is not a PCI address", "lspci")),
    "mac broken": (entry(interface="", mac="'52:54:00'"), 4, ("is not a MAC address",)),
    "mac of a group": (entry(interface="", mac="'01:00:5e:00:00:01'"), 4, ("not the address of one card",)),
    "VF missing": (entry(VF=""), 4, ("has no 'VF'",)),
    "VF text": (entry(VF="'7'"), 4, ("'7' is text, not a number", "write 7 without quotes")),
    "VF bool": (entry(VF="True"), 4, ("True is not a whole number",)),
    "VF float": (entry(VF="7.0"), 4, ("7.0 is not a whole number",)),
    "VF None": (entry(VF="None"), 4, ("None is not a whole number",)),
    "VF negative": (entry(VF="-1"), 4, ("-1 is below 0", "0 means no VFs")),
    "VF huge": (entry(VF="65536"), 4, ("65536 is more than any card can have",)),
    "VF beyond print": (entry(VF="10 ** 5000"), 4, ("a whole number is more than any card",)),
    "VF unprintable": (
        HEAD
        + ROLES
        + "class C:\n    __repr__ = None\nenv.sriov = {a: [{'interface': 'e', 'VF': C(), 'physnets': ['p']}]}",
        6,
        ("of type C is not a whole number",),
    ),
    "physnets missing": (entry(physnets=""), 4, ("names no physical network",)),
    "physnets empty": (entry(physnets="[]"), 4, ("names no physical network",)),
    "physnets text": (entry(physnets="'p1'"), 4, ("is text, not a list", "['p1']")),
    "physnet a number": (entry(physnets="[1]"), 4, ("not the name of a physical network",)),
    "physnet empty": (entry(physnets="['']"), 4, ("is an empty name",)),
    "physnet long": (entry(physnets="['p' * 65]"), 4, ("longer than 64",)),
    "physnet blank": (entry(physnets="['a b']"), 4, ("holds a blank",)),
    "physnet quote": (entry(physnets="['a\"b']"), 4, ("nova.conf cannot carry",)),
    "physnet brace": (entry(physnets="['a}b']"), 4, ("holds '}'",)),
    "physnet comma": (entry(physnets="['a,b']"), 4, ("holds ','",)),
    "physnet colon": (entry(physnets="['a:b']"), 4, ("holds ':'",)),
    "physnet newline": (entry(physnets="['a\\nb']"), 4, (r"holds '\n'",)),
    "physnet dollar": (entry(physnets="['$a']"), 4, ("holds '$'",)),
    "physnet percent": (entry(physnets="['%(a)s']"), 4, ("holds '%'",)),
    "physnet comment": (entry(physnets="['#a']"), 4, ("holds '#'",)),
    "physnet escape": (entry(physnets="['\\x1b[0m']"), 4, (r"holds '\x1b'",)),
    "physnet twice": (entry(physnets="['p1', 'p1']"), 4, ("names 'p1' twice",)),
    "more physnets than VFs": (entry(VF="1", physnets="['p', 'q']"), 4, ("2 physical networks for 1 VF",)),
    "excluded leave none": (
        entry(VF="1", exclude_vfs="[0]"),
        4,
        ("1 physical network for 1 VF of which 1 is excluded",),
    ),
    "excluded out of range": (entry(exclude_vfs="[7]"), 4, ("VF 7 is out of range", "0 to 6")),
    "excluded negative": (entry(exclude_vfs="[-1]"), 4, ("-1 is not a VF number",)),
    "excluded text": (entry(exclude_vfs="'0'"), 4, ("is text, not a list of VF numbers",)),
    "excluded twice": (entry(exclude_vfs="[1, 1]"), 4, ("names one VF twice",)),
    "trusted text": (entry(trusted="'yes'"), 4, ("is text, not True or False",)),
    "interface twice": (
        entries("[{'interface': 'e', 'VF': 1, 'physnets': ['p']},\n  {'interface': 'e', 'VF': 2, 'physnets': ['p']}]"),
        5,
        ("'e' appears twice", "[0] has it too"),
    ),
    "pci twice": (
        entries(
            "[{'pci': '01:00.0', 'VF': 1, 'physnets': ['p']},\n {'pci': '0000:01:00.0', 'VF': 1, 'physnets': ['p']}]"
        ),
        5,
        ("appears twice",),
    ),
    # settings
    "release unknown": (extra("env.openstack_release = 'walaby'"), 4, ("walaby", "wallaby")),
    "release bool": (extra("env.openstack_release = True"), 4, ("not a release",)),
    "release of a stranger": (
        extra("env.openstack_release = {'root@10.0.0.3': 23}"),
        4,
        ("compute or openstack host",),
    ),
    "filters text": (extra("env.scheduler_filters = 'A,B'"), 4, ("is text, not a list",)),
    "filters without ours": (extra("env.scheduler_filters = ['ComputeFilter']"), 4, ("lacks PciPassthroughFilter",)),
    "filter broken": (
        extra("env.scheduler_filters = ['PciPassthroughFilter', 'a b']"),
        4,
        ("name of a filter",),
    ),
    "host keys text": (extra("env.accept_new_host_keys = 'True'"), 4, ("is text, not True or False",)),
    "key_filename a number": (extra("env.key_filename = 5"), 4, ("neither a path nor a list of paths",)),
    "hostnames text": (extra("env.hostnames = 'h'"), 4, ("env.hostnames: is text",)),
    "hostname escape": (extra("env.hostnames = {a: '\\x1b[2J'}"), 4, ("not a host name",)),
    "passwords a list": (extra("env.passwords = ['x']"), 4, ("env.passwords: is a list",)),
    "password a number": (extra("env.password = 5"), 4, ("env.password: is a whole number, not text",)),
    "port a word for all": (extra("env.port = 'ssh'"), 4, ("env.port", "1 to 65535")),
}

YAML_FAULTS: dict[str, tuple[str | bytes, int | None, tuple[str, ...]]] = {
    "empty": ("\n", None, ("is empty",)),
    "a list": ("- a\n", 1, ("is not a mapping of keys",)),
    "text": ("hello\n", 1, ("is not a mapping of keys",)),
    "broken": ("roledefs: {compute: [a\nx: 1\n", 2, ("YAML error",)),
    "tab": ("roledefs:\n\tcompute: [a]\n", 2, ("YAML error",)),
    "control character": ("a: \x01\n", None, ("characters that YAML does not allow",)),
    "two documents": ("a: 1\n---\nb: 2\n", 2, ("YAML error",)),
    "key twice": ("roledefs: {compute: [a]}\nsriov: {}\nsriov: {}\n", 3, ("line 2 has the same key",)),
    "host twice": (
        "roledefs: {compute: [a]}\nsriov:\n  a: []\n  a: []\n",
        4,
        ("line 3 has the same key",),
    ),
    "unknown key": (
        "roledefs: {compute: [a]}\nsriov:\n  a:\n    - interface: e\n      VFs: 7\n      physnets: [p]\n",
        5,
        ("sriov['a'][0]['VFs']: unknown key 'VFs'", "did you mean 'VF'?"),
    ),
    "VF text": (
        "roledefs: {compute: [a]}\nsriov:\n  a:\n    - {interface: e, physnets: [p],\n       VF: '7'}\n",
        5,
        ("'7' is text",),
    ),
    "role a string": ("roledefs:\n  compute: a\n", 2, ("is text, not a list",)),
    "number as key": ("5: x\n", 1, ("key that is not text",)),
    "tag": ("roledefs: !!python/object:os.system {}\n", 1, ("YAML error",)),
    "loop": ("roledefs: &r {compute: [*r]}\n", 1, ("is a dictionary, not a host string",)),
}


@pytest.mark.parametrize("case", PYTHON_FAULTS)
def test_fault_of_a_python_testbed_is_named_with_its_line(tmp_path: Path, case: str) -> None:
    content, line, fragments = PYTHON_FAULTS[case]
    check(failure(tmp_path, content), line, fragments)


@pytest.mark.parametrize("case", YAML_FAULTS)
def test_fault_of_a_yaml_testbed_is_named_with_its_line(tmp_path: Path, case: str) -> None:
    content, line, fragments = YAML_FAULTS[case]
    check(failure(tmp_path, content, "testbed.yaml"), line, fragments)


def check(error: TestbedError, line: int | None, fragments: tuple[str, ...]) -> None:
    assert error.exit_code == 2
    assert len(error.faults) == 1, str(error)
    (fault,) = error.faults
    assert [fragment for fragment in fragments if fragment not in str(fault)] == [], str(fault)
    if line is not None:
        assert fault.where == f"{error.path}:{line}", str(fault)


def test_all_faults_come_in_one_error_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        HEAD
        + "env.sriov = {\n  a: [{'interface': 'eth0;', 'VF': '7',\n       'physnets': []}],\n  b: [],\n}\n"
        + "env.password = 5\nenv.roledefs = {'compute': [a], 'openstack': [b, 'x:y']}\n"
    )
    error = failure(tmp_path, text)
    assert [int(fault.where.rpartition(":")[2]) for fault in error.faults] == [4, 4, 5, 6, 8, 9]
    assert str(error).startswith(f"the testbed {error.path} has 6 faults; nothing was touched")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing.py", "there is no such file"), ("", "is a directory"), ("testbed.txt", "neither .py nor .yaml")],
)
def test_path_that_is_no_testbed_is_named(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(TestbedError, match=reason):
        load(tmp_path / name)


def test_file_that_cannot_be_read_gives_the_system_s_reason(tmp_path: Path) -> None:
    path = tmp_path / "testbed.py"
    path.symlink_to(path)  # a loop: unreadable for root too
    with pytest.raises(TestbedError, match="cannot be read: Too many levels of symbolic links"):
        load(path)


@pytest.mark.parametrize(
    "line",
    [
        f"env.password = {SECRET}",
        f"env.passwords = {{a:\n  {SECRET}}}",
        f"env.passwords = {{a: '{SECRET}\n'}}",
        f"env.passwords = {{a: \u201c{SECRET}\u201d}}",
        f"env.passwords = {{'{SECRET} !': 5}}",
        f"env.passwords = ['{SECRET}']",
        f"env.password = ['{SECRET}']",
        f"env.password = '{SECRET}\\n'",
        f"env.passwords = {{a: '{SECRET}' b: 'x'}}",
        f"raise ValueError('{SECRET}')",
        f"int('{SECRET}')",
        f"env.roledefs = {{'compute': ['root:{SECRET}@h']}}",
        f"env.sriov = {{'root:{SECRET}@h': []}}",
        f"env.passwords = dict(zip([a], [{SECRET}.x]))",
    ],
)
def test_no_fault_shows_a_password(tmp_path: Path, line: str) -> None:
    error = failure(tmp_path, HEAD + ROLES + line + "\nenv.scheduler_filters = 5\n")
    assert error.faults
    chain = [error, error.__cause__, error.__context__]
    assert SECRET not in "".join(f"{link!r}{link}{getattr(link, 'text', '')}" for link in chain if link)


@pytest.mark.parametrize(
    "value", [f"*{SECRET}", f"!{SECRET} x", f"'{SECRET}", f"[{SECRET}]", f"{{ {SECRET}", f"@{SECRET}"]
)
def test_no_fault_of_a_yaml_testbed_shows_a_password(tmp_path: Path, value: str) -> None:
    error = failure(tmp_path, f"roledefs: {{compute: [a]}}\npasswords:\n  a: {value}\nx: 1\n", "testbed.yml")
    assert SECRET not in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "env.sriov = {}\nenv.sriov[a] = [{'interface': 'e',\n   'VF': '7', 'physnets': ['p']}]",
        "x = [{'interface': 'e',\n\n 'VF': '7', 'physnets': ['p']}]\nenv.sriov = {a: x}",
        "env['sriov'] = {\n 'root@%s' % '10.0.0.1': [{'interface': 'e',\n 'VF': '7', 'physnets': ['p']}]}",
        "if a == b:\n    env.sriov = {}\nelse: env.sriov = {a: [{'interface': 'e', 'VF': '7', 'physnets': ['p']}]}",
        "env.sriov = {a: [{'interface': 'e', 'physnets': ['p']}]}\n\nenv.sriov[a][0]['VF'] = '7'",
    ],
)
def test_line_is_found_however_the_value_was_assigned(tmp_path: Path, text: str) -> None:
    (fault,) = failure(tmp_path, HEAD + ROLES + text + "\n").faults
    assert fault.where.endswith(":6")


def test_value_that_was_computed_is_named_by_its_nearest_line(tmp_path: Path) -> None:
    text = "env.sriov = dict((h, [dict(interface='e', VF='7', physnets=['p'])]) for h in [a])"
    (fault,) = failure(tmp_path, HEAD + ROLES + text + "\n").faults
    assert fault.where.endswith(":4")
    assert "env.sriov['root@10.0.0.1'][0]['VF']" in fault.what


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4)
values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["compute", "openstack", "a", "VF", "interface", "physnets", "all", 5]), inner
        )
    ),
    max_leaves=12,
)


env_keys = st.sampled_from(sorted(READ_KEYS))


@settings(max_examples=150, deadline=None)
@given(key=env_keys, value=values)
def test_any_value_loads_or_is_a_testbed_error(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    path = tmp_path_factory.mktemp("any") / "testbed.py"
    path.write_text(
        f"from fabric.api import env\ninf = nan = 0.5\nenv.roledefs = {{'compute': ['a']}}\nenv.{key} = {value!r}\n"
    )
    try:
        load(path)
    except TestbedError as error:
        assert error.faults  # noqa: PT017 - either end is right; what must not leave is another kind of error


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=60) | st.text("{}[]:-*&!#'\"a1 \n\t|>%@", max_size=40).map(str.encode))
@pytest.mark.parametrize("suffix", [".py", ".yaml"])
def test_any_bytes_load_or_are_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / f"testbed{suffix}"
    path.write_bytes(content)
    with pytest.raises(SriovError):
        load(path)


def test_device_is_not_read() -> None:
    with pytest.raises(TestbedError, match=r"neither \.py nor \.yaml"):
        load(os.devnull)
