"""Who has had to do with us: numbers that a message went to, or that one came from."""

from __future__ import annotations

from collections.abc import Collection

from gateway.store.ports import Tx, placeholders

_AT_ONCE = 500


async def find_acquainted(tx: Tx, numbers: Collection[str]) -> set[str]:
    """Those of ``numbers`` that ``messages`` went out to, or that ``inbound`` came from, as far as both are kept."""
    found: set[str] = set()
    wanted = list(numbers)
    for start in range(0, len(wanted), _AT_ONCE):
        chunk = wanted[start : start + _AT_ONCE]
        marks = placeholders(chunk)
        rows = await tx.fetch(
            f"SELECT recipient FROM messages WHERE recipient IN ({marks}) AND sent_at IS NOT NULL"
            f" UNION SELECT sender FROM inbound WHERE sender IN ({marks})",
            (*chunk, *chunk),
        )
        found.update(row[0] for row in rows)
    return found
