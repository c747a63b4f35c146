"""What comes in one turn of the loop is written together: with the same end as one by one, and no one for all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from drivers.base import Receipt, ReceiptState
from gateway.model.message import Message, Segment
from gateway.pipeline.receipts import apply
from gateway.pipeline.receipts.dialects import LEARNED
from gateway.pipeline.receipts.settle import Settled, judge_all
from gateway.pipeline.sending import outcomes
from gateway.store.messages import Whole
from tests.support.fake_driver import ScriptedDriver, accepted
from tests.support.gateway import Rig, receipt, running
from tests.support.receipts import THREE_PARTS

pytestmark = pytest.mark.integration

STATES = ["queued", "sending", "sent", "delivered"]


def phone(n: int) -> str:
    """The n-th recipient."""
    return f"+86138001380{n:02}"


def named(reference: str, to: str | None, state: ReceiptState = ReceiptState.DELIVERED) -> Receipt:
    """A receipt as an SMSC's: its id as given, and one more spelling."""
    plain = receipt(reference, reference.swapcase(), to=to, state=state)
    return Receipt(
        references=plain.references, recipient=to, state=state, code="err:000", dialects=("as-is", "case")
    )


async def learn(rig: Rig, driver: ScriptedDriver) -> None:
    """Let the account's dialect be known, as it is after its first apply."""
    for n in range(LEARNED):
        driver.script.append(accepted(f"first{n}"))
        message = await rig.send()
        await rig.until_status(message, "sent")
        await driver.report(named(f"first{n}", message.recipient))


async def send_all(rig: Rig, driver: ScriptedDriver, n: int) -> list[Message]:
    """Messages that the network took under ``id0``, ``id1`` ..., answered in one turn of the loop."""
    driver.script.extend(accepted(f"id{i}") for i in range(n))
    driver.hold()
    sent = [await rig.send(phone(i)) for i in range(n)]
    await rig.until(lambda: len(driver.submitted) == LEARNED + n)
    driver.release()
    for message in sent:
        await rig.until_status(message, "sent")
    return sent


async def test_receipts_that_come_together_settle_each_message_once(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=50)
    async with running(tmp_path / "s.db", driver) as rig:
        await learn(rig, driver)
        sent = await send_all(rig, driver, 40)
        await asyncio.gather(*(driver.report(named(f"id{n}", phone(n))) for n in range(40)))
        for message in sent:
            assert await rig.states(message.id) == STATES
            assert (await rig.segments(message.id))[0].status == "delivered"


def told_in_every_way() -> list[Receipt]:
    """Receipts of ten messages ``id0`` ... as networks send them when they are not at their best."""
    return [
        named("id0", phone(0), ReceiptState.ENROUTE),
        named("id0", phone(0)),
        named("id1", phone(1)),
        named("id1", phone(1)),
        named("id2", phone(2), ReceiptState.EXPIRED),
        named("id2", phone(2)),
        named("id3", "+86138****8003"),  # of a carrier that masks
        named("ID9", phone(3)),  # a guess, and of another's handset
        named("unknown", phone(3)),
        named("id4", None),
        named("ID5", phone(5)),  # in another dialect
        receipt(to=phone(6)),  # names no message
        named("id7", phone(7)),
        named("id7", phone(7), ReceiptState.ENROUTE),
        named("id8", phone(8), ReceiptState.REJECTED),
    ]


async def _ends(file: Path, *, at_once: bool) -> list[tuple[str, list[str], list[str | None]]]:
    driver = ScriptedDriver("a", capacity=50)
    async with running(file, driver) as rig:
        await learn(rig, driver)
        sent = await send_all(rig, driver, 10)
        told = told_in_every_way()
        for group in [told] if at_once else [[one] for one in told]:
            await asyncio.gather(*(driver.report(one) for one in group))
        return [
            (
                (await rig.message(message.id)).status,
                [event.type for event in await rig.events(message.id)],
                [segment.status for segment in await rig.segments(message.id)],
            )
            for message in sent
        ]


async def test_together_they_come_to_the_same_as_one_by_one(tmp_path: Path):
    together = await _ends(tmp_path / "together.db", at_once=True)
    assert together == await _ends(tmp_path / "alone.db", at_once=False)
    assert [end[0] for end in together] == [
        "delivered", "delivered", "undelivered", "delivered", "delivered",
        "delivered", "delivered", "delivered", "undelivered", "sent",
    ]  # fmt: skip


async def test_receipts_of_several_parts_that_come_together_deliver_the_message(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=50)
    async with running(tmp_path / "s.db", driver) as rig:
        await learn(rig, driver)
        driver.script.extend(accepted(f"part{n}") for n in range(3))
        message = await rig.send(text=THREE_PARTS)
        await rig.until_status(message, "sent")
        await asyncio.gather(*(driver.report(named(f"part{n}", message.recipient)) for n in range(3)))
        assert (await rig.message(message.id)).status == "delivered"
        assert [s.status for s in await rig.segments(message.id)] == ["delivered"] * 3


async def test_a_receipt_that_can_not_be_applied_does_not_hurt_those_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def spoiled(whole: Whole, *others: object) -> Settled:
        if whole.message.recipient == phone(3):
            raise ZeroDivisionError
        return judge_all(whole, *others)  # type: ignore[arg-type]

    driver = ScriptedDriver("a", capacity=50)
    async with running(tmp_path / "s.db", driver) as rig:
        await learn(rig, driver)
        sent = await send_all(rig, driver, 8)
        told = [named(f"id{n}", phone(n)) for n in range(8)]
        with monkeypatch.context() as patched:
            patched.setattr(apply, "judge_all", spoiled)
            await asyncio.gather(*map(driver.report, told))  # what breaks our code is set aside
        states = [await rig.states(message.id) for message in sent]
        assert states == [STATES] * 3 + [STATES[:-1]] + [STATES] * 4
        await asyncio.gather(*map(driver.report, told))  # the network sends again what was not acknowledged
        assert [await rig.states(message.id) for message in sent] == [STATES] * 8


async def test_an_answer_that_can_not_be_recorded_does_not_hurt_those_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    finish = outcomes._sent

    def spoiled(message: Message, last: Segment) -> Message:
        if message.recipient == phone(3):
            raise ZeroDivisionError
        return finish(message, last)

    driver = ScriptedDriver("a", capacity=50)
    async with running(tmp_path / "s.db", driver) as rig:
        monkeypatch.setattr(outcomes, "_sent", spoiled)
        driver.hold()
        sent = [await rig.send(phone(n)) for n in range(8)]
        await rig.until(lambda: len(driver.submitted) == 8)
        driver.release()
        await rig.until(lambda: "the sweep will settle it" in caplog.text)
        broken = sent.pop(3)
        for message in sent:
            await rig.until_status(message, "sent")
            assert await rig.states(message.id) == STATES[:-1]
        await rig.until(rig.sweeper._adopt_orphans)
        await rig.until_status(broken, "uncertain")


async def test_a_receipt_faster_than_its_answer_counts_among_answers_that_come_together(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=50)
    async with running(tmp_path / "s.db", driver) as rig:
        await learn(rig, driver)
        driver.script.extend(accepted(f"id{n}") for n in range(8))
        driver.hold()
        sent = [await rig.send(phone(n)) for n in range(8)]
        await rig.until(lambda: len(driver.submitted) == LEARNED + 8)
        await driver.report(named("id3", phone(3)))
        driver.release()
        early = sent.pop(3)
        await rig.until_status(early, "delivered")
        assert await rig.states(early.id) == STATES
        for message in sent:
            await rig.until_status(message, "sent")
