"""What was given up, or goes or moves as a whole: rows of ``outbox`` and ``outbox_lanes``; and how many there are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from gateway.clock import format_ms, parse_ms
from gateway.store.outbox import COLUMNS, LANE, Lane, Owed, let_next, note, parse_owed, save_owed
from gateway.store.ports import Tx

_MOST_COUNTED = 10_000
KEEP_DEAD = timedelta(days=30)
"""How long what was given up may be looked at, and owed again."""
SOME = 500
"""Rows that go in one transaction."""


async def list_dead(tx: Tx, door: str, *, limit: int, before: str | None = None) -> list[Owed]:
    """What was given up, the newest first.

    Args:
        before: the id behind which to go on.
    """
    rows = await tx.fetch(
        f"SELECT {COLUMNS} FROM outbox WHERE door = ? AND dead_at IS NOT NULL AND id < ? ORDER BY id DESC LIMIT ?",
        (door, before or "~", limit),
    )
    return [parse_owed(row) for row in rows]


async def replay(tx: Tx, owed_id: str, give_up_at: datetime) -> bool:
    """Owe again what was given up: due now, under the same id; False where there is none such."""
    rows = await tx.fetch(f"SELECT {COLUMNS} FROM outbox WHERE id = ? AND dead_at IS NOT NULL", (owed_id,))
    if not rows:
        return False
    owed = parse_owed(rows[0])
    await tx.execute("DELETE FROM outbox WHERE id = ?", (owed_id,))
    await save_owed(tx, [owed._replace(give_up_at=give_up_at)])
    return True


async def forget_dead(tx: Tx, before: datetime, limit: int) -> int:
    """Drop the oldest of what was given up before ``before``; how many."""
    return await tx.execute(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox"
        " WHERE dead_at IS NOT NULL AND dead_at < ? LIMIT ?)",
        (format_ms(before), limit),
    )


# ---- all of one lane, or of one owner ----


async def bury_some(tx: Tx, lane: Lane, fault: str, now: datetime) -> int:
    """Give up the oldest of what a lane owes; how many."""
    owed = await _oldest(tx, lane)
    await tx.execute_many(
        "UPDATE outbox SET dead_at = ?, due_at = NULL, fault = ? WHERE id = ?",
        [(format_ms(now), fault, one.id) for one in owed],
    )
    return await _gone(tx, lane, owed)


async def drop_some(tx: Tx, lane: Lane) -> int:
    """Forget the oldest of what a lane owes: nobody is there any more who could be told; how many."""
    owed = await _oldest(tx, lane)
    await tx.execute_many("DELETE FROM outbox WHERE id = ?", [(one.id,) for one in owed])
    return await _gone(tx, lane, owed)


async def _oldest(tx: Tx, lane: Lane) -> list[Owed]:
    await tx.execute(f"UPDATE outbox_lanes SET failures = 0, rests_until = NULL WHERE {LANE}", lane)
    rows = await tx.fetch(
        f"SELECT {COLUMNS} FROM outbox WHERE {LANE} AND dead_at IS NULL ORDER BY id LIMIT ?", (*lane, SOME)
    )
    return [parse_owed(row) for row in rows]


async def _gone(tx: Tx, lane: Lane, owed: list[Owed]) -> int:
    await let_next(tx, owed)
    await note(tx, lane, len(owed))
    return len(owed)


async def move_owner(tx: Tx, door: str, owner: str, host: str) -> None:
    """All that is made for an owner goes to another host from now on, or to the same; at once, however it failed."""
    lane = Lane(door, owner, host)
    await tx.execute(
        "INSERT INTO outbox_lanes (door, owner, host, n_pending, failures) VALUES (?, ?, ?, 0, 0)"
        " ON CONFLICT (door, owner, host) DO UPDATE SET failures = 0, rests_until = NULL",
        lane,
    )
    await tx.execute(
        "UPDATE outbox SET host = ?, due_at = CASE WHEN due_at IS NULL THEN NULL ELSE created_at END"
        " WHERE door = ? AND owner = ?",
        (host, door, owner),
    )
    await tx.execute(
        "DELETE FROM outbox_lanes WHERE door = ? AND owner = ? AND host <> ?", (door, owner, host)
    )
    await tx.execute(
        "UPDATE outbox_lanes SET n_pending = (SELECT count(*) FROM outbox WHERE door = ? AND owner = ?"
        f" AND dead_at IS NULL) WHERE {LANE}",
        (door, owner, *lane),
    )
    await note(tx, lane)
    await tx.execute(f"DELETE FROM outbox_lanes WHERE {LANE} AND n_pending <= 0", lane)


async def make_due(tx: Tx, owed: Owed, now: datetime) -> bool:
    """Try now what waits for its next attempt, and let its receiver rest no longer; False where it is not the next."""
    n = await tx.execute(
        "UPDATE outbox SET due_at = ? WHERE id = ? AND due_at IS NOT NULL", (format_ms(now), owed.id)
    )
    await tx.execute(f"UPDATE outbox_lanes SET rests_until = NULL WHERE {LANE}", owed.lane)
    await note(tx, owed.lane)
    return n > 0


class Kept(NamedTuple):
    """A row of the outbox, whether it is tried or not.

    Args:
        due_at: when it is tried next; None where it waits for another, or was given up.
        dead_at: when it was given up.
    """

    owed: Owed
    due_at: datetime | None
    dead_at: datetime | None


async def find_kept_of(tx: Tx, door: str, owner: str, owed_id: str) -> Kept | None:
    """One of an owner's."""
    rows = await tx.fetch(
        f"SELECT {COLUMNS}, due_at, dead_at FROM outbox WHERE door = ? AND owner = ? AND id = ?",
        (door, owner, owed_id),
    )
    return Kept(parse_owed(rows[0]), parse_ms(rows[0][-2]), parse_ms(rows[0][-1])) if rows else None


