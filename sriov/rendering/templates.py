"""The one user of Jinja2: a template of a script and its values to the text that runs on a host.

Every `{{ value }}` of a template is quoted for the POSIX shell, by the renderer and not by the author of the template.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Hashable
from typing import TYPE_CHECKING

from sriov import layout
from sriov.rendering.plain import library
from sriov.rendering.quoting import Verbatim, shell_word

if TYPE_CHECKING:
    import jinja2

_lock = threading.Lock()


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2  # late: it takes as long as to reach a host

    environment = jinja2.Environment(  # noqa: S701 - no HTML here; every value is quoted by finalize
        loader=jinja2.FileSystemLoader(layout.templates()),
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if isinstance(value, Verbatim) else shell_word(value),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.globals["library"] = library
    return environment


def render_once(template: str, **values: object) -> str:
    """The text of `templates/<template>.j2` with these values."""
    with _lock:  # else every thread that comes while the first one compiles a template compiles it too
        compiled = _environment().get_template(f"{template}.j2")
    return compiled.render(values)


@functools.lru_cache(maxsize=64)
def render(template: str, **values: Hashable) -> str:
    """The same, for texts that many hosts have in common."""
    return render_once(template, **values)
