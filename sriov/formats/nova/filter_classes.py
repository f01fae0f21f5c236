"""Where nova-scheduler finds the classes of its filters: what the values of `available_filters` provide.

As `get_matching_classes` of `nova/loadables.py` and `HostManager.__init__` of `nova/scheduler/host_manager.py` do it:
a value is the path of a class or of a function that returns classes; a filter is enabled by the class's own name,
without module; of two classes of one name the later hides the earlier. What cannot be found stops the service.
A path does not say whether it names a class or a function: as Python's names go, a class begins with a capital.
"""

from __future__ import annotations

import functools
import re

from sriov.errors import nearest
from sriov.formats.nova import releases

_WORD = r"[A-Za-z_][A-Za-z0-9_]{0,99}"
NAME = re.compile(_WORD)
PATH = re.compile(rf"{_WORD}(\.{_WORD}){{1,20}}")


def short_name(path: str) -> str:
    """The name by which a filter is enabled: `HalfFull` of `site_filters.HalfFull`."""
    return path.rpartition(".")[2]


def refusal(path: str, release: int) -> str:
    """Why nova-scheduler does not start with that value of `available_filters`; empty if nothing speaks against it.

    Whether a module of the site's own is installed is not known here.
    """
    if not PATH.fullmatch(path):
        if NAME.fullmatch(path):
            return f"{path} has no module: write the whole path, such as site_filters.{path}"
        return "a value that is not the name of a class with its module (empty, begun on the next line, several in one)"
    name = short_name(path)
    if name.startswith("_"):
        return f"{path}: nova takes no class whose name begins with _"
    if not _is_missing(path, release):
        return ""
    own = releases.own_filters(release)
    near = own.get(name) or own.get(nearest(name, own, 0.88), "")
    if not near and path.rpartition(".")[0] == releases.OWN_FILTERS:
        near = releases.ALL_FILTERS
    return f"nova {release} has no {path}" + (f"; did you mean {near!r}?" if near else "")


@functools.cache
def _modules() -> frozenset[str]:
    return frozenset((releases.OWN_FILTERS, *(path.rpartition(".")[0] for path in releases.own_filters(0).values())))


def _is_missing(path: str, release: int) -> bool:
    """Whether that path leads into a module of nova's own, of any release, and this one has no such filter there.

    Another module beside nova's is one that a site has put there.
    """
    is_nova_s = path.rpartition(".")[0] in _modules()
    is_there = releases.names_all_filters(path, release) or path in releases.own_filters(release).values()
    return is_nova_s and not is_there


def provided(values: tuple[str, ...], release: int) -> dict[str, str]:
    """The filters that can be enabled: name -> path of the class that nova takes for it. No values: all of nova's."""
    found: dict[str, str] = {}
    of_functions = functions(values, release)
    for value in values or (releases.ALL_FILTERS,):
        if value in of_functions:
            continue  # what they return has names of its own
        is_all = releases.names_all_filters(value, release)
        found.update(releases.own_filters(release) if is_all else {short_name(value): value})
    return found


def functions(values: tuple[str, ...], release: int) -> tuple[str, ...]:
    """Those values that look like functions of the site's own: which filters they return cannot be told from here."""
    foreign = (value for value in values if not releases.names_all_filters(value, release))
    return tuple(value for value in foreign if short_name(value)[:1].islower())


def lacking(enabled: tuple[str, ...], values: tuple[str, ...], release: int) -> tuple[str, ...]:
    """The enabled names that none of the values provides: with one of them nova-scheduler does not start."""
    known = provided(values, release)
    return tuple(name for name in dict.fromkeys(enabled) if name not in known)
