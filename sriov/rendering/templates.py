"""The one user of Jinja2: a template and its values to the text that reaches a host.

Every `{{ value }}` of a template is quoted for the language of its file, by the renderer and not by the author of the
template: `*.sh.j2` for the POSIX shell, `*.service.j2` for systemd's unit syntax.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from sriov import layout
from sriov.rendering.quoting import Verbatim, plain, shell_word, unit_name, unit_word

if TYPE_CHECKING:
    import jinja2

_lock = threading.Lock()


@functools.cache
def _environment(quote: Callable[[object], str]) -> jinja2.Environment:
    import jinja2  # late: it takes as long as to reach a host

    environment = jinja2.Environment(  # noqa: S701 - no HTML here; every value is quoted by finalize
        loader=jinja2.FileSystemLoader(layout.templates()),
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if isinstance(value, Verbatim) else quote(value),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters["unit_name"] = unit_name
    environment.filters["verbatim"] = lambda value: Verbatim(plain(value))
    return environment


def render_once(template: str, **values: object) -> str:
    """The text of `templates/<template>.j2` with these values."""
    quote = {"sh": shell_word, "service": unit_word}.get(template.rsplit(".", 1)[-1], plain)
    with _lock:  # else every thread that comes while the first one compiles a template compiles it too
        compiled = _environment(quote).get_template(f"{template}.j2")
    return compiled.render(values)


@functools.lru_cache(maxsize=64)
def render(template: str, **values: Hashable) -> str:
    """The same, for texts that many hosts have in common."""
    return render_once(template, **values)
