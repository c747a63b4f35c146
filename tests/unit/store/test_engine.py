"""The SQLite engine: group commit, isolation, its timeline, and what it says when it can't."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import Conflict, StoreBusy, StoreFull, StoreUnavailable
from gateway.model.events import make_event
from gateway.store.events import last_seq, load_timeline
from gateway.store.groups import MAX_ROWS
from gateway.store.ports import CommitFigures, Tx
from gateway.store.sqlite import engine
from gateway.store.sqlite.engine import SqliteStore
from tests.support.product import load_events

pytestmark = pytest.mark.unit

AT = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)
DEADLINE_S = 60.0


@pytest.fixture
def commits() -> list[CommitFigures]:
    return []


@pytest.fixture
async def store(tmp_path: Path, commits: list[CommitFigures]) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "s.db", on_commit=commits.append)
    yield opened
    await opened.close()


def put(subject: str) -> Callable[[Tx], Awaitable[str]]:
    """An operation that writes one row and one event."""

    async def op(tx: Tx) -> str:
        await tx.execute("INSERT INTO concat_refs (recipient, reference) VALUES (?, 1)", (subject,))
        tx.record(make_event("message.queued", AT, subject, {"id": subject}))
        return subject

    return op


def put_big(n_octets: int) -> Callable[[Tx], Awaitable[None]]:
    async def op(tx: Tx) -> None:
        await tx.execute(
            "INSERT INTO idempotency (key_id, key, body_hash, answer, created_at) VALUES ('', ?, ?, ?, 0)",
            (str(n_octets), b"", bytes(n_octets)),
        )

    return op


async def subjects(store: SqliteStore) -> list[str]:
    """What is stored, by row and by event; both must agree."""

    async def op(tx: Tx) -> tuple[list[str], list[str]]:
        rows = await tx.fetch("SELECT recipient FROM concat_refs ORDER BY rowid")
        return [row[0] for row in rows], [e.subject for e in await load_events(tx, 0, 10_000)]

    rows, events = await store.read(op)
    assert rows == events
    return rows


async def test_writers_that_come_together_share_commits(store: SqliteStore, commits: list[CommitFigures]):
    names = [f"w{n:04}" for n in range(1_200)]
    assert await asyncio.gather(*(store.write(put(name)) for name in names)) == names
    assert await subjects(store) == names, "in the order in which they came"
    assert sum(figures.n_operations for figures in commits) == 1_200
    assert len(commits) <= 1_200 // MAX_ROWS + 1
    assert max(figures.n_operations for figures in commits) <= MAX_ROWS


async def test_one_that_fails_does_not_hurt_the_others(store: SqliteStore):
    async def fails_late(tx: Tx) -> None:
        await put("never")(tx)
        raise Conflict("no")

    async def breaks_the_schema(tx: Tx) -> None:
        await put("never either")(tx)
        await tx.execute("INSERT INTO nowhere VALUES (1)")

    ops: list[Callable[[Tx], Awaitable[object]]] = [
        put("a"),
        fails_late,
        put("b"),
        put("a"),
        breaks_the_schema,
        put("c"),
    ]
    results = await asyncio.gather(*(store.write(op) for op in ops), return_exceptions=True)
    assert [r if isinstance(r, str) else type(r) for r in results] == [
        "a",
        Conflict,
        "b",
        StoreUnavailable,
        StoreUnavailable,
        "c",
    ]
    assert await subjects(store) == ["a", "b", "c"]


class Together:
    """A joint operation that writes a row and an event for each item, and remembers what was given to it at once."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    async def op(self, tx: Tx, names: Sequence[str]) -> list[str]:
        self.calls.append(list(names))
        return [await self._put(tx, name) for name in names]

    async def _put(self, tx: Tx, name: str) -> str:
        await put(name)(tx)
        if name.startswith("bad"):
            raise Conflict(name)
        return name.upper()


async def test_what_comes_together_for_one_operation_is_done_at_once(
    store: SqliteStore, commits: list[CommitFigures]
):
    together = Together()
    results: Sequence[str] = await asyncio.gather(
        store.write_jointly(together.op, "a"),
        store.write(put("alone")),
        store.write_jointly(together.op, "b"),
        store.write_jointly(Together().op, "of another"),
        store.write_jointly(together.op, "c"),
    )
    assert list(results) == ["A", "alone", "B", "OF ANOTHER", "C"]
    assert together.calls == [["a", "b", "c"]]
    assert [figures.n_operations for figures in commits] == [5]
    assert [name for name in await subjects(store) if name in "abc"] == ["a", "b", "c"]


