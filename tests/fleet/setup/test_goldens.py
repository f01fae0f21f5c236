"""Whole runs as they were recorded: scripts on the channel, documents, words, files of a host.

`SRIOV_RECORD=1 pytest tests/fleet/setup/test_goldens.py` records again, and fails so that such a run is never taken
for a test. What is replaced in the recordings stands in goldens/normalise.py. Files below a folder `kernel` hold all
that is about kernel arguments; the hosts of the others have these from the start.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from cloud_stand_in import stand_in
from goldens import channel, documents, host_files, words
from goldens.book import Book
from goldens.desk import ARGUMENTS

from sriov.simulation import Fleet, HostSpec

pytestmark = pytest.mark.slow


def test_scripts_arrive_as_recorded(tmp_path: Path) -> None:
    book = Book("channel")
    with Fleet(channel.HOSTS) as fleet:
        channel.tell(fleet, tmp_path, book)
    book.judge()


def test_documents_read_as_recorded(tmp_path: Path) -> None:
    book = Book("documents")
    with Fleet(documents.HOSTS) as fleet:
        documents.tell(fleet, tmp_path, book)
    book.judge()


def test_documents_of_the_cloud_read_as_recorded(tmp_path: Path) -> None:
    book = Book("cloud")
    with stand_in() as cloud, Fleet([HostSpec("compute1", cmdline=ARGUMENTS)]) as fleet:
        documents.tell_cloud(fleet, tmp_path, cloud, book)
    book.judge()


def test_words_read_as_recorded(tmp_path: Path) -> None:
    book = Book("words")
    with Fleet(words.HOSTS) as fleet:
        words.tell(fleet, tmp_path, book)
    book.judge()


def test_files_of_a_host_are_as_recorded(tmp_path: Path) -> None:
    book = Book("files")
    with Fleet(host_files.HOSTS) as fleet:
        host_files.tell(fleet, tmp_path, book)
    book.judge()
