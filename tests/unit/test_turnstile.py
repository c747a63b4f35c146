"""How a guesser of passwords is slowed down; the doors' own tests say what each makes of it."""

from __future__ import annotations

import asyncio

import pytest

from gateway.access.turnstile import Crowded, Turnstile
from tests.support.eventually import eventually
from tests.support.gateway import ManualClock

pytestmark = pytest.mark.unit

HERE = "192.0.2.1"
SHOP = "shop"


class World:
    """A turnstile and looks that last until they are let go; `looked` are those that began."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.pauses: list[float] = []
        self.looked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.turnstile = Turnstile(self.clock, self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def knock(
        self,
        password: str = "right",
        address: str = HERE,
        account: str | None = SHOP,
        *,
        expected: bool = False,
    ) -> str | None:
        async def look() -> str | None:
            self.looked.append(f"{password} from {address}")
            await self.gate.wait()
            return account if password == "right" else None

        return await self.turnstile.admit(address, account, look, expected=expected)


async def test_a_day_of_wrong_passwords_shuts_out_nobody_and_is_forgiven_within_minutes():
    world = World()
    for _ in range(86_400 // 10):  # a program that was given a wrong password tries again and again
        assert await world.knock("wrong") is None
        world.clock.advance(10.0)
    assert max(world.pauses) == 8.0
    assert await world.knock() == SHOP
    world.pauses.clear()
    world.clock.advance(10 * 60)
    assert await world.knock() == SHOP
    assert world.pauses == []


async def test_a_right_password_waits_for_the_look_alone_however_many_were_wrong():
    world = World()
    for _ in range(20):
        await world.knock("wrong")
    world.pauses.clear()
    assert await world.knock() == SHOP
    assert sum(world.pauses) <= 0.1


async def test_all_that_stand_in_the_line_are_looked_at_one_after_the_other():
    world = World()
    for _ in range(4):
        await world.knock("wrong")
    world.gate.clear()
    world.looked.clear()
    guesses = [asyncio.create_task(world.knock("wrong")) for _ in range(30)]
    right = asyncio.create_task(world.knock())
    await eventually(lambda: len(world.looked) == 1)
    assert len(world.looked) == 1
    world.gate.set()
    assert await right == SHOP
    assert await asyncio.gather(*guesses) == [None] * 30


async def test_a_line_has_an_end():
    world = World()
    world.gate.clear()
    waiting = [asyncio.create_task(world.knock("wrong")) for _ in range(64)]
    await eventually(lambda: len(world.looked) == 1)
    with pytest.raises(Crowded):
        await world.knock()
    assert not any(task.done() for task in waiting)
    world.gate.set()
    await asyncio.gather(*waiting)
    assert world.turnstile._lines == {}


async def test_guesses_at_one_account_do_not_hold_up_another_behind_the_same_address():
    world = World()
    for account in (SHOP, "bank"):
        assert await world.knock(account=account) == account
    world.gate.clear()
    guesses = [asyncio.create_task(world.knock("wrong")) for _ in range(10)]
    await eventually(lambda: len(world.looked) == 3)
    bank = asyncio.create_task(world.knock(account="bank"))
    world.gate.set()
    assert await bank == "bank"
    assert sum(task.done() for task in guesses) <= 2
    await asyncio.gather(*guesses)


@pytest.mark.parametrize("known", [True, False])
async def test_strangers_from_everywhere_do_not_hold_up_who_is_expected_or_known(known):
    world = World()
    if known:
        await world.knock()
    world.gate.clear()
    world.looked.clear()
    strangers = [asyncio.create_task(world.knock("wrong", f"198.51.100.{n}")) for n in range(64)]
    await eventually(lambda: len(world.looked) == 1)
    ours = asyncio.create_task(world.knock(expected=not known))
    await eventually(lambda: len(world.looked) == 2)
    assert world.looked[1] == f"right from {HERE}"
    world.gate.set()
    assert await ours == SHOP
    await asyncio.gather(*strangers)


async def test_of_strangers_those_come_first_from_whose_address_nothing_was_wrong():
    world = World()
    for n in range(20):
        await world.knock("wrong", f"198.51.100.{n}")
    world.gate.clear()
    world.looked.clear()
    guesses = [asyncio.create_task(world.knock("wrong", f"198.51.100.{n}")) for n in range(20)]
    await eventually(lambda: len(world.looked) == 1)
    newcomer = asyncio.create_task(world.knock())
    await asyncio.sleep(0)
    world.gate.set()
    assert await newcomer == SHOP
    assert world.looked[1] == f"right from {HERE}"
    await asyncio.gather(*guesses)


async def test_who_has_left_is_not_looked_at_and_a_look_that_began_keeps_its_desk():
    world = World()
    world.gate.clear()
    tries = [asyncio.create_task(world.knock("wrong", f"198.51.100.{n}")) for n in range(10)]
    await eventually(lambda: len(world.looked) == 1)
    for one in tries:
        one.cancel()
    await asyncio.gather(*tries, return_exceptions=True)
    ours = asyncio.create_task(world.knock())
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(world.looked) == 1  # the thread of the first one still works
    world.gate.set()
    assert await ours == SHOP
    assert len(world.looked) == 2


async def test_names_that_nobody_has_cost_no_looks_where_many_were_wrong():
    world = World()
    for _ in range(50):
        assert await world.knock(account=None) is None
    assert len(world.looked) == 3  # at first, so that time does not tell which names there are
    assert world.pauses[:5] == [0.5, 1.0, 2.0, 4.0, 8.0]


async def test_the_time_of_the_look_is_part_of_the_pause():
    world = World()
    for _ in range(4):
        await world.knock("wrong")
    world.gate.clear()
    late = asyncio.create_task(world.knock("wrong"))
    await eventually(lambda: len(world.looked) == 5)
    world.clock.advance(0.2)
    world.gate.set()
    await late
    assert world.pauses[-1] == pytest.approx(0.8, abs=0.01)