async def test_one_that_fails_among_those_done_at_once_fails_alone(store: SqliteStore):
    together = Together()
    names = ["a", "bad 1", "b", "bad 2", "c"]
    writing = (store.write_jointly(together.op, name) for name in names)
    results = await asyncio.gather(*writing, store.write(put("alone")), return_exceptions=True)
    assert [r if isinstance(r, str) else (type(r), str(r)) for r in results] == [
        "A",
        (Conflict, "bad 1"),
        "B",
        (Conflict, "bad 2"),
        "C",
        "alone",
    ]
    assert await subjects(store) == ["a", "b", "c", "alone"]
    assert together.calls[1:] == [[name] for name in names], "the second time one by one"


async def test_an_operation_that_forgets_a_caller_tells_all_of_them(store: SqliteStore):
    async def forgets(tx: Tx, names: Sequence[str]) -> list[str]:
        await put(names[0])(tx)
        return []

    writing = (store.write_jointly(forgets, name) for name in "ab")
    assert [type(r) for r in await asyncio.gather(*writing, return_exceptions=True)] == [ValueError] * 2
    assert await subjects(store) == []


async def test_a_caller_that_left_does_not_stop_the_group(store: SqliteStore):
    leaving = asyncio.create_task(store.write(put("a")))
    staying = asyncio.create_task(store.write(put("b")))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == "b"
    assert await store.write(put("c")) == "c"
    assert (await subjects(store))[-2:] == ["b", "c"]


async def test_an_operation_may_await_nothing_but_its_transaction(store: SqliteStore):
    async def sleeps(_tx: Tx) -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaited something"):
        await store.write(sleeps)
    assert await store.write(put("a")) == "a"


async def test_events_come_in_the_order_of_commit(store: SqliteStore):
    for name in "abc":
        await store.write(put(name))
    events = await store.read(lambda tx: load_events(tx, 1, 10))
    assert [(e.seq, e.subject, e.at) for e in events] == [(2, "b", AT), (3, "c", AT)]
    assert await store.read(last_seq) == 3
    assert [e.seq for e in await store.read(lambda tx: load_timeline(tx, "b"))] == [2]


