"""The pair of keys that proofs are signed with: one row of ``consent_keys``, made once."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms, parse_instant
from gateway.store.ports import Tx


class ProofKey(NamedTuple):
    """An Ed25519 pair.

    Args:
        private, public: 32 octets each.
    """

    private: bytes
    public: bytes
    created_at: datetime


async def find_proof_key(tx: Tx) -> ProofKey | None:
    """The one of this installation; None before it is made."""
    rows = await tx.fetch("SELECT private_key, public_key, created_at FROM consent_keys WHERE id = 1")
    return ProofKey(bytes(rows[0][0]), bytes(rows[0][1]), parse_instant(rows[0][2])) if rows else None


async def keep_proof_key(tx: Tx, key: ProofKey) -> ProofKey:
    """Keep a new one, if there is none; the one that there is then."""
    await tx.execute(
        "INSERT INTO consent_keys (id, private_key, public_key, created_at) VALUES (1, ?, ?, ?)"
        " ON CONFLICT (id) DO NOTHING",
        (key.private, key.public, format_ms(key.created_at)),
    )
    return await find_proof_key(tx) or key
