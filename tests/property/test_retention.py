"""Whatever the order in which old records are removed: nothing that is open, and nothing that is unread, is gone."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ids import MessageId, make_id
from gateway.model.events import make_event, message_event
from gateway.model.lifecycle import TERMINAL
from gateway.model.message import Message, MessageStatus, Segment
from gateway.pipeline import chores
from gateway.pipeline.chores import Keeping, make_chores
from gateway.store.changes import Change, save_change
from gateway.store.events import last_seq
from gateway.store.messages import find_message, save_messages
from gateway.store.ports import Store, Tx
from gateway.store.readers import register_place
from gateway.store.retention import RECEIPT_MAY_COME
from gateway.store.sqlite.engine import SqliteStore
from tests.support.gateway import PHONE, START
from tests.support.product import load_events, load_segments

DAY_S = 86_400.0
KEEPING = Keeping(
    texts=20 * DAY_S, messages=40 * DAY_S, events=30 * DAY_S, inbound=40 * DAY_S, receipts=14 * DAY_S
)
STATES = sorted(MessageStatus)


@st.composite
def lives(draw: st.DrawFn) -> tuple[int, MessageStatus]:
    """The day on which a message came to a state, and the state."""
    return draw(st.integers(0, 100)), draw(st.sampled_from(STATES))


@given(
    lives=st.lists(lives(), min_size=1, max_size=12),
    read_share=st.floats(0, 1),
    steps=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 15)), max_size=40),
    at_once=st.integers(1, 5),
)
@settings(max_examples=40, deadline=None)
def test_no_order_of_steps_removes_what_is_open_or_unread(
    lives: list[tuple[int, MessageStatus]], read_share: float, steps: list[tuple[int, int]], at_once: int
):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_check(Path(folder), sorted(lives), read_share, steps, at_once))


async def _check(
    folder: Path,
    lives: list[tuple[int, MessageStatus]],
    read_share: float,
    steps: list[tuple[int, int]],
    at_once: int,
) -> None:
    store = await SqliteStore.open(folder / "s.db")
    names = ("AT_ONCE", "MESSAGES_AT_ONCE", "LOOKED_AT")
    before = {name: getattr(chores, name) for name in names}
    try:
        for name in names:
            setattr(chores, name, at_once)
        messages = [await _store(store, START + timedelta(days=day), status) for day, status in lives]
        newest = await store.read(last_seq)
        read_to = int(newest * read_share)
        unread = {
            event.seq: event.subject for event in await store.read(lambda tx: load_events(tx, read_to, 1_000))
        }
        now, todo, places = START + timedelta(days=100), make_chores(KEEPING), dict[str, str]()
        for which, days in steps:
            now += timedelta(days=days)
            await store.write(partial(register_place, name="reader", seq=read_to, now=now))
            chore = todo[which % len(todo)]
            step = await chore.step(store, now, places.get(chore.kind, ""))
            places[chore.kind] = step.after or ""
            await _nothing_is_missing(store, messages, unread, read_to, now)
    finally:
        for name, value in before.items():
            setattr(chores, name, value)
        await store.close()


async def _store(store: Store, at: datetime, status: MessageStatus) -> Message:
    message = Message(
        id=MessageId(make_id()), recipient=PHONE, text="hello", encoding="gsm7", status=MessageStatus.QUEUED,
        n_segments=1, queue="group:default", created_at=at, updated_at=at, expires_at=at + timedelta(days=3),
    )  # fmt: skip

    async def op(tx: Tx) -> Message:
        await save_messages(tx, [(message, [Segment(part=1, payload=b"hello")])])
        tx.record(message_event(message, at))
        state = msgspec.structs.replace(message, status=status)
        await save_change(tx, Change(message, state))
        tx.record(make_event("receipt.delivered", at, message.id, {"id": message.id}))
        return state

    return await store.write(op)


async def _nothing_is_missing(
    store: Store, messages: list[Message], unread: dict[int, str], read_to: int, now: datetime
) -> None:
    events = {event.seq for event in await store.read(lambda tx: load_events(tx, read_to, 1_000))}
    assert unread.keys() <= events
    for message in messages:
        found = await store.read(partial(find_message, message_id=message.id))
        segments = await store.read(partial(load_segments, message_ids=[message.id]))
        aged = now - message.updated_at
        waits = message.status is MessageStatus.SENT and aged <= RECEIPT_MAY_COME
        is_open = waits or message.status not in {*TERMINAL, MessageStatus.SENT}
        assert (found is None) == (message.id not in segments), "what is its own goes with it"
        if is_open or aged <= timedelta(seconds=KEEPING.messages) or message.id in unread.values():
            assert found is not None
        if is_open or aged <= timedelta(seconds=KEEPING.texts):
            assert found is not None
            assert found.text == "hello"
            assert segments[message.id][0].payload == b"hello"
