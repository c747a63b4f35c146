"""In which order what waits goes out: by class and priority, in fair shares, and nothing waits for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from gateway.ids import KeyId
from gateway.model.message import ApiKey, Message, Scope
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.drafts import AcceptedMessage
from gateway.routing.shares import Shares
from gateway.store.shares import find_heads, load_places
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import START, Rig, running

pytestmark = pytest.mark.integration


@pytest.fixture
def driver() -> ScriptedDriver:
    """A channel that takes one message at a time."""
    return ScriptedDriver("a", capacity=1)


@pytest.fixture
async def rig(tmp_path: Path, driver: ScriptedDriver) -> AsyncIterator[Rig]:
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        yield rig


def _key(name: str) -> ApiKey:
    return ApiKey(id=KeyId(f"id of {name}"), name=name, scopes=frozenset({Scope.SEND}), created_at=START)


async def _put(rig: Rig, owner: str, n: int, **fields: object) -> list[Message]:
    requests = [
        msgspec.convert({"to": "+8613800138000", "text": f"{owner} {i}", **fields}, MessageRequest)
        for i in range(n)
    ]
    found: list[AcceptedMessage] = []
    for start in range(0, n, 500):
        accepted = [rig.intake.accept(request, key=_key(owner)) for request in requests[start : start + 500]]
        found += await asyncio.gather(*accepted)  # type: ignore[arg-type]
    return [one.message for one in found]


async def _sent(rig: Rig, driver: ScriptedDriver, n: int) -> list[str]:
    """Whose the first ``n`` messages were that went out."""
    await driver.come_up()
    await rig.until(lambda: len(driver.submitted) >= n)
    return [segment.payload.decode().split()[0] for segment in driver.submitted[:n]]


async def test_a_code_does_not_wait_for_two_hundred_offers(rig: Rig, driver: ScriptedDriver):
    await _put(rig, "offer", 200, category="marketing", priority=9)
    await _put(rig, "code", 1, category="otp", priority=0)
    await _put(rig, "alarm", 1, category="emergency", priority=0)
    assert await _sent(rig, driver, 3) == ["alarm", "code", "offer"]


async def test_one_who_has_thousands_does_not_hold_up_another_ones_ten(rig: Rig, driver: ScriptedDriver):
    await _put(rig, "many", 3_000)
    first = await _sent(rig, driver, 50)
    assert set(first) == {"many"}
    await driver.go_down()
    n_before = len(driver.submitted)
    await _put(rig, "few", 10)
    order = (await _sent(rig, driver, n_before + 24))[n_before:]
    assert order.count("few") == 10


async def test_shares_go_by_weight(tmp_path: Path, driver: ScriptedDriver):
    async with running(tmp_path / "s.db", driver) as rig:
        rig.shares._weights["key:heavy"] = 3
        await driver.go_down()
        await _put(rig, "light", 120)
        await _put(rig, "heavy", 120)
        assert Counter(await _sent(rig, driver, 120))["heavy"] in {89, 90, 91}


async def test_lines_are_found_again_after_a_restart(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        await _put(rig, "many", 200)
        await rig.lines.save()
    driver = ScriptedDriver("a", capacity=1)
    async with running(tmp_path / "s.db", driver, started=False) as rig:
        await rig.lines.open()
        await _put(rig, "many", 20)  # behind the other two hundred of theirs
        await _put(rig, "few", 20)
        await rig.start()
        await rig.until(lambda: len(driver.submitted) >= 50)
        texts = [segment.payload.decode() for segment in driver.submitted[:50]]
        assert sum(text.startswith("few") for text in texts) == 20
        many = [text for text in texts if text.startswith("many")]
        assert many == [f"many {i}" for i in range(len(many))], "in their own order"


async def test_lines_of_who_has_nothing_waiting_are_not_kept(rig: Rig, driver: ScriptedDriver):
    await _put(rig, "many", 20)
    await rig.lines.save()
    assert [place.owner for place in await rig.store.read(load_places)] == ["id of many"]
    await _sent(rig, driver, 20)
    await rig.settled()
    await rig.lines.save()
    assert await rig.store.read(load_places) == []
    assert await rig.store.read(find_heads) == []


async def test_what_was_scheduled_long_ago_does_not_go_before_all_others(rig: Rig, driver: ScriptedDriver):
    await _put(rig, "campaign", 100, schedule_at=(START + timedelta(hours=1)).isoformat())
    await _put(rig, "others", 100)
    await _sent(rig, driver, 90)
    await driver.go_down()
    rig.clock.advance(3_601)
    while await rig.sweeper.promote_due():
        pass
    n_before = len(driver.submitted)
    order = (await _sent(rig, driver, n_before + 10))[n_before:]
    assert 4 <= order.count("others") <= 6


async def test_what_others_go_before_without_end_goes_all_the_same(rig: Rig, driver: ScriptedDriver):
    await _put(rig, "offer", 5, category="marketing")
    rig.clock.advance(61)
    await _put(rig, "order", 60)
    await _put(rig, "alarm", 10, category="emergency")
    order = await _sent(rig, driver, 60)
    assert order[:10] == ["alarm"] * 10
    assert 4 <= order.count("offer") <= 5
    assert max(Counter(order[i : i + 10])["offer"] for i in range(10, 50)) <= 2


async def test_who_has_not_waited_long_is_not_helped(rig: Rig, driver: ScriptedDriver):
    await _put(rig, "offer", 5, category="marketing")
    await _put(rig, "order", 60)
    assert "offer" not in await _sent(rig, driver, 60)


def test_an_owner_has_the_weight_of_its_name():
    shares = Shares(0, {"key:shop": 4, "smpp:bank": 2})
    for owner, alias in (("id", "key:shop"), ("smpp:bank", ""), ("other", "key:other")):
        shares.join("q", 0, owner, alias=alias)
    assert [shares.join("q", 0, owner) for owner in ("id", "smpp:bank", "other")] == [25_000, 50_000, 100_000]
