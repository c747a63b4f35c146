"""The writer's side: groups of operations, each committed durably on the one connection that writes.

Isolation. A group begins by taking the database's *writers' turn*, an advisory lock that ends with the transaction:
of all processes that write one at a time does, as with SQLite. So what an operation found holds until its commit, in
every process, whether its statements are fenced or not, and no transaction has to be run again because of another.
READ COMMITTED is enough behind that lock, and needed: each statement sees what was committed before the turn came.

A commit whose answer is lost. Every group leaves its number in this store's row of ``store_marks``. When the
connection dies while COMMIT is under way, that row says whether it was done; only if not, the group is run again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from gateway.errors import StoreBusy, StoreError, StoreUnavailable
from gateway.routing.prices import NO_PRICES
from gateway.store.costs import save_charges
from gateway.store.events import append_events
from gateway.store.groups import Committed, Ended, Waiting, by_operation
from gateway.store.ports import CommitFigures, Tx
from gateway.store.postgres.errors import is_conflict, is_held, is_lost, translate
from gateway.store.postgres.notices import CHANNEL, write_notice
from gateway.store.postgres.session import Session, open_session
from gateway.store.postgres.transaction import PostgresTx
from gateway.store.sealing.terms import Dress
from gateway.store.target import Target

PATIENCE_S = 5.0
"""How long a group waits for a server that is away; who waits behind it waits as long at most again."""
ANSWER_S = 60.0
"""How long a group may take before its connection counts as dead."""
MOST_RUNS = 5
"""How often a group is run that others hinder."""
TURN: Final = 0x686F6E67
"""Advisory lock: the writers' turn."""
ONE_DAEMON: Final = 0x686F6E68
"""Advisory lock: held by the connection that writes of the one daemon."""
_BEGIN: Final = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({TURN})"
_MARK: Final = (
    "INSERT INTO store_marks (store, n, made_at) VALUES (?, ?, now())"
    " ON CONFLICT (store) DO UPDATE SET n = excluded.n"
)
_MARK_AND_TELL: Final = f"{_MARK} RETURNING pg_notify('{CHANNEL}', ?)"


class _InDoubt(Exception):
    """The connection died while COMMIT was under way.

    Args:
        committed: what became of the group if it was done.
    """

    def __init__(self, committed: Committed) -> None:
        super().__init__()
        self.committed = committed


