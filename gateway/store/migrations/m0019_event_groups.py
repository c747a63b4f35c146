"""The timeline in groups: single rows of ``events`` become packed groups; see `gateway.model.lines`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from gateway.clock import parse_instant
from gateway.model.events import Event
from gateway.model.lines import FORM, pack_lines, subject_key, write_lines
from gateway.store.migration import Move, Moved, Sql, Stepwise

GROUP: Final = 100

_BEFORE: Final = """
CREATE TABLE event_groups (
    -- The number of the first event. The others follow it without gaps.
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    n             INTEGER NOT NULL,
    -- The last event's instant.
    at            BIGINT NOT NULL,
    form          INTEGER NOT NULL,
    lines         BLOB NOT NULL
);

-- In which groups there is something about a subject: a message, a number, a channel. It is spelled as a number.
CREATE TABLE event_subjects (
    subject       BIGINT NOT NULL,
    seq           BIGINT NOT NULL,
    PRIMARY KEY (subject, seq)
) WITHOUT ROWID;
"""


async def _count(sql: Sql) -> int:
    return int((await sql.fetch("SELECT count(*) FROM events"))[0][0])


async def _move(sql: Sql, _after: str, limit: int) -> Moved:
    rows = await sql.fetch("SELECT seq, type, at, subject, data FROM events ORDER BY seq LIMIT ?", (limit,))
    if not rows:
        return Moved(0, None)
    begins = [
        0,
        *(n for n, (one, other) in enumerate(pairwise(rows), 1) if other[0] != one[0] + 1),
        len(rows),
    ]
    for begin, end in pairwise(begins):
        for start in range(begin, end, GROUP):
            await _save(sql, rows[start : min(start + GROUP, end)])
    await sql.execute("DELETE FROM events WHERE seq <= ?", (rows[-1][0],))
    return Moved(len(rows), "" if len(rows) == limit else None)


async def _save(sql: Sql, rows: Sequence[Sequence[Any]]) -> None:
    seq = rows[0][0]
    events = [Event(type=row[1], at=parse_instant(row[2]), subject=row[3], data=row[4]) for row in rows]
    await sql.execute(
        "INSERT INTO event_groups (seq, n, at, form, lines) VALUES (?, ?, ?, ?, ?)",
        (seq, len(rows), rows[-1][2], FORM, pack_lines(write_lines(events, seq))),
    )
    keys = {subject_key(event.subject) for event in events}
    await sql.execute_many(
        "INSERT INTO event_subjects (subject, seq) VALUES (?, ?)", [(key, seq) for key in sorted(keys)]
    )


MIGRATION: Final = Stepwise(
    before=_BEFORE,
    moves=(Move(what="events", count=_count, piece=_move),),
    after="DROP TABLE events",
    room=0.1,
)
