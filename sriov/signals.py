"""Signals that ask a run to end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def treat_signals_as_interrupt() -> None:
    """SIGTERM, and SIGHUP of a terminal that is gone, end the run as Ctrl-C does: sessions are closed, what was made
    for a time is taken away, the report is written. Under nohup(1) SIGHUP stays ignored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


@contextlib.contextmanager
def shielded_from_signals() -> Iterator[None]:
    """One more signal changes nothing: the end has begun, and what it does would be lost. Who insists is obeyed."""
    is_main = threading.current_thread() is threading.main_thread()
    heard = 0

    def pass_over(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        heard += 1
        if heard > 1:
            raise KeyboardInterrupt

    numbers = [number for number in _NUMBERS if is_main and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, pass_over) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
