"""The one user of Jinja2: templates, their quoting and their values to text."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping

import jinja2

from sriov import layout
from sriov.quoting import Verbatim, plain, shell_word, unit_name, unit_word

_lock = threading.Lock()


@functools.cache
def _environment(quote: Callable[[object], str]) -> jinja2.Environment:
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


def text(template: str, values: Mapping[str, object]) -> str:
    """`templates/<template>.j2` with these values."""
    quote = {"sh": shell_word, "service": unit_word}.get(template.rsplit(".", 1)[-1], plain)
    with _lock:  # else every thread that comes while the first one compiles a template compiles it too
        compiled = _environment(quote).get_template(f"{template}.j2")
    return compiled.render(values)
