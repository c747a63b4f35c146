"""Who may bind, and how a guesser of passwords is slowed down."""

from __future__ import annotations

import asyncio

import pytest

from drivers.smpp.server.listener import BindKind, BindRequest
from drivers.smpp.wire.constants import CommandStatus
from gateway.esme.door import Doorkeeper
from tests.support.gateway import ManualClock
from tests.support.smpp_application import PASSWORD, account

pytestmark = pytest.mark.unit


def request(password: str = PASSWORD, peer: str = "192.0.2.1", system_id: str = "hongyan") -> BindRequest:
    return BindRequest(BindKind.TRANSCEIVER, system_id, password, peer)


class Door:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.pauses: list[float] = []
        self.keeper = Doorkeeper({"hongyan": account()}, self.clock, self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    @property
    def answers_late(self) -> list[float]:
        """The pauses before answers, without those between two looks."""
        return [pause for pause in self.pauses if pause > 0.1]

    async def knock(self, **fields: str) -> CommandStatus:
        return await self.keeper.admit(request(**fields), lambda: 0)


async def test_the_right_password_never_waits():
    door = Door()
    for _ in range(5):
        assert await door.knock() is CommandStatus.ROK
    assert door.pauses == []


async def test_wrong_passwords_wait_longer_and_longer_but_not_for_ever():
    door = Door()
    for _ in range(12):
        assert await door.knock(password="guess") is CommandStatus.RINVPASWD
    assert door.answers_late == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0]


async def test_who_knows_the_password_gets_in_from_there_all_the_same():
    door = Door()
    for _ in range(4):
        await door.knock(password="guess")
    door.pauses.clear()
    assert await door.knock() is CommandStatus.ROK
    assert door.answers_late == []


async def test_another_address_is_not_slowed_down():
    door = Door()
    for _ in range(6):
        await door.knock(password="guess")
    door.pauses.clear()
    assert await door.knock(peer="192.0.2.2") is CommandStatus.ROK
    assert door.pauses == []


@pytest.mark.parametrize("prefix", ["2001:db8:0:7::", "2001:db8:0:7:ffff:ffff::"])
async def test_a_guesser_has_all_addresses_of_his_network_of_ipv6(prefix):
    door = Door()
    for n in range(6):
        await door.knock(password="guess", peer=f"{prefix}{n:x}")
    assert door.answers_late == [0.5, 1.0, 2.0]
    door.pauses.clear()
    assert await door.knock(peer="2001:db8:0:8::1") is CommandStatus.ROK
    assert door.pauses == []


async def test_an_address_of_ipv4_is_one_however_it_is_written():
    door = Door()
    for peer in ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"):
        await door.knock(password="guess", peer=peer)
    assert door.answers_late == [0.5]
    assert await door.knock(peer="::ffff:192.0.2.2") is CommandStatus.ROK
    assert door.answers_late == [0.5]


async def test_time_forgives():
    door = Door()
    for _ in range(4):
        await door.knock(password="guess")
    door.clock.advance(10 * 60)
    door.pauses.clear()
    await door.knock(password="guess")
    assert door.pauses == []


async def test_in_a_crowd_a_bind_is_told_to_come_again_and_not_that_its_password_is_wrong():
    door = Door()
    gate = asyncio.Event()

    async def held(seconds: float) -> None:
        await gate.wait()

    for _ in range(4):
        await door.knock(password="guess")
    door.keeper._turnstile._pause = held
    knocks = [asyncio.create_task(door.knock(password="guess")) for _ in range(64)]
    await asyncio.sleep(0)
    assert await door.knock() is CommandStatus.RBINDFAIL
    gate.set()
    assert set(await asyncio.gather(*knocks)) == {CommandStatus.RINVPASWD}


async def test_a_password_in_the_place_of_the_name_is_not_logged(caplog: pytest.LogCaptureFixture):
    door = Door()
    await door.knock(system_id="hunter2")
    await door.knock(password="guess")
    assert "bind of an unknown system_id from 192.0.2.1 refused" in caplog.text
    assert "bind of 'hongyan' from 192.0.2.1 refused" in caplog.text
    assert "hunter2" not in caplog.text
    assert "guess" not in caplog.text


async def test_an_account_that_is_not_there_is_refused_in_the_same_words():
    assert await Door().knock(system_id="nobody") is CommandStatus.RINVPASWD
