"""Templates to the text that reaches a host.

Every `{{ value }}` of a template is quoted for the language of its file, by the renderer and not by the author of the
template: `*.sh.j2` for the POSIX shell, `*.service.j2` for systemd's unit syntax.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable

from sriov import render_cache


def render(template: str, **values: Hashable) -> str:
    """The text of `templates/<template>.j2`."""
    return _rendered(template, tuple(values.items()))


@functools.lru_cache(maxsize=64)
def _rendered(template: str, values: tuple[tuple[str, Hashable], ...]) -> str:
    """Hosts are alike, and so are the runs of a day: what one of them was sent is kept for the next."""
    name = render_cache.name_of(template, values)
    text = render_cache.load(name)
    if text is None:
        text = render_once(template, **dict(values))
        if render_cache.name_of(template, values, anew=True) == name:  # not so in the middle of an upgrade
            render_cache.store(name, text)
    return text


def render_once(template: str, **values: object) -> str:
    """As render(), for a text that is never wanted again."""
    from sriov import template_engine

    return template_engine.text(template, values)