async def test_who_waits_for_events_wakes_after_the_commit(store: SqliteStore):
    waiting = [asyncio.create_task(store.wait_events(0)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    await store.write(put_big(1))
    assert not waiting[0].done(), "nothing was recorded"
    await store.write(put("a"))
    async with asyncio.timeout(DEADLINE_S):
        assert await asyncio.gather(*waiting) == [1, 1]
        assert await store.wait_events(0) == 1, "what is there already is not waited for"


async def test_a_reader_sees_what_is_committed_and_nothing_else(store: SqliteStore):
    await store.write(put("a"))
    blocker = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()
    entered = asyncio.Event()

    async def slow(tx: Tx) -> None:
        await put("b")(tx)
        loop.call_soon_threadsafe(entered.set)
        asyncio.run_coroutine_threadsafe(_wait_for(blocker), loop).result(DEADLINE_S)

    writing = asyncio.create_task(store.write(slow))
    await entered.wait()
    assert await subjects(store) == ["a"]
    blocker.set_result(None)
    await writing
    assert await subjects(store) == ["a", "b"]


async def _wait_for(future: asyncio.Future[None]) -> None:
    await future


async def test_a_reader_can_change_nothing(store: SqliteStore):
    await store.read(put("a"))
    assert await subjects(store) == []


async def test_a_read_that_fails_says_so_and_leaves_the_reader_usable(store: SqliteStore):
    for _ in range(2 * engine.READERS):
        with pytest.raises(StoreUnavailable):
            await store.read(lambda tx: tx.fetch("SELECT * FROM nowhere"))
    assert await subjects(store) == []


async def test_a_full_disk_is_said_and_is_over_when_there_is_room(store: SqliteStore):
    await store.write(put("before"))
    n_pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {n_pages + 4}")
    results = await asyncio.gather(
        store.write(put("small")), store.write(put_big(10**6)), return_exceptions=True
    )
    assert isinstance(results[1], StoreFull)
    assert "small" in await subjects(store) or isinstance(results[0], StoreFull)
    with pytest.raises(StoreFull):
        await store.write(put_big(10**6))
    store._db.execute("PRAGMA max_page_count = 1000000")
    await store.write(put_big(10**6))
    assert await store.write(put("after")) == "after"
    assert (await subjects(store))[-1] == "after"


async def test_a_second_daemon_is_kept_out_until_the_first_has_closed(tmp_path: Path):
    first = await SqliteStore.open(tmp_path / "s.db", exclusive=True)
    with pytest.raises(StoreBusy, match="another hongyan"):
        await SqliteStore.open(tmp_path / "s.db", exclusive=True)
    beside = await SqliteStore.open(tmp_path / "s.db")
    await beside.write(put("from the command line"))
    await beside.close()
    await first.close()
    await (await SqliteStore.open(tmp_path / "s.db", exclusive=True)).close()


async def test_a_writer_in_another_process_is_waited_for_and_then_said(store: SqliteStore, tmp_path: Path):
    store._db.execute("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy):
        await store.write(put("a"))
    other.execute("ROLLBACK")
    other.close()
    assert await store.write(put("a")) == "a"


async def test_who_waits_for_a_store_that_another_process_holds_is_told_after_one_wait(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Trying the operations of a group one by one would be as many waits again, for nothing."""
    begun: list[str] = []
    store._db.execute("PRAGMA busy_timeout = 1")
    store._db.set_trace_callback(lambda sql: begun.append(sql) if sql.startswith("BEGIN") else None)
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        failed = await asyncio.gather(*(store.write(put(name)) for name in "abc"), return_exceptions=True)
        other.execute("ROLLBACK")
    assert [type(error) for error in failed] == [StoreBusy] * 3
    assert len(begun) <= 2
    assert await store.write(put("d")) == "d"


async def test_a_store_says_whether_it_takes_anything(tmp_path: Path):
    path = tmp_path / "p.db"
    store = await SqliteStore.open(path)
    try:
        await store.prove()
        store._db.execute("PRAGMA query_only = 1")
        with pytest.raises(StoreUnavailable):
            await store.prove()
        store._db.execute("PRAGMA query_only = 0")
        await store.prove()
    finally:
        await store.close()


async def test_damage_that_was_met_once_is_not_forgotten(tmp_path: Path):
    path = tmp_path / "p.db"
    store = await SqliteStore.open(path)
    try:
        for n in range(200):
            await store.write(put_big(4_000 + n))
        store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = store._db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'idempotency'").fetchone()[
            0
        ]
        size = store._db.execute("PRAGMA page_size").fetchone()[0]
        with path.open("r+b") as file:
            file.seek((root - 1) * size)
            file.write(b"\xff" * size)

        async def look(tx: Tx) -> None:
            await tx.fetch("SELECT * FROM idempotency")

        # A fresh reader: the others may have the page in their memory still.
        damaged = await SqliteStore.open(path)
        with pytest.raises(StoreUnavailable):
            await damaged.read(look)
        with pytest.raises(StoreUnavailable, match="malformed"):
            await damaged.prove()
        await damaged.close()
    finally:
        await store.close()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "s.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(tmp_path / "s.db")


async def test_close_commits_what_waits_and_refuses_what_comes_after(tmp_path: Path):
    store = await SqliteStore.open(tmp_path / "s.db")
    waiting = [asyncio.create_task(store.write(put(f"w{n}"))) for n in range(50)]
    follower = asyncio.create_task(store.wait_events(1_000))
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    async with asyncio.timeout(DEADLINE_S):
        assert len(await asyncio.gather(*waiting)) == 50
        with pytest.raises(StoreUnavailable):
            await follower
    for late in (store.write(put("late")), store.read(last_seq)):
        with pytest.raises(StoreUnavailable):
            await late
    again = await SqliteStore.open(tmp_path / "s.db")
    assert len(await subjects(again)) == 50
    await again.close()


async def test_a_backup_is_a_whole_store(store: SqliteStore, tmp_path: Path):
    await store.write(put("a"))
    await store.backup(tmp_path / "copy.db")
    copy = await SqliteStore.open(tmp_path / "copy.db")
    assert await subjects(copy) == ["a"]
    await copy.close()


async def test_what_is_committed_is_synced_to_the_disk(store: SqliteStore):
    assert store._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
