"""Reviews: messages that wait for a person's decision, and what was decided. Rows of ``holds`` and ``reviews``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.clock import format_ms, parse_instant
from gateway.model.message import Category
from gateway.routing.order import CLASSES
from gateway.store.body import decode_body
from gateway.store.holds import HOLD_COLUMNS, REVIEW_MS, Hold, HoldKind, drop_holds, parse_hold
from gateway.store.messages import CHUNK
from gateway.store.ports import Row, Tx, placeholders
from gateway.store.sequences import HELD_MS


class Decision(StrEnum):
    """What a person said."""

    APPROVED = "approved"
    REJECTED = "rejected"


class Alike(StrEnum):
    """What is decided, or listed, together."""

    MESSAGE = "message"
    TEXT = "text"
    """Messages with the same text, of one brand and category, that the same rule holds."""
    BATCH = "batch"


class Decided(NamedTuple):
    """A decision on one message.

    Args:
        decided_by: who (`gateway.model.actor.Actor`).
        reason: in that person's words; may be empty.
    """

    message_id: str
    decision: Decision
    rule: str
    code: str
    decided_by: str
    reason: str
    decided_at: datetime


class ReviewFilter(NamedTuple):
    """Which messages.

    Args:
        rule: that holds them.
        code: why.
        batch: whose.
    """

    rule: str | None = None
    code: str | None = None
    category: Category | None = None
    batch: str | None = None


_OPEN: Final = (
    f" FROM holds AS h JOIN messages AS m ON m.id = h.message_id WHERE h.kind = '{HoldKind.REVIEW}'"
    f" AND m.hidden_until = {REVIEW_MS}"
)
_TOGETHER: Final = {
    Alike.MESSAGE: "h.message_id",
    Alike.TEXT: "CASE WHEN h.text_key = '' THEN h.message_id ELSE h.rule || ' ' || h.text_key END",
    Alike.BATCH: "coalesce(m.batch_id, h.message_id)",
}
"""What is the same of messages that are listed as one."""


async def list_open(
    tx: Tx, wanted: ReviewFilter, alike: Alike, limit: int, after: str | None = None
) -> list[tuple[Hold, int]]:
    """Messages in review, the oldest first, one for all that are listed as one; with how many those are.

    Reads all open reviews where ``alike`` puts some together.

    Args:
        after: only what is newer than this message.
    """
    where, params = _conditions(wanted)
    if alike is Alike.MESSAGE:
        where += " AND h.message_id > ?" if after is not None else ""
        params += [after] if after is not None else []
        sql = f"SELECT {HOLD_COLUMNS}{_OPEN}{where} ORDER BY h.message_id LIMIT ?"
        return [(parse_hold(row), 1) for row in await tx.fetch(sql, (*params, limit))]
    counted = f"SELECT min(h.message_id) AS first, count(*) AS n{_OPEN}{where} GROUP BY {_TOGETHER[alike]}"
    behind, place = (" WHERE g.first > ?", [after]) if after is not None else ("", [])
    sql = (
        f"SELECT {HOLD_COLUMNS}, g.n FROM ({counted}) AS g JOIN holds AS h ON h.message_id = g.first{behind}"
        " ORDER BY g.first LIMIT ?"
    )
    rows = await tx.fetch(sql, (*params, *place, limit))
    return [(parse_hold(row[:-1]), int(row[-1])) for row in rows]


def _conditions(wanted: ReviewFilter) -> tuple[str, list[object]]:
    where, params = "", list[object]()
    for column, value in (
        ("h.rule", wanted.rule),
        ("h.code", wanted.code),
        ("m.batch_id", wanted.batch),
        ("m.class", None if wanted.category is None else CLASSES.index(wanted.category)),
    ):
        if value is not None:
            where += f" AND {column} = ?"
            params.append(value)
    return where, params


async def find_open(tx: Tx, message_id: str) -> Hold | None:
    """Why a message waits for a person; None where it does not, or does no more."""
    rows = await tx.fetch(f"SELECT {HOLD_COLUMNS}{_OPEN} AND h.message_id = ?", (message_id,))
    return parse_hold(rows[0]) if rows else None


async def find_alike(tx: Tx, hold: Hold, alike: Alike, limit: int) -> list[Hold]:
    """What is decided together with a message in review, itself included, the oldest first; at most ``limit``."""
    where, params = " AND h.message_id = ?", [hold.message_id]
    if alike is Alike.TEXT and hold.text_key:
        where, params = " AND h.text_key = ? AND h.rule = ?", [hold.text_key, hold.rule]
    elif alike is Alike.BATCH:
        batch = await tx.fetch("SELECT batch_id FROM messages WHERE id = ?", (hold.message_id,))
        if batch and batch[0][0] is not None:
            where, params = " AND m.batch_id = ?", [batch[0][0]]
    sql = f"SELECT {HOLD_COLUMNS}{_OPEN}{where} ORDER BY h.message_id LIMIT ?"
    return [parse_hold(row) for row in await tx.fetch(sql, (*params, limit))]


async def count_alike(tx: Tx, hold: Hold) -> int:
    """How many wait with the text of a message in review, itself included."""
    if not hold.text_key:
        return 1
    sql = f"SELECT count(*){_OPEN} AND h.text_key = ? AND h.rule = ?"
    ((n,),) = await tx.fetch(sql, (hold.text_key, hold.rule))
    return int(n)


async def find_oldest(tx: Tx) -> datetime | None:
    """Since when the oldest message in review waits; None where none does."""
    rows = await tx.fetch(f"SELECT h.created_at{_OPEN} ORDER BY h.kind, h.created_at, h.message_id LIMIT 1")
    return parse_instant(rows[0][0]) if rows else None


async def find_in_review(tx: Tx, message_ids: Sequence[str]) -> set[str]:
    """Those of some messages that wait for a person."""
    found: set[str] = set()
    for start in range(0, len(message_ids), CHUNK):
        chunk = message_ids[start : start + CHUNK]
        sql = f"SELECT id FROM messages WHERE id IN ({placeholders(chunk)}) AND hidden_until = ?"
        found |= {row[0] for row in await tx.fetch(sql, (*chunk, REVIEW_MS))}
    return found


async def release(tx: Tx, message_ids: Sequence[str], now: datetime) -> list[str]:
    """Let messages in review go, at the time that they were scheduled for; the ids of those that were still in it.

    One that stands behind others of its sequence goes on waiting for them.
    """
    changes = []
    for start in range(0, len(message_ids), CHUNK):
        chunk = message_ids[start : start + CHUNK]
        sql = f"SELECT id, status, recipient, body FROM messages WHERE id IN ({placeholders(chunk)}){tx.for_update}"
        changes += [
            (await _hidden_until(tx, row), format_ms(now), row[0], REVIEW_MS)
            for row in await tx.fetch(sql, chunk)
        ]
    released = await tx.fetch_many(
        "UPDATE messages SET hidden_until = ?, updated_at = ? WHERE id = ? AND hidden_until = ?"
        " AND status IN ('queued', 'scheduled') RETURNING id, queue, hidden_until",
        changes,
    )
    for queue in {row[1] for row in released if row[2] is None}:
        tx.claimable(queue)
    return [row[0] for row in released]


async def _hidden_until(tx: Tx, row: Row) -> int | None:
    message_id, status, recipient, octets = row
    body = decode_body(octets)
    if status == "scheduled":
        return format_ms(body.schedule_at)
    if body.sequence is None:
        return None
    before = await tx.fetch(
        "SELECT 1 FROM sequence_messages WHERE sequence = ? AND recipient = ? AND message_id < ? LIMIT 1",
        (body.sequence, recipient, message_id),
    )
    return HELD_MS if before else None


_DECIDED: Final = "message_id, decision, rule, code, decided_by, reason, decided_at"


async def save_decisions(
    tx: Tx, holds: Sequence[Hold], decision: Decision, by: str, reason: str, at: datetime
) -> None:
    """Keep what was decided on messages, which wait for nobody any more."""
    ids = [hold.message_id for hold in holds]
    await drop_holds(tx, ids)
    await drop_decisions(tx, ids)  # it may have been sent again, and held again
    told = (by, reason, format_ms(at))
    rows = [(hold.message_id, decision.value, hold.rule, hold.code, *told) for hold in holds]
    await tx.insert(f"INSERT INTO reviews ({_DECIDED})", rows)


async def find_decision(tx: Tx, message_id: str) -> Decided | None:
    """What was decided on a message; None where nothing was."""
    rows = await tx.fetch(f"SELECT {_DECIDED} FROM reviews WHERE message_id = ?", (message_id,))
    return _decided(rows[0]) if rows else None


async def find_approved(tx: Tx, message_ids: Sequence[str]) -> set[str]:
    """Those of some messages that a person let go."""
    found: set[str] = set()
    for start in range(0, len(message_ids), CHUNK):
        chunk = message_ids[start : start + CHUNK]
        sql = f"SELECT message_id FROM reviews WHERE message_id IN ({placeholders(chunk)}) AND decision = ?"
        found |= {row[0] for row in await tx.fetch(sql, (*chunk, Decision.APPROVED.value))}
    return found


async def list_decided(
    tx: Tx, decision: Decision, wanted: ReviewFilter, limit: int, before: str | None = None
) -> list[Decided]:
    """Messages on which this was decided, the newest first."""
    sql, params = "", list[object]()
    where, more = _conditions(wanted)
    if before is not None:
        where += " AND h.message_id < ?"
        more.append(before)
    columns = ", ".join(f"h.{name}" for name in _DECIDED.split(", "))
    sql = (
        f"SELECT {columns} FROM reviews AS h JOIN messages AS m ON m.id = h.message_id WHERE h.decision = ?{where}"
        " ORDER BY h.message_id DESC LIMIT ?"
    )
    params = [decision.value, *more, limit]
    return [_decided(row) for row in await tx.fetch(sql, params)]


async def forget_reviews(tx: Tx, _before: datetime, after: str, limit: int) -> tuple[int, str | None]:
    """Drop decisions on messages that were deleted; looks at some rows behind ``after``.

    Returns:
        How many were dropped, and the last that was looked at; None at the end.
    """
    rows = await tx.fetch(
        "SELECT r.message_id, m.id FROM reviews AS r LEFT JOIN messages AS m ON m.id = r.message_id"
        " WHERE r.message_id > ? ORDER BY r.message_id LIMIT ?",
        (after, limit),
    )
    over = [row[0] for row in rows if row[1] is None]
    await drop_decisions(tx, over)
    return len(over), rows[-1][0] if len(rows) == limit else None


async def drop_decisions(tx: Tx, message_ids: Sequence[str]) -> None:
    """Nobody has decided on these any more."""
    for start in range(0, len(message_ids), CHUNK):
        chunk = message_ids[start : start + CHUNK]
        await tx.execute(f"DELETE FROM reviews WHERE message_id IN ({placeholders(chunk)})", chunk)


def _decided(row: Row) -> Decided:
    message_id, decision, rule, code, by, reason, at = row
    return Decided(message_id, Decision(decision), rule, code, by, reason, parse_instant(at))
