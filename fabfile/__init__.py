"""The tasks. Each loads the testbed, lets the library work, prints the report and returns the exit code."""

from __future__ import annotations

from . import startup  # noqa: F401
from .cloud_tasks import (  # noqa: F401 - tasks, which install() and fab look for here
    create_sriov_network,
    create_sriov_port,
    delete_sriov_vm,
    launch_sriov_vm,
    show_sriov_port,
    smoke,
)
from .fab1 import Hosts
from .operator_task import install, operator_task
from .options import (
    COUNT,
    DRAIN,
    FORCE_VERSION,
    INTERVAL,
    PHYSNET,
    PREVIEW,
    PURGE,
    REMOVE,
    RUN,
    START_SERVICES,
    Options,
)

# what a wrong call does not need (fabric's transport, jinja2, rich) is imported when a task runs


@operator_task(positional=("reboot",), own=(DRAIN, FORCE_VERSION, REMOVE, START_SERVICES))
def setup_all(options: Options) -> int:
    """Bring every compute and openstack host of the testbed to SR-IOV. Example: fab setup_all:reboot=False"""
    from .commands import converge

    return converge("setup_all", options)


@operator_task(hosts=Hosts.REQUIRED, own=(DRAIN, FORCE_VERSION, REMOVE, START_SERVICES))
def add_vrouter_node(options: Options) -> int:
    """These hosts' compute side alone; setup_sriov_node does both. Example: fab add_vrouter_node:root@10.0.0.2"""
    from .commands import add_vrouter_node as run

    return run(options)


@operator_task(hosts=Hosts.REQUIRED, own=(DRAIN, FORCE_VERSION, REMOVE, START_SERVICES))
def setup_sriov_node(options: Options) -> int:
    """Both sides of new nodes: these as compute, all openstack hosts. Example: fab setup_sriov_node:root@10.0.0.3"""
    from .commands import setup_sriov_node as run

    return run(options)


@operator_task(hosts=Hosts.REQUIRED, own=(FORCE_VERSION, REMOVE, START_SERVICES))
def setup_openstack_node(options: Options) -> int:
    """The scheduler side of these hosts: PciPassthroughFilter. Example: fab setup_openstack_node:root@10.0.0.1"""
    from .commands import OPENSTACK, converge

    return converge("setup_openstack_node", options, OPENSTACK)


@operator_task(hosts=Hosts.OPTIONAL, own=(REMOVE, START_SERVICES))
def plan(options: Options) -> int:
    """Say what would change, with its effect and a diff; touch nothing. Example: fab plan root@10.0.0.2"""
    from .commands import look

    return look("plan", options)


@operator_task(hosts=Hosts.OPTIONAL, own=(START_SERVICES,))
def verify(options: Options) -> int:
    """Prove the state of these hosts or all; name what has drifted. Example: fab verify --json"""
    from .commands import look

    return look("verify", options)


@operator_task(hosts=Hosts.OPTIONAL)
def status(options: Options) -> int:
    """One row per host and physical function: VFs, physical networks, kernel, services. Example: fab status"""
    from .commands import look

    return look("status", options)


@operator_task(hosts=Hosts.OPTIONAL)
def capacity(options: Options) -> int:
    """VFs by network and host as host, whitelist and cloud have them; who has which; orphans. Example: fab capacity"""
    from .capacity_commands import capacity as run

    return run(options)


@operator_task(hosts=Hosts.OPTIONAL, own=(INTERVAL,))
def stats(options: Options) -> int:
    """What each VF has received and sent, and who has it. Example: fab stats root@10.0.0.2 --interval 10"""
    from .stats_commands import stats as run

    return run(options)


@operator_task(positional=("physnet", "count"), own=(PHYSNET, COUNT))
def explain(options: Options) -> int:
    """Why no valid host? Each step as nova decides it, the failing one named. Example: fab explain:physnet1,2"""
    from .capacity_commands import explain as run

    return run(options)


@operator_task(hosts=Hosts.REQUIRED)
def discover(options: Options) -> int:
    """Read the hardware and print an env.sriov stanza to paste. Example: fab discover:root@10.0.0.2"""
    from .commands import discover as run

    return run(options)


@operator_task(hosts=Hosts.REQUIRED, own=(RUN, FORCE_VERSION))
def rollback(options: Options) -> int:
    """Put back what the last run (or --run ID) replaced on these hosts. Example: fab rollback:root@10.0.0.2"""
    from .commands import rollback as run

    return run(options)


@operator_task(hosts=Hosts.REQUIRED, own=(PREVIEW, PURGE, DRAIN, FORCE_VERSION))
def remove(options: Options) -> int:
    """Take everything of ours off these hosts; --plan only says what. Example: fab remove:root@10.0.0.2"""
    from .commands import remove as run

    return run(options)


install(globals())
