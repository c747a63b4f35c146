"""Deliveries that applications have not acknowledged: rows of ``esme_outbox``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms
from gateway.store.ports import Tx


class NewDelivery(NamedTuple):
    """A deliver_sm to be kept.

    Args:
        account: ``system_id``.
        pdu: the whole PDU; its sequence number means nothing yet.
    """

    account: str
    pdu: bytes
    made_at: datetime


class KeptDelivery(NamedTuple):
    """One that is kept."""

    row_id: int
    pdu: bytes


async def save_deliveries(tx: Tx, deliveries: Iterable[NewDelivery]) -> None:
    """Keep them until they are dropped."""
    await tx.execute_many(
        "INSERT INTO esme_outbox (account, pdu, made_at) VALUES (?, ?, ?)",
        [(d.account, d.pdu, format_ms(d.made_at)) for d in deliveries],
    )


async def load_deliveries(tx: Tx, account: str, after: int, limit: int) -> list[KeptDelivery]:
    """The oldest of an account behind a row, in order."""
    rows = await tx.fetch(
        "SELECT id, pdu FROM esme_outbox WHERE account = ? AND id > ? ORDER BY id LIMIT ?",
        (account, after, limit),
    )
    return [KeptDelivery(row[0], row[1]) for row in rows]


async def drop_deliveries(tx: Tx, row_ids: Iterable[int]) -> None:
    """They were acknowledged."""
    await tx.execute_many("DELETE FROM esme_outbox WHERE id = ?", [(row_id,) for row_id in row_ids])


async def count_deliveries(tx: Tx) -> dict[str, int]:
    """What is owed to each account that is owed anything."""
    rows = await tx.fetch("SELECT account, count(*) FROM esme_outbox GROUP BY account")
    return {account: int(n) for account, n in rows}


async def forget_deliveries(tx: Tx, account: str, before: datetime, limit: int) -> int:
    """Drop what an account did not fetch since ``before``; how many."""
    return await tx.execute(
        "DELETE FROM esme_outbox WHERE id IN (SELECT id FROM esme_outbox WHERE account = ? ORDER BY id LIMIT ?)"
        " AND made_at < ?",
        (account, limit, format_ms(before)),
    )
