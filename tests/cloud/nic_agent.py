"""Stands in for neutron-sriov-nic-agent, which needs a card: reports its state, and brings bound ports up.

nic_agent.py HOST --config-file neutron.conf --config-file sriov_agent.ini
It speaks neutron's own RPC, and reads its mappings by the agent's own parser; run by the interpreter that has neutron.
"""

import sys
import time

HOST = sys.argv[1]
ARGUMENTS, sys.argv = sys.argv[2:], sys.argv[:1]  # neutron parses sys.argv

import openstack  # noqa: E402
import oslo_messaging  # noqa: E402
from keystoneauth1.exceptions import ClientException  # noqa: E402
from neutron.agent import rpc  # noqa: E402
from neutron.common import config  # noqa: E402
from neutron.conf.agent import common as agent_options  # noqa: E402
from neutron.plugins.ml2.drivers.mech_sriov.agent.sriov_nic_agent import SriovNicAgentConfigParser  # noqa: E402
from neutron_lib import context  # noqa: E402
from neutron_lib.agent import topics  # noqa: E402
from oslo_config import cfg  # noqa: E402

REPORT_SECONDS = 20


def state():
    parser = SriovNicAgentConfigParser()
    parser.parse()
    bandwidths = (
        "resource_provider_bandwidths", "resource_provider_hypervisors", "resource_provider_inventory_defaults"
    )  # fmt: skip
    return {
        "binary": "neutron-sriov-nic-agent",
        "host": HOST,
        "topic": "N/A",
        "agent_type": "NIC Switch agent",
        "start_flag": True,
        "configurations": {
            "device_mappings": parser.device_mappings, "devices": 0, "extensions": [],
            **{name: {} for name in bandwidths},
        },
    }  # fmt: skip


def main():
    config.register_common_config_options()
    agent_options.register_agent_state_opts_helper(cfg.CONF)
    config.init(ARGUMENTS)
    config.setup_logging()
    admin, cloud, report = context.get_admin_context_without_session(), openstack.connect(), state()
    reporter, plugin = rpc.PluginReportStateAPI(topics.REPORTS), rpc.PluginApi(topics.PLUGIN)
    reporter.timeout = 5
    up, reported = set(), 0.0
    agent = f"nic-switch-agent.{HOST}"
    while True:
        if time.monotonic() - reported > REPORT_SECONDS or not reported:
            try:
                reporter.report_state(admin, report, use_call=True)
            except oslo_messaging.MessagingTimeout:  # neutron-rpc-server is not there yet
                continue
            report.pop("start_flag", None)
            reported = time.monotonic()
        try:
            bound = list(cloud.network.ports(binding_host_id=HOST))
        except (openstack.exceptions.SDKException, ClientException) as error:  # a connection cut short: asked again
            print(error, flush=True)
            bound = []
        bound = [port for port in bound if port.binding_vif_type == "hw_veb"]
        up &= {
            (port.id, port.device_id) for port in bound
        }  # a port that was given back comes up again with its next VM
        for port in bound:
            key = (port.id, port.device_id)
            if key not in up:
                plugin.get_devices_details_list(admin, [port.mac_address], agent, HOST)
                plugin.update_device_up(admin, port.mac_address, agent, HOST)
                up.add(key)
        time.sleep(1)


main()
