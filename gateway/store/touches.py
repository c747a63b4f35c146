"""Touches: which messages went to a number, or are to, and when; only those that a rule counts have a row.

A row is written where a message is accepted, gets its real time where it is claimed, and goes where the message ends
without having been given to a network.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from gateway.clock import format_ms
from gateway.model.message import Category
from gateway.policy.subject import Subject, Touch, hash_text
from gateway.store.ports import Tx, placeholders

CHUNK: Final = 500
MOST_OF_ONE: Final = 1_000
"""Touches of one number that are looked at, the latest first. A limit allows fewer."""
USUAL_OF_ONE: Final = 20
"""More than a number has nearly ever."""
_CATEGORIES: Final = {category.value: category for category in Category}


class NewTouch(NamedTuple):
    """A touch with its number."""

    recipient: str
    touch: Touch


def touch_of(subject: Subject, at: datetime, *, is_out: bool) -> NewTouch:
    """A message as it counts."""
    touch = Touch(
        subject.message_id,
        format_ms(at) or 0,
        is_out,
        subject.category,
        subject.brand,
        subject.template,
        hash_text(subject.text),
    )
    return NewTouch(subject.recipient, touch)


_COLUMNS: Final = "message_id, at, is_out, category, brand, template, text_hash"
_INTO: Final = f"INSERT INTO touches (recipient, {_COLUMNS})"


async def find_touches(
    tx: Tx, recipients: Collection[str], *, only_out: bool = False
) -> dict[str, tuple[Touch, ...]]:
    """Touches of numbers, of each the latest `MOST_OF_ONE`; numbers without any are left out."""
    found: dict[str, list[Touch]] = {}
    wanted = list(recipients)
    out = " AND is_out = 1" if only_out else ""
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        where = f"WHERE recipient IN ({placeholders(chunk)}){out}"
        most = MOST_OF_ONE + USUAL_OF_ONE * len(chunk)
        rows = await tx.fetch(f"SELECT recipient, {_COLUMNS} FROM touches {where} LIMIT {most}", chunk)
        if len(rows) == most:
            rows = await tx.fetch(_latest_of_each(where), chunk)
        for recipient, message_id, at_ms, is_out, category, brand, template, text_hash in rows:
            touch = Touch(message_id, at_ms, is_out == 1, _CATEGORIES[category], brand, template, text_hash)
            found.setdefault(recipient, []).append(touch)
    return {recipient: tuple(touches) for recipient, touches in found.items()}


def _latest_of_each(where: str) -> str:
    """The same at twice the price where some number has a great many."""
    place = "row_number() OVER (PARTITION BY recipient ORDER BY at DESC, message_id DESC) AS place"
    numbered = f"SELECT recipient, {_COLUMNS}, {place} FROM touches {where}"
    return f"SELECT recipient, {_COLUMNS} FROM ({numbered}) AS numbered WHERE place <= {MOST_OF_ONE}"


async def save_touches(tx: Tx, new: Sequence[NewTouch]) -> None:
    """Keep what is to go out."""
    if new:
        await tx.insert(_INTO, [_params(one) for one in new])


async def save_gone(tx: Tx, gone: Sequence[NewTouch]) -> None:
    """Keep what is given to a channel in this transaction, whether it had a touch before or not."""
    await tx.execute_many(
        f"{_INTO} VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (message_id) DO UPDATE SET at = excluded.at, is_out = 1",
        [_params(one) for one in gone],
    )


async def put_off_touches(tx: Tx, later: Iterable[tuple[str, datetime]]) -> None:
    """Messages that are held back are expected later; ``(message_id, until)``."""
    await tx.execute_many(
        "UPDATE touches SET at = ? WHERE message_id = ? AND is_out = 0",
        [(format_ms(until), message_id) for message_id, until in later],
    )


# What a network refused has no time at which it was submitted any more.
_NOTHING_OUT: Final = (
    " AND NOT EXISTS (SELECT 1 FROM segments WHERE message_id = touches.message_id AND submitted_at IS NOT NULL)"
    " AND NOT EXISTS (SELECT 1 FROM messages WHERE id = touches.message_id AND part_submitted_at IS NOT NULL)"
)


async def drop_touches(tx: Tx, message_ids: Sequence[str], *, recalled: bool = False) -> None:
    """These have ended; those of them of which nothing went out count no more.

    Args:
        recalled: what went out of them did not arrive, and will not.
    """
    for start in range(0, len(message_ids), CHUNK):
        chunk = message_ids[start : start + CHUNK]
        sql = f"DELETE FROM touches WHERE message_id IN ({placeholders(chunk)})"
        await tx.execute(sql if recalled else sql + _NOTHING_OUT, chunk)


async def forget_touches(tx: Tx, before: datetime, limit: int) -> int:
    """Delete the oldest from before an instant, at most so many; how many."""
    return await tx.execute(
        "DELETE FROM touches WHERE message_id IN"
        " (SELECT message_id FROM touches WHERE at < ? ORDER BY at LIMIT ?)",
        (format_ms(before), limit),
    )


def _params(one: NewTouch) -> tuple[object, ...]:
    message_id, at_ms, is_out, category, brand, template, text_hash = one.touch
    return (one.recipient, message_id, at_ms, int(is_out), category.value, brand, template, text_hash)
