"""Options that nova takes from its environment: `OS_<GROUP>__<OPTION>` beats every file.

`oslo_config/sources/_environment.py`, since oslo.config 6.5, which came with nova 19. It knows an option by its present
name alone. A MultiStrOpt from there is a list of single characters (`_convert_value`), of which nova dies.
"""

from __future__ import annotations

from sriov.formats.nova import releases
from sriov.formats.oslo.options import OptionName

SINCE = 19


def variables(release: int) -> dict[str, OptionName]:
    """Name of the variable -> the option of ours that it decides."""
    if release < SINCE:
        return {}
    names = (
        releases.whitelist_names(release)[0],
        releases.filter_names(release)[0],
        releases.available_names(release)[0],
        OptionName("pci", "report_in_placement"),
    )
    return {name.variable: name for name in names}
