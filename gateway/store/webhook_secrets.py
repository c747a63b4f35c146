"""What calls to receivers are signed with: rows of ``webhook_secrets``."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from gateway.clock import format_ms
from gateway.store.ports import Tx

SECRET_OCTETS = 32
OVERLAP = timedelta(hours=24)
"""How long an old secret signs beside a new one, where nobody says."""
_WEBHOOK, _KEY = "webhook ", "key "


def owner_of_webhook(webhook_id: str) -> str:
    """Whose the secrets of a webhook are, and its rows of the outbox."""
    return _WEBHOOK + webhook_id


def owner_of_key(key_id: str | None) -> str:
    """The same for callback URLs of a key's messages."""
    return _KEY + (key_id or "")


def webhook_of(owner: str) -> str | None:
    """The id of the webhook that an owner is; None for a key."""
    return owner.removeprefix(_WEBHOOK) if owner.startswith(_WEBHOOK) else None


async def load_secrets(tx: Tx, owner: str, now: datetime) -> list[bytes]:
    """What an owner's calls are signed with now, the newest first; none where there is none yet.

    Args:
        owner: ``webhook ID`` or ``key ID``.
    """
    rows = await tx.fetch(
        "SELECT secret FROM webhook_secrets WHERE owner = ? AND (expires_at IS NULL OR expires_at > ?)"
        " ORDER BY created_at DESC, secret",
        (owner, format_ms(now)),
    )
    return [bytes(row[0]) for row in rows]


async def need_secrets(tx: Tx, owner: str, now: datetime) -> list[bytes]:
    """The same; one is made where there is none."""
    found = await load_secrets(tx, owner, now)
    return found or [await add_secret(tx, owner, now)]


async def add_secret(
    tx: Tx, owner: str, now: datetime, *, old_until: datetime | None = None, secret: bytes | None = None
) -> bytes:
    """A new secret for an owner; it.

    Args:
        old_until: until when what it had before signs, too; None for no longer.
        secret: the one to be used; None for a random one.
    """
    made = secret or secrets.token_bytes(SECRET_OCTETS)
    await tx.execute(
        "DELETE FROM webhook_secrets WHERE owner = ? AND (secret = ? OR expires_at <= ?)",
        (owner, made, format_ms(now)),
    )
    if old_until is None:
        await forget_secrets(tx, owner)
    else:
        await tx.execute(
            "UPDATE webhook_secrets SET expires_at = ? WHERE owner = ? AND (expires_at IS NULL OR expires_at > ?)",
            (format_ms(old_until), owner, format_ms(old_until)),
        )
    await tx.execute(
        "INSERT INTO webhook_secrets (owner, secret, created_at) VALUES (?, ?, ?)",
        (owner, made, format_ms(now)),
    )
    return made


async def forget_secrets(tx: Tx, owner: str) -> None:
    """Drop an owner's secrets."""
    await tx.execute("DELETE FROM webhook_secrets WHERE owner = ?", (owner,))
