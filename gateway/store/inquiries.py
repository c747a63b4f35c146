"""Segments that the network has and nobody has heard of since, in the order in which they are asked after."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms, parse_instant
from gateway.store.body import decode_body
from gateway.store.ports import Tx


class Place(NamedTuple):
    """A segment in the order of a channel's submits."""

    submitted_at: datetime
    message_id: str = ""
    part: int = 0


class Unheard(NamedTuple):
    """A segment that waits for a receipt.

    Args:
        reference: the network's.
        sender: its message's own source address; None for the channel's.
    """

    place: Place
    reference: str
    recipient: str
    sender: str | None


class Page(NamedTuple):
    """What a look at some submits has found.

    Args:
        unheard: in order.
        end: the last one that was looked at; None when there was none.
    """

    unheard: Sequence[Unheard]
    end: Place | None


_WAITING = "({s}status = 'uncertain' OR ({s}status = 'sent' AND {report} = 1))"
_PAGE = (
    "SELECT {s}submitted_at, m.id, {part}, {s}reference, m.recipient, m.body, m.status FROM {tables}"
    " WHERE {s}channel = ? AND {s}submitted_at >= ? AND {s}submitted_at <= ?"
    " AND ({s}submitted_at, m.id, {part}) > (?, ?, ?) AND {waiting}"
)
_FIRST = _PAGE.format(
    s="m.part_", part=1, tables="messages m", waiting=_WAITING.format(s="m.part_", report="m.report")
)
_FURTHER = _PAGE.format(
    s="s.",
    part="s.part",
    tables="segments s JOIN messages m ON m.id = s.message_id",
    waiting=_WAITING.format(s="s.", report="m.report"),
)
_BOTH = f"{_FIRST} UNION ALL {_FURTHER} ORDER BY 1, 2, 3 LIMIT ?"
_OUT = ("sent", "uncertain")


async def find_unheard(tx: Tx, channel: str, after: Place, until: datetime, limit: int) -> Page:
    """Segments of a channel that wait for a receipt, out of the next ``limit`` such submits behind a place.

    Those that have no name to ask by, or whose message is not out yet, are looked at and left out.
    """
    start = format_ms(after.submitted_at)
    params = (channel, start, format_ms(until), start, after.message_id, after.part)
    rows = await tx.fetch(_BOTH, (*params, *params, limit))
    places = [Place(parse_instant(row[0]), row[1], row[2]) for row in rows]
    unheard = [
        Unheard(place, row[3], row[4], decode_body(row[5]).source_address)
        for place, row in zip(places, rows, strict=True)
        if row[3] is not None and row[6] in _OUT
    ]
    return Page(unheard, places[-1] if places else None)


async def load_inquiry_place(tx: Tx, channel: str, round_: int) -> Place | None:
    """Where the n-th inquiry of a channel goes on; None when there was none yet."""
    rows = await tx.fetch(
        "SELECT submitted_at, message_id, part FROM inquiry_places WHERE channel = ? AND round = ?",
        (channel, round_),
    )
    return Place(parse_instant(rows[0][0]), rows[0][1], rows[0][2]) if rows else None


async def save_inquiry_place(tx: Tx, channel: str, round_: int, place: Place) -> None:
    """Remember it."""
    await tx.execute(
        "INSERT INTO inquiry_places (channel, round, submitted_at, message_id, part) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (channel, round) DO UPDATE SET submitted_at = excluded.submitted_at,"
        " message_id = excluded.message_id, part = excluded.part",
        (channel, round_, format_ms(place.submitted_at), place.message_id, place.part),
    )
