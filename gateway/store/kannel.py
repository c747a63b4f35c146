"""What Kannel's clients asked to be told, and the calls that are still to be made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms, parse_instant, parse_ms
from gateway.store.ports import Row, Tx

_COLUMNS = "id, subject, host, call, route, attempts, created_at, owner"
_ENDED = "'delivered', 'undelivered', 'failed', 'expired', 'canceled', 'blocked'"


class StoredCall(NamedTuple):
    """A call to be made.

    Args:
        subject: the message or inbound message; its calls are made in order of their ids.
        host: whom it goes to.
        call: what is sent, encoded by whoever made it.
        route: the inbound route; None for a report.
        attempts: how often it was tried.
        owner: the account or route that it is made for.
    """

    id: str
    subject: str
    host: str
    call: bytes
    route: str | None
    attempts: int
    created_at: datetime
    owner: str = ""


class Busy(NamedTuple):
    """Those that have enough calls under way."""

    subjects: Sequence[str] = ()
    hosts: Sequence[str] = ()
    owners: Sequence[str] = ()


async def save_wishes(tx: Tx, wishes: Iterable[tuple[str, bytes]], at: datetime) -> None:
    """Keep what is wanted of each message: ``(message id, encoded wish)``."""
    await tx.execute_many(
        "INSERT INTO kannel_wishes (message_id, wish, created_at) VALUES (?, ?, ?)",
        [(message_id, wish, format_ms(at)) for message_id, wish in wishes],
    )


async def find_wishes(tx: Tx, message_ids: Collection[str]) -> dict[str, bytes]:
    """The wishes for those messages that have one."""
    ids = list(message_ids)
    if not ids:
        return {}
    rows = await tx.fetch(
        f"SELECT message_id, wish FROM kannel_wishes WHERE message_id IN ({_marks(ids)})", ids
    )
    return {row[0]: row[1] for row in rows}


async def forget_wishes(tx: Tx, before: datetime, after: str, limit: int) -> tuple[int, str | None]:
    """Drop wishes from before ``before`` whose message has ended before it, too.

    Args:
        after: looks at the first ``limit`` wishes behind this message id.

    Returns:
        How many were dropped, and where to go on; None at the end.
    """
    rows = await tx.fetch(
        "SELECT message_id, created_at FROM kannel_wishes WHERE message_id > ? ORDER BY message_id LIMIT ?",
        (after, limit),
    )
    at = format_ms(before) or 0
    old = [row[0] for row in rows if row[1] < at]
    if not old:
        return 0, None
    n_dropped = await tx.execute(
        f"DELETE FROM kannel_wishes WHERE message_id IN ({_marks(old)}) AND NOT EXISTS (SELECT 1 FROM messages"
        f" WHERE messages.id = kannel_wishes.message_id AND (status NOT IN ({_ENDED}) OR updated_at >= ?))",
        (*old, at),
    )
    return n_dropped, old[-1]


async def save_calls(tx: Tx, calls: Iterable[StoredCall]) -> None:
    """Keep calls that are due at once."""
    await tx.execute_many(
        "INSERT INTO kannel_calls (id, subject, host, call, route, attempts, due_at, created_at, owner)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (c.id, c.subject, c.host, c.call, c.route, c.attempts, format_ms(c.created_at), format_ms(c.created_at),
             c.owner)
            for c in calls
        ],
    )  # fmt: skip


async def load_due_calls(tx: Tx, now: datetime, limit: int, busy: Busy) -> list[StoredCall]:
    """Calls that may be made now, the longest due first.

    Args:
        busy: whose calls are not wanted.
    """
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM kannel_calls AS c WHERE {_next_of_free(busy)}"
        " AND due_at <= ? ORDER BY due_at, id LIMIT ?",
        (*busy.subjects, *busy.hosts, *busy.owners, format_ms(now), limit),
    )
    return [_call(row) for row in rows]


async def find_next_due(tx: Tx, busy: Busy) -> datetime | None:
    """When the next call may be made, beside those that wait for one under way; None when there is none."""
    rows = await tx.fetch(
        f"SELECT min(due_at) FROM kannel_calls AS c WHERE {_next_of_free(busy)}",
        (*busy.subjects, *busy.hosts, *busy.owners),
    )
    return parse_ms(rows[0][0])


def _next_of_free(busy: Busy) -> str:
    """The first call of each subject that is free, by a host and an owner that are; see `Busy` for the parameters."""
    free = "".join(
        f"{column} NOT IN ({_marks(values)}) AND "
        for column, values in (("subject", busy.subjects), ("host", busy.hosts), ("owner", busy.owners))
        if values
    )
    return f"{free}NOT EXISTS (SELECT 1 FROM kannel_calls AS e WHERE e.subject = c.subject AND e.id < c.id)"


async def drop_call(tx: Tx, call_id: str) -> None:
    """A call was made, or given up."""
    await tx.execute("DELETE FROM kannel_calls WHERE id = ?", (call_id,))


async def delay_call(tx: Tx, call_id: str, due_at: datetime) -> None:
    """A call failed and is tried again."""
    await tx.execute(
        "UPDATE kannel_calls SET attempts = attempts + 1, due_at = ? WHERE id = ?",
        (format_ms(due_at), call_id),
    )


async def count_calls(tx: Tx) -> int:
    """How many calls are still to be made."""
    return int((await tx.fetch("SELECT count(*) FROM kannel_calls"))[0][0])


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def _call(row: Row) -> StoredCall:
    created_at = parse_instant(row[6])
    return StoredCall(row[0], row[1], row[2], row[3], row[4], row[5], created_at, row[7])
