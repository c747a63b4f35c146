"""Retention, shares and sequences on every engine, with two stores open on one database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from gateway.ids import MessageId, make_id
from gateway.model.events import message_event
from gateway.model.message import Category, Message, MessageStatus, Segment
from gateway.pipeline.chores import Keeping, make_chores
from gateway.pipeline.sending.lines import Lines
from gateway.routing.order import band_of
from gateway.routing.shares import Shares
from gateway.routing.troubles import Number
from gateway.store.changes import Change, save_change
from gateway.store.events import load_timeline
from gateway.store.messages import find_message, find_to_change, save_messages
from gateway.store.ports import Store, Tx
from gateway.store.queue import find_due, find_due_among, hold_recipient, unhide
from gateway.store.readers import register_place
from gateway.store.retention import Note, find_backlog, last_sign_of_life, load_notes, save_note
from gateway.store.sequences import join_sequence
from gateway.store.shares import find_heads, find_passed_over, load_places, set_ranks
from tests.support.stores import OpenStore

pytestmark = pytest.mark.contract

AT = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)
QUEUE = "group:default"
TO = "+8613800138000"
BAND = band_of(Category.TRANSACTIONAL, 5)
DAY_S = 86_400.0
KEEPING = Keeping(texts=DAY_S, messages=2 * DAY_S, events=3 * DAY_S, inbound=DAY_S, receipts=DAY_S)


def make_message(category: Category = Category.TRANSACTIONAL, sequence: str | None = None) -> Message:
    return Message(
        id=MessageId(make_id()), recipient=TO, text="hello", category=category, encoding="gsm7",
        status=MessageStatus.QUEUED, n_segments=1, queue=QUEUE, created_at=AT, updated_at=AT,
        expires_at=AT + timedelta(hours=72), sequence=sequence,
    )  # fmt: skip


async def put(store: Store, message: Message, tag: int | None = None) -> Message:
    async def op(tx: Tx) -> None:
        await save_messages(tx, [(message, [Segment(part=1, payload=b"hello")])], [tag])
        tx.record(message_event(message, AT))
        if message.sequence is not None:
            await join_sequence(tx, message)

    await store.write(op)
    return message


async def end(store: Store, message: Message, status: MessageStatus = MessageStatus.CANCELED) -> None:
    async def op(tx: Tx) -> None:
        found = await find_to_change(tx, message.id)
        assert found is not None
        before = found.message
        await save_change(tx, Change(before, msgspec.structs.replace(before, status=status)))

    await store.write(op)


async def ready(store: Store) -> list[str]:
    return [due.message_id for due in await store.read(lambda tx: find_due(tx, {QUEUE: 20}, AT))]


async def test_every_chore_is_one_that_the_engine_knows(store: OpenStore, other: OpenStore):
    ended, open_one = await put(store, make_message()), await put(store, make_message())
    await end(store, ended)
    for chore in make_chores(KEEPING):
        await chore.step(store, AT + timedelta(days=1, seconds=1), "")
    kept = await other.read(lambda tx: find_message(tx, ended.id))
    assert kept is not None
    assert kept.text is None
    now = AT + timedelta(days=9)
    await store.write(lambda tx: register_place(tx, "slow", 0, now))
    for chore in make_chores(KEEPING):
        await chore.step(store, now, "")
    assert await other.read(lambda tx: find_message(tx, ended.id)) is not None, "its events are not read yet"
    await store.write(lambda tx: register_place(tx, "slow", 100, now))
    for chore in make_chores(KEEPING):
        await chore.step(store, now, "")
    assert await other.read(lambda tx: find_message(tx, ended.id)) is None
    found = await other.read(lambda tx: find_message(tx, open_one.id))
    assert found is not None
    assert found.text == "hello"
    assert await other.read(lambda tx: load_timeline(tx, ended.id)) == []


async def test_what_is_on_record_of_retention(store: OpenStore, other: OpenStore):
    await end(store, await put(store, make_message()))
    note = Note("x", AT, AT + timedelta(days=1), 7)
    await store.write(lambda tx: save_note(tx, "texts", note))
    assert await other.read(load_notes) == {"texts": note}
    assert await other.read(last_sign_of_life) == note.ran_at
    keep = {kind: timedelta(days=1) for kind in ("texts", "messages", "events", "inbound", "receipts")}
    found = await other.read(lambda tx: find_backlog(tx, keep, AT + timedelta(days=40)))
    assert (found["texts"].n_due, found["messages"].n_due) == (1, 1)
    assert found["texts"].ran_at == note.ran_at


async def test_a_sequence_is_one_at_a_time(store: OpenStore, other: OpenStore):
    first, second, third = [await put(store, make_message(sequence="a")) for _ in range(3)]
    assert await ready(other) == [first.id]
    await end(other, second)
    assert await ready(store) == [first.id]
    await end(store, first)
    assert await ready(other) == [third.id]
    await end(other, third)
    fresh = await put(store, make_message(sequence="a"))
    assert await ready(other) == [fresh.id]


async def test_a_sequence_is_one_at_a_time_also_where_ids_are_out_of_order(store: OpenStore):
    made_first, stored_first, last = [make_message(sequence="a") for _ in range(3)]
    for message in (stored_first, made_first, last):
        await put(store, message)
    assert await ready(store) == [stored_first.id]
    await end(store, last)
    assert await ready(store) == [stored_first.id], "the first is not done yet"
    await end(store, stored_first)
    assert await ready(store) == [made_first.id]


async def test_nobody_is_left_behind_who_joins_while_the_last_one_leaves(store: OpenStore, other: OpenStore):
    for _ in range(20):
        leaving = await put(store, make_message(sequence="a"))
        joining = make_message(sequence="a")
        await asyncio.gather(end(store, leaving), put(other, joining))
        assert await ready(store) == [joining.id]
        await end(other, joining)


async def test_lines_are_seen_by_another_instance(store: OpenStore, other: OpenStore):
    ours, theirs = Shares(0), Shares(0)
    for _ in range(50):
        await put(store, make_message(), ours.join(QUEUE, BAND, "many"))
    await Lines(store, ours).save()
    await Lines(other, theirs).open()
    assert theirs.join(QUEUE, BAND, "many") == ours.join(QUEUE, BAND, "many")
    assert theirs.join(QUEUE, BAND, "few") == 0
    assert [place.owner for place in await other.read(load_places)] == ["many"]


async def test_lines_begin_behind_what_an_earlier_run_left_hidden(store: OpenStore, other: OpenStore):
    paused = await put(store, make_message(), tag=5_000)
    number = Number(QUEUE, TO)
    until = AT + timedelta(minutes=1)
    await store.write(lambda tx: hold_recipient(tx, number, AT, until, urgent=False, besides=None))
    assert await ready(other) == []
    shares = Shares(0)
    await Lines(other, shares).open()
    fresh = [await put(other, make_message(), shares.join(QUEUE, BAND, "a")) for _ in range(2)]
    await store.write(lambda tx: unhide(tx, [paused.id], until))
    assert await ready(store) == [paused.id, *(message.id for message in fresh)]


async def test_the_first_of_each_class_is_found_and_who_waited_long(store: OpenStore, other: OpenStore):
    alarm, order, offer = [
        await put(store, make_message(category))
        for category in (Category.EMERGENCY, Category.TRANSACTIONAL, Category.MARKETING)
    ]
    heads = await other.read(find_heads)
    assert [head.band >> 4 for head in heads] == [0, 2, 3]
    since = AT + timedelta(seconds=1)
    assert await other.read(lambda tx: find_passed_over(tx, QUEUE, since, 5)) == [order.id, offer.id]
    assert await other.read(lambda tx: find_passed_over(tx, QUEUE, AT, 5)) == []
    await store.write(lambda tx: set_ranks(tx, [(0, offer.id)]))
    assert await ready(other) == [offer.id, alarm.id, order.id]
    found = await store.write(lambda tx: find_due_among(tx, [order.id, "none"], AT))
    assert [due.message_id for due in found] == [order.id]
