"""Readers of the timeline: what they make of events is there once, whatever fails in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.errors import StoreBusy
from gateway.model.events import Event, make_event
from gateway.store.ports import Tx
from gateway.store.readers import load_readers
from gateway.store.sqlite.engine import SqliteStore
from gateway.timeline import follow
from gateway.timeline.follow import Take, Taken, TimelineReader
from tests.support.eventually import eventually
from tests.support.gateway import START, ManualClock

pytestmark = pytest.mark.integration


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    monkeypatch.setattr(follow, "STORE_RETRY_S", 0.01)
    opened = await SqliteStore.open(tmp_path / "s.db")
    await opened.write(lambda tx: tx.execute("CREATE TABLE made (subject TEXT)"))
    yield opened
    await opened.close()


async def happen(store: SqliteStore, *subjects: str, kind: str = "message.sent") -> None:
    async def op(tx: Tx) -> None:
        for subject in subjects:
            tx.record(make_event(kind, START, subject, {"id": subject}))

    await store.write(op)


async def made(store: SqliteStore) -> list[str]:
    return [
        row[0] for row in await store.read(lambda tx: tx.fetch("SELECT subject FROM made ORDER BY rowid"))
    ]


async def keep_all(events: Sequence[Event]) -> Taken | None:
    """A row for each event that is told of."""
    subjects = [(event.subject,) for event in events if event.type == "message.sent"]
    if not subjects:
        return None
    return Taken(lambda tx: tx.execute_many("INSERT INTO made (subject) VALUES (?)", subjects))


@asynccontextmanager
async def reading(store: SqliteStore, take: Take = keep_all) -> AsyncIterator[TimelineReader]:
    reader = TimelineReader(store, ManualClock(), "tests", take)
    await reader.open()
    task = asyncio.create_task(reader.run())
    try:
        yield reader
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def has_made(store: SqliteStore, *subjects: str) -> None:
    async def there() -> bool:
        return await made(store) == list(subjects)

    await eventually(there)


async def test_a_reader_that_was_stopped_goes_on_where_it_was(store: SqliteStore):
    async with reading(store):
        await happen(store, "a", "b")
        await has_made(store, "a", "b")
    await happen(store, "c")
    async with reading(store):
        await has_made(store, "a", "b", "c")


async def test_what_was_made_and_the_place_are_there_together_or_not_at_all(store: SqliteStore):
    failures = iter([StoreBusy("another process holds the store"), StoreBusy("still")])

    async def breaks(events: Sequence[Event]) -> Taken | None:
        taken = await keep_all(events)
        assert taken is not None

        async def save(tx: Tx) -> None:
            await taken.save(tx)
            if (failure := next(failures, None)) is not None:
                raise failure

        return Taken(save)

    async with reading(store, breaks):
        await happen(store, "a", "b")
        await has_made(store, "a", "b")
    async with reading(store, breaks):
        await happen(store, "c")
        await has_made(store, "a", "b", "c")


async def test_two_under_one_name_make_each_thing_once(store: SqliteStore):
    names = [f"m{n}" for n in range(40)]
    async with reading(store), reading(store):
        for name in names:
            await happen(store, name)
            await asyncio.sleep(0)
        await has_made(store, *names)


async def test_a_place_among_events_that_concern_nobody_is_told_all_the_same(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(follow, "SAVE_S", 0.01)

    async def lag() -> bool:
        return [reader.lag for reader in await store.read(load_readers)] == [0]

    async with reading(store):
        await happen(store, "x", kind="channel.up")
        await eventually(lag)
