"""Which segment a receipt belongs to, and receipts that came before their segment's reference was known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from gateway.clock import format_ms, parse_ms
from gateway.store.ports import Row, Tx


class Match(NamedTuple):
    """A segment that carries one of a receipt's references.

    Args:
        status: of the segment.
        recipient: of its message.
        submitted_at: when the channel got it.
        sent_at: when the network's answer came.
    """

    message_id: str
    part: int
    status: str
    recipient: str
    submitted_at: datetime | None = None
    sent_at: datetime | None = None


class EarlyReceipt(NamedTuple):
    """A kept receipt.

    Args:
        state: `drivers.base.ReceiptState` value.
        done_at: when, by the network's clock.
    """

    receipt_id: str
    recipient: str | None
    state: str
    code: str
    done_at: datetime | None


_MATCH = (
    "SELECT s.message_id, s.part, s.status, m.recipient, s.submitted_at, s.sent_at FROM segments s"
    " JOIN messages m ON m.id = s.message_id"
)


async def find_by_reference(tx: Tx, channel: str, references: Sequence[str]) -> list[Match]:
    """Segments of a channel with one of these references, newest first, at most 20."""
    marks = ",".join("?" * len(references))
    sql = f"{_MATCH} WHERE s.channel = ? AND s.reference IN ({marks}) ORDER BY s.sent_at DESC LIMIT 20"
    return [_match(row) for row in await tx.fetch(sql, (channel, *references))]


async def find_uncertain(tx: Tx, channel: str) -> list[Match]:
    """Segments of a channel whose fate is unknown, newest first, at most 1,000."""
    sql = f"{_MATCH} WHERE s.channel = ? AND s.status = 'uncertain' ORDER BY s.message_id DESC LIMIT 1000"
    return [_match(row) for row in await tx.fetch(sql, (channel,))]


async def is_sending_to(tx: Tx, channel: str, recipient: str, *, beside: str) -> bool:
    """Whether another message than ``beside`` to this recipient is on a channel's wire, its reference still to come."""
    rows = await tx.fetch(
        "SELECT 1 FROM messages WHERE recipient = ? AND channel = ? AND status = 'sending' AND id <> ? LIMIT 1",
        (recipient, channel, beside),
    )
    return bool(rows)


def _match(row: Row) -> Match:
    return Match(row[0], row[1], row[2], row[3], parse_ms(row[4]), parse_ms(row[5]))


async def save_early(
    tx: Tx,
    receipt: EarlyReceipt,
    *,
    channel: str,
    references: Sequence[str],
    received_at: datetime,
) -> None:
    """Keep a receipt that fits nothing yet, under each of its spellings."""
    await tx.execute_many(
        "INSERT INTO early_receipts (receipt_id, channel, reference, recipient, state, code, done_at, received_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                receipt.receipt_id, channel, reference, receipt.recipient, receipt.state, receipt.code,
                format_ms(receipt.done_at), format_ms(received_at),
            )
            for reference in dict.fromkeys(references)
        ],
    )  # fmt: skip


async def take_early(tx: Tx, channel: str, reference: str, since: datetime) -> list[EarlyReceipt]:
    """Remove and return receipts kept under a reference since an instant, oldest first."""
    rows: list[Any] = await tx.fetch(
        "SELECT receipt_id, recipient, state, code, done_at FROM early_receipts"
        " WHERE channel = ? AND reference = ? AND received_at >= ? ORDER BY received_at, receipt_id",
        (channel, reference, format_ms(since)),
    )
    if rows:
        await tx.execute_many("DELETE FROM early_receipts WHERE receipt_id = ?", [(row[0],) for row in rows])
    return [EarlyReceipt(row[0], row[1], row[2], row[3], parse_ms(row[4])) for row in rows]


async def find_early_since(tx: Tx, channel: str, since: datetime) -> list[tuple[str, EarlyReceipt]]:
    """``(reference, receipt)`` of what a channel's receipts left since an instant, one for each, oldest first."""
    rows: list[Any] = await tx.fetch(
        "SELECT min(reference), receipt_id, recipient, state, code, done_at FROM early_receipts"
        " WHERE channel = ? AND received_at >= ? GROUP BY receipt_id, recipient, state, code, done_at"
        " ORDER BY receipt_id",
        (channel, format_ms(since)),
    )
    return [(row[0], EarlyReceipt(row[1], row[2], row[3], row[4], parse_ms(row[5]))) for row in rows]


async def drop_early(tx: Tx, receipt_id: str) -> None:
    """A kept receipt has found its segment."""
    await tx.execute("DELETE FROM early_receipts WHERE receipt_id = ?", (receipt_id,))


async def forget_early(tx: Tx, before: datetime) -> int:
    """Drop receipts that nothing claimed since ``before``; how many rows."""
    return await tx.execute("DELETE FROM early_receipts WHERE received_at < ?", (format_ms(before),))
