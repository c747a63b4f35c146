"""Two stores open on one file, as of two processes: one timeline in the order of commits, one word of what may go."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import Conflict
from gateway.model.events import make_event
from gateway.store.events import last_seq
from gateway.store.ports import Tx
from gateway.store.sqlite import engine
from gateway.store.sqlite.engine import SqliteStore
from tests.support.eventually import eventually
from tests.support.product import load_events

pytestmark = pytest.mark.unit

AT = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)
DEADLINE_S = 60.0


@pytest.fixture
async def stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[SqliteStore, SqliteStore]]:
    monkeypatch.setattr(engine, "OTHERS_S", 0.01)
    first, second = await SqliteStore.open(tmp_path / "s.db"), await SqliteStore.open(tmp_path / "s.db")
    yield first, second
    await first.close()
    await second.close()


def record(subject: str, *queues: str) -> Callable[[Tx], Awaitable[None]]:
    async def op(tx: Tx) -> None:
        tx.record(make_event("message.queued", AT, subject, {"id": subject}))
        for queue in queues:
            tx.claimable(queue)

    return op


async def fail(tx: Tx) -> None:
    await record("never", "never")(tx)
    raise Conflict("no")


async def test_a_reader_never_finds_a_number_that_it_has_passed(stores: tuple[SqliteStore, SqliteStore]):
    """Two write, with operations that fail among them; who reads in between sees the numbers one after the other."""
    seen: list[int] = []

    async def follow() -> None:
        while len(seen) < 400:
            newest = await stores[1].wait_events(seen[-1] if seen else 0)
            events = await stores[1].read(lambda tx: load_events(tx, seen[-1] if seen else 0, 1_000))
            seen.extend(event.seq for event in events)
            assert seen == list(range(1, len(seen) + 1)), "in order, none skipped"
            assert newest <= len(seen)

    async def write(store: SqliteStore) -> None:
        for n in range(100):
            done = asyncio.gather(
                *(store.write(op) for op in (record(f"{n}a"), fail, record(f"{n}b"))), return_exceptions=True
            )
            assert [type(result) for result in await done] == [type(None), Conflict, type(None)]

    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(follow(), *(write(store) for store in stores))
    assert await stores[0].read(last_seq) == 400


_BESIDE = """
import asyncio, sys
from pathlib import Path
from gateway.store.sqlite.engine import SqliteStore
from tests.unit.store.test_two_stores import record

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]))
    await store.write(record("from another process", "default"))
    await store.close()

asyncio.run(main())
"""


async def test_what_another_process_writes_is_noticed(stores: tuple[SqliteStore, SqliteStore]):
    told: list[frozenset[str] | None] = []
    store = stores[0]
    store.on_claimable(told.append)
    await store.write(record("ours"))
    waiting = asyncio.create_task(store.wait_events(1))
    path = str(store._path)
    beside = await asyncio.create_subprocess_exec(sys.executable, "-c", _BESIDE, path)
    async with asyncio.timeout(DEADLINE_S):
        assert await beside.wait() == 0
        assert await waiting == 2
        await eventually(lambda: bool(told))
    assert told == [None], "which queue nobody knows"


async def test_who_waits_for_work_is_told_once_after_the_commit(stores: tuple[SqliteStore, SqliteStore]):
    store, told = stores[0], list[frozenset[str] | None]()
    store.on_claimable(told.append)
    await store.write(record("a"))
    assert told == []
    await asyncio.gather(
        store.write(record("b", "one", "two")), store.write(record("c", "one")), return_exceptions=True
    )
    assert told == [frozenset({"one", "two"})], "before the callers go on, and once for the commit"
    await asyncio.gather(store.write(fail), store.write(record("d", "three")), return_exceptions=True)
    assert told[1:] == [frozenset({"three"})], "nothing of what failed"
    await store.read(record("nothing", "read"))
    assert len(told) == 2


async def test_numbers_are_not_given_again_when_the_newest_events_are_gone(
    stores: tuple[SqliteStore, SqliteStore],
):
    await stores[0].write(record("a"))

    async def forget(tx: Tx) -> None:
        await tx.execute("DELETE FROM event_groups")

    await stores[0].write(forget)
    await stores[1].write(record("b"))
    assert [event.seq for event in await stores[0].read(lambda tx: load_events(tx, 0, 10))] == [2]
