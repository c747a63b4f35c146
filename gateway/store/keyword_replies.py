"""Confirmations of keywords that were sent: how few there are is what keeps forged keywords harmless."""

from __future__ import annotations

from datetime import datetime

from gateway.clock import format_ms
from gateway.store.ports import Tx


async def was_replied(tx: Tx, number: str, keyword: str, since: datetime) -> bool:
    """Whether the number had a confirmation of this kind since then."""
    rows = await tx.fetch(
        "SELECT 1 FROM keyword_replies WHERE number = ? AND keyword = ? AND replied_at > ?",
        (number, keyword, format_ms(since)),
    )
    return bool(rows)


async def count_replies(tx: Tx, channel: str, since: datetime, limit: int) -> int:
    """How many confirmations a channel has sent since then; no more than ``limit`` are counted."""
    rows = await tx.fetch(
        "SELECT count(*) FROM (SELECT 1 FROM keyword_replies WHERE channel = ? AND replied_at > ? LIMIT ?) AS r",
        (channel, format_ms(since), limit),
    )
    return int(rows[0][0])


async def save_reply(tx: Tx, number: str, keyword: str, channel: str, at: datetime) -> None:
    """Note a confirmation."""
    await tx.execute(
        "INSERT INTO keyword_replies (number, keyword, channel, replied_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (number, keyword) DO UPDATE SET channel = excluded.channel, replied_at = excluded.replied_at",
        (number, keyword, channel, format_ms(at)),
    )


async def forget_replies(tx: Tx, before: datetime, limit: int) -> int:
    """Drop the oldest from before ``before``, at most ``limit``; how many."""
    return await tx.execute(
        "DELETE FROM keyword_replies WHERE (number, keyword) IN (SELECT number, keyword FROM keyword_replies"
        " WHERE replied_at <= ? ORDER BY replied_at LIMIT ?)",
        (format_ms(before), limit),
    )
