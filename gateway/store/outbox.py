"""What somebody is owed: rows of ``outbox``, and of ``outbox_lanes``, one for each owner and host.

Of the rows of one subject only the first may be due. What stands behind it gets its turn when it is gone. All rows of a
subject are of one lane; a lane's row is written before any of its others, so that it guards them on engines where
several write at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms, parse_instant, parse_ms
from gateway.store.ports import Row, Tx, placeholders

COLUMNS = "id, door, owner, host, subject, payload, attempts, created_at, give_up_at, fault"
LANE = "door = ? AND owner = ? AND host = ?"
_BURY_AT_ONCE = 500


class Lane(NamedTuple):
    """What has a share and a breaker of its own.

    Args:
        door: who makes what is owed.
        owner: whom it is made for.
        host: where it goes.
    """

    door: str
    owner: str
    host: str


class Owed(NamedTuple):
    """Something that is owed.

    Args:
        id: rows of a subject are in the order of their ids.
        subject: of what it tells.
        payload: encoded by whoever made it.
        attempts: how often it was tried.
        give_up_at: when it is not tried any more.
        fault: what was wrong the last time.
    """

    id: str
    lane: Lane
    subject: str
    payload: bytes
    created_at: datetime
    give_up_at: datetime
    attempts: int = 0
    fault: str | None = None


class Busy(NamedTuple):
    """What is under way, and whose share is used up.

    Args:
        ids: by lane.
        hosts: that have enough.
        owners: that have enough.
        calls: how many there are by lane; several rows may go with one.
    """

    ids: Mapping[Lane, Collection[str]]
    hosts: Collection[str] = ()
    owners: Collection[str] = ()
    calls: Mapping[Lane, int] = {}


class Due(NamedTuple):
    """What may be made now.

    Args:
        rows: of each lane in order.
        next_at: when there is more, beside what waits for something that is under way; None for never.
    """

    rows: list[Owed]
    next_at: datetime | None


async def save_owed(tx: Tx, owed: Sequence[Owed]) -> None:
    """Keep what is owed; it is due at once, or behind what is owed already of its subject."""
    counts: dict[Lane, int] = {}
    for one in owed:
        counts[one.lane] = counts.get(one.lane, 0) + 1
    await tx.execute_many(
        "INSERT INTO outbox_lanes (door, owner, host, n_pending, failures) VALUES (?, ?, ?, ?, 0)"
        " ON CONFLICT (door, owner, host) DO UPDATE SET n_pending = outbox_lanes.n_pending + excluded.n_pending",
        [(*lane, n) for lane, n in sorted(counts.items())],
    )
    await tx.execute_many(
        "INSERT INTO outbox (id, door, owner, host, subject, payload, attempts, created_at, give_up_at, due_at)"
        " VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, CASE WHEN EXISTS (SELECT 1 FROM outbox WHERE door = ? AND subject = ?"
        " AND dead_at IS NULL) THEN NULL ELSE CAST(? AS BIGINT) END)",
        [
            (one.id, *one.lane, one.subject, one.payload, format_ms(one.created_at), format_ms(one.give_up_at),
             one.lane.door, one.subject, format_ms(one.created_at))
            for one in owed
        ],
    )  # fmt: skip
    for lane in sorted(counts):
        await note(tx, lane)


async def find_due(
    tx: Tx, door: str, now: datetime, busy: Busy, *, limit: int, of_owner: int, of_host: int, after: str = ""
) -> Due:
    """What may be made now, and when there is more. It costs as much as is due, not as is kept.

    Args:
        after: the owner behind whom to begin, so that all have their turn.
        limit: rows in all.
        of_owner, of_host: that may be under way at the same time, with those that are.
    """
    rows: list[Owed] = []
    next_at: int | None = None
    owners = await _find_owners(tx, door)
    for owner in sorted(owners, key=lambda owner: (owner <= after, owner)):
        if owner in busy.owners:
            continue
        room = min(limit - len(rows), of_owner - _count(busy, owner=owner))
        found, later = await _find_of_owner(tx, door, owner, now, busy, room, of_host)
        rows += found
        next_at = min((at for at in (next_at, later) if at is not None), default=None)
        if len(rows) >= limit:
            break
    return Due(rows, parse_ms(next_at))


def _count(busy: Busy, *, owner: str | None = None, host: str | None = None) -> int:
    return sum(n for lane, n in busy.calls.items() if lane.owner == owner or lane.host == host)


async def _find_owners(tx: Tx, door: str) -> list[str]:
    """Who is owed something, by one look at the index for each."""
    rows = await tx.fetch(
        "WITH RECURSIVE owners (owner) AS (SELECT min(owner) FROM outbox_lanes WHERE door = ? UNION ALL"
        " SELECT (SELECT min(l.owner) FROM outbox_lanes AS l WHERE l.door = ? AND l.owner > owners.owner) FROM owners"
        " WHERE owners.owner IS NOT NULL) SELECT owner FROM owners WHERE owner IS NOT NULL",
        (door, door),
    )
    return [row[0] for row in rows]


async def _find_of_owner(
    tx: Tx, door: str, owner: str, now: datetime, busy: Busy, room: int, of_host: int
) -> tuple[list[Owed], int | None]:
    at = format_ms(now)
    excluded = "".join(", ?" for _ in busy.hosts)
    lanes = await tx.fetch(
        "SELECT host, rests_until FROM outbox_lanes WHERE door = ? AND owner = ? AND next_at <= ?"
        f" AND host NOT IN (''{excluded}) ORDER BY next_at LIMIT ?",
        (door, owner, at, *busy.hosts, room + len(busy.ids)),
    )
    rows: list[Owed] = []
    times: list[int | None] = []
    for host, rests_until in lanes:
        lane = Lane(door, owner, host)
        ids = list(busy.ids.get(lane, ()))
        space = of_host - _count(busy, host=host) if rests_until is None else 1 - busy.calls.get(lane, 0)
        space = min(space, room - len(rows))
        if space <= 0:
            continue
        found = await tx.fetch(
            f"SELECT {COLUMNS} FROM outbox WHERE {LANE} AND due_at <= ?"
            f" AND id NOT IN (''{', ?' * len(ids)}) ORDER BY due_at, id LIMIT ?",
            (*lane, at, *ids, space),
        )
        rows += [parse_owed(row) for row in found]
        if len(found) < space:
            times.append(await _next_due(tx, lane, after=at))
    later = await tx.fetch(
        "SELECT min(next_at) FROM outbox_lanes WHERE door = ? AND owner = ? AND next_at > ?",
        (door, owner, at),
    )
    times.append(later[0][0])
    return rows, min((time for time in times if time is not None), default=None)


async def _next_due(tx: Tx, lane: Lane, after: int | None) -> int | None:
    rows = await tx.fetch(f"SELECT min(due_at) FROM outbox WHERE {LANE} AND due_at > ?", (*lane, after))
    found: int | None = rows[0][0]
    return found


async def find_companions(tx: Tx, owed: Owed, now: datetime, busy: Collection[str], limit: int) -> list[Owed]:
    """What may go together with one that is due: of its lane, at most ``limit`` with itself, in order."""
    ids = [owed.id, *busy]
    rows = await tx.fetch(
        f"SELECT {COLUMNS} FROM outbox WHERE {LANE} AND due_at <= ? AND id NOT IN ({placeholders(ids)})"
        " ORDER BY due_at, id LIMIT ?",
        (*owed.lane, format_ms(now), *ids, limit - 1),
    )
    return [owed, *map(parse_owed, rows)]


async def take_off(tx: Tx, together: Sequence[Owed]) -> None:
    """They were taken: forget them, and trust their receiver again.

    Args:
        together: of one lane, of different subjects.
    """
    lane = await guard(tx, together[0], "failures = 0, rests_until = NULL")
    ids = [(owed.id,) for owed in together]
    n_gone = await tx.change_many("DELETE FROM outbox WHERE id = ? AND dead_at IS NULL", ids)
    if n_gone < len(ids):  # given up while under way: it has arrived all the same, and must not be owed again
        await tx.execute_many("DELETE FROM outbox WHERE id = ?", ids)
    await let_next(tx, together)
    await note(tx, lane, n_gone)


async def put_off(tx: Tx, together: Sequence[tuple[Owed, datetime]], fault: str, now: datetime) -> int:
    """They were not taken and are tried again.

    Args:
        together: of one lane, of different subjects, each with when it is due.

    Returns:
        How many attempts in series have failed in its lane; 0 where the lane rests already, and this one was under way.
    """
    at = format_ms(now) or 0
    lane = await guard(
        tx, together[0][0], f"failures = failures + CASE WHEN rests_until > {at:d} THEN 0 ELSE 1 END"
    )
    await tx.execute_many(
        "UPDATE outbox SET attempts = attempts + 1, due_at = ?, fault = ? WHERE id = ? AND dead_at IS NULL",
        [(format_ms(due_at), fault, owed.id) for owed, due_at in together],
    )
    await note(tx, lane)
    lanes = await tx.fetch(f"SELECT failures, rests_until FROM outbox_lanes WHERE {LANE}", lane)
    failures, rests_until = lanes[0] if lanes else (0, None)
    return 0 if rests_until is not None and rests_until > at else int(failures)


async def guard(tx: Tx, owed: Owed, change: str) -> Lane:
    """Change the row of the lane in which something is by now, and so hold it; that lane."""
    sql = f"UPDATE outbox_lanes SET {change} WHERE {LANE}"
    if await tx.execute(sql, owed.lane):
        return owed.lane
    found = await tx.fetch("SELECT door, owner, host FROM outbox WHERE id = ?", (owed.id,))
    lane = Lane(*found[0]) if found else owed.lane  # its receiver has moved meanwhile
    await tx.execute(sql, lane)
    return lane


async def rest_lane(tx: Tx, lane: Lane, until: datetime, now: datetime) -> int:
    """After failures: one trial is made at ``until``, the rest waits. What is too old is given up; how many."""
    await tx.execute(f"UPDATE outbox_lanes SET rests_until = ? WHERE {LANE}", (format_ms(until), *lane))
    await note(tx, lane)
    rows = await tx.fetch(
        f"SELECT {COLUMNS} FROM (SELECT * FROM outbox WHERE {LANE} AND due_at IS NOT NULL ORDER BY due_at, id"
        " LIMIT ?) AS oldest WHERE give_up_at <= ?",
        (*lane, _BURY_AT_ONCE, format_ms(now)),
    )
    for row in rows:
        await bury(tx, parse_owed(row), row[9] or "never tried, as others failed", now)
    return len(rows)


async def bury(tx: Tx, owed: Owed, fault: str, now: datetime) -> None:
    """Give it up: it is kept, with what was wrong, but stands in nobody's way."""
    lane = await guard(tx, owed, "failures = failures")
    n_gone = await tx.execute(
        "UPDATE outbox SET dead_at = ?, due_at = NULL, fault = ? WHERE id = ? AND dead_at IS NULL",
        (format_ms(now), fault, owed.id),
    )
    await let_next(tx, [owed])
    await note(tx, lane, n_gone)


