"""The control plane: MariaDB, RabbitMQ, keystone, placement, glance, neutron, and nova's API, conductor, scheduler."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import config, processes
from .layout import (
    AUTH_URL,
    DATABASE_TEMPLATE,
    DATABASES,
    ETC,
    HOME,
    LOG,
    PORTS,
    RUN,
    SECRET,
    STATE,
    VENV,
    program,
    python,
)
from .processes import Processes

OPENRC = {
    "OS_AUTH_URL": AUTH_URL,
    "OS_USERNAME": "admin",
    "OS_PASSWORD": SECRET,
    "OS_PROJECT_NAME": "admin",
    "OS_USER_DOMAIN_ID": "default",
    "OS_PROJECT_DOMAIN_ID": "default",
    "OS_REGION_NAME": "RegionOne",
}
CATALOGUE = """
import openstack
cloud = openstack.connect()
# nova sends service tokens, and neutron refuses them unless their user has the role `service`
role = cloud.identity.find_role("service") or cloud.identity.create_role(name="service")
admin = cloud.identity.find_project("admin"), cloud.identity.find_user("admin")
cloud.identity.assign_project_role_to_user(admin[0].id, admin[1].id, role.id)
for name, kind, url in {services!r}:
    service = cloud.identity.create_service(name=name, type=kind)
    for interface in ("public", "internal", "admin"):
        cloud.identity.create_endpoint(service_id=service.id, interface=interface, url=url, region_id="RegionOne")
"""
_RABBIT = {
    "RABBITMQ_NODENAME": "cloud@localhost",
    "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
    "RABBITMQ_NODE_PORT": "5672",
    "ERL_EPMD_ADDRESS": "127.0.0.1",
    "RABBITMQ_MNESIA_BASE": str(RUN / "rabbit"),
    "RABBITMQ_LOG_BASE": str(LOG),
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
    "RABBITMQ_ENABLED_PLUGINS_FILE": str(RUN / "rabbit-plugins"),
    "RABBITMQ_CONFIG_FILE": str(RUN / "rabbit.conf"),
    "HOME": str(RUN),
}


def prepare() -> None:
    """Empty folders, and the files of what runs beside the hosts; neutron's is for its database alone."""
    shutil.rmtree(RUN, ignore_errors=True)
    for folder in (ETC, LOG, STATE, RUN / "images", *(ETC / name for name in PORTS)):
        folder.mkdir(parents=True, exist_ok=True)
    RUN.chmod(0o700)
    (ETC / "keystone/keystone.conf").write_text(config.keystone())
    (ETC / "placement/placement.conf").write_text(config.placement())
    (ETC / "glance/glance-api.conf").write_text(config.glance())
    (ETC / "neutron/neutron.conf").write_text(config.neutron())
    (ETC / "nova/nova.conf").write_text(config.nova("controller", str(STATE)))
    (RUN / "rabbit-plugins").write_text("[].\n")
    (RUN / "rabbit.conf").write_text("")
    shutil.copy(VENV / "etc/nova/api-paste.ini", ETC / "nova/api-paste.ini")


def start_base(running: Processes) -> None:
    """Database and bus. The first run of all makes the tables, which takes a minute, and keeps them for the next."""
    if not DATABASE_TEMPLATE.exists():
        _make_databases()
    shutil.copytree(DATABASE_TEMPLATE / "mysql", RUN / "mysql")
    for name in ("fernet-keys", "credential-keys"):
        shutil.copytree(DATABASE_TEMPLATE / name, STATE / name)
    running.start("rabbitmq", ["/usr/lib/rabbitmq/bin/rabbitmq-server"], _RABBIT)
    running.start("mariadb", _mariadb())
    running.wait_port("mariadb", 3306)
    running.wait_port("rabbitmq", 5672)


def _mariadb() -> list[str]:
    return [
        "mariadbd", "--no-defaults", "--user=root", f"--datadir={RUN}/mysql", f"--socket={RUN}/mysql.sock",
        "--bind-address=127.0.0.1", "--port=3306", "--skip-name-resolve", "--max-connections=500", "--skip-log-bin",
        "--innodb-flush-log-at-trx-commit=0", f"--pid-file={RUN}/mysql.pid",
    ]  # fmt: skip


def _make_databases() -> None:
    """Into RUN, then aside as the template; a run that is cut short leaves none."""
    log, making = LOG / "databases.log", Processes(LOG)
    processes.run(
        ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={RUN}/mysql",
         "--auth-root-authentication-method=normal"],
        log,
    )  # fmt: skip
    making.start("mariadb", _mariadb())
    making.wait_port("mariadb", 3306)
    try:
        _sql("".join(f"CREATE DATABASE {name} CHARACTER SET utf8;" for name in DATABASES))
        _sql(
            f"CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '{SECRET}';"
            "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;"
        )
        _make_tables(log)
    finally:
        making.stop_all()
    aside = DATABASE_TEMPLATE.with_suffix(".new")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.move(RUN / "mysql", aside / "mysql")
    for name in ("fernet-keys", "credential-keys"):
        shutil.move(STATE / name, aside / name)
    os.rename(aside, DATABASE_TEMPLATE)


