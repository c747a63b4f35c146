"""Messages of a sequence go one after the other, whatever happens to them; all others go as ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import FaultKind, Uncertain
from gateway.errors import InvalidRequest
from gateway.model.message import Message
from gateway.pipeline.operator.verbs import cancel_message
from tests.support.fake_driver import ScriptedDriver, refused
from tests.support.gateway import START, Rig, running
from tests.support.people import OPERATOR
from tests.support.product import resend_message

pytestmark = pytest.mark.integration

TAKEN: Any = None
"""In a script: what a channel does with what it was told nothing of."""


@pytest.fixture
def driver() -> ScriptedDriver:
    return ScriptedDriver("a", capacity=4)


@pytest.fixture
async def rig(tmp_path: Path, driver: ScriptedDriver) -> AsyncIterator[Rig]:
    async with running(tmp_path / "s.db", driver) as rig:
        yield rig


async def _put(rig: Rig, n: int, **fields: Any) -> list[Message]:
    return [await rig.send(text=str(i), sequence="order-7", **fields) for i in range(n)]


def _sent(driver: ScriptedDriver) -> list[str]:
    return [segment.payload.decode() for segment in driver.submitted]


async def _rows(rig: Rig) -> int:
    found = await rig.store.read(
        lambda tx: tx.fetch(
            "SELECT (SELECT count(*) FROM sequences) + (SELECT count(*) FROM sequence_messages)"
        )
    )
    return int(found[0][0])


async def test_they_go_in_order_and_only_one_at_a_time(rig: Rig, driver: ScriptedDriver):
    driver.hold()
    for i in range(6):
        await rig.send(text=str(i), sequence="order-7", priority=i)
    other = await rig.send(text="other")
    await driver.until_submitted(2)
    assert sorted(_sent(driver)) == ["0", "other"], "the rest waits for the first"
    driver.release()
    await driver.until_submitted(7)
    assert [text for text in _sent(driver) if text != "other"] == list("012345")
    await rig.until_status(other, "sent")
    await rig.settled()
    assert await _rows(rig) == 0


async def test_another_number_or_name_does_not_wait(rig: Rig, driver: ScriptedDriver):
    driver.hold()
    await _put(rig, 2)
    await rig.send(to="+8613900139000", text="x", sequence="order-7")
    await rig.send(text="y", sequence="order-8")
    await driver.until_submitted(3)
    assert sorted(_sent(driver)) == ["0", "x", "y"]


async def test_one_that_fails_lets_the_next_go(rig: Rig, driver: ScriptedDriver):
    driver.script += [refused(FaultKind.PERMANENT), Uncertain(code="lost", detail="")]
    first, second, third = await _put(rig, 3)
    await rig.until_status(third, "sent")
    assert (await rig.message(first.id)).status == "failed"
    assert (await rig.message(second.id)).status == "uncertain"
    assert _sent(driver) == ["0", "1", "2"]


async def test_one_that_is_tried_again_holds_the_others(rig: Rig, driver: ScriptedDriver):
    driver.script.append(refused(FaultKind.TEMPORARY))
    first, second = await _put(rig, 2)
    await driver.until_submitted(1)
    await rig.settled()
    assert _sent(driver) == ["0"]
    await rig.advance(60)
    await rig.until_status(second, "sent")
    assert _sent(driver) == ["0", "0", "1"]
    assert (await rig.message(first.id)).status == "sent"


async def test_canceled_ones_are_passed_over(rig: Rig, driver: ScriptedDriver):
    await driver.go_down()
    messages = await _put(rig, 4)
    for canceled in (messages[1], messages[0]):
        await cancel_message(rig.store, rig.clock, canceled.id, by=OPERATOR)
    await driver.come_up()
    await rig.until_status(messages[3], "sent")
    assert _sent(driver) == ["2", "3"]


async def test_expired_ones_are_passed_over_and_a_late_resend_waits_for_nobody(
    rig: Rig, driver: ScriptedDriver
):
    await driver.go_down()
    first = (await _put(rig, 1, valid_for=60))[0]
    later = [await rig.send(text=text, sequence="order-7", valid_for=3_600) for text in "ab"]
    await rig.advance(61)
    await driver.come_up()
    await rig.until_status(later[1], "sent")
    assert _sent(driver) == ["a", "b"]
    await resend_message(rig.store, rig.clock, first.id, by=OPERATOR)
    await rig.advance(1)
    await rig.until_status(first, "sent")


async def test_it_is_held_over_a_restart(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        await _put(rig, 3)
    driver = ScriptedDriver("a", capacity=4)
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.until_submitted(3)
        assert _sent(driver) == ["0", "1", "2"]


async def test_a_schedule_does_not_go_with_it(rig: Rig):
    with pytest.raises(InvalidRequest) as refusal:
        await rig.send(sequence="a", schedule_at=START.replace(year=2027).isoformat())
    assert ("/sequence", "no_schedule") in {(error.pointer, error.code) for error in refusal.value.errors}


@given(
    fates=st.lists(st.sampled_from(["sent", "fail", "retry", "uncertain", "cancel"]), min_size=1, max_size=7),
    capacity=st.integers(1, 4),
)
@settings(max_examples=15, deadline=None)
def test_whatever_becomes_of_them_all_come_to_an_end_in_their_order(
    tmp_path_factory: pytest.TempPathFactory, fates: list[str], capacity: int
):
    asyncio.run(_check(tmp_path_factory.mktemp("sequence"), fates, capacity))


async def _check(folder: Path, fates: list[str], capacity: int) -> None:
    driver = ScriptedDriver("a", capacity=capacity)
    async with running(folder / "s.db", driver) as rig:
        await driver.go_down()
        messages = await _put(rig, len(fates))
        for message, fate in zip(messages, fates, strict=True):
            match fate:
                case "cancel":
                    await cancel_message(rig.store, rig.clock, message.id, by=OPERATOR)
                case "fail":
                    driver.script.append(refused(FaultKind.PERMANENT))
                case "uncertain":
                    driver.script.append(Uncertain(code="lost", detail=""))
                case "retry":
                    driver.script += [refused(FaultKind.TEMPORARY), TAKEN]
                case _:
                    driver.script.append(TAKEN)
        await driver.come_up()
        deadline = time.monotonic() + 60
        while open_now := {(await rig.message(m.id)).status.value for m in messages} & {"queued", "sending"}:
            assert time.monotonic() < deadline, open_now
            await rig.advance(600)
            await rig.settled()
        await rig.settled()
        sent = [int(text) for text in _sent(driver)]
        assert sent == sorted(sent)
        assert set(sent) == {i for i, fate in enumerate(fates) if fate != "cancel"}
        assert await _rows(rig) == 0
