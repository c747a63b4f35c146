"""The writer's side of the SQLite engine: runs groups of operations and commits each durably, on one thread."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.routing.prices import NO_PRICES
from gateway.store.costs import save_charges
from gateway.store.events import append_events, last_seq
from gateway.store.groups import Committed, Ended, Waiting, by_operation
from gateway.store.ports import CommitFigures, OnStop, Tx
from gateway.store.sealing.terms import Dress
from gateway.store.sqlite.errors import Condition
from gateway.store.sqlite.transaction import SqliteTx, drive


class _NotBegun(Exception):
    """Not even the transaction could be opened, so nobody's operation is to blame, and trying one by one is no use."""


class GroupWriter:
    """Commits groups.

    Args:
        db: the one connection that writes; used on the caller's thread only.
        condition: told of errors.
        tell_stops: see `gateway.store.ports.Store.on_stop`; called on the caller's thread.
        dress: for the transactions that operations get, of an encrypted store.

    Attributes:
        prices: the price list of the next transactions.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        condition: Condition,
        tell_stops: Sequence[OnStop] = (),
        dress: Dress | None = None,
    ) -> None:
        self._db = db
        self._tell_stops = tell_stops
        self._dress = dress
        self._condition = condition
        self._version = self._data_version()
        self.prices = NO_PRICES

    def commit(self, group: list[Waiting]) -> tuple[Committed, CommitFigures]:
        """Run a group and commit it; if one of it fails, all again with each in a savepoint."""
        started = time.perf_counter()
        try:
            done = self._run_group(group, guarded=False)
        except _NotBegun as exc:
            done = self._fail_all(group, exc)
        except Exception:  # noqa: BLE001 - one operation failed: run the group again, each in a savepoint
            try:
                done = self._run_group(group, guarded=True)
            except Exception as exc:  # noqa: BLE001 - the commit itself failed: every caller learns it
                done = self._fail_all(group, exc)
        return done, CommitFigures(
            len(group), time.perf_counter() - started, done.events, done.spent, done.coming
        )

    def look_for_news(self) -> int | None:
        """The timeline's last ``seq`` if other processes have committed since the last look; None if not."""
        version = self._data_version()
        if version == self._version:
            return None
        self._version = version
        return drive(last_seq(SqliteTx(self._db)))

    def _data_version(self) -> int:
        """SQLite changes it when another connection commits; ours do so nowhere else."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def _fail_all(self, group: Iterable[Waiting], exc: BaseException) -> Committed:
        reason = exc.__cause__ if isinstance(exc, _NotBegun) and exc.__cause__ is not None else exc
        error = self._condition.note(reason)
        return Committed([Ended(waiting.done, None, error) for waiting in group])

    def _run_group(self, group: list[Waiting], *, guarded: bool) -> Committed:
        db = self._db
        tx = SqliteTx(db, self.prices, self._tell_stops)
        dressed = tx if self._dress is None else self._dress(tx)
        ended: list[Ended] = []
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as exc:
            raise _NotBegun from exc
        try:
            if guarded:
                ended = [self._run_guarded(tx, dressed, waiting) for waiting in group]
            else:
                for together in by_operation(group):
                    ended += _run_together(dressed, together)
            spent = drive(save_charges(dressed, tx.charges)) if tx.charges else {}
            # The last statements before the commit: their numbers are in the order of commits.
            last = drive(append_events(dressed, tx.events)) if tx.events else 0
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # SQLite itself rolls back on some errors, a full disk among them
                db.execute("ROLLBACK")
            raise
        return Committed(ended, last, tx.events, frozenset(tx.queues), spent, tx.coming)

    def _run_guarded(self, tx: SqliteTx, dressed: Tx, waiting: Waiting) -> Ended:
        noted: tuple[list[Any], ...] = (tx.events, tx.queues, tx.charges, tx.coming)
        before = [len(one) for one in noted]
        self._db.execute("SAVEPOINT op")
        try:
            (ended,) = _run_together(dressed, [waiting])
        except Exception as exc:
            if not self._db.in_transaction:
                raise
            for one, n in zip(noted, before, strict=True):
                del one[n:]
            self._db.execute("ROLLBACK TO op")
            self._db.execute("RELEASE op")
            return Ended(waiting.done, None, self._condition.note(exc))
        self._db.execute("RELEASE op")
        return ended


def _run_together(tx: Tx, together: Sequence[Waiting]) -> list[Ended]:
    results = drive(together[0].op(tx, [waiting.item for waiting in together]))
    return [Ended(w.done, result, None) for w, result in zip(together, results, strict=True)]
