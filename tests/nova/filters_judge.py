"""nova's own HostManager as judge of lists of filters: reads cases on standard input, a JSON document a line.

    {"files": ["/tmp/x.conf"], "hosts": {"a": 1, "b": 9}}
    {"error": "", "filters": ["nova.scheduler.filters.compute_filter.ComputeFilter"], "passed": ["a"]}

{"own": true}
    {"filters": ["nova.scheduler.filters.affinity_filter.DifferentHostFilter"]}

`hosts`: name and number of VMs; `passed`: those that the enabled filters of a site's own (`site_filters`) let pass.
{"own": true} asks for nova's own filters.
"""

import json
import sys
from types import SimpleNamespace

from nova import config, objects
from nova.conf import CONF
from nova.scheduler import filters, host_manager


class Manager(host_manager.HostManager):
    """Without the databases that only choosing among hosts needs."""

    def refresh_cells_caches(self):
        pass

    def _init_aggregates(self):
        pass

    def _init_instance_info(self):
        pass


def judge(case):
    CONF.clear()
    arguments = ["nova-scheduler", *(f"--config-file={path}" for path in case["files"])]
    try:
        config.parse_args(arguments, default_config_files=[], configure_db=False, init_rpc=False)
        manager = Manager()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", "filters": [], "passed": []}
    found = [type(one) for one in manager.enabled_filters]
    manager.enabled_filters = [one for one in manager.enabled_filters if type(one).__module__ == "site_filters"]
    hosts = [SimpleNamespace(host=name, num_instances=count) for name, count in case["hosts"].items()]
    spec = SimpleNamespace(ignore_hosts=[], force_hosts=[], force_nodes=[], requested_destination=None)
    # whether it is a rebuild is asked of a whole request
    filters.BaseHostFilter._filter_one = lambda self, host, spec: self.host_passes(host, spec)
    passed = manager.get_filtered_hosts(hosts, spec)
    return {
        "error": "",
        "filters": [f"{one.__module__}.{one.__name__}" for one in found],
        "passed": [host.host for host in passed],
    }


def own():
    """What `all_filters` returns."""
    return {"filters": sorted(f"{one.__module__}.{one.__name__}" for one in filters.all_filters())}


objects.register_all()
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(own() if "own" in asked else judge(asked)), flush=True)
