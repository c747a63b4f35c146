"""Open alarms: one row for each kind and subject. Raised and cleared by `gateway.pipeline.alarms`."""

from __future__ import annotations

from gateway.clock import format_ms, parse_instant
from gateway.model.alarm import Alarm, AlarmKind
from gateway.store.ports import Row, Tx

MOST_OPEN = 1_000
"""Of one kind; what is beyond is not kept, as nobody could read it."""
_COLUMNS = "id, kind, subject, detail, raised_at"


async def save_alarm(tx: Tx, alarm: Alarm) -> bool:
    """Open an alarm; False when one of its kind and subject is open, which then has the new detail, or too many are."""
    [(n_open,)] = await tx.fetch("SELECT count(*) FROM alarms WHERE kind = ?", (alarm.kind.value,))
    row = (alarm.id, alarm.kind.value, alarm.subject, alarm.detail, format_ms(alarm.raised_at))
    if n_open < MOST_OPEN and await tx.execute(
        f"INSERT INTO alarms ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, subject) DO NOTHING", row
    ):
        return True
    await tx.execute(
        "UPDATE alarms SET detail = ? WHERE kind = ? AND subject = ? AND detail <> ?",
        (alarm.detail, alarm.kind.value, alarm.subject, alarm.detail),
    )
    return False


async def delete_alarm(tx: Tx, kind: AlarmKind, subject: str) -> Alarm | None:
    """Close an alarm; None when it was not open."""
    sql = f"DELETE FROM alarms WHERE kind = ? AND subject = ? RETURNING {_COLUMNS}"
    rows = await tx.fetch(sql, (kind.value, subject))
    return _alarm(rows[0]) if rows else None


async def find_alarm(tx: Tx, alarm_id: str) -> Alarm | None:
    """An open alarm by its id."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM alarms WHERE id = ?", (alarm_id,))
    return _alarm(rows[0]) if rows else None


async def list_alarms(tx: Tx, *, limit: int, before: str | None = None) -> list[Alarm]:
    """Open alarms, the newest first.

    Args:
        before: an id; only older ones.
    """
    where = "" if before is None else " WHERE id < ?"
    params = (limit,) if before is None else (before, limit)
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM alarms{where} ORDER BY id DESC LIMIT ?", params)
    return [_alarm(row) for row in rows]


async def find_subjects(tx: Tx, kind: AlarmKind) -> set[str]:
    """What there are open alarms of one kind about."""
    return {row[0] for row in await tx.fetch("SELECT subject FROM alarms WHERE kind = ?", (kind.value,))}


async def count_alarms(tx: Tx) -> dict[str, int]:
    """Open alarms by kind; kinds without one stand at 0."""
    counted = dict.fromkeys((kind.value for kind in AlarmKind), 0)
    counted |= {row[0]: row[1] for row in await tx.fetch("SELECT kind, count(*) FROM alarms GROUP BY kind")}
    return counted


def _alarm(row: Row) -> Alarm:
    alarm_id, kind, subject, detail, raised_at = row
    return Alarm(
        id=alarm_id, kind=AlarmKind(kind), subject=subject, detail=detail, raised_at=parse_instant(raised_at)
    )
