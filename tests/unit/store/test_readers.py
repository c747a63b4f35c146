"""Places in the timeline: who is where, who holds what, who is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import StaleWrite
from gateway.model.events import make_event
from gateway.store.ports import Tx
from gateway.store.readers import (
    drop_readers,
    load_readers,
    lowest_place,
    open_reader,
    register_place,
    save_place,
)
from gateway.store.sqlite.engine import SqliteStore

pytestmark = pytest.mark.unit

AT = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)


async def happen(store: SqliteStore, n: int) -> None:
    async def op(tx: Tx) -> None:
        for _ in range(n):
            tx.record(make_event("message.queued", AT, "m", {"id": "m"}))

    await store.write(op)


async def test_a_reader_begins_with_the_present_and_goes_on_where_it_was(store: SqliteStore):
    await happen(store, 3)
    assert await store.write(lambda tx: open_reader(tx, "a", AT)) == 3
    await happen(store, 4)
    await store.write(lambda tx: save_place(tx, "a", read_from=3, seq=5, now=AT))
    assert await store.write(lambda tx: open_reader(tx, "a", AT)) == 5
    (reader,) = await store.read(load_readers)
    assert (reader.name, reader.seq, reader.lag) == ("a", 5, 2)


async def test_two_that_read_under_one_name_do_not_both_get_on(store: SqliteStore):
    await store.write(lambda tx: open_reader(tx, "a", AT))
    await happen(store, 2)
    await store.write(lambda tx: save_place(tx, "a", read_from=0, seq=2, now=AT))
    with pytest.raises(StaleWrite):
        await store.write(lambda tx: save_place(tx, "a", read_from=0, seq=1, now=AT))
    assert await store.write(lambda tx: open_reader(tx, "a", AT)) == 2


async def test_the_slowest_reader_holds_events_and_one_that_is_gone_does_not(store: SqliteStore):
    await happen(store, 9)
    assert await store.read(lowest_place) == 9, "nobody reads, nobody is waited for"
    await store.write(lambda tx: register_place(tx, "gone", 2, AT))
    await store.write(lambda tx: register_place(tx, "here", 7, AT + timedelta(days=8)))
    assert await store.read(lowest_place) == 2
    assert await store.write(lambda tx: drop_readers(tx, AT + timedelta(days=1))) == ["gone"]
    assert await store.read(lowest_place) == 7
