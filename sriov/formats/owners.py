"""Who maintains a configuration file, by the comments at its head, and what that program would read lastingly."""

from __future__ import annotations

import re
from typing import NamedTuple

_HEAD = 60  # lines at the begin that may belong to a header
_ACTS = re.compile(
    rb"manag|maintain|generat|overwrit|deploy|render|creat|control|written|configured|do not (edit|modify|change)"
    rb"|don't (edit|modify|change)|by hand",
    re.IGNORECASE,
)


class Owner(NamedTuple):
    """`program` as it is called; where the whitelist (`compute`), the filters (`scheduler`) and neutron's options last.

    `scheduler` is empty where that is one place with the whitelist's.
    """

    program: str
    compute: str
    scheduler: str
    neutron: str

    def lasting(self, path: str) -> str:
        """Where to put our options, so that they stay."""
        if "/neutron/" in path:
            return self.neutron
        return f"{self.compute} (whitelist), {self.scheduler} (filters)" if self.scheduler else self.compute


JUJU = "Juju"
_OWNERS = {
    rb"\bjuju\b": Owner(
        JUJU,
        "the option pci-passthrough-whitelist of the charm nova-compute, one JSON list",
        "enable-sriov=true of the charm neutron-api",
        "enable-sriov and sriov-device-mappings of the charm neutron-openvswitch",
    ),
    # before kolla-ansible and Ansible, which it runs
    rb"\bkayobe\b": Owner(
        "Kayobe",
        "kolla/config/nova/nova-compute.conf in the configuration of Kayobe",
        "kolla/config/nova/nova-scheduler.conf there",
        "enable_neutron_sriov and neutron_sriov_physnet_mappings in kolla/globals.yml of Kayobe's configuration",
    ),
    rb"\bkolla\b": Owner(
        "kolla-ansible",
        "nova_pci_passthrough_whitelist, or /etc/kolla/config/nova/HOST/nova-compute.conf",
        "/etc/kolla/config/nova/nova-scheduler.conf",
        "enable_neutron_sriov and neutron_sriov_physnet_mappings",
    ),
    rb"\btripleo\b": Owner(
        "TripleO",
        "the parameter NovaPCIPassthrough",
        "NovaSchedulerEnabledFilters",
        "the parameter NeutronPhysicalDevMappings",
    ),
    # TripleO's successor, before Ansible, which runs its roles
    rb"\bedpm([-_]ansible)?\b": Owner(
        "edpm-ansible",
        "a ConfigMap of the OpenStackDataPlaneService for nova with SR-IOV",
        "customServiceConfig of nova's schedulerServiceTemplate in the OpenStackControlPlane",
        "edpm_neutron_sriov_agent_SRIOV_NIC_physical_device_mappings of the OpenStackDataPlaneNodeSet",
    ),
    rb"\bansible(_managed)?\b": Owner(
        "Ansible",
        "a group variable of its role, in openstack-ansible nova_device_spec",
        "nova_scheduler_extra_filters",
        "a group variable of its role, in openstack-ansible neutron_provider_networks",
    ),
    rb"\bpuppet\b": Owner(
        "Puppet",
        "the parameter of the class nova::compute::pci, in Hiera",
        "nova::scheduler::filter::scheduler_enabled_filters",
        "neutron::agents::ml2::sriov, in Hiera",
    ),
    rb"\bcrowbar\b": Owner(
        "Crowbar",
        "an attribute of its barclamp nova",
        "",
        "an attribute of its barclamp neutron",
    ),
    rb"\bchef\b": Owner(
        "Chef",
        "an attribute of its role or cookbook",
        "",
        "an attribute of its role or cookbook",
    ),
    rb"\bsalt(stack)?\b": Owner("Salt", "a pillar of its formula", "", "a pillar of its formula"),
}
_OTHER = Owner("another program", "what that program is told", "", "what that program is told")
_NAMELESS = re.compile(
    rb"(changes|modifications|edits) .{0,40}?(may|will) be (overwritten|lost|reverted|discarded)"
    rb"|(do not|don't) (manually )?(edit|modify|change)( this file| manually| by hand| directly|[ .!*#]*$)"
    rb"|file (is )?(auto-?)?(managed|maintained|generated|controlled|rendered|deployed)|generated file"
    rb"|auto[-_ ]?generated|automatically (generated|managed|maintained|created|written|rendered)|managed (by|file)"
    rb"|^[#; ]*(generated|rendered|deployed) by (?!oslo)",
    re.IGNORECASE | re.MULTILINE,
)


def owner_of(text: bytes) -> Owner | None:
    """Whose file it is by its header; None where the comments at its head name no one.

    `# Configuration file maintained by Juju. Local changes may be overwritten.`
    """
    head = _header(text)
    if b"sriov-fab" in head:  # our own words are no header
        return None
    for line in head.split(b"\n"):
        for name, owner in _OWNERS.items():
            if re.search(name, line, re.IGNORECASE) and _ACTS.search(line):
                return owner
    return _OTHER if _NAMELESS.search(head) else None


def _header(text: bytes) -> bytes:
    lines = []
    for line in text.removeprefix(b"\xef\xbb\xbf").splitlines()[:_HEAD]:
        stripped = line.strip()
        if stripped and not stripped.startswith((b"#", b";")):
            break
        lines.append(stripped)
    return b"\n".join(lines)
