"""What a channel has sent since an instant: what its budget has used. And until when a message is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms, parse_ms
from gateway.store.ports import Tx


class Usage(NamedTuple):
    """What went out by a channel, or may have gone out.

    Args:
        recipients: to whom, each once.
    """

    n_segments: int
    recipients: Sequence[str]


async def load_usage(tx: Tx, channel: str, since: datetime) -> Usage:
    """A channel's use since an instant, by the time of the submit."""
    params = (channel, format_ms(since))
    counted = await tx.fetch("SELECT count(*) FROM segments WHERE channel = ? AND submitted_at >= ?", params)
    recipients = await tx.fetch(
        "SELECT DISTINCT m.recipient FROM segments s JOIN messages m ON m.id = s.message_id"
        " WHERE s.channel = ? AND s.submitted_at >= ?",
        params,
    )
    return Usage(int(counted[0][0]), [row[0] for row in recipients])


async def find_hidden_until(tx: Tx, message_id: str) -> datetime | None:
    """When a message may be claimed: its schedule, or the end of its pause; None for at once."""
    rows = await tx.fetch("SELECT hidden_until FROM messages WHERE id = ?", (message_id,))
    return parse_ms(rows[0][0]) if rows else None