class GroupWriter:
    """Commits groups on a connection of its own, which it opens anew when it is lost.

    Args:
        target: the database.
        store: names this store among those of the database.
        exclusive: write only as the one daemon.

    Attributes:
        prices: the price list of the next transactions.
        dress: for the transactions that operations get, of an encrypted store.
    """

    def __init__(self, target: Target, store: str, *, exclusive: bool) -> None:
        self._target = target
        self._store = store
        self._exclusive = exclusive
        self._session: Session | None = None
        self._n = 0
        self.closing = False
        self.prices = NO_PRICES
        self.dress: Dress | None = None

    async def open(self) -> Session:
        """The connection, opened if need be.

        Raises:
            StoreError: it can't be had.
        """
        if self._session is not None and self._session.is_open:
            return self._session
        self._session = None
        session = await open_session(self._target)
        try:
            if self._exclusive:
                await self._be_the_only_one(session)
        except BaseException:
            session.cut()
            raise
        self._session = session
        return session

    async def _be_the_only_one(self, session: Session) -> None:
        """Wait a little: the server may not have noticed yet that a daemon before us has ended."""
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            ((taken,),) = await session.fetch(f"SELECT pg_try_advisory_lock({ONE_DAEMON})")
            if taken:
                return
            if time.monotonic() > give_up_at:
                raise StoreBusy(
                    f"{self._target.shown}: another hongyan is running on this store; stop it first"
                )
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Close the connection; this store's mark goes with it."""
        if self._session is not None:
            with suppress(Exception):  # it is a row that a later start clears away
                await self._session.execute("DELETE FROM store_marks WHERE store = ?", (self._store,))
            await self._session.close()

    async def commit(self, group: list[Waiting]) -> tuple[Committed, CommitFigures]:
        """Run a group and commit it; if one of it fails, all again with each in a savepoint."""
        started = time.perf_counter()
        try:
            done = await self._commit(group)
        except Exception as exc:  # noqa: BLE001 - every caller learns it
            done = self._fail_all(group, exc)
        return done, CommitFigures(
            len(group), time.perf_counter() - started, done.events, done.spent, done.coming
        )

    async def _commit(self, group: list[Waiting]) -> Committed:
        give_up_at = time.monotonic() + PATIENCE_S
        guarded, n_runs = False, 0
        while True:
            session = await self._wait_for_session(give_up_at)
            try:
                return await self._run_group(session, group, guarded=guarded)
            except _InDoubt as doubt:
                if await self._was_committed():
                    return doubt.committed
            except Exception as exc:
                lost = await self._give_up(session, exc)
                n_runs += 1
                again = time.monotonic() < give_up_at if lost else is_conflict(exc) and n_runs < MOST_RUNS
                if not again and (lost or guarded or is_held(exc) or is_conflict(exc)):
                    raise
                guarded = guarded or not again

    async def _give_up(self, session: Session, exc: Exception) -> bool:
        """Roll back; whether the connection is lost."""
        if session.is_open and not is_lost(exc):
            with suppress(Exception):
                async with asyncio.timeout(PATIENCE_S):
                    await session.run("ROLLBACK")
                return False
        session.cut()
        return True

    async def _wait_for_session(self, give_up_at: float) -> Session:
        pause_s = 0.02
        while True:
            try:
                return await self.open()
            except StoreUnavailable:
                if time.monotonic() + pause_s > give_up_at:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.5)

    def _fail_all(self, group: Iterable[Waiting], exc: BaseException) -> Committed:
        error = translate(exc, self._target.shown)
        return Committed([Ended(waiting.done, None, error) for waiting in group])

    async def _run_group(self, session: Session, group: list[Waiting], *, guarded: bool) -> Committed:
        tx = PostgresTx(session, careful=guarded, prices=self.prices)
        dressed = tx if self.dress is None else self.dress(tx)
        ended: list[Ended] = []
        async with asyncio.timeout(ANSWER_S):
            await session.run(_BEGIN)
            if guarded:
                ended = [await self._run_guarded(session, tx, dressed, waiting) for waiting in group]
            else:
                for together in by_operation(group):
                    ended += await _run_together(dressed, together)
            spent = await save_charges(dressed, tx.charges) if tx.charges else {}
            # The last statements before the commit: their numbers are in the order of commits.
            last = await append_events(dressed, tx.events) if tx.events else 0
            committed = Committed(ended, last, tx.events, frozenset(tx.queues), spent, tx.coming)
            await self._mark(session, committed)
        try:
            async with asyncio.timeout(ANSWER_S):
                await session.run("COMMIT")
        except Exception as exc:
            if is_lost(exc) or not session.is_open:
                session.cut()
                raise _InDoubt(committed) from exc
            raise
        return committed

    async def _mark(self, session: Session, committed: Committed) -> None:
        self._n += 1
        if committed.last_seq or committed.queues:
            notice = write_notice(self._store, committed.last_seq, committed.queues)
            await session.fetch(_MARK_AND_TELL, (self._store, self._n, notice))
        else:
            await session.execute(_MARK, (self._store, self._n))

    async def _was_committed(self) -> bool:
        """Whether the last group was; waits until the server says so.

        Raises:
            StoreUnavailable: the store is closed before that.
        """
        while True:
            try:
                session = await self.open()
                # Behind the turn nothing of the lost connection is under way any more.
                await session.run(_BEGIN)
                rows = await session.fetch("SELECT n FROM store_marks WHERE store = ?", (self._store,))
                await session.run("ROLLBACK")
            except Exception as exc:
                if not (isinstance(exc, StoreError) or is_lost(exc) or is_conflict(exc)):
                    raise
                if self._session is not None:
                    self._session.cut()
                if self.closing:
                    raise StoreUnavailable(
                        f"{self._target.shown} went away during a commit; whether it was done is not known"
                    ) from exc
                await asyncio.sleep(0.2)
            else:
                return bool(rows) and rows[0][0] == self._n

    async def _run_guarded(self, session: Session, tx: PostgresTx, dressed: Tx, waiting: Waiting) -> Ended:
        noted: tuple[list[Any], ...] = (tx.events, tx.queues, tx.charges, tx.coming)
        before = [len(one) for one in noted]
        await session.run("SAVEPOINT op")
        try:
            (ended,) = await _run_together(dressed, [waiting])
        except Exception as exc:
            if is_lost(exc) or is_conflict(exc) or not session.is_open:
                raise
            for one, n in zip(noted, before, strict=True):
                del one[n:]
            await session.run("ROLLBACK TO op; RELEASE op")
            return Ended(waiting.done, None, translate(exc, self._target.shown))
        await session.run("RELEASE op")
        return ended


async def _run_together(tx: Tx, together: Sequence[Waiting]) -> list[Ended]:
    results = await together[0].op(tx, [waiting.item for waiting in together])
    return [Ended(w.done, result, None) for w, result in zip(together, results, strict=True)]
