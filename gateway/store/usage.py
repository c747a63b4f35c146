"""What a SIM has sent since an instant: what its budget has used. And until when a message is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms, parse_instant
from gateway.store.messages import CHUNK
from gateway.store.ports import Tx, placeholders

_FOR_EVER_MS = 2**62


class Stay(NamedTuple):
    """A SIM's time in one channel, in milliseconds since 1970.

    Args:
        until: a later SIM came; not included.
    """

    channel: str
    since_ms: int = 0
    until_ms: int = _FOR_EVER_MS


class Usage(NamedTuple):
    """What went out by a SIM, or may have gone out.

    Args:
        recipients: to whom, each once.
    """

    n_segments: int
    recipients: Sequence[str]


async def note_sim(tx: Tx, channel: str, iccid: str, at: datetime) -> None:
    """A channel has this SIM, from now on if it had another, and since ever if none was known."""
    rows = await tx.fetch(
        "SELECT iccid, since FROM channel_sims WHERE channel = ? ORDER BY since DESC LIMIT 1", (channel,)
    )
    if rows and rows[0][0] == iccid:
        return
    # The newest, also by a clock that is behind: of a machine that has just started and has not asked for the time.
    since = max(format_ms(at) or 0, rows[0][1] + 1) if rows else 0
    await tx.execute(
        "INSERT INTO channel_sims (channel, since, iccid) VALUES (?, ?, ?)", (channel, since, iccid)
    )


async def load_stays(tx: Tx, channel: str) -> list[Stay]:
    """Where the SIM that a channel had last has been; just there when none is known."""
    rows = await tx.fetch(
        "SELECT channel, since, ended FROM"
        " (SELECT channel, since, iccid, LEAD(since) OVER (PARTITION BY channel ORDER BY since) AS ended"
        " FROM channel_sims) AS stays"
        " WHERE iccid = (SELECT iccid FROM channel_sims WHERE channel = ? ORDER BY since DESC LIMIT 1)",
        (channel,),
    )
    return [Stay(where, since, _FOR_EVER_MS if ended is None else ended) for where, since, ended in rows] or [
        Stay(channel)
    ]


_SUBMITTED = "SELECT m.recipient, count(*) FROM messages m WHERE m.part_channel = ? AND"
_OWNED = "(SELECT id FROM messages WHERE owner IS NOT NULL)"
_IN_STAY = "m.part_submitted_at >= ? AND m.part_submitted_at < ? GROUP BY m.recipient"
_USES = (
    # Each by an index of its own. There is none by channel and time: of a SIM's messages few are needed, and seldom.
    f"{_SUBMITTED} m.part_reference IS NOT NULL AND {_IN_STAY}",
    f"{_SUBMITTED} m.part_reference IS NULL AND m.owner IS NULL AND {_IN_STAY}",
    f"{_SUBMITTED} m.part_reference IS NULL AND m.id IN {_OWNED} AND {_IN_STAY}",
    (
        "SELECT m.recipient, count(*) FROM segments s JOIN messages m ON m.id = s.message_id"
        " WHERE s.channel = ? AND s.submitted_at >= ? AND s.submitted_at < ? GROUP BY m.recipient"
    ),
)


async def load_usage(tx: Tx, stays: Sequence[Stay], since: datetime) -> Usage:
    """A SIM's use since an instant, by the time of the submit."""
    n_segments, recipients = 0, set[str]()
    for stay in stays:
        params = (stay.channel, max(stay.since_ms, format_ms(since) or 0), stay.until_ms)
        for sql in _USES:
            for recipient, n in await tx.fetch(sql, params):
                n_segments += int(n)
                recipients.add(recipient)
    return Usage(n_segments, sorted(recipients))


async def find_hidden(tx: Tx, message_ids: Sequence[str]) -> dict[str, datetime]:
    """When messages may be claimed: their schedule, or the end of their pause; those that may at once are left out."""
    found: dict[str, datetime] = {}
    for start in range(0, len(message_ids), CHUNK):
        chunk = message_ids[start : start + CHUNK]
        sql = f"SELECT id, hidden_until FROM messages WHERE id IN ({placeholders(chunk)}) AND hidden_until IS NOT NULL"
        found |= {row[0]: parse_instant(row[1]) for row in await tx.fetch(sql, chunk)}
    return found
