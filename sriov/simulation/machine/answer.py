"""What a command that the simulation plays answers to its caller."""

from __future__ import annotations

Answer = tuple[int, str, str]
"""Exit status, standard output, standard error."""


def encode(answer: Answer) -> bytes:
    """As stubs/ask.sh takes it apart: a line with the status, standard error, a line with \\001, standard output."""
    status, output, errors = answer
    return f"{status}\n{errors}\1\n{output}".encode("utf-8", "surrogateescape")
