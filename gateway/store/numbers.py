"""What is learned of numbers: ``dead_numbers``; and what ``[[number_limits]]`` has counted: ``number_counts``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from gateway.clock import format_ms, parse_instant
from gateway.policy.rules.number_limits import NumberLimit, limits_of
from gateway.policy.subject import Failures
from gateway.store.ports import Row, Tx, placeholders

KEEP_FAILURES: Final = timedelta(days=400)
"""How long a failure is remembered that no other followed."""
_CHUNK: Final = 500
_SLOTS: Final = 60


class DeadNumber(NamedTuple):
    """A row of ``dead_numbers``.

    Args:
        n_failures: of messages, without one that arrived in between.
        code: what the network said last.
        channel: which channel it was told.
        tried_at: when a message was last let through to try it once again.
    """

    number: str
    n_failures: int
    code: str
    channel: str | None
    message_id: str
    first_at: datetime
    last_at: datetime
    tried_at: datetime | None = None

    @property
    def failures(self) -> Failures:
        """The same as rules see it."""
        return Failures(self.n_failures, max(self.last_at, self.tried_at or self.last_at))


_COLUMNS: Final = "number, n_failures, code, channel, message_id, first_at, last_at, tried_at"


async def note_failure(
    tx: Tx, number: str, code: str, *, channel: str | None, message_id: str, now: datetime
) -> None:
    """A network said that nobody has a number; of one message that counts once."""
    at = format_ms(now)
    await tx.execute(
        f"INSERT INTO dead_numbers ({_COLUMNS}) VALUES (?, 1, ?, ?, ?, ?, ?, NULL)"
        " ON CONFLICT (number) DO UPDATE SET n_failures = dead_numbers.n_failures + 1, code = excluded.code,"
        " channel = excluded.channel, message_id = excluded.message_id, last_at = excluded.last_at"
        " WHERE dead_numbers.message_id <> excluded.message_id",
        (number, code[:40], channel, message_id, at, at),
    )


async def forget_failures(tx: Tx, numbers: Collection[str]) -> int:
    """A message arrived at these numbers, or somebody knows better; how many had failures."""
    n_rows, wanted = 0, sorted(numbers)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        n_rows += await tx.execute(f"DELETE FROM dead_numbers WHERE number IN ({placeholders(chunk)})", chunk)
    return n_rows


async def find_failures(tx: Tx, numbers: Collection[str]) -> dict[str, Failures]:
    """What is on record of numbers."""
    found: dict[str, Failures] = {}
    wanted = list(numbers)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        rows = await tx.fetch(
            f"SELECT {_COLUMNS} FROM dead_numbers WHERE number IN ({placeholders(chunk)})", chunk
        )
        found |= {row[0]: _dead(row).failures for row in rows}
    return found


async def note_tries(tx: Tx, numbers: Collection[str], *, fewest: int, now: datetime) -> None:
    """A message to each of these is let through: to those with so many failures the next waits as long as after one."""
    wanted = sorted(numbers)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        await tx.execute(
            "UPDATE dead_numbers SET tried_at = ? WHERE n_failures >= ?"
            f" AND number IN ({placeholders(chunk)})",
            (format_ms(now), fewest, *chunk),
        )


async def list_dead(tx: Tx, *, fewest: int, limit: int, after: str | None) -> list[DeadNumber]:
    """Numbers with so many failures at least, in order, those greater than ``after``."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM dead_numbers WHERE number > ? AND n_failures >= ? ORDER BY number LIMIT ?",
        (after or "", fewest, limit),
    )
    return [_dead(row) for row in rows]


async def forget_old_failures(tx: Tx, before: datetime, limit: int) -> int:
    """Delete rows of numbers that no network spoke of since, at most ``limit``; how many."""
    return await tx.execute(
        "DELETE FROM dead_numbers WHERE number IN"
        " (SELECT number FROM dead_numbers WHERE last_at < ? ORDER BY last_at LIMIT ?)",
        (format_ms(before), limit),
    )


async def find_counts(
    tx: Tx, limits: Sequence[NumberLimit], numbers: Collection[str], now: datetime
) -> Counter[str]:
    """How many messages went in the window of each limit that any of these numbers is under, by its name."""
    concerned = [limit for limit in limits if any(map(limit.meets, numbers))]
    counts = Counter({limit.name: 0 for limit in concerned})
    for start in range(0, len(concerned), _CHUNK // 2):
        chunk = concerned[start : start + _CHUNK // 2]
        params = [one for limit in chunk for one in (limit.name, _slot(limit, now) - _SLOTS)]
        where = " OR ".join("(name = ? AND slot >= ?)" for _ in chunk)
        for name, n in await tx.fetch(
            f"SELECT name, SUM(n) FROM number_counts WHERE {where} GROUP BY name", params
        ):
            counts[name] = int(n)
    return counts


async def count_numbers(tx: Tx, limits: Sequence[NumberLimit], numbers: Iterable[str], now: datetime) -> None:
    """Count messages that go, by their recipients."""
    counts: Counter[NumberLimit] = Counter()
    for number in numbers:
        counts.update(limits_of(number, limits))
    rows = []
    for limit, n in sorted(counts.items()):
        slot = _slot(limit, now)
        rows.append((limit.name, slot, n, (slot + _SLOTS + 1) * _step_ms(limit)))
    await tx.execute_many(
        "INSERT INTO number_counts (name, slot, n, ends_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name, slot) DO UPDATE SET n = number_counts.n + excluded.n",
        rows,
    )


async def forget_counts(tx: Tx, before: datetime, limit: int) -> int:
    """Delete counts that count no more, at most ``limit``; how many."""
    rows = await tx.fetch(
        "SELECT name, slot FROM number_counts WHERE ends_at < ? ORDER BY ends_at LIMIT ?",
        (format_ms(before), limit),
    )
    await tx.execute_many("DELETE FROM number_counts WHERE name = ? AND slot = ?", rows)
    return len(rows)


def _step_ms(limit: NumberLimit) -> int:
    return max(1, limit.per_s * 1_000 // _SLOTS)


def _slot(limit: NumberLimit, now: datetime) -> int:
    return (format_ms(now) or 0) // _step_ms(limit)


def _dead(row: Row) -> DeadNumber:
    number, n_failures, code, channel, message_id, first_at, last_at, tried_at = row
    return DeadNumber(
        number,
        n_failures,
        code,
        channel,
        message_id,
        parse_instant(first_at),
        parse_instant(last_at),
        None if tried_at is None else parse_instant(tried_at),
    )
