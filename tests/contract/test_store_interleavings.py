"""Two stores on one database, driven in any order: nothing is claimed twice, lost to a reader, or done by halves."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import Conflict, StaleWrite
from gateway.model.events import make_event
from gateway.store.events import last_seq
from gateway.store.ports import Tx
from gateway.store.postgres.engine import PostgresStore
from gateway.store.sqlite.engine import SqliteStore
from gateway.store.target import Target
from tests.support.eventually import eventually
from tests.support.product import load_events
from tests.support.stores import OpenStore

pytestmark = [pytest.mark.property, pytest.mark.contract]

AT = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)
NAMES = "abc"
WRITERS = 2


class Step(NamedTuple):
    """What one of the stores does."""

    writer: int
    verb: str
    name: str


STEPS = st.lists(
    st.lists(
        st.builds(
            Step,
            st.integers(0, WRITERS - 1),
            st.sampled_from(["add", "claim", "finish", "fail", "read"]),
            st.sampled_from(NAMES),
        ),
        min_size=1,
        max_size=6,
    ),
    min_size=1,
    max_size=5,
)
"""Bursts: the steps of one are begun together, the next when all of them have ended."""


class Interleaving:
    """Runs bursts and keeps what each step was told.

    Args:
        base: the timeline's last number before it.
    """

    def __init__(self, stores: list[OpenStore], base: int) -> None:
        self._stores = stores
        self._base = base
        self.added: Counter[str] = Counter()
        self.epochs: dict[str, list[int]] = {name: [] for name in NAMES}
        self.finished: list[tuple[str, int]] = []
        self._mine: dict[tuple[int, str], int] = {}

    async def run(self, burst: list[Step]) -> None:
        await asyncio.gather(*(self._do(step) for step in burst))

    async def _do(self, step: Step) -> None:
        await getattr(self, f"_{step.verb}")(self._stores[step.writer], step)

    async def _add(self, store: OpenStore, step: Step) -> None:
        """Look, then write what follows from it."""

        async def op(tx: Tx) -> None:
            ((n,),) = await tx.fetch("SELECT n FROM notes WHERE name = ?", (step.name,))
            await tx.execute("UPDATE notes SET n = ? WHERE name = ?", (n + 1, step.name))
            tx.record(make_event("message.queued", AT, step.name, {"n": n + 1}))

        await store.write(op)
        self.added[step.name] += 1

    async def _claim(self, store: OpenStore, step: Step) -> None:
        sql = "UPDATE notes SET owner = ?, epoch = epoch + 1 WHERE name = ? AND owner IS NULL RETURNING epoch"
        rows = await store.write(lambda tx: tx.fetch(sql, (str(step.writer), step.name)))
        if rows:
            self.epochs[step.name].append(rows[0][0])
            self._mine[step.writer, step.name] = rows[0][0]

    async def _finish(self, store: OpenStore, step: Step) -> None:
        """Give back what was claimed; a stale owner must not."""
        epoch = self._mine.get((step.writer, step.name), 0)

        async def op(tx: Tx) -> None:
            sql = "UPDATE notes SET owner = NULL WHERE name = ? AND owner = ? AND epoch = ?"
            if not await tx.execute(sql, (step.name, str(step.writer), epoch)):
                raise StaleWrite(step.name)

        try:
            await store.write(op)
        except StaleWrite:
            return
        self.finished.append((step.name, epoch))

    async def _fail(self, store: OpenStore, step: Step) -> None:
        async def op(tx: Tx) -> None:
            await tx.execute("UPDATE notes SET n = n + 1000 WHERE name = ?", (step.name,))
            tx.record(make_event("message.failed", AT, step.name, {}))
            raise Conflict(step.name)

        with pytest.raises(Conflict):
            await store.write(op)

    async def _read(self, store: OpenStore, step: Step) -> None:
        n, n_events = await store.read(partial(_look, base=self._base))
        assert n == n_events, "each addition and its event, or neither"


async def _look(tx: Tx, base: int) -> tuple[int, int]:
    ((n,),) = await tx.fetch("SELECT sum(n) FROM notes")
    return int(n), len(await load_events(tx, base, 10_000))


async def _begin(tx: Tx) -> int:
    await tx.execute("DELETE FROM notes")
    await tx.execute_many("INSERT INTO notes (name, n, epoch) VALUES (?, 0, 0)", [(name,) for name in NAMES])
    return await last_seq(tx)


async def check(open_one: Callable[[], Awaitable[OpenStore]], bursts: list[list[Step]]) -> None:
    async with AsyncExitStack() as stack:
        stores = []
        for _ in range(WRITERS + 1):
            stores.append(await open_one())
            stack.push_async_callback(stores[-1].close)
        *writers, reader = stores
        base = await reader.write(_begin)
        interleaving = Interleaving(writers, base)
        seen: list[int] = []

        async def follow() -> None:
            while True:
                after = seen[-1] if seen else base
                await reader.wait_events(after)
                seen.extend(e.seq for e in await reader.read(partial(load_events, after_seq=after, limit=3)))

        following = asyncio.create_task(follow())
        try:
            for burst in bursts:
                await interleaving.run(burst)
            n_events = sum(interleaving.added.values())
            await eventually(lambda: len(seen) >= n_events)
        finally:
            following.cancel()
            await asyncio.wait([following])
        rows = await reader.read(lambda tx: tx.fetch("SELECT name, n, epoch FROM notes"))
        assert seen == list(range(base + 1, base + n_events + 1)), "in order, and none is missing"
        for name, n, epoch in rows:
            assert n == interleaving.added[name], "no addition is lost"
            assert interleaving.epochs[name] == list(range(1, epoch + 1)), "each claim had its own epoch"
        assert len(set(interleaving.finished)) == len(interleaving.finished), "each claim ends once"


_TABLE = "CREATE TABLE notes (name TEXT PRIMARY KEY, n BIGINT NOT NULL, owner TEXT, epoch BIGINT NOT NULL)"


@pytest.fixture(params=["sqlite", "postgres"])
def open_one(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Awaitable[OpenStore]]:
    """Opens one more store on the same database; there is a table in it."""
    monkeypatch.setattr("gateway.store.sqlite.engine.OTHERS_S", 0.02)
    opening: Callable[[], Awaitable[OpenStore]]
    if request.param == "postgres":
        opening = partial(PostgresStore.open, Target(request.getfixturevalue("postgres_url")))
    else:
        opening = partial(SqliteStore.open, tmp_path / "s.db")

    async def begin() -> None:
        store = await opening()
        await store.write(lambda tx: tx.execute(_TABLE))
        await store.close()

    asyncio.run(begin())
    return opening


@given(bursts=STEPS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_of_two_stores_claims_twice_loses_or_halves_anything(
    open_one: Callable[[], Awaitable[OpenStore]], bursts: list[list[Step]]
):
    asyncio.run(check(open_one, bursts))
