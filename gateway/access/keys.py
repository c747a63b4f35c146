"""API keys are made and revoked, with their event and their entry in the audit trail; each as part of a transaction."""

from __future__ import annotations

from datetime import datetime

from gateway.model.actor import Actor
from gateway.model.events import key_event
from gateway.model.message import ApiKey
from gateway.store.audit import record_audit
from gateway.store.keys import list_keys, revoke_key, save_key
from gateway.store.ports import Tx


async def add_key(tx: Tx, key: ApiKey, secret_hash: bytes, *, by: Actor) -> None:
    """Store a new key.

    Raises:
        Conflict: a key of that name exists.
    """
    await save_key(tx, key, secret_hash)
    await record_key(tx, "key.made", key, by=by, at=key.created_at)


async def end_key(tx: Tx, id_or_name: str, *, by: Actor, at: datetime) -> bool:
    """Revoke a key; False when there is none that is still good."""
    for one in await list_keys(tx):
        if id_or_name in {one.id, one.name} and one.revoked_at is None:
            await record_key(tx, "key.revoked", one, by=by, at=at)
    return await revoke_key(tx, id_or_name, at)


async def record_key(tx: Tx, kind: str, key: ApiKey, *, by: Actor, at: datetime) -> None:
    """Tell of a key, and put it on record.

    Args:
        kind: the event's type, such as ``key.made``.
    """
    tx.record(key_event(kind, key, at, by))
    await record_audit(tx, by, kind, key.id, {"name": key.name, "scopes": sorted(key.scopes)}, at=at)
