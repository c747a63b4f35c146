"""Subjects: stored messages as rules see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.clock import parse_instant, parse_ms
from gateway.model.message import Category, MessageStatus
from gateway.policy.subject import Subject
from gateway.routing.order import CLASSES
from gateway.store.body import decode_body, read_text
from gateway.store.messages import CHUNK
from gateway.store.ports import Tx, placeholders


async def find_subjects(tx: Tx, message_ids: Sequence[str]) -> list[Subject]:
    """Some messages, in the order that was given."""
    found: dict[str, Subject] = {}
    names = {row[0]: row[1] for row in await tx.fetch("SELECT id, name FROM api_keys")}
    for start in range(0, len(message_ids), CHUNK):
        chunk = message_ids[start : start + CHUNK]
        sql = (
            f"SELECT id, recipient, class, created_at, body, expires_at FROM messages"
            f" WHERE id IN ({placeholders(chunk)})"
        )
        for message_id, recipient, class_, created_at, octets, expires_at in await tx.fetch(sql, chunk):
            body = decode_body(octets)
            key = () if body.key_id is None else (body.key_id, *filter(None, (names.get(body.key_id),)))
            found[message_id] = Subject(
                recipient,
                CLASSES[class_],
                body.schedule_at or parse_instant(created_at),
                read_text(body),
                body.brand,
                key,
                body.template,
                body.sender,
                message_id,
                parse_ms(expires_at),
            )
    return [found[message_id] for message_id in message_ids if message_id in found]


_MARKETING: Final = CLASSES.index(Category.MARKETING)
_WAITING: Final = frozenset({MessageStatus.QUEUED.value, MessageStatus.SCHEDULED.value})
_NEWEST_FOR: Final = (
    "SELECT id, class, status FROM messages WHERE recipient = ? AND id < ? ORDER BY id DESC LIMIT ?"
)
_BEHIND_ALL: Final = "~"


class Waiting(NamedTuple):
    """What was found of a person's messages.

    Args:
        ids: of marketing that waits.
        last: the oldest that was looked at; None when there is none behind it.
    """

    ids: list[str]
    last: str | None


async def find_marketing_for(tx: Tx, recipient: str, *, before: str | None, limit: int) -> Waiting:
    """Marketing that waits for a recipient, among so many of his messages, newest first, with a smaller id."""
    rows = await tx.fetch(_NEWEST_FOR, (recipient, before or _BEHIND_ALL, limit))
    ids = [row[0] for row in rows if row[1] == _MARKETING and row[2] in _WAITING]
    return Waiting(ids, rows[-1][0] if len(rows) == limit else None)
