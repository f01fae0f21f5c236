"""The configuration of each service, as small as it can be. What SR-IOV needs is left out: our tool adds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .layout import ETC, PORTS, RUN, SECRET, STATE, VENV

Sections = Mapping[str, Mapping[str, object]]
ADMIN = {
    "auth_url": "http://127.0.0.1:5000/",
    "auth_type": "password",
    "username": "admin",
    "password": SECRET,
    "project_name": "admin",
    "user_domain_id": "default",
    "project_domain_id": "default",
    "region_name": "RegionOne",
}
TOKENS = {"www_authenticate_uri": "http://127.0.0.1:5000/", **ADMIN}
BUS = "rabbit://guest:guest@127.0.0.1:5672/"


def text(sections: Sections) -> str:
    """oslo.config's file format."""
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())
        for name, options in sections.items()
    )


def database(name: str) -> str:
    return f"mysql+pymysql://root:{SECRET}@127.0.0.1:3306/{name}?charset=utf8"


def keystone() -> str:
    return text(
        {
            "database": {"connection": database("keystone")},
            "token": {"provider": "fernet"},
            "fernet_tokens": {"key_repository": STATE / "fernet-keys"},
            "credential": {"key_repository": STATE / "credential-keys"},
        }
    )


def placement() -> str:
    return text(
        {
            "placement_database": {"connection": database("placement")},
            "api": {"auth_strategy": "keystone"},
            "keystone_authtoken": TOKENS,
        }
    )


def glance() -> str:
    return text(
        {
            "DEFAULT": {"enabled_backends": "fs:file"},
            "database": {"connection": database("glance")},
            "glance_store": {"default_backend": "fs"},
            "fs": {"filesystem_store_datadir": RUN / "images"},
            "keystone_authtoken": TOKENS,
            "paste_deploy": {"flavor": "keystone", "config_file": VENV / "etc/glance/glance-api-paste.ini"},
            "oslo_concurrency": {"lock_path": STATE},
        }
    )


def neutron() -> str:
    return text(
        {
            "DEFAULT": {
                "auth_strategy": "keystone",
                "core_plugin": "ml2",
                "service_plugins": "",
                "transport_url": BUS,
                "api_paste_config": VENV / "etc/neutron/api-paste.ini",
                "state_path": STATE,
                "bind_host": "127.0.0.1",
                "rpc_workers": 1,
                "rpc_state_report_workers": 0,
                "api_workers": 1,
            },
            "database": {"connection": database("neutron")},
            **dict.fromkeys(("nova", "placement"), ADMIN),
            "keystone_authtoken": TOKENS,
            "oslo_concurrency": {"lock_path": STATE},
        }
    )


def ml2() -> str:
    """As before anybody thought of SR-IOV: one mechanism driver, no VLANs. Our tool adds the rest."""
    return text(
        {
            "ml2": {
                "type_drivers": "vlan,flat",
                "tenant_network_types": "vlan",
                "mechanism_drivers": "openvswitch",
                "extension_drivers": "port_security",
            },
            "ml2_type_flat": {"flat_networks": ""},
        }
    )


def nova(host: str, state: str) -> str:
    """One file for every nova service of a host; no whitelist, no filters: our tool writes these."""
    return text(
        {
            "DEFAULT": {
                "host": host,
                "my_ip": "127.0.0.1",
                "state_path": state,
                "transport_url": BUS,
                "compute_driver": "sysfs_driver.Driver",
                "vif_plugging_timeout": 60,
                "vif_plugging_is_fatal": "true",
            },
            "api_database": {"connection": database("nova_api")},
            "database": {"connection": database("nova")},
            "api": {"auth_strategy": "keystone"},
            "keystone_authtoken": TOKENS,
            **dict.fromkeys(("placement", "neutron", "glance"), ADMIN),
            "service_user": {"send_service_user_token": "true", **ADMIN},
            "vnc": {"enabled": "false"},
            "oslo_concurrency": {"lock_path": state},
            "quota": {"driver": "nova.quota.NoopQuotaDriver"},
            "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 5},
            "conductor": {"workers": 1},
        }
    )


def gunicorn(name: str) -> str:
    """A gunicorn.conf.py: gunicorn is started without arguments, for neutron parses sys.argv itself."""
    application = {"nova": "nova.wsgi.osapi_compute"}.get(name, f"{name}.wsgi.api")
    return (
        f"wsgi_app = '{application}:application'\nbind = '127.0.0.1:{PORTS[name]}'\n"
        "workers = 1\nthreads = 4\nworker_class = 'gthread'\ntimeout = 300\n"
    )


def environment(neutron: Path = ETC / "neutron") -> dict[str, str]:
    """Where the services look for their files. nova takes the first of its files for api-paste's."""
    return {
        "HOME": str(RUN),
        "OS_KEYSTONE_CONFIG_DIR": str(ETC / "keystone"),
        "OS_PLACEMENT_CONFIG_DIR": str(ETC / "placement"),
        "OS_GLANCE_CONFIG_DIR": str(ETC / "glance"),
        "OS_NOVA_CONFIG_DIR": str(ETC / "nova"),
        "OS_NOVA_CONFIG_FILES": "api-paste.ini;nova.conf",
        "OS_NEUTRON_CONFIG_DIR": str(neutron),
        "OS_NEUTRON_CONFIG_FILES": "neutron.conf;plugins/ml2/ml2_conf.ini",
    }
