"""Holds: why a message may not go yet that a rule put off, or that waits for a person's decision.

A message that is held is hidden (``hidden_until`` of ``messages``): until the end of its pause, or until `REVIEW_MS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple

from gateway.clock import format_ms, parse_instant, parse_ms
from gateway.model.events import make_event
from gateway.policy.decision import Finding, Outcome
from gateway.store.messages import CHUNK
from gateway.store.ports import Row, Tx, placeholders
from gateway.store.sequences import HELD_MS

REVIEW_MS: Final = HELD_MS + 1
"""As ``hidden_until``: no time ends a review, a person does, or the end of the message's own time."""


REQUESTED: Final = "review.requested"
"""The event that a message waits for a person's decision."""


def is_in_review(hidden_until: datetime | None) -> bool:
    """Whether that hides a message because a person must decide on it."""
    return format_ms(hidden_until) == REVIEW_MS


class HoldKind(StrEnum):
    """What ends a hold."""

    PAUSE = "pause"
    REVIEW = "review"


class Hold(NamedTuple):
    """Why a message is held.

    Args:
        rule: that said so.
        code: why, in one word.
        detail: why, in a sentence.
        until: the end of a pause; None for a review.
        text_key: of a review: the same for messages that may be decided together because of their text; else empty.
    """

    message_id: str
    kind: HoldKind
    rule: str
    code: str
    detail: str
    until: datetime | None
    created_at: datetime
    text_key: str = ""

    @property
    def hidden_until_ms(self) -> int:
        """What hides the message."""
        return REVIEW_MS if self.until is None else format_ms(self.until) or 0


def hold_of(
    message_id: str, findings: Sequence[Finding], now: datetime, text_of: tuple[str | None, ...] = ()
) -> Hold | None:
    """The hold that comes of what rules said: a review where one asked for it, else the longest pause.

    Args:
        text_of: the message's text, and what else must be the same of messages that are decided together.
    """
    reviews = [finding for finding in findings if finding.outcome is Outcome.REVIEW]
    pauses = [(f.until, f) for f in findings if f.outcome is Outcome.LATER and f.until is not None]
    if reviews:
        found, kind, until = reviews[0], HoldKind.REVIEW, None
    elif pauses:
        until, found = max(pauses, key=lambda pause: pause[0])
        kind = HoldKind.PAUSE
    else:
        return None
    key = _text_key(text_of) if kind is HoldKind.REVIEW else ""
    return Hold(message_id, kind, found.rule, found.code, found.detail, until, now, key)


def _text_key(text_of: tuple[str | None, ...]) -> str:
    if not text_of or text_of[0] is None:
        return ""
    parts = "\0".join(part or "" for part in text_of)
    return blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


_INTO_HOLDS: Final = "INSERT INTO holds (message_id, kind, rule, code, detail, until, created_at, text_key)"


async def save_holds(tx: Tx, holds: Sequence[Hold]) -> None:
    """Keep why new messages are held; they are hidden already. Tells the timeline of those that wait for a person."""
    await tx.insert(_INTO_HOLDS, [_params(hold) for hold in holds])
    for hold in holds:
        if hold.kind is HoldKind.REVIEW:
            data = {"id": hold.message_id, "rule": hold.rule, "code": hold.code, "detail": hold.detail}
            tx.record(make_event(REQUESTED, hold.created_at, hold.message_id, data))


async def hold_back(tx: Tx, holds: Sequence[Hold]) -> None:
    """Hide queued messages that may be claimed, and keep why; those that can't be claimed any more are left alone."""
    if not holds:
        return
    hidden = await tx.fetch_many(
        "UPDATE messages SET hidden_until = ?, updated_at = ? WHERE id = ? AND status = 'queued'"
        " AND hidden_until IS NULL RETURNING id",
        [(hold.hidden_until_ms, format_ms(hold.created_at), hold.message_id) for hold in holds],
    )
    ids = {row[0] for row in hidden}
    await drop_holds(tx, list(ids))
    await save_holds(tx, [hold for hold in holds if hold.message_id in ids])


async def find_holds(tx: Tx, message_ids: Sequence[str]) -> dict[str, Hold]:
    """Why messages are held, or were; by id."""
    found: dict[str, Hold] = {}
    for start in range(0, len(message_ids), CHUNK):
        chunk = message_ids[start : start + CHUNK]
        sql = f"SELECT {HOLD_COLUMNS} FROM holds AS h WHERE message_id IN ({placeholders(chunk)})"
        found |= {row[0]: parse_hold(row) for row in await tx.fetch(sql, chunk)}
    return found


HOLD_COLUMNS: Final = "h.message_id, h.kind, h.rule, h.code, h.detail, h.until, h.created_at, h.text_key"


def parse_hold(row: Row) -> Hold:
    """A row of `HOLD_COLUMNS`."""
    message_id, kind, rule, code, detail, until, created_at, key = row
    created = parse_instant(created_at)
    return Hold(message_id, HoldKind(kind), rule, code, detail, parse_ms(until), created, key)


async def drop_holds(tx: Tx, message_ids: Sequence[str]) -> None:
    """Nothing holds these any more."""
    for start in range(0, len(message_ids), CHUNK):
        chunk = message_ids[start : start + CHUNK]
        await tx.execute(f"DELETE FROM holds WHERE message_id IN ({placeholders(chunk)})", chunk)


async def forget_holds(tx: Tx, _before: datetime, after: str, limit: int) -> tuple[int, str | None]:
    """Drop holds of messages that do not wait any more; looks at some rows behind ``after``.

    Returns:
        How many were dropped, and the last that was looked at; None at the end.
    """
    rows = await tx.fetch(
        "SELECT h.message_id, m.status FROM holds h LEFT JOIN messages m ON m.id = h.message_id"
        " WHERE h.message_id > ? ORDER BY h.message_id LIMIT ?",
        (after, limit),
    )
    over = [row[0] for row in rows if row[1] not in {"queued", "scheduled"}]
    await drop_holds(tx, over)
    return len(over), rows[-1][0] if len(rows) == limit else None


def _params(hold: Hold) -> tuple[object, ...]:
    until, created = format_ms(hold.until), format_ms(hold.created_at)
    return (
        hold.message_id,
        hold.kind.value,
        hold.rule,
        hold.code,
        hold.detail,
        until,
        created,
        hold.text_key,
    )
