"""How a guesser of passwords is slowed down; the doors' own tests say what each makes of it."""

from __future__ import annotations

import pytest

from gateway.turnstile import Turnstile
from tests.support.gateway import ManualClock

pytestmark = pytest.mark.unit

HERE = "192.0.2.1"


async def nobody() -> str | None:
    return None


async def somebody() -> str | None:
    return "shop"


async def test_a_day_of_wrong_passwords_shuts_out_nobody_and_is_forgiven_within_minutes():
    clock = ManualClock()
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds)

    turnstile = Turnstile(clock, pause)
    for _ in range(86_400 // 10):  # a program that was given a wrong password tries again and again
        assert await turnstile.admit(HERE, nobody) is None
        clock.advance(2.0)
    assert await turnstile.admit(HERE, somebody) == "shop"
    assert max(pauses) == pauses[-1] == 8.0
    pauses.clear()
    clock.advance(10 * 60)
    assert await turnstile.admit(HERE, somebody) == "shop"
    assert pauses == []
