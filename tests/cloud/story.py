"""What is shown on the test cloud: our tool sets up its hosts; VMs come up, or fail for the reason that is named."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time

from tests.cloud import hosts as cloud_hosts
from tests.cloud import services
from tests.cloud.hosts import Hosts
from tests.cloud.layout import RUN

CHECKOUT = cloud_hosts.Path(__file__).parent.parent.parent


class Teller:
    """Types commands and prints what they say, as a transcript."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.bed = RUN / "testbed.py"
        self.bed.write_text(hosts.fleet.testbed(cloud_hosts.SRIOV))
        self.environment = {
            **os.environ,
            **services.OPENRC,
            "PATH": f"{cloud_hosts.Path(sys.executable).parent}:{os.environ['PATH']}",
            "SRIOV_TESTBED": str(self.bed),
            "SRIOV_KNOWN_HOSTS": str(hosts.fleet.known_hosts_path),
            "SRIOV_SSH_CONFIG": str(hosts.fleet.ssh_config_path),
        }

    def say(self, words: str) -> None:
        print(f"\n# {words}", flush=True)

    def fab(self, *words: str, code: int = 0) -> str:
        """Prints the call and its answer; raises if it ends otherwise than expected."""
        print(f"$ fab {shlex.join(words)}", flush=True)
        begun = time.monotonic()
        done = subprocess.run(
            ["fab", *words], cwd=CHECKOUT, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        print(done.stdout.replace(str(RUN), "$SRIOV_CLOUD/run").rstrip())
        print(f"[exit code {done.returncode}, {time.monotonic() - begun:.1f} s]", flush=True)
        if done.returncode != code:
            raise AssertionError(f"fab {words}: exit code {done.returncode}, wanted {code}")
        return done.stdout


def tell(hosts: Hosts, words: list[str]) -> int:
    teller = Teller(hosts)
    os.environ.update(services.OPENRC)
    if words[:1] == ["shell"]:
        teller.fab("setup_all")
        print(hosts.follow())
        hosts.start_agents()
        print(cloud_hosts.wait_ready(hosts))
        subprocess.run(["sh", *words[1:]], env=teller.environment, cwd=CHECKOUT, check=False)
        return 0
    return 0