async def let_next(tx: Tx, gone: Sequence[Owed]) -> None:
    """What stood behind rows that are gone is due from when it was made."""
    await tx.execute_many(
        "UPDATE outbox SET due_at = created_at WHERE due_at IS NULL AND id = (SELECT min(id) FROM outbox"
        " WHERE door = ? AND subject = ? AND dead_at IS NULL)",
        [(owed.lane.door, owed.subject) for owed in gone],
    )


async def note(tx: Tx, lane: Lane, n_gone: int = 0) -> None:
    """Keep a lane's row in step with its rows, of which ``n_gone`` are not pending any more."""
    await tx.execute(
        # Not before its rest is over, nor before anything is due: lanes that have nothing would take others' turns.
        "UPDATE outbox_lanes SET n_pending = n_pending - ?, next_at = (SELECT CASE WHEN first_at < rests_until"
        f" THEN rests_until ELSE first_at END FROM (SELECT min(due_at) AS first_at FROM outbox WHERE {LANE}"
        f" AND due_at IS NOT NULL) AS due) WHERE {LANE}",
        (n_gone, *lane, *lane),
    )
    if n_gone:
        await tx.execute(f"DELETE FROM outbox_lanes WHERE {LANE} AND n_pending <= 0", lane)


def parse_owed(row: Row) -> Owed:
    """A row of `COLUMNS`."""
    return Owed(
        id=row[0],
        lane=Lane(row[1], row[2], row[3]),
        subject=row[4],
        payload=row[5],
        attempts=row[6],
        created_at=parse_instant(row[7]),
        give_up_at=parse_instant(row[8]),
        fault=row[9],
    )
