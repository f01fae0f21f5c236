"""Whole runs as they were recorded: scripts on the channel, documents, words, files of a host.

`SRIOV_RECORD=1 pytest tests/test_goldens.py` records again, and fails so that such a run is never taken for a test.
What is replaced in the recordings stands in goldens/normalise.py. Files below a folder `kernel` hold all that is about
kernel arguments; the hosts of the others have these from the start.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from goldens import channel
from goldens.book import Book

from sriov.simulation import Fleet

pytestmark = pytest.mark.slow


def test_scripts_arrive_as_recorded(tmp_path: Path) -> None:
    book = Book("channel")
    with Fleet(channel.HOSTS) as fleet:
        channel.tell(fleet, tmp_path, book)
    book.judge()
