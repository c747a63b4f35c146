"""Alarms of monitoring tools: ``alerts``, what was heard of each and told; ``alert_windows``, the storm guards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from gateway.clock import format_ms, parse_instant, parse_ms
from gateway.errors import StaleWrite
from gateway.store.ports import Row, Tx, placeholders

_COLUMNS = (
    "id, receiver, source, fingerprint, name, line, firing, starts_at, heard_at, n_heard, told_at, held"
)
_AT_ONCE: Final = 500
"""Values in one statement."""


class Heard(NamedTuple):
    """What is on record of an alarm.

    Args:
        id: sorts by when it began to be heard.
        receiver: the table that takes it; empty where none does.
        source: the tool.
        line: what its text said, or would have said.
        starts_ms: when it began by the tool's clock, in milliseconds since 1970; 0 where that was not said.
        heard_at: the last time.
        n_heard: how often since it began.
        told_at: when a text last told of it; None for never.
        held: it waits for the text that tells of all that were held back.
    """

    id: str
    receiver: str
    source: str
    fingerprint: str
    name: str
    line: str
    is_firing: bool
    starts_ms: int
    heard_at: datetime
    n_heard: int = 1
    told_at: datetime | None = None
    held: bool = False


class Window(NamedTuple):
    """The storm guard of a table.

    Args:
        version: counts its changes.
        began_at: when the period began that texts are counted in.
        n_texts: each recipient's in that period.
        due_at: when those that are held are to be told; None when none are.
    """

    version: int
    began_at: datetime
    n_texts: int
    due_at: datetime | None = None


class HeldKind(NamedTuple):
    """Alarms of one name that are held.

    Args:
        line: of one of them.
        n_over: of them that are over.
    """

    name: str
    line: str
    n: int
    n_over: int


async def load_windows(tx: Tx) -> dict[str, Window]:
    """All of ``alert_windows``, by table."""
    rows = await tx.fetch("SELECT receiver, version, began_at, n_texts, due_at FROM alert_windows")
    return {row[0]: Window(row[1], parse_instant(row[2]), row[3], parse_ms(row[4])) for row in rows}


async def move_windows(tx: Tx, windows: Mapping[str, tuple[Window | None, Window]]) -> None:
    """Write the storm guards of tables whose alarms this transaction changes.

    Args:
        windows: by table: the one that was read, None for none; and the one that takes its place.

    Raises:
        StaleWrite: somebody else changed one meanwhile.
    """
    for receiver, (before, window) in sorted(windows.items()):
        values = (format_ms(window.began_at), window.n_texts, format_ms(window.due_at))
        if before is None:
            n = await tx.execute(
                "INSERT INTO alert_windows (receiver, version, began_at, n_texts, due_at) VALUES (?, 1, ?, ?, ?)"
                " ON CONFLICT (receiver) DO NOTHING",
                (receiver, *values),
            )
        else:
            n = await tx.execute(
                "UPDATE alert_windows SET version = version + 1, began_at = ?, n_texts = ?, due_at = ?"
                " WHERE receiver = ? AND version = ?",
                (*values, receiver, before.version),
            )
        if not n:
            raise StaleWrite("somebody else changed these alarms meanwhile")


async def find_heard(
    tx: Tx, receivers: Sequence[str], source: str, fingerprints: Sequence[str]
) -> dict[tuple[str, str], Heard]:
    """What is on record of some alarms, by table and fingerprint."""
    found = {}
    for start in range(0, len(fingerprints), _AT_ONCE):
        some = fingerprints[start : start + _AT_ONCE]
        rows = await tx.fetch(
            f"SELECT {_COLUMNS} FROM alerts WHERE receiver IN ({placeholders(receivers)}) AND source = ?"
            f" AND fingerprint IN ({placeholders(some)})",
            (*receivers, source, *some),
        )
        found.update({(heard.receiver, heard.fingerprint): heard for heard in map(_parse, rows)})
    return found


async def save_heard(tx: Tx, heard: Iterable[Heard]) -> None:
    """Write alarms as they are now, each in the place of what was on record of it."""
    await tx.execute_many(
        f"INSERT INTO alerts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (receiver, source, fingerprint) DO UPDATE SET id = excluded.id, name = excluded.name,"
        " line = excluded.line, firing = excluded.firing, starts_at = excluded.starts_at,"
        " heard_at = excluded.heard_at, n_heard = excluded.n_heard, told_at = excluded.told_at, held = excluded.held",
        [
            (*one[:6], int(one.is_firing), one.starts_ms, format_ms(one.heard_at), one.n_heard,
             format_ms(one.told_at), int(one.held))
            for one in heard
        ],
    )  # fmt: skip


async def sum_held(tx: Tx, receiver: str, limit: int) -> list[HeldKind]:
    """The alarms of a table that are held, by name, the most frequent first; the last of ``limit`` is all others."""
    rows = await tx.fetch(
        "SELECT name, min(line), count(*), sum(1 - firing) FROM alerts WHERE receiver = ? AND held = 1"
        " GROUP BY name ORDER BY count(*) DESC, name",
        (receiver,),
    )
    kinds = [HeldKind(row[0], row[1], int(row[2]), int(row[3])) for row in rows]
    others = kinds[limit - 1 :]
    if len(others) < 2:
        return kinds
    n, n_over = sum(kind.n for kind in others), sum(kind.n_over for kind in others)
    return [*kinds[: limit - 1], HeldKind("others", "", n, n_over)]


async def tell_held(tx: Tx, receiver: str, at: datetime) -> None:
    """All alarms of a table that are held were told."""
    await tx.execute(
        "UPDATE alerts SET held = 0, told_at = ? WHERE receiver = ? AND held = 1", (format_ms(at), receiver)
    )


async def list_heard(
    tx: Tx,
    *,
    receiver: str | None = None,
    is_firing: bool | None = None,
    held: bool | None = None,
    before: str | None = None,
    limit: int,
) -> list[Heard]:
    """Alarms, those that began last first.

    Args:
        before: the id of the last one that was read.
    """
    wanted = {"receiver = ?": receiver, "firing = ?": is_firing, "held = ?": held, "id < ?": before}
    given = {term: value for term, value in wanted.items() if value is not None}
    where = f"WHERE {' AND '.join(given)}" if given else ""
    values = [int(value) if isinstance(value, bool) else value for value in given.values()]
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM alerts {where} ORDER BY id DESC LIMIT ?", (*values, limit))
    return [_parse(row) for row in rows]


async def forget_alerts(tx: Tx, before: datetime, limit: int) -> int:
    """Drop those that nobody has heard of since, at most ``limit``; how many."""
    return await tx.execute(
        "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE heard_at < ? ORDER BY heard_at LIMIT ?)",
        (format_ms(before), limit),
    )


def _parse(row: Row) -> Heard:
    row_id, receiver, source, fingerprint, name, line, firing, starts_ms, heard_at, n_heard, told_at, held = (
        row
    )
    return Heard(
        row_id,
        receiver,
        source,
        fingerprint,
        name,
        line,
        bool(firing),
        starts_ms,
        parse_instant(heard_at),
        n_heard,
        parse_ms(told_at),
        bool(held),
    )
