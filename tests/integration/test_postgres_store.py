"""PostgreSQL as a store when the server, or the way to it, fails: what was answered is there once, the rest is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.errors import StoreBusy, StoreUnavailable
from gateway.model.events import make_event
from gateway.store.ports import Tx
from gateway.store.postgres import session, writer
from gateway.store.postgres.engine import PostgresStore
from gateway.store.target import Target
from tests.support.eventually import eventually
from tests.support.postgres import PASSWORD, Cluster, running_cluster
from tests.support.product import load_events

pytestmark = pytest.mark.integration

AT = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """One that is stopped and killed, and whose commits are on the disk."""
    with running_cluster(durable=True) as cluster:
        yield cluster


@pytest.fixture
def target(server: Cluster) -> Target:
    return Target(server.url(server.make_database()))


@asynccontextmanager
async def opened(target: Target, **options: Any) -> AsyncIterator[PostgresStore]:
    store = await PostgresStore.open(target, **options)
    try:
        yield store
    finally:
        await store.close()


async def make_table(tx: Tx) -> None:
    await tx.execute("CREATE TABLE notes (name TEXT NOT NULL, n BIGINT NOT NULL)")


def put(name: str) -> Callable[[Tx], Awaitable[str]]:
    """A row that nothing keeps from being there twice, and an event."""

    async def op(tx: Tx) -> str:
        await tx.execute("INSERT INTO notes (name, n) VALUES (?, 1)", (name,))
        tx.record(make_event("message.queued", AT, name, {}))
        return name

    return op


async def stored(store: PostgresStore) -> list[str]:
    """What is stored, by row and by event; both must agree."""

    async def op(tx: Tx) -> tuple[list[str], list[str]]:
        rows = await tx.fetch("SELECT name FROM notes")
        return sorted(row[0] for row in rows), sorted(e.subject for e in await load_events(tx, 0, 100_000))

    rows, events = await store.read(op)
    assert rows == events
    return rows


class Load:
    """Writers that go on whatever happens.

    Attributes:
        done: what was answered.
        refused: what was said not to be there.
    """

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._stopping = False
        self.done: list[str] = []
        self.refused: list[str] = []

    async def write(self, writer_name: str) -> None:
        n = 0
        while not self._stopping:
            name = f"{writer_name}-{n}"
            n += 1
            try:
                self.done.append(await self._store.write(put(name)))
            except StoreUnavailable:
                self.refused.append(name)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.write(f"w{i}")) for i in range(8)]
        try:
            await self.goes_on()
            yield
            await self.goes_on()
        finally:
            self._stopping = True
            await asyncio.gather(*tasks)

    async def goes_on(self) -> None:
        """Wait until more was written."""
        n = len(self.done) + 30
        await eventually(lambda: len(self.done) >= n)


@pytest.mark.parametrize("how", ["immediate", "kill", "fast"])
async def test_a_server_that_ends_under_load_loses_and_doubles_nothing(
    server: Cluster, target: Target, how: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "PATIENCE_S", DEADLINE_S)

    def end() -> None:
        if how == "kill":
            server.kill()
        else:
            server.stop(immediate=how == "immediate")

    async with opened(target, exclusive=True) as store:
        await store.write(make_table)
        load = Load(store)
        async with load.running():
            for _ in range(3):
                await asyncio.to_thread(end)
                await asyncio.to_thread(server.start)
                await load.goes_on()
        assert await stored(store) == sorted(load.done)
        assert load.refused == [], "it was back before anybody lost patience"


async def test_a_server_that_stays_away_is_said_and_all_goes_on_when_it_is_back(
    server: Cluster, target: Target, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "PATIENCE_S", 0.3)
    async with opened(target) as store, opened(target) as other:
        await store.write(make_table)
        await store.write(put("before"))
        server.stop(immediate=True)
        try:
            with pytest.raises(StoreUnavailable, match=r"cannot be reached|is the server running"):
                await store.write(put("never"))
            with pytest.raises(StoreUnavailable):
                await store.read(lambda tx: tx.fetch("SELECT 1"))
            with pytest.raises(StoreUnavailable):
                await store.prove()
            waiting = asyncio.create_task(other.wait_events(1))
        finally:
            await asyncio.to_thread(server.start)
        monkeypatch.undo()
        async with asyncio.timeout(DEADLINE_S):
            assert await store.write(put("after")) == "after"
            assert await waiting == 2, "who listens has come back, too"
        assert await stored(store) == ["after", "before"]


async def test_connections_that_are_cut_are_opened_anew(server: Cluster, target: Target):
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hongyan'"
    async with opened(target, exclusive=True) as store:
        await store.write(make_table)
        load = Load(store)
        async with load.running():
            for _ in range(5):
                await asyncio.to_thread(server.run_sql, cut)
                await store.read(lambda tx: tx.fetch("SELECT 1"))
                await load.goes_on()
        assert load.refused == []
        assert await stored(store) == sorted(load.done)


class Cable:
    """Stands between a store and its server, and is pulled out at a COMMIT.

    Args:
        server: where to go.
    """

    COMMIT = b"Q" + (11).to_bytes(4, "big") + b"COMMIT\0"

    def __init__(self, server: Cluster) -> None:
        self._server = server
        self._answering = False
        self.pull: str = ""
        self.port = 0
        self.n_pulled = 0

    @asynccontextmanager
    async def plugged(self) -> AsyncIterator[None]:
        accepting = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = accepting.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            accepting.close()
            await accepting.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        answers, onward = await asyncio.open_connection("127.0.0.1", self._server.port)
        pulled = asyncio.Event()

        async def forth() -> None:
            while data := await reader.read(65_536):
                if self.pull and data.endswith(self.COMMIT):
                    how, self.pull = self.pull, ""
                    self.n_pulled += 1
                    if how == "before":
                        return
                    pulled.set()
                onward.write(data)
                await onward.drain()

        async def back() -> None:
            while data := await answers.read(65_536):
                if pulled.is_set():
                    return
                out.write(data)
                await out.drain()

        ways = [asyncio.create_task(forth()), asyncio.create_task(back())]
        _, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in left:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for end in (out, onward):
            end.close()
            with suppress(OSError):
                await end.wait_closed()


@pytest.mark.parametrize("how", ["before", "after"])
async def test_a_commit_whose_answer_is_lost_is_run_again_only_if_it_was_not_done(server: Cluster, how: str):
    cable = Cable(server)
    async with cable.plugged():
        database = server.make_database()
        target = Target(f"postgresql://hongyan@127.0.0.1:{cable.port}/{database}?sslmode=disable", PASSWORD)
        async with opened(target, exclusive=True) as store:
            await store.write(make_table)
            wanted = []
            for n in range(6):
                cable.pull = how
                names = [f"{n}-{i}" for i in range(3)]
                assert await asyncio.gather(*(store.write(put(name)) for name in names)) == names
                wanted += names
            assert cable.n_pulled == 6
            assert await stored(store) == wanted


async def test_who_waits_too_long_for_the_turn_is_told_after_one_wait(
    server: Cluster, target: Target, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(session.SETTINGS, "lock_timeout", "200ms")
    async with opened(target) as store:
        await store.write(make_table)
        holder = await session.connect(target)
        await holder.run(f"BEGIN; SELECT pg_advisory_xact_lock({writer.TURN})")
        results = await asyncio.gather(*(store.write(put(name)) for name in "abc"), return_exceptions=True)
        assert [type(result) for result in results] == [StoreBusy] * 3
        await holder.close()
        assert await store.write(put("d")) == "d"
        assert await stored(store) == ["d"]


async def test_tables_that_change_beside_a_running_store_do_not_stop_it(server: Cluster, target: Target):
    async with opened(target) as store, opened(target) as other:
        await store.write(make_table)
        everything = "SELECT * FROM notes"
        for by in (store, other):
            await by.write(put("a"))
            assert len((await by.read(lambda tx: tx.fetch(everything)))[0]) == 2
            await by.write(lambda tx: tx.fetch(everything))
        await other.write(lambda tx: tx.execute("ALTER TABLE notes ADD COLUMN more TEXT"))
        for by in (store, other):
            assert len((await by.write(lambda tx: tx.fetch(everything)))[0]) == 3
            assert len((await by.read(lambda tx: tx.fetch(everything)))[0]) == 3


async def test_a_daemon_that_was_killed_leaves_its_place_to_the_next(server: Cluster, target: Target):
    """The server may notice a little later than we that it is gone."""
    first = await PostgresStore.open(target, exclusive=True)
    opening = asyncio.create_task(PostgresStore.open(target, exclusive=True))
    await asyncio.sleep(0)
    await first.close()
    async with asyncio.timeout(DEADLINE_S):
        await (await opening).close()
