"""What an engine does at its opening: find out whether the store is encrypted, and be allowed to read it.

Of a store without encryption it reads one empty table, and nothing of the ciphers is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store.ports import Tx
from gateway.store.sealing.terms import Dress, ListTables, Unlocking

if TYPE_CHECKING:
    from gateway.store.sealing.seals import Seals


async def find_dress(tx: Tx, unlocking: Unlocking, list_tables: ListTables) -> Dress | None:
    """How transactions of this store are dressed; None for one that is not encrypted.

    Reads ``store_keys`` and ``store_rekeying``; writes the first key into a store that is new.

    Raises:
        StoreLocked: the key is missing, another one, or not for this store; or its rows are under two keys just now.
    """
    if unlocking.key is None and not await tx.fetch("SELECT 1 FROM store_keys LIMIT 1"):
        return None
    from gateway.store.sealing.keys import unlock  # noqa: PLC0415 - loads the ciphers
    from gateway.store.sealing.transaction import SealedTx  # noqa: PLC0415

    seals: Seals | None = await unlock(tx, unlocking, list_tables)
    if seals is None:
        return None
    return lambda raw: SealedTx(raw, seals)


async def describe_encryption(tx: Tx) -> str:
    """Whether the store is encrypted, and with whose key, for people. Reads ``store_keys`` and ``store_rekeying``."""
    keys = [
        row[0] for row in await tx.fetch("SELECT DISTINCT operator_key FROM store_keys ORDER BY operator_key")
    ]
    if await tx.fetch("SELECT 1 FROM store_rekeying"):
        return f"being put under another key, which was interrupted; keys {' and '.join(keys)}"
    return f"encrypted, key {keys[0]}" if keys else "not encrypted"
