"""What is over goes in its time, a little at a time; what is open, or not read yet, stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from drivers.base import Encoding, FaultKind, InboundPart, Uncertain
from gateway.errors import Conflict
from gateway.model.message import Message
from gateway.pipeline import chores, retention
from gateway.pipeline.chores import KEEP_PARTS
from gateway.store import old_messages
from gateway.store.events import last_seq
from gateway.store.messages import find_message
from gateway.store.readers import register_place
from gateway.store.retention import RECEIPT_MAY_COME, find_backlog, load_notes
from tests.support.fake_driver import ScriptedDriver, refused
from tests.support.gateway import PHONE, START, ManualClock, Rig, receipt, running
from tests.support.people import OPERATOR
from tests.support.product import load_events, resend_message

pytestmark = pytest.mark.integration

DAY_S = 86_400.0


@pytest.fixture
def driver() -> ScriptedDriver:
    return ScriptedDriver("a")


@pytest.fixture
async def rig(tmp_path: Path, driver: ScriptedDriver) -> AsyncIterator[Rig]:
    async with running(tmp_path / "s.db", driver) as rig:
        yield rig


async def _is_there(rig: Rig, message: Message) -> bool:
    return await rig.store.read(lambda tx: find_message(tx, message.id)) is not None


async def _count_events(rig: Rig) -> int:
    return len(await rig.store.read(lambda tx: load_events(tx, 0, 1_000)))


async def _count(rig: Rig, table: str) -> int:
    return int((await rig.store.read(lambda tx: tx.fetch(f"SELECT count(*) FROM {table}")))[0][0])


async def _delivered(rig: Rig, driver: ScriptedDriver, text: str = "hello") -> Message:
    message = await rig.send(text=text)
    await rig.until_status(message, "sent")
    for segment in await rig.segments(message.id):
        await driver.report(receipt(segment.reference or ""))
    return await rig.until_status(message, "delivered")


async def test_a_text_goes_and_its_message_stays(rig: Rig, driver: ScriptedDriver):
    long = await _delivered(rig, driver, "a secret " * 40)
    rig.clock.advance(179 * DAY_S)
    young = await _delivered(rig, driver, "young")
    await rig.retention.round()
    assert (await rig.message(long.id)).text == long.text
    rig.clock.advance(2 * DAY_S)
    await rig.retention.round()
    emptied = await rig.message(long.id)
    assert (emptied.text, emptied.data) == (None, None)
    assert (emptied.status, emptied.recipient, emptied.delivered_at) == (
        "delivered",
        PHONE,
        long.delivered_at,
    )
    assert (await rig.message(young.id)).text == "young"
    assert b"secret" not in b"".join(segment.payload for segment in await rig.segments(long.id))


async def test_what_was_emptied_is_not_sent_again(rig: Rig, driver: ScriptedDriver):
    driver.script.append(refused(FaultKind.PERMANENT))
    message = await rig.send()
    await rig.until_status(message, "failed")
    rig.clock.advance(181 * DAY_S)
    await rig.retention.round()
    with pytest.raises(Conflict, match="not kept"):
        await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)


async def test_a_message_goes_with_all_that_is_its_own(rig: Rig, driver: ScriptedDriver):
    old = await _delivered(rig, driver, "long " * 60)
    rig.clock.advance(366 * DAY_S)
    young = await _delivered(rig, driver)
    await rig.retention.round()
    assert not await _is_there(rig, old)
    assert await _is_there(rig, young)
    assert await rig.events(old.id) == []
    assert await rig.states(young.id) == ["queued", "sending", "sent", "delivered"]
    left = await rig.store.read(lambda tx: tx.fetch("SELECT DISTINCT message_id FROM segments"))
    assert {row[0] for row in left} <= {young.id}


async def test_what_is_open_stays_however_old_it_is(rig: Rig, driver: ScriptedDriver):
    driver.script += [Uncertain(code="lost", detail="")]
    uncertain = await rig.send()
    await rig.until_status(uncertain, "uncertain")
    scheduled = await rig.send(schedule_at=rig.clock.now() + timedelta(days=365))
    await driver.go_down()
    queued = await rig.send(valid_for=30 * 86_400)
    rig.clock.advance(400 * DAY_S)  # nobody sweeps: they are late, and still open
    for _ in range(2):
        await rig.retention.round()
    for message in (uncertain, scheduled, queued):
        assert (await rig.message(message.id)).text == "hello"


async def test_a_message_without_a_receipt_waits_for_one_as_long_as_one_may_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    driver = ScriptedDriver("a")
    keeping = chores.Keeping(texts=DAY_S, messages=2 * DAY_S)
    monkeypatch.setattr("tests.support.gateway.KEEPING", keeping)
    async with running(tmp_path / "s.db", driver) as rig:
        sent = await rig.send()
        await rig.until_status(sent, "sent")
        rig.clock.advance(RECEIPT_MAY_COME.total_seconds() - 1)
        await rig.retention.round()
        assert (await rig.message(sent.id)).text == "hello"
        rig.clock.advance(2)
        await rig.retention.round()
        assert not await _is_there(rig, sent)


async def test_the_timeline_keeps_what_somebody_has_still_to_read(rig: Rig, driver: ScriptedDriver):
    read = await _delivered(rig, driver)
    place = await rig.store.read(last_seq)
    unread = await _delivered(rig, driver)
    n_events = await _count_events(rig)
    rig.clock.advance(400 * DAY_S)
    await rig.store.write(lambda tx: register_place(tx, "reader", place, rig.clock.now()))
    await rig.retention.round()
    assert not await _is_there(rig, read)
    assert await rig.states(unread.id) == ["queued", "sending", "sent", "delivered"]
    assert await _is_there(rig, unread), "who reads of it looks it up"
    assert await _count_events(rig) == n_events - place
    newest = await rig.store.read(last_seq)
    await rig.store.write(lambda tx: register_place(tx, "reader", newest, rig.clock.now()))
    await rig.retention.round()
    assert not await _is_there(rig, unread)
    assert await rig.store.read(last_seq) == newest, "numbers are never given twice"


async def test_what_came_in_goes_later_than_its_parts(rig: Rig, driver: ScriptedDriver):
    await driver.report(receipt("unknown"))
    await driver.report(InboundPart(sender=PHONE, encoding=Encoding.GSM7, payload=b"hello"))
    rig.clock.advance(KEEP_PARTS.total_seconds() + 1)
    await rig.retention.round()
    assert await _count(rig, "inbound_parts") == 0
    assert await _count(rig, "early_receipts") == 1
    rig.clock.advance(8 * DAY_S)
    await rig.retention.round()
    assert await _count(rig, "early_receipts") == 0
    assert len(await rig.inbound()) == 1
    rig.clock.advance(366 * DAY_S)
    await rig.retention.round()
    assert await rig.inbound() == []


async def test_it_is_on_record_what_was_done(rig: Rig, driver: ScriptedDriver):
    for _ in range(3):
        await _delivered(rig, driver)
    keep = {"texts": timedelta(days=180), "messages": timedelta(0), "events": timedelta(days=90)}
    rig.clock.advance(181 * DAY_S)
    due = await rig.store.read(lambda tx: find_backlog(tx, keep, rig.clock.now()))
    assert {kind: backlog.n_due for kind, backlog in due.items()} == {"texts": 3, "messages": 0, "events": 13}
    assert due["messages"].oldest_at == START
    await rig.retention.round()
    due = await rig.store.read(lambda tx: find_backlog(tx, keep, rig.clock.now()))
    assert {kind: backlog.n_due for kind, backlog in due.items()} == {"texts": 0, "messages": 0, "events": 0}
    notes = await rig.store.read(load_notes)
    assert (notes["texts"].n_rows, notes["texts"].ran_at) == (3, rig.clock.now())
    assert notes["messages"].n_rows == 0
    assert b'hongyan_retention_deleted_rows_total{kind="texts"} 3.0' in rig.metrics.render()
    assert b'hongyan_retention_backlog_seconds{kind="texts"} 0.0' in rig.metrics.render()


async def test_a_step_is_short_and_others_write_between_two(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chores, "MESSAGES_AT_ONCE", 5)
    await rig.lanes["a"].driver.go_down()  # type: ignore[attr-defined]
    messages = [await rig.send(valid_for=1) for _ in range(60)]
    await rig.advance(2)
    sizes, other_writes, real = [], 0, old_messages.drop_messages

    async def watched(tx, ids, ages):
        sizes.append(len(ids))
        return await real(tx, ids, ages)

    monkeypatch.setattr(chores, "drop_messages", watched)
    rig.clock.advance(366 * DAY_S)
    work = asyncio.create_task(rig.retention.round())
    while not work.done():
        await rig.send(valid_for=1)
        other_writes += 1
        await asyncio.sleep(0.001)
    assert max(sizes) == 5
    assert other_writes >= len(sizes)
    assert not any([await _is_there(rig, message) for message in messages])


async def test_the_file_does_not_grow_with_what_was_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retention, "SHORTEST_PAUSE_S", 0.0)
    driver, path = ScriptedDriver("a"), tmp_path / "s.db"
    sizes = []
    async with running(path, driver) as rig:
        driver.script += [Uncertain(code="lost", detail="")]
        uncertain = await rig.send()
        await rig.until_status(uncertain, "uncertain")
        await driver.go_down()
        for _ in range(14):  # six weeks each
            await asyncio.gather(*(rig.send(text="x" * 160, valid_for=1) for _ in range(300)))
            await rig.advance(45 * DAY_S)
            while await rig.sweeper.expire():
                pass
            await rig.retention.round()
            pages = await rig.store.read(lambda tx: tx.fetch("PRAGMA page_count"))
            sizes.append(int(pages[0][0]))
        assert sizes[-1] <= sizes[10] * 1.01, sizes
        assert sizes[-1] < sizes[0] * 9, sizes
        assert (await rig.message(uncertain.id)).text == "hello"


async def test_a_clock_that_leaps_ahead_is_not_believed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(retention, "_DISBELIEF_TICK_S", 0.002)
    driver, clock = ScriptedDriver("a"), ManualClock()
    async with running(tmp_path / "s.db", driver, clock=clock) as rig:
        message = await _delivered(rig, driver)
        clock.advance(500 * DAY_S)
        work = asyncio.create_task(rig.retention.run())
        await rig.until(lambda: "nothing old is deleted for an hour" in caplog.text)
        clock.advance(retention.DISBELIEF_S - 1)
        await asyncio.sleep(0.05)
        assert await _is_there(rig, message)
        clock.advance(2)
        await rig.until(lambda: _is_gone(rig, message))
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _is_gone(rig: Rig, message: Message) -> bool:
    return not await _is_there(rig, message)
