"""Keys of a testbed that are a known one, mistyped. Left alone, they would ask for nothing without a word.

Unknown keys as such are normal: the testbeds of the original tool are full of them, and so is Fabric 1's `env`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sriov.testbed.sources.source import FaultList
from sriov.testbed.wording import as_text

_LONG = 8  # letters from which on a known key may be two edits away

# fabric.state of Fabric 1.14, and docs/usage/env.rst there
_FABRIC_1 = """abort_exception abort_on_prompts again_prompt all_hosts always_use_pty colorize_errors combine_stderr
command command_prefixes command_timeout connection_attempts cwd dedupe_hosts default_port disable_known_hosts
eagerly_disconnect echo_stdin effective_roles exclude_hosts fabfile forward_agent gateway gss_auth gss_deleg gss_kex
host host_string hosts keepalive key key_filename lcwd linewise local_user no_agent no_keys ok_ret_codes
output_prefix parallel password passwords path path_behavior pool_size port prompts proxy_command rcfile
real_fabfile reject_unknown_hosts remote_interrupt roledefs roles shell shell_env show skip_bad_hosts
skip_unknown_tasks ssh_config_path sudo_password sudo_passwords sudo_prefix sudo_prompt sudo_user system_known_hosts
tasks timeout use_exceptions_for use_shell use_ssh_config user version warn_only
""".split()  # noqa: SIM905 (73 lines otherwise)
# testbeds of the original tool, as they were published
_CONTRAIL = """amqp_host build_from_source ca_cert_file cfgm cloud_orchestrator cluster_id collector
compute_as_gateway_mode config control_data database devstack dpdk enable_lbaas encap_priority ha http_proxy
hypervisor interface_rename kernel_upgrade kernel_version keystone log_scenario mail_from mail_port mail_server
mail_to mx_gw_test nova ntp_server openstack openstack_admin_password optional_services orchestrator ostypes
other_orchestrators physical_routers qos qos_niantic rsyslog_params slave_orchestrator storage_node_config
stop_on_fail tenant_isolation test_delay_factor test_repo_dir test_retry_factor test_verify_on_setup tor_agent
tor_hosts tsn_mode ui_browser update vcenter vcenter_compute vcenter_gateway vcenter_servers vgw
vrouter_module_params webui xmpp_auth_enable xmpp_dns_auth_enable
""".split()  # noqa: SIM905 (62 lines otherwise)
OF_OTHERS = frozenset((*_FABRIC_1, *_CONTRAIL))


def refuse_mistyped_keys(keys: Iterable[object], known: Collection[str], faults: FaultList) -> None:
    """One fault for each key that is a letter or a transposition away from a known one."""
    for key in keys:
        name = as_text(key)
        if name is None or name in known or name in OF_OTHERS:
            continue
        near = [(edits(name.lower(), one), one) for one in sorted(known)]
        distance, one = min(near)
        if distance <= (2 if len(one) >= _LONG else 1):
            hint = f"did you mean {one!r}? A key of your own needs a name that is less like it"
            faults.note("unknown-key", (key,), "unknown key, so what it says would be left out", hint)


def edits(one: str, other: str) -> int:
    """How many letters put in, left out, replaced, or swapped with their neighbour make one text of the other."""
    if abs(len(one) - len(other)) > 2:
        return abs(len(one) - len(other))  # no near word, however it goes on
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, wanted in enumerate(other, 1):
            cost = min(last[column] + 1, now[-1] + 1, last[column - 1] + (letter != wanted))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == wanted:
                cost = min(cost, before[column - 2] + 1)
            now.append(cost)
        before, last = last, now
    return last[-1]
