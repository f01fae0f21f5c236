"""Files of neutron, and what it reads from them: oslo.config with the options as neutron registers them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from oslo_config import cfg

NEUTRON_CONF = "/etc/neutron/neutron.conf"
ML2 = "/etc/neutron/plugins/ml2/ml2_conf.ini"
AGENT = "/etc/neutron/plugins/ml2/sriov_agent.ini"


def reads(*texts: bytes) -> dict[str, list[str]]:
    """What neutron reads from these files, in this order."""
    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.ListOpt("mechanism_drivers", default=[])], "ml2")
    conf.register_opts([cfg.ListOpt("network_vlan_ranges", default=[])], "ml2_type_vlan")
    options = [cfg.ListOpt("physical_device_mappings", default=[]), cfg.ListOpt("exclude_devices", default=[])]
    conf.register_opts(options, "sriov_nic")
    with TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.conf") for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_bytes(text)
        conf([], default_config_files=[str(path) for path in paths], default_config_dirs=[])
        return {
            "drivers": conf.ml2.mechanism_drivers,
            "ranges": conf.ml2_type_vlan.network_vlan_ranges,
            "mappings": conf.sriov_nic.physical_device_mappings,
            "excluded": conf.sriov_nic.exclude_devices,
        }
