"""A site's own filters, as nova's documentation has them written: what the tests attach to nova-scheduler."""

import os

from nova.scheduler import filters

REFUSAL = "/run/half-full"  # on a host with this file HalfFull passes no host


class HalfFull(filters.BaseHostFilter):
    """Hosts with at most half of their VMs' places taken; says what it was asked."""

    RUN_ON_REBUILD = False

    def host_passes(self, host_state, spec_obj):
        return host_state.num_instances <= 5 and not os.path.exists(REFUSAL)


class Roomy(filters.BaseHostFilter):
    """Takes every host."""

    def host_passes(self, host_state, spec_obj):
        return True


class _Hidden(HalfFull):
    """nova takes no class whose name begins so."""


class NoFilter:
    """No filter at all."""


def all_of_ours():
    return [HalfFull, Roomy]
