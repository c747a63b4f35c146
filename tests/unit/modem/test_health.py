import math
from typing import Any

import pytest

from drivers.base import Uncertain
from drivers.errors import AtError, WireTimeout
from drivers.modem.recovery.health import Health, Vitals, watch

pytestmark = pytest.mark.unit


class Stick:
    """Refuses everything; for some of its answers to the question for the SIM's number one waits in vain."""

    def __init__(self, told: list[bool]) -> None:
        self.told = told

    async def request(self, text: str, *, timeout_s: float | None = None) -> tuple[str, ...]:
        if text != "AT+CCID":
            raise AtError("ERROR")
        if self.told and not self.told.pop(0):
            raise WireTimeout(text, 10.0)
        return ("89860012345678901234",)


class SeenEnough(Exception):
    """Ends a watch."""


async def iccids(stick: Any, n_looks: int) -> list[str | None]:
    """What so many looks that were answered found."""
    found: list[str | None] = []

    async def note(health: Health) -> None:
        found.append(health.iccid)
        if len(found) == n_looks:
            raise SeenEnough

    with pytest.raises(SeenEnough):
        await watch(stick, 0.0, note, lambda: -math.inf, "AT+CCID")
    return found


async def test_a_sims_number_that_is_told_no_more_is_no_reason_to_stop():
    assert await iccids(Stick([True] + [False] * 9), 4) == ["89860012345678901234", None, None, None]


async def test_one_lost_answer_does_not_end_the_watch_over_the_sim():
    assert await iccids(Stick([True, False, True]), 3) == ["89860012345678901234"] * 3


def unwell_after(*recipients: str) -> bool:
    vitals = Vitals()
    for recipient in recipients:
        vitals.note(Uncertain(code="answer_timeout", detail="As a test has it."), recipient)
    return vitals.is_unwell


def test_the_silence_of_two_recipients_is_the_sticks_and_that_of_one_only_when_it_goes_on():
    assert unwell_after("+1", "+2")
    assert not unwell_after("+1", "+1", "+1")
    assert unwell_after("+1", "+1", "+1", "+1")
