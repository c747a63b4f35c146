"""What belongs to one number beside messages and consents: rows that name it and are of use to nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.model.lifecycle import TERMINAL
from gateway.model.message import MessageStatus
from gateway.store.ports import Tx, placeholders

_ENDED: Final = ", ".join(
    repr(status.value) for status in sorted({*TERMINAL, MessageStatus.SENT} - {MessageStatus.UNCERTAIN})
)
_SMALL: Final = (
    ("early_receipts", "recipient"),
    ("concat_refs", "recipient"),
    ("sticky_channels", "recipient"),
    ("number_carriers", "number"),
    ("dead_numbers", "number"),
    ("keyword_replies", "number"),
)
"""Tables of which whole rows go, and the column with the number."""


class Held(NamedTuple):
    """Ids of what there is."""

    messages: list[str]
    inbound: list[str]


async def find_held(tx: Tx, numbers: Sequence[str], *, limit: int, after: str = "") -> Held:
    """Ended messages to some spellings of a number, and inbound messages from them, the oldest first.

    Args:
        after: messages with greater ids than that.
    """
    marks = placeholders(numbers)
    messages = await tx.fetch(
        f"SELECT id FROM messages WHERE recipient IN ({marks}) AND status IN ({_ENDED}) AND id > ?"
        " ORDER BY id LIMIT ?",
        (*numbers, after, limit),
    )
    inbound = await tx.fetch(
        f"SELECT id FROM inbound WHERE sender IN ({marks}) ORDER BY id LIMIT ?", (*numbers, limit)
    )
    return Held([row[0] for row in messages], [row[0] for row in inbound])


async def count_open_to(tx: Tx, numbers: Sequence[str]) -> int:
    """Messages to some spellings of a number that have not ended."""
    ((n,),) = await tx.fetch(
        f"SELECT count(*) FROM messages WHERE recipient IN ({placeholders(numbers)})"
        f" AND status NOT IN ({_ENDED})",
        tuple(numbers),
    )
    return int(n)


async def delete_inbound(tx: Tx, inbound_ids: Sequence[str]) -> int:
    """Delete inbound messages with their parts; how many."""
    if not inbound_ids:
        return 0
    marks = placeholders(inbound_ids)
    await tx.execute(f"DELETE FROM inbound_parts WHERE inbound_id IN ({marks})", tuple(inbound_ids))
    return await tx.execute(f"DELETE FROM inbound WHERE id IN ({marks})", tuple(inbound_ids))


async def count_touches(tx: Tx, numbers: Sequence[str]) -> int:
    """How often some spellings of a number were written to, as far as a limit counts it."""
    ((n,),) = await tx.fetch(
        f"SELECT count(*) FROM touches WHERE recipient IN ({placeholders(numbers)})", tuple(numbers)
    )
    return int(n)


async def drop_dead_calls(tx: Tx, ids: Sequence[str]) -> int:
    """Forget calls about messages or inbound messages that were given up; how many. What is still owed stays."""
    n = 0
    for door, owner in await tx.fetch("SELECT DISTINCT door, owner FROM outbox WHERE dead_at IS NOT NULL"):
        subjects = [*ids, *(f"{owner} {one}" for one in ids)]
        n += await tx.execute(
            "DELETE FROM outbox WHERE door = ? AND owner = ? AND dead_at IS NOT NULL"
            f" AND subject IN ({placeholders(subjects)})",
            (door, owner, *subjects),
        )
    return n


async def delete_small(tx: Tx, numbers: Sequence[str]) -> int:
    """Delete what was learned of a number on the way; how many rows of all of `_SMALL`."""
    n = 0
    for table, column in _SMALL:
        n += await tx.execute(
            f"DELETE FROM {table} WHERE {column} IN ({placeholders(numbers)})", tuple(numbers)
        )
    return n
