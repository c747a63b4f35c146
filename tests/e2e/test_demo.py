"""What a stranger does first: the demonstration, in its smallest form."""

from __future__ import annotations

import pytest

from tests.support.daemon import COMMAND
from tests.support.programs import run_program

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_the_smallest_demonstration_adds_up() -> None:
    shown = await run_program(*COMMAND, "demo", "--modems", "1", "--messages", "2", deadline_s=240)
    assert "WRONG" not in shown
    assert "Everything adds up." in shown
    assert "blocked: opted_out" in shown
