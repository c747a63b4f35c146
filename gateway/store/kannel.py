"""What Kannel's clients asked to be told: rows of ``kannel_wishes``."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from gateway.clock import format_ms
from gateway.store.ports import Tx, placeholders

_ENDED = "'delivered', 'undelivered', 'failed', 'expired', 'canceled', 'blocked'"


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
        f"SELECT message_id, wish FROM kannel_wishes WHERE message_id IN ({placeholders(ids)})", ids
    )
    return {row[0]: row[1] for row in rows}


async def forget_wishes(tx: Tx, before: datetime, after: str, limit: int) -> tuple[int, str | None]:
    """Drop wishes from before ``before`` whose message has ended before it, too; see `forget_marks`."""
    return await forget_marks(tx, "kannel_wishes", before, after, limit)


async def forget_marks(
    tx: Tx, table: str, before: datetime, after: str, limit: int
) -> tuple[int, str | None]:
    """Drop rows that go with messages, from before ``before``, whose message has ended before it, too.

    Args:
        table: has ``message_id`` and ``created_at``.
        after: looks at the first ``limit`` rows behind this message id.

    Returns:
        How many were dropped, and where to go on; None at the end.
    """
    rows = await tx.fetch(
        f"SELECT message_id, created_at FROM {table} WHERE message_id > ? ORDER BY message_id LIMIT ?",
        (after, limit),
    )
    at = format_ms(before) or 0
    old = [row[0] for row in rows if row[1] < at]
    if not old:
        return 0, None
    n_dropped = await tx.execute(
        f"DELETE FROM {table} WHERE message_id IN ({placeholders(old)}) AND NOT EXISTS (SELECT 1 FROM messages"
        f" WHERE messages.id = {table}.message_id AND (status NOT IN ({_ENDED}) OR updated_at >= ?))",
        (*old, at),
    )
    return n_dropped, old[-1]
