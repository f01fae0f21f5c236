"""Nothing of the lab is left. To be run by itself, once all scenarios have ended."""

from __future__ import annotations

import pytest

from .image import lab_directory
from .leftovers import left_after_a_moment

pytestmark = pytest.mark.lab


def test_nothing_of_the_lab_is_left() -> None:
    assert left_after_a_moment(lab_directory()) == []
