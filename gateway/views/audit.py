"""The audit trail as it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from gateway.model.audit import AuditEntry


class AuditOut(msgspec.Struct, frozen=True, kw_only=True):
    """One deed.

    Args:
        seq: from 1, without gaps.
        actor: who: `key:billing`, `account:smpp:shop`, `cli:root`, `person`, `system`.
        origin: from where: the door and the address there. It is what the address said, and behind a proxy what the
            proxy said.
        action: what, such as `channel.paused`.
        subject: what it was done to: an id, a name, a number; empty where it was erased.
        details: what else there is to say; never a text or a secret.
        salt: what the seal was made with; empty where the subject was erased.
        seal: of the subject.
        hash: of the entry before it and of this one: see `hongyan audit verify`.
    """

    seq: int
    at: datetime
    actor: str
    origin: str
    action: str
    subject: str
    details: dict[str, Any]
    salt: str
    seal: str
    hash: str


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deeds, newest first; ``next`` is the cursor of the following page, null on the last."""

    items: list[AuditOut]
    next: str | None


def show_entries(entries: Iterable[AuditEntry]) -> list[AuditOut]:
    """Entries as they are shown."""
    return [
        AuditOut(
            seq=entry.seq,
            at=entry.at,
            actor=entry.actor,
            origin=entry.origin,
            action=entry.action,
            subject=entry.subject,
            details=msgspec.json.decode(entry.details),
            salt=entry.salt,
            seal=entry.seal,
            hash=entry.hash,
        )
        for entry in entries
    ]