async def list_of_owner(
    tx: Tx, door: str, owner: str, *, dead: bool | None, limit: int, before: str | None
) -> list[Kept]:
    """What an owner is owed, the newest first.

    Args:
        dead: only what was given up, or only what was not; None for all.
        before: the id behind which to go on.
    """
    which = {None: "", True: " AND dead_at IS NOT NULL", False: " AND dead_at IS NULL"}[dead]
    rows = await tx.fetch(
        f"SELECT {COLUMNS}, due_at, dead_at FROM outbox WHERE door = ? AND owner = ? AND id < ?{which}"
        " ORDER BY id DESC LIMIT ?",
        (door, owner, before or "~", limit),
    )
    return [Kept(parse_owed(row), parse_ms(row[-2]), parse_ms(row[-1])) for row in rows]


async def count_of_owners(tx: Tx, door: str, owner: str | None = None) -> dict[str, int]:
    """How much each owner is owed, or one; who is owed nothing is left out."""
    which, values = (" AND owner = ?", (door, owner)) if owner is not None else ("", (door,))
    rows = await tx.fetch(
        f"SELECT owner, sum(n_pending) FROM outbox_lanes WHERE door = ?{which} GROUP BY owner", values
    )
    return {name: int(n) for name, n in rows}


# ---- figures ----


class Debts(NamedTuple):
    """How much one door owes.

    Args:
        pending: that is still tried.
        resting: receivers that rest after failures.
        dead: that was given up and is kept, 10,000 at most.
    """

    pending: int
    resting: int
    dead: int


NO_DEBTS = Debts(0, 0, 0)


async def count_owed(tx: Tx) -> dict[str, Debts]:
    """Count, by door; it reads lanes, not what is in them."""
    lanes = await tx.fetch(
        "SELECT door, sum(n_pending), count(rests_until) FROM outbox_lanes GROUP BY door ORDER BY door"
    )
    dead = await tx.fetch(
        "SELECT door, count(*) FROM (SELECT door FROM outbox WHERE dead_at IS NOT NULL LIMIT ?) AS counted"
        " GROUP BY door",
        (_MOST_COUNTED,),
    )
    found = {door: Debts(int(pending), int(resting), 0) for door, pending, resting in lanes}
    for door, n in dead:
        found[door] = found.get(door, NO_DEBTS)._replace(dead=int(n))
    return found
