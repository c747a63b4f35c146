"""Who comes in by `sendsms`, and how a guesser of passwords is slowed down without harm to others."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

import pytest

from gateway.access import turnstile as turnstile_module
from gateway.access.turnstile import Turnstile
from gateway.kannel.accounts import KannelAccount, KannelAccounts
from gateway.kannel.entrance import Entrance
from tests.support.eventually import eventually
from tests.support.gateway import ManualClock

pytestmark = pytest.mark.unit

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class Door:
    """Three accounts, ``shop``, ``store`` and ``bank``; the bank calls from HERE alone."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.pauses: list[float] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.turnstile = Turnstile(self.clock, self._pause)
        accounts = [
            KannelAccount(username="shop", password="right", smsc={}),
            KannelAccount(username="store", password="right", smsc={}),
            KannelAccount(username="bank", password="right", smsc={}, allowed_ips=(ip_network(HERE),)),
        ]
        self.entrance = Entrance(KannelAccounts(accounts), self.turnstile)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.gate.wait()

    @property
    def answers_late(self) -> list[float]:
        """The pauses before answers, without those between two looks."""
        return [pause for pause in self.pauses if pause > 0.1]

    async def knock(self, password: str = "right", username: str = "shop", address: str = HERE) -> str | None:
        given = {"username": username.encode(), "password": password.encode()}
        account = await self.entrance.admit(given, address)
        return account.username if account else None


async def test_wrong_passwords_wait_longer_and_longer_but_not_for_ever():
    door = Door()
    for username in ("shop", "nobody", "bank", *("shop",) * 7):
        assert await door.knock("guess", username) is None
    assert door.answers_late == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


async def test_the_right_password_never_waits_where_nobody_guesses():
    door = Door()
    for _ in range(9):
        await door.knock("guess")
    door.pauses.clear()
    assert await door.knock(address=ELSEWHERE) == "shop"
    assert door.pauses == []


async def test_a_newcomer_behind_a_guesser_stands_in_line_once_and_is_known_from_then_on():
    door = Door()
    for _ in range(4):
        await door.knock("guess")
    door.pauses.clear()
    assert [await door.knock() for _ in range(5)] == ["shop"] * 5
    assert door.pauses == [0.1]


async def test_an_account_that_is_known_or_expected_is_not_held_up_by_guesses_from_its_address():
    door = Door()
    assert await door.knock() == "shop"
    for _ in range(3):
        await door.knock("guess")
    door.gate.clear()
    guesses = [asyncio.create_task(door.knock("guess", name)) for name in ("shop", "bank") for _ in range(10)]
    await eventually(lambda: len(door.pauses) == 2)
    assert await door.knock() == "shop"
    assert await door.knock(username="bank") == "bank"  # its config names the address
    assert not any(guess.done() for guess in guesses)
    door.gate.set()
    assert await asyncio.gather(*guesses) == [None] * 20


async def test_who_is_known_for_one_account_is_a_stranger_to_the_other():
    door = Door()
    assert await door.knock() == "shop"
    for _ in range(3):
        await door.knock("guess", "store")
    assert await door.knock(username="store") == "store"
    assert door.pauses == [0.1]


async def test_the_right_password_from_a_wrong_address_is_wrong():
    door = Door()
    for _ in range(4):
        assert await door.knock(username="bank", address=ELSEWHERE) is None
    assert door.answers_late == [0.5]


async def test_time_forgives():
    door = Door()
    for _ in range(5):
        await door.knock("guess")
    door.clock.advance(600)
    door.pauses.clear()
    await door.knock("guess")
    assert door.pauses == []


async def test_it_remembers_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turnstile_module, "_MOST_ADDRESSES", 3)
    monkeypatch.setattr(turnstile_module, "_MOST_KNOWN", 3)
    door = Door()
    for n in range(10):
        await door.knock(address=f"198.51.100.{n}")
        await door.knock("guess", address=f"203.0.113.{n}")
    assert len(door.turnstile._visitors) == 3
    assert len(door.turnstile._known) == 3


async def test_a_refusal_is_logged_without_the_password_wherever_it_was_typed(
    caplog: pytest.LogCaptureFixture,
):
    door = Door()
    await door.knock("hunter2")
    await door.knock("shop", "correcthorse")
    assert f"sendsms of 'shop' from {HERE} refused" in caplog.text
    assert f"sendsms of an unknown username from {HERE} refused" in caplog.text
    assert "hunter2" not in caplog.text
    assert "correcthorse" not in caplog.text
