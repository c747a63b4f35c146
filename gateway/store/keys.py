"""API keys and the answers kept for idempotency keys."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime

from gateway.clock import format_ms, parse_instant, parse_ms
from gateway.errors import Conflict
from gateway.ids import KeyId
from gateway.model.message import ApiKey, Scope
from gateway.store.ports import Row, Tx

_COLUMNS = "id, name, scopes, created_at, revoked_at"


def make_secret() -> str:
    """A new API secret with 160 random bits: ``hy_`` and 32 characters."""
    return "hy_" + base64.b32encode(secrets.token_bytes(20)).decode("ascii").lower()


def hash_secret(secret: str) -> bytes:
    """What the store keeps of a secret. Plain SHA-256: there is nothing to guess in 160 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


async def save_key(tx: Tx, key: ApiKey, secret_hash: bytes) -> None:
    """Store a new key.

    Raises:
        Conflict: a key of that name exists.
    """
    taken = await tx.fetch("SELECT 1 FROM api_keys WHERE name = ?", (key.name,))
    if taken:
        raise Conflict(f"a key named {key.name} exists; choose another name")
    scopes = ",".join(sorted(key.scopes))
    await tx.execute(
        "INSERT INTO api_keys (id, name, scopes, secret_hash, created_at) VALUES (?, ?, ?, ?, ?)",
        (key.id, key.name, scopes, secret_hash, format_ms(key.created_at)),
    )


async def find_key(tx: Tx, secret_hash: bytes) -> ApiKey | None:
    """The key with that hash, revoked or not."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM api_keys WHERE secret_hash = ?", (secret_hash,))
    return _key(rows[0]) if rows else None


async def find_key_named(tx: Tx, id_or_name: str, at: datetime) -> ApiKey:
    """The key with that id or name; for an account, or a key that is still to be made, one that is not stored.

    Args:
        at: when such a one would be made.
    """
    sql = f"SELECT {_COLUMNS} FROM api_keys WHERE id = ? OR name = ? ORDER BY id LIMIT 1"
    rows = await tx.fetch(sql, (id_or_name, id_or_name))
    if rows:
        return _key(rows[0])
    return ApiKey(id=KeyId(id_or_name), name=id_or_name, scopes=frozenset(), created_at=at)


async def list_keys(tx: Tx) -> list[ApiKey]:
    """All keys, oldest first."""
    return [_key(row) for row in await tx.fetch(f"SELECT {_COLUMNS} FROM api_keys ORDER BY id")]


async def revoke_key(tx: Tx, key_id_or_name: str, at: datetime) -> bool:
    """Revoke one key; False when there is no such key that is still good."""
    n_changed = await tx.execute(
        "UPDATE api_keys SET revoked_at = ? WHERE (id = ? OR name = ?) AND revoked_at IS NULL",
        (format_ms(at), key_id_or_name, key_id_or_name),
    )
    return n_changed > 0


async def find_answer(tx: Tx, key_id: str, key: str) -> tuple[bytes, bytes] | None:
    """``(body_hash, answer)`` kept for an idempotency key."""
    rows = await tx.fetch(
        "SELECT body_hash, answer FROM idempotency WHERE key_id = ? AND key = ?",
        (key_id, key),
    )
    return (rows[0][0], rows[0][1]) if rows else None


async def save_answer(tx: Tx, key_id: str, key: str, body_hash: bytes, answer: bytes, at: datetime) -> None:
    """Keep the first answer to an idempotency key."""
    await tx.execute(
        "INSERT INTO idempotency (key_id, key, body_hash, answer, created_at) VALUES (?, ?, ?, ?, ?)",
        (key_id, key, body_hash, answer, format_ms(at)),
    )


async def put_answer(tx: Tx, key_id: str, key: str, body_hash: bytes, answer: bytes, at: datetime) -> None:
    """Keep what is said of an idempotency key by now, in place of what was said before."""
    await tx.execute(
        "INSERT INTO idempotency (key_id, key, body_hash, answer, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (key_id, key) DO UPDATE SET answer = excluded.answer",
        (key_id, key, body_hash, answer, format_ms(at)),
    )


async def begin_answer(tx: Tx, key_id: str, key: str, body_hash: bytes, said: bytes, at: datetime) -> bool:
    """Keep what is said first of an idempotency key; False when something is kept already, and nothing was changed."""
    n = await tx.execute(
        "INSERT INTO idempotency (key_id, key, body_hash, answer, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (key_id, key) DO NOTHING",
        (key_id, key, body_hash, said, format_ms(at)),
    )
    return n > 0


async def replace_answer(tx: Tx, key_id: str, key: str, before: bytes, said: bytes) -> bool:
    """Say something else of an idempotency key than ``before``; False when that is not what is kept any more."""
    n = await tx.execute(
        "UPDATE idempotency SET answer = ? WHERE key_id = ? AND key = ? AND answer = ?",
        (said, key_id, key, before),
    )
    return n > 0


async def drop_answer(tx: Tx, key_id: str, key: str) -> None:
    """Let an idempotency key be as new."""
    await tx.execute("DELETE FROM idempotency WHERE key_id = ? AND key = ?", (key_id, key))


async def forget_answers(tx: Tx, before: datetime, limit: int) -> int:
    """Drop the oldest answers from before ``before``, at most ``limit``; how many."""
    return await tx.execute(
        "DELETE FROM idempotency WHERE (key_id, key) IN (SELECT key_id, key FROM idempotency WHERE created_at < ?"
        " ORDER BY created_at LIMIT ?)",
        (format_ms(before), limit),
    )


def _key(row: Row) -> ApiKey:
    key_id, name, scopes, created_at, revoked_at = row
    created = parse_instant(created_at)
    return ApiKey(
        id=KeyId(key_id),
        name=name,
        scopes=frozenset(Scope(s) for s in scopes.split(",") if s),
        created_at=created,
        revoked_at=parse_ms(revoked_at),
    )