def _sql(statements: str) -> None:
    subprocess.run(["mariadb", "-uroot", "-S", f"{RUN}/mysql.sock", "-e", statements], check=True)


def _make_tables(log: Path) -> None:
    environment = config.environment()
    nova = [*program("nova-manage"), "--config-file", str(ETC / "nova/nova.conf")]
    keystone = [*program("keystone-manage"), "--config-file", str(ETC / "keystone/keystone.conf")]
    owner = ["--keystone-user", "root", "--keystone-group", "root"]
    urls = [f"--bootstrap-{kind}-url={AUTH_URL}" for kind in ("public", "internal", "admin")]
    bootstrap = ["bootstrap", "--bootstrap-password", SECRET, "--bootstrap-region-id", "RegionOne", *urls]
    for name in ("fernet-keys", "credential-keys"):
        (STATE / name).mkdir()
    first: list[Sequence[str]] = [
        [*keystone, "db_sync"], [*keystone, "fernet_setup", *owner], [*keystone, "credential_setup", *owner],
        [*keystone, *bootstrap], [*nova, "api_db", "sync"],
        [*nova, "cell_v2", "map_cell0", "--database_connection", config.database("nova_cell0")],
        [*nova, "db", "sync"], [*nova, "cell_v2", "create_cell", "--name=cell1"],
    ]  # fmt: skip
    second: list[Sequence[str]] = [
        [*program("neutron-db-manage"), "--config-file", str(ETC / "neutron/neutron.conf"), "upgrade", "heads"],
        [*program("placement-manage"), "--config-file", str(ETC / "placement/placement.conf"), "db", "sync"],
        [*program("glance-manage"), "--config-file", str(ETC / "glance/glance-api.conf"), "db_sync"],
    ]
    failed: list[Exception] = []
    threads = [threading.Thread(target=_in_order, args=(part, log, environment, failed)) for part in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def _in_order(
    commands: Sequence[Sequence[str]], log: Path, environment: Mapping[str, str], failed: list[Exception]
) -> None:
    try:
        for words in commands:
            processes.run(words, log, environment)
    except processes.CloudError as error:
        failed.append(error)


def start_apis(running: Processes) -> None:
    """Every HTTP service but neutron's, which waits for its host; keystone's catalogue; nova-conductor."""
    for name in ("keystone", "placement", "glance"):
        _start_api(running, name)
    for name in ("keystone", "placement", "glance"):
        running.wait_port(name, PORTS[name])
    services = [
        ("placement", "placement", "http://127.0.0.1:8778"),
        ("glance", "image", "http://127.0.0.1:9292"),
        ("nova", "compute", "http://127.0.0.1:8774/v2.1"),
        ("neutron", "network", "http://127.0.0.1:9696"),
    ]
    processes.run([python(), "-c", CATALOGUE.format(services=services)], LOG / "catalogue.log", OPENRC)
    _start_api(running, "nova")
    start_nova(running, "conductor", ETC / "nova/nova.conf")
    running.wait_port("nova", PORTS["nova"])


def start_neutron(running: Processes, folder: Path) -> None:
    """neutron's API and its RPC server with the files below this /etc/neutron."""
    environment = config.environment(folder)
    files = [folder / "neutron.conf", folder / "plugins/ml2/ml2_conf.ini"]
    words = [word for file in files for word in ("--config-file", str(file))]
    for name in ("neutron", "neutron-rpc"):
        running.stop(name)
    running.start("neutron-rpc", [*program("neutron-rpc-server"), *words], environment)
    _start_api(running, "neutron", environment)
    running.wait_port("neutron", PORTS["neutron"])


def _start_api(running: Processes, name: str, environment: Mapping[str, str] | None = None) -> None:
    folder = RUN / "wsgi" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gunicorn.conf.py").write_text(config.gunicorn(name))
    running.start(name, program("gunicorn"), environment or config.environment(), folder)


def start_nova(running: Processes, part: str, file: Path) -> None:
    """nova-conductor or nova-scheduler with this nova.conf."""
    running.stop(part)
    running.start(part, [*program(f"nova-{part}"), "--config-file", str(file)])


def disk_use() -> str:
    return subprocess.run(["du", "-sh", str(HOME)], capture_output=True, text=True, check=True).stdout.split()[0]
