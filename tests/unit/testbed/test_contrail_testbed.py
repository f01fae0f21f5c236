"""`env.contrail_api` and `env.contrail_register` in a testbed: what is taken, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriov.errors import TestbedError
from sriov.model import Testbed
from sriov.testbed import load

HEAD = "from fabric.api import env\nhost = 'root@10.0.0.1'\nenv.roledefs = {'compute': [host]}\n"


def loaded(folder: Path, *lines: str) -> Testbed:
    path = folder / "testbed.py"
    path.write_text(HEAD + "\n".join(lines) + "\n")
    return load(path)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("'http://controller:8082'", "http://controller:8082"),
        ("'http://controller:8082/'", "http://controller:8082"),
        ("'https://contrail.example.org'", "https://contrail.example.org"),
        ("'https://lb_1.example.org./contrail/config/'", "https://lb_1.example.org./contrail/config"),
        ("'http://[2001:db8::1]:8082'", "http://[2001:db8::1]:8082"),
        ("'http://[2001:db8::1]'", "http://[2001:db8::1]"),
        ("None", ""),
    ],
)
def test_url_is_read(tmp_path: Path, written: str, read: str) -> None:
    assert loaded(tmp_path, f"env.contrail_api = {written}").contrail_api == read


@pytest.mark.parametrize(
    "written",
    [
        *(
            "''",
            "' '",
            "'controller:8082'",
            "'controller'",
            "'ftp://controller:8082'",
            "'HTTP://controller'",
            "'http://'",
        ),
        *("'http:///x'", "'http:controller'", "'http://:8082'", "'http://controller:'", "'http://controller:0'"),
        *(
            "'http://controller:65536'",
            "'http://controller:80a2'",
            "'http://con troller:8082'",
            "'http://controller:8082 '",
        ),
        *("' http://controller:8082'", r"'http://controller:8082\n'", r"'http://contr\noller'", "'http://[::1'"),
        *(
            "'http://controller:8082?x=1'",
            "'http://controller:8082/#a'",
            "'http://controller:8082/a b'",
            "'http://c/%0a'",
        ),
        *(
            "'http://contrôleur:8082'",
            "'http://a..b/../:8082'",
            "'http://-a'",
            "8082",
            "['http://controller:8082']",
            "True",
        ),
    ],
)
def test_what_is_no_url_of_an_api_server_is_refused_with_its_line(tmp_path: Path, written: str) -> None:
    with pytest.raises(TestbedError) as caught:
        loaded(tmp_path, f"env.contrail_api = {written}")
    (fault,) = caught.value.faults
    assert fault.id == "invalid-contrail-api"
    assert "testbed.py:4" in fault.where
    assert "http://controller:8082" in fault.hint


def test_password_in_the_url_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(TestbedError, match="has a user or a password") as caught:
        loaded(tmp_path, "env.contrail_api = 'http://admin:s3cret@controller:8082'")
    assert "s3cret" not in str(caught.value)


API, REGISTER, ML2 = "env.contrail_api = 'http://c:8082'", "env.contrail_register = True", "env.network_backend = 'ml2'"


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        ((API, ML2), ["contrail-key-under-ml2"]),
        ((API, REGISTER, ML2), ["contrail-key-under-ml2"] * 2),
        ((REGISTER, ML2), ["contrail-key-under-ml2"]),
        ((REGISTER,), ["contrail-api-missing"]),
        ((REGISTER, "env.contrail_api = None"), ["contrail-api-missing"]),
        ((API, "env.contrail_register = 'yes'"), ["wrong-type"]),
        ((API, "env.contrail_register = 1"), ["wrong-type"]),
        ((REGISTER, "env.contrail_api = 'c'"), ["invalid-contrail-api"]),
    ],
)
def test_keys_that_do_not_go_together_are_refused(tmp_path: Path, lines: tuple[str, ...], ids: list[str]) -> None:
    with pytest.raises(TestbedError) as caught:
        loaded(tmp_path, *lines)
    assert [fault.id for fault in caught.value.faults] == ids


def test_registration_is_only_on_request(tmp_path: Path) -> None:
    assert not loaded(tmp_path, API).contrail_register
    assert not loaded(tmp_path, API, "env.contrail_register = None").contrail_register
    assert not loaded(tmp_path, "env.contrail_register = False", ML2).contrail_register
    assert loaded(tmp_path, API, REGISTER).contrail_register


def test_yaml_has_the_same_keys(tmp_path: Path) -> None:
    path = tmp_path / "testbed.yaml"
    path.write_text("roledefs: {compute: [root@10.0.0.1]}\ncontrail_api: http://c:8082\ncontrail_register: true\n")
    assert (load(path).contrail_api, load(path).contrail_register) == ("http://c:8082", True)
