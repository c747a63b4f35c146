"""The timeline: rows of ``event_groups``, with ``event_subjects`` to find what happened to one message.

A commit writes its events as one row, or one for every hundred: their lines (`gateway.model.lines`), packed. Numbers
have no gaps; a row tells its first one and how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms, parse_ms
from gateway.model.events import Event
from gateway.model.lines import (
    FORM,
    pack_lines,
    read_lines,
    skip_lines,
    subject_key,
    unpack_lines,
    write_lines,
)
from gateway.store.ports import Row, Tx, placeholders

ERASED = "subject.erased"
"""The type of an event that was emptied because the person asked for it."""
GROUP = 100
"""Events of one row at most: what is read to show a single one."""
MOST_OF_SUBJECT = 500
"""Events of one subject that are shown: its newest."""


class Lines(NamedTuple):
    """Events as they are kept.

    Args:
        octets: a line for each, in order.
        first_seq: the number of the first one.
        last_seq: and of the last one.
    """

    octets: bytes
    first_seq: int
    last_seq: int

    @property
    def events(self) -> list[Event]:
        """They themselves."""
        return read_lines(self.octets)


async def append_events(tx: Tx, events: Sequence[Event]) -> int:
    """Give events their ``seq`` and store them; the last one's. Engines call it as the last thing before the commit.

    Writes ``timeline_head``, whose row is held from here to the commit: who commits later gets greater numbers, in
    whatever process, and nobody sees a number before all smaller ones. A transaction that is rolled back leaves no gap.
    """
    ((last,),) = await tx.fetch(
        "UPDATE timeline_head SET last_seq = last_seq + ? RETURNING last_seq", (len(events),)
    )
    await save_groups(tx, events, int(last) - len(events) + 1)
    return int(last)


async def save_groups(tx: Tx, events: Sequence[Event], first_seq: int) -> None:
    """Store events that have their numbers: ``first_seq`` and those that follow it."""
    groups, subjects = [], set()
    for start in range(0, len(events), GROUP):
        group, seq = events[start : start + GROUP], first_seq + start
        groups.append((seq, len(group), format_ms(group[-1].at), FORM, pack_lines(write_lines(group, seq))))
        subjects |= {(subject_key(tx.veil(subject)), seq) for subject in {event.subject for event in group}}
    await tx.insert("INSERT INTO event_groups (seq, n, at, form, lines)", groups)
    await tx.insert("INSERT INTO event_subjects (subject, seq)", sorted(subjects))


async def load_timeline(tx: Tx, subject: str) -> list[Event]:
    """The newest events of one message (or number, or channel), oldest first."""
    rows = await tx.fetch(
        "SELECT g.form, g.lines FROM event_subjects AS s JOIN event_groups AS g ON g.seq = s.seq"
        " WHERE s.subject = ? ORDER BY s.seq DESC LIMIT ?",
        (subject_key(tx.veil(subject)), MOST_OF_SUBJECT),
    )
    found: list[Event] = []
    for form, lines in rows:
        found[:0] = read_lines(unpack_lines(lines, form), subject)
        if len(found) >= MOST_OF_SUBJECT:
            break
    return found[-MOST_OF_SUBJECT:]


async def load_lines(tx: Tx, after_seq: int, limit: int) -> Lines | None:
    """About ``limit`` events with a greater ``seq``, in order of commit; None where there are none."""
    rows = await _groups_after(tx, after_seq, limit)
    if not rows:
        rows = await tx.fetch("SELECT min(seq) FROM event_groups WHERE seq > ?", (after_seq,))
        if rows[0][0] is None:
            return None
        after_seq = rows[0][0] - 1  # what was in between has been deleted
        rows = await _groups_after(tx, after_seq, limit)
    first, last = max(rows[0][0], after_seq + 1), rows[-1][0] + rows[-1][1] - 1
    octets = [unpack_lines(row[3], row[2]) for row in rows]
    octets[0] = skip_lines(octets[0], first - rows[0][0])
    return Lines(b"".join(octets), first, last)


async def _groups_after(tx: Tx, after_seq: int, limit: int) -> list[Row]:
    return await tx.fetch(
        "SELECT seq, n, form, lines FROM event_groups WHERE seq > ? AND seq <= ? AND seq + n > ? ORDER BY seq",
        (after_seq - GROUP, after_seq + limit, after_seq + 1),
    )


async def load_events_before(tx: Tx, before_seq: int, limit: int) -> list[Event]:
    """At most ``limit`` events with a smaller ``seq``, newest first."""
    rows = await tx.fetch(
        "SELECT form, lines FROM event_groups WHERE seq < ? AND seq > ? ORDER BY seq",
        (before_seq, before_seq - limit - GROUP),
    )
    events = [event for form, lines in rows for event in read_lines(unpack_lines(lines, form))]
    return [event for event in reversed(events) if event.seq < before_seq][:limit]


async def last_seq(tx: Tx) -> int:
    """The newest ``seq`` ever given; 0 in an empty store."""
    ((last,),) = await tx.fetch("SELECT last_seq FROM timeline_head")
    return int(last)


async def forget_events(tx: Tx, before: datetime, limit: int, *, read_to: int) -> int:
    """Drop the oldest events from before ``before``, out of about the first ``limit``; how many.

    Groups go as a whole: one with an event that is younger stays.

    Args:
        read_to: groups with an event behind this ``seq`` stay: somebody has still to read it.
    """
    rows = await tx.fetch(
        "SELECT seq, n, at, form, lines FROM event_groups WHERE seq <= ?"
        " AND seq < (SELECT min(seq) FROM event_groups) + ? ORDER BY seq",
        (read_to, limit),
    )
    n_dropped = 0
    for seq, n, at, form, lines in rows:
        if at >= (format_ms(before) or 0) or seq + n - 1 > read_to:
            break
        keys = {subject_key(tx.veil(event.subject)) for event in read_lines(unpack_lines(lines, form))}
        await tx.execute_many(
            "DELETE FROM event_subjects WHERE subject = ? AND seq = ?", [(key, seq) for key in sorted(keys)]
        )
        await tx.execute("DELETE FROM event_groups WHERE seq = ?", (seq,))
        n_dropped += n
    return n_dropped


async def find_unread(tx: Tx, subjects: Sequence[str], read_to: int) -> set[str]:
    """Those of which somebody has still to read an event behind ``read_to``, or one of the same commit."""
    keys: dict[int, list[str]] = {}
    for subject in subjects:
        keys.setdefault(subject_key(tx.veil(subject)), []).append(subject)
    rows = await tx.fetch(
        "SELECT DISTINCT s.subject FROM event_subjects AS s JOIN event_groups AS g ON g.seq = s.seq"
        f" WHERE s.subject IN ({placeholders(keys)}) AND g.seq + g.n - 1 > ?",
        (*keys, read_to),
    )
    return {subject for row in rows for subject in keys[row[0]]}


async def erase_events(tx: Tx, subjects: Sequence[str], read_to: int) -> tuple[int, int]:
    """Empty what all who follow the timeline have read of some subjects: their numbers stay, and that is all.

    Returns:
        How many events were emptied, and how many stay because somebody has still to read them.
    """
    known_as = {subject: subject_key(tx.veil(subject)) for subject in subjects}
    keys, n_emptied, n_unread = [*known_as.values()], 0, 0
    for start in range(0, len(keys), GROUP):
        chunk = keys[start : start + GROUP]
        rows = await tx.fetch(
            "SELECT seq, n, form, lines FROM event_groups WHERE seq IN"
            f" (SELECT seq FROM event_subjects WHERE subject IN ({placeholders(chunk)}))",
            chunk,
        )
        for seq, _, form, lines in rows:
            events = read_lines(unpack_lines(lines, form))
            meant = [event for event in events if event.subject in known_as]
            n_unread += sum(event.seq > read_to for event in meant)
            gone = {event.seq for event in meant if event.seq <= read_to}
            if not gone:
                continue
            n_emptied += len(gone)
            kept = [_emptied(event) if event.seq in gone else event for event in events]
            await tx.execute(
                "UPDATE event_groups SET form = ?, lines = ? WHERE seq = ?",
                (FORM, pack_lines(write_lines(kept, seq)), seq),
            )
            # What they are looked up by tells a number to whoever tries all numbers.
            left = {event.subject for event in kept}
            no_more = sorted({known_as[event.subject] for event in meant if event.subject not in left})
            await tx.execute_many(
                "DELETE FROM event_subjects WHERE subject = ? AND seq = ?", [(key, seq) for key in no_more]
            )
    return n_emptied, n_unread


def _emptied(event: Event) -> Event:
    return Event(seq=event.seq, type=ERASED, at=event.at, subject="", data=b"{}")


async def count_old_events(tx: Tx, before: datetime, read_to: int) -> tuple[datetime | None, int]:
    """When the oldest event was, and how many `forget_events` could drop; reads all of ``event_groups``."""
    ((oldest, n),) = await tx.fetch(
        "SELECT min(at), coalesce(sum(CASE WHEN at < ? AND seq + n - 1 <= ? THEN n ELSE 0 END), 0) FROM event_groups",
        (format_ms(before), read_to),
    )
    return parse_ms(oldest), int(n)


async def newest_event_at(tx: Tx) -> datetime | None:
    """When the newest event that is kept was."""
    rows = await tx.fetch("SELECT at FROM event_groups ORDER BY seq DESC LIMIT 1")
    return parse_ms(rows[0][0]) if rows else None
