"""What every engine keeps, with two stores open on one database: the contract of `gateway.store.ports`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import pytest

from gateway.errors import Conflict, StoreBusy, StoreError, StoreUnavailable
from gateway.model.events import make_event
from gateway.store import groups
from gateway.store.events import last_seq
from gateway.store.groups import MAX_ROWS
from gateway.store.ports import CommitFigures, Store, Tx
from tests.support.eventually import eventually
from tests.support.product import load_events
from tests.support.stores import Database, OpenStore

pytestmark = pytest.mark.contract

AT = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)
DEADLINE_S = 60.0


@pytest.fixture
async def database(database: Database) -> Database:
    """A table ``notes`` is in it."""
    store = await database.open()
    await store.write(partial(_make_table, octets=database.octets))
    await store.close()
    return database


async def _make_table(tx: Tx, octets: str) -> None:
    await tx.execute(
        f"CREATE TABLE notes (name TEXT PRIMARY KEY, n BIGINT NOT NULL, owner TEXT, body {octets})"
    )


async def _count(tx: Tx, where: str, params: Sequence[int]) -> int:
    return int((await tx.fetch(f"SELECT count(*) FROM notes WHERE {where}", params))[0][0])


def put(name: str, n: int = 0) -> Callable[[Tx], Awaitable[str]]:
    """An operation that writes one row and one event."""

    async def op(tx: Tx) -> str:
        await tx.execute("INSERT INTO notes (name, n) VALUES (?, ?)", (name, n))
        tx.record(make_event("message.queued", AT, name, {"id": name}))
        return name

    return op


def put_then_fail(name: str) -> Callable[[Tx], Awaitable[str]]:
    async def op(tx: Tx) -> str:
        await put(name)(tx)
        tx.claimable(name)
        raise Conflict(name)

    return op


async def add_one(tx: Tx) -> int:
    """Look, think, write: what another store does in between must not get lost."""
    ((n,),) = await tx.fetch("SELECT n FROM notes WHERE name = ?", ("counter",))
    await tx.execute("UPDATE notes SET n = ? WHERE name = ?", (n + 1, "counter"))
    tx.record(make_event("message.queued", AT, "counter", {}))
    return int(n)


async def names(store: Store) -> set[str]:
    """What is stored, by row and by event; both must agree."""

    async def op(tx: Tx) -> tuple[set[str], list[str]]:
        rows = await tx.fetch("SELECT name FROM notes")
        return {row[0] for row in rows}, [event.subject for event in await load_events(tx, 0, 10_000)]

    rows, events = await store.read(op)
    assert rows == set(events)
    assert len(rows) == len(events)
    return rows


async def test_writers_that_come_together_share_commits_and_keep_their_order(database: Database):
    commits: list[CommitFigures] = []
    store = await database.open(on_commit=commits.append)
    wanted = [f"w{n:04}" for n in range(3 * MAX_ROWS + 100)]
    assert await asyncio.gather(*(store.write(put(name)) for name in wanted)) == wanted
    assert len(commits) <= 5
    assert sum(figures.n_operations for figures in commits) == len(wanted)
    assert [event.subject for figures in commits for event in figures.events] == wanted
    events = await store.read(lambda tx: load_events(tx, 0, 10_000))
    assert [(event.seq, event.subject) for event in events] == list(enumerate(wanted, 1))


async def test_a_commit_has_a_bounded_number_of_rows(database: Database):
    commits: list[CommitFigures] = []
    store = await database.open(on_commit=commits.append)
    weights = [MAX_ROWS // 2, MAX_ROWS // 2, 1, 2 * MAX_ROWS, 1, 1]
    writing = (store.write(put(f"w{n}"), n_rows=n_rows) for n, n_rows in enumerate(weights))
    assert await asyncio.gather(*writing) == [f"w{n}" for n in range(6)]
    sizes = [figures.n_operations for figures in commits]
    assert sizes in ([2, 1, 1, 2], [1, 2, 1, 2])
    assert [event.subject for figures in commits for event in figures.events] == [f"w{n}" for n in range(6)]


async def test_what_comes_right_behind_a_busy_commit_shares_the_next_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(groups, "GATHER_S", 0.3)  # on a crowded machine, too
    commits: list[CommitFigures] = []
    store = await database.open(on_commit=commits.append)
    await asyncio.gather(*(store.write(put(f"busy {n}")) for n in range(2 * groups.BUSY)))
    first = asyncio.create_task(store.write(put("first")))
    for _ in range(3):
        await asyncio.sleep(0)
    await asyncio.gather(first, store.write(put("second")))
    assert commits[-1].n_operations == 2
    alone = asyncio.create_task(store.write(put("alone")))
    for _ in range(3):
        await asyncio.sleep(0)
    await asyncio.gather(alone, store.write(put("behind")))
    assert commits[-1].n_operations == 1


async def test_one_that_fails_does_not_hurt_the_others(store: OpenStore):
    async def breaks_the_schema(tx: Tx) -> str:
        await put("never either")(tx)
        await tx.execute("INSERT INTO nowhere VALUES (1)")
        return ""

    ops = [put("a"), put_then_fail("never"), put("b"), put("a"), breaks_the_schema, put("c")]
    results = await asyncio.gather(*(store.write(op) for op in ops), return_exceptions=True)
    assert [r if isinstance(r, str) else type(r) for r in results] == [
        "a", Conflict, "b", StoreUnavailable, StoreUnavailable, "c",
    ]  # fmt: skip
    assert await names(store) == {"a", "b", "c"}


async def test_what_comes_together_for_one_operation_is_done_at_once_and_one_by_one_when_that_fails(
    store: OpenStore,
):
    calls: list[list[str]] = []

    async def op(tx: Tx, items: Sequence[str]) -> list[str]:
        calls.append(list(items))
        for name in items:
            await put(name)(tx)
            if name.startswith("bad"):
                raise Conflict(name)
        return [name.upper() for name in items]

    assert await asyncio.gather(*(store.write_jointly(op, name) for name in "ab")) == ["A", "B"]
    assert calls == [["a", "b"]]
    results = await asyncio.gather(
        *(store.write_jointly(op, name) for name in ("c", "bad 1", "d")), return_exceptions=True
    )
    assert [r if isinstance(r, str) else str(r) for r in results] == ["C", "bad 1", "D"]
    assert await names(store) == {"a", "b", "c", "d"}


async def test_what_two_stores_look_up_and_change_is_never_lost(store: OpenStore, other: OpenStore):
    async def begin(tx: Tx) -> None:
        await tx.execute("INSERT INTO notes (name, n) VALUES (?, 0)", ("counter",))

    async def count(by: OpenStore) -> list[int]:
        return [await by.write(add_one) for _ in range(40)]

    await store.write(begin)
    found = await asyncio.gather(count(store), count(other))
    assert sorted(found[0] + found[1]) == list(range(80)), "each found what the one before it had left"


async def test_a_reader_of_the_timeline_misses_nothing_while_two_stores_write(
    database: Database, store: OpenStore, other: OpenStore
):
    reader = await database.open()
    seen: list[int] = []

    async def write(by: OpenStore, prefix: str) -> None:
        for burst in range(25):
            await asyncio.gather(*(by.write(put(f"{prefix}{burst}-{n}")) for n in range(burst % 4 + 1)))

    async def follow(until: int) -> None:
        after = 0
        while len(seen) < until:
            await reader.wait_events(after)
            seen.extend(
                event.seq for event in await reader.read(partial(load_events, after_seq=after, limit=7))
            )
            after = seen[-1]

    n_events = 2 * sum(burst % 4 + 1 for burst in range(25))
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(follow(n_events), write(store, "a"), write(other, "b"))
    assert seen == list(range(1, n_events + 1))


async def test_who_waits_for_events_wakes_at_the_commit_of_any_store(store: OpenStore, other: OpenStore):
    waiting = [asyncio.create_task(waits.wait_events(0)) for waits in (store, other, store)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    with pytest.raises(Conflict):
        await store.write(put_then_fail("no"))
    assert not any(task.done() for task in waiting), "nothing was committed"
    await store.write(put("a"))
    async with asyncio.timeout(DEADLINE_S):
        assert await asyncio.gather(*waiting) == [1, 1]
        assert await other.wait_events(0) == 1, "what is there already is not waited for"


async def test_a_store_says_after_the_commit_where_something_may_be_claimed(
    store: OpenStore, other: OpenStore
):
    told: list[frozenset[str] | None] = []
    heard: list[frozenset[str] | None] = []
    store.on_claimable(told.append)
    other.on_claimable(heard.append)

    async def op(tx: Tx) -> None:
        await put("a")(tx)
        tx.claimable("q1")
        tx.claimable("q2")
        tx.claimable("q1")

    with pytest.raises(Conflict):
        await store.write(put_then_fail("q0"))
    assert not any(told)
    await store.write(op)
    assert frozenset({"q1", "q2"}) in told, "before its caller goes on"
    await eventually(lambda: bool(heard))
    assert all(queues is None or queues == {"q1", "q2"} for queues in heard)
    await store.write(put("b"))
    named = [queues for queues in told if queues is not None]
    assert named == [frozenset({"q1", "q2"})], "once, and nothing more that may be claimed"


async def test_of_two_stores_that_claim_one_gets_it(store: OpenStore, other: OpenStore):
    async def free(tx: Tx) -> None:
        await tx.execute_many("INSERT INTO notes (name, n) VALUES (?, 0)", [(f"m{n}",) for n in range(50)])

    def claim(owner: str, name: str) -> Callable[[Tx], Awaitable[bool]]:
        async def op(tx: Tx) -> bool:
            sql = "UPDATE notes SET owner = ? WHERE name = ? AND owner IS NULL RETURNING name"
            return bool(await tx.fetch(sql, (owner, name)))

        return op

    await store.write(free)
    got = await asyncio.gather(
        *(by.write(claim(str(i), f"m{n}")) for n in range(50) for i, by in enumerate((store, other)))
    )
    assert [a + b for a, b in zip(got[::2], got[1::2], strict=True)] == [1] * 50


async def test_a_reader_sees_one_state_however_much_is_written_meanwhile(store: OpenStore, other: OpenStore):
    async def begin(tx: Tx) -> None:
        await tx.execute_many("INSERT INTO notes (name, n) VALUES (?, ?)", [("left", 100), ("right", 100)])

    async def move_one(tx: Tx) -> None:
        await tx.execute("UPDATE notes SET n = n - 1 WHERE name = 'left'")
        await tx.execute("UPDATE notes SET n = n + 1 WHERE name = 'right'")

    async def total(tx: Tx) -> int:
        ((left,),) = await tx.fetch("SELECT n FROM notes WHERE name = 'left'")
        ((right,),) = await tx.fetch("SELECT n FROM notes WHERE name = 'right'")
        return int(left) + int(right)

    async def move() -> None:
        for _ in range(60):
            await store.write(move_one)

    async def look(by: OpenStore) -> list[int]:
        return [await by.read(total) for _ in range(60)]

    await store.write(begin)
    _, *looked = await asyncio.gather(move(), look(store), look(other), look(other))
    assert {n for seen in looked for n in seen} == {200}


async def test_a_reader_can_change_nothing(store: OpenStore):
    with suppress(StoreError):  # an engine may say so
        await store.read(put("a"))
    assert await names(store) == set()


async def test_a_read_that_fails_says_so_and_leaves_the_readers_usable(store: OpenStore):
    for _ in range(8):
        with pytest.raises(StoreUnavailable):
            await store.read(lambda tx: tx.fetch("SELECT * FROM nowhere"))
    assert await names(store) == set()


async def test_values_come_back_as_they_were_given(store: OpenStore):
    rows = [
        ("短信 \U0001f600 'quoted' ?", 2**62, None, b"\x00\xff"),
        ("", -1, "it's ? $1 -- no comment", bytearray(b"abc")),
        ("view", 0, "", memoryview(b"abc")[1:]),
    ]

    async def op(tx: Tx) -> None:
        await tx.execute_many("INSERT INTO notes (name, n, owner, body) VALUES (?, ?, ?, ?)", rows)

    await store.write(op)
    found = await store.read(lambda tx: tx.fetch("SELECT name, n, owner, body FROM notes ORDER BY n DESC"))
    assert [(row[0], row[1], row[2], bytes(row[3])) for row in found] == [
        (name, n, owner, bytes(body)) for name, n, owner, body in sorted(rows, key=lambda row: -row[1])
    ]


async def test_sums_and_counts_are_integers(store: OpenStore):
    async def op(tx: Tx) -> int:
        await tx.execute_many(
            "INSERT INTO notes (name, n) VALUES (?, ?)", [(f"n{n}", 2**40) for n in range(3)]
        )
        return await tx.execute(
            "UPDATE notes SET owner = ? WHERE name IN (?, ?, ?)", ("me", "n0", "n1", "n9")
        )

    assert await store.write(op) == 2
    sql = "SELECT sum(n), count(*), max(owner) FROM notes WHERE name NOT IN (?, ?)"
    ((total, n, owner),) = await store.read(lambda tx: tx.fetch(sql, ("n0", "n7")))
    assert (total, n, owner) == (2**41, 2, "me")
    assert isinstance(total, int)
    for empty in ("name IN ()", "name NOT IN () AND n < ?"):
        params = (0,) if "?" in empty else ()
        assert await store.read(partial(_count, where=empty, params=params)) == 0


async def test_a_text_with_a_nul_in_it_is_taken(store: OpenStore, database: Database):
    """PostgreSQL's texts can't hold it; the sign for it takes its place there."""
    results = await asyncio.gather(store.write(put("a\0b")), store.write(put("c")))
    assert [*results] == ["a\0b", "c"]
    ((name,),) = await store.read(lambda tx: tx.fetch("SELECT name FROM notes WHERE n = 0 AND name <> 'c'"))
    assert name == database.spell_nul("a\0b")


async def test_a_caller_that_left_does_not_stop_the_group(store: OpenStore):
    leaving = asyncio.create_task(store.write(put("a")))
    staying = asyncio.create_task(store.write(put("b")))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == "b"
    assert await store.write(put("c")) == "c"
    assert {"b", "c"} <= await names(store)


async def test_a_store_says_that_it_takes_something(store: OpenStore):
    await store.prove()
    assert await names(store) == set(), "nothing new"


async def test_close_commits_what_waits_and_refuses_what_comes_after(store: OpenStore, other: OpenStore):
    waiting = [asyncio.create_task(store.write(put(f"w{n}"))) for n in range(50)]
    follower = asyncio.create_task(store.wait_events(1_000))
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    async with asyncio.timeout(DEADLINE_S):
        assert len(await asyncio.gather(*waiting)) == 50
        with pytest.raises(StoreUnavailable):
            await follower
    for late in (store.write(put("late")), store.read(last_seq), store.wait_events(0)):
        with pytest.raises(StoreUnavailable):
            await late
    assert len(await names(other)) == 50


async def test_there_is_one_daemon_and_commands_work_beside_it(database: Database):
    daemon = await database.open(exclusive=True)
    with pytest.raises(StoreBusy, match="another hongyan"):
        await database.open(exclusive=True)
    beside = await database.open()
    await asyncio.gather(beside.write(put("from the command line")), daemon.write(put("by the daemon")))
    await daemon.close()
    await (await database.open(exclusive=True)).close()
    assert await names(beside) == {"from the command line", "by the daemon"}


async def test_who_is_told_of_commits_and_fails_stops_nobody(
    database: Database, caplog: pytest.LogCaptureFixture
):
    def fails(_: object) -> None:
        raise RuntimeError("told")

    store = await database.open(on_commit=fails)
    store.on_claimable(fails)

    async def op(tx: Tx) -> str:
        tx.claimable("default")
        return await put("a")(tx)

    assert await store.write(op) == "a"
    assert await store.write(put("b")) == "b"
    assert await names(store) == {"a", "b"}
    assert [record.exc_info is not None for record in caplog.records] == [True] * 3
