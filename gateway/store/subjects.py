"""Subjects: stored messages as rules see them."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.clock import parse_instant, parse_ms
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
