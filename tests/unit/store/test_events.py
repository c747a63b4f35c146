"""The timeline's rows: what is written comes back, however it is asked for, and old ones go in pieces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.ids import make_id
from gateway.model.events import make_event
from gateway.store.events import MOST_OF_SUBJECT, forget_events, load_events_before, load_lines, load_timeline
from gateway.store.ports import Tx
from gateway.store.sqlite.engine import SqliteStore
from tests.support.product import load_events

pytestmark = pytest.mark.unit

AT = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)


async def happen(store: SqliteStore, *subjects: str, at: datetime = AT) -> None:
    """One commit."""

    async def op(tx: Tx) -> None:
        for subject in subjects:
            tx.record(make_event("message.queued", at, subject, {"id": subject}))

    await store.write(op)


async def count(store: SqliteStore, table: str) -> int:
    return int((await store.read(lambda tx: tx.fetch(f"SELECT count(*) FROM {table}")))[0][0])


async def test_pages_of_any_size_show_each_event_once_in_both_directions(store: SqliteStore):
    for n in (1, 250, 1, 1, 99, 3):
        await happen(store, *(f"s{n}" for _ in range(n)))
    for limit in (1, 7, 100, 1_000):
        seen: list[int] = []
        while events := await store.read(lambda tx: load_events(tx, seen[-1] if seen else 0, limit)):  # noqa: B023
            assert len(events) <= limit
            seen += [event.seq for event in events]
        assert seen == list(range(1, 356))
        seen = []
        while events := await store.read(lambda tx: load_events_before(tx, seen[-1] if seen else 356, limit)):  # noqa: B023
            seen += [event.seq for event in events]
        assert seen == list(range(355, 0, -1))


async def test_lines_are_handed_on_from_the_middle_of_a_commit(store: SqliteStore):
    await happen(store, *(f"s{n}" for n in range(10)))
    lines = await store.read(lambda tx: load_lines(tx, 7, 500))
    assert lines is not None
    assert (lines.first_seq, lines.last_seq, lines.octets.count(b"\n")) == (8, 10, 3)
    assert lines.octets.startswith(b'{"seq":8,')
    assert await store.read(lambda tx: load_lines(tx, 10, 500)) is None


async def test_the_timeline_of_one_is_found_among_many_and_is_bounded(store: SqliteStore):
    ids = [make_id() for _ in range(150)]
    await happen(store, *ids)
    await happen(store, *reversed(ids))
    await happen(store, "+8613800138000")
    assert [e.seq for e in await store.read(lambda tx: load_timeline(tx, ids[3]))] == [4, 297]
    assert [e.seq for e in await store.read(lambda tx: load_timeline(tx, "+8613800138000"))] == [301]
    assert await store.read(lambda tx: load_timeline(tx, make_id())) == []
    for _ in range(12):
        await happen(store, *["much"] * 100)
    timeline = await store.read(lambda tx: load_timeline(tx, "much"))
    assert [e.seq for e in timeline] == list(range(1_502 - MOST_OF_SUBJECT, 1_502))


async def test_old_events_go_in_pieces_and_what_somebody_has_to_read_stays(store: SqliteStore):
    for n in range(6):
        await happen(store, *(f"s{k}" for k in range(50)), at=AT + timedelta(days=n))
    before = AT + timedelta(days=4)

    async def forget(read_to: int, limit: int = 60) -> int:
        return await store.write(lambda tx: forget_events(tx, before, limit, read_to=read_to))

    assert await forget(read_to=49) == 0, "a group goes when all of it was read"
    assert await forget(read_to=99) == 50
    assert await forget(read_to=10_000, limit=50) == 50
    assert [await forget(read_to=10_000) for _ in range(3)] == [100, 0, 0]
    assert (await store.read(lambda tx: load_events(tx, 0, 1)))[0].seq == 201
    assert await count(store, "event_groups") == 2
    assert await count(store, "event_subjects") == 100
    before = AT + timedelta(days=40)
    assert await forget(read_to=10_000, limit=10_000) == 100
