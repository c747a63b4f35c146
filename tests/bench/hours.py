"""What a message costs with hours, caps and repeats: CPU of each part, in batches of 1,000; the best of some rounds."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.model.message import Category
from gateway.policy.subject import NO_FACTS, Facts, Subject
from gateway.settings.caps import make_frequency, make_repeats
from gateway.settings.config import load_settings
from gateway.settings.hours import make_hours
from gateway.store.ports import Tx
from gateway.store.sqlite.engine import SqliteStore
from gateway.store.touches import NewTouch, find_touches, save_gone, save_touches, touch_of
from tests.bench.figures import Figure

BENCH = "hours"
N_MESSAGES = 1_000
N_BEFORE = 2
"""Messages that each number has had."""
ROUNDS = 7
_AT = datetime(2026, 12, 1, 4, tzinfo=UTC)
_CONFIG = """
[[hours]]
windows = ["08:00-21:00"]
holidays = ["cn"]
[[caps]]
category = ["marketing"]
limit = ["1/h", "3/7d", "10/30d"]
[[repeats]]
window = "10m"
"""


def subject(n: int, *, to: str = "+861380013", at: datetime = _AT) -> Subject:
    """One of many."""
    expires_at = _AT + timedelta(days=3)
    number = f"{to}{n:04}"
    return Subject(
        number,
        Category.MARKETING,
        at,
        f"text {n}",
        "acme",
        ("k", "shop"),
        None,
        None,
        f"01m{n:06}",
        expires_at,
    )


def touched(one: Subject) -> list[NewTouch]:
    """What its number has had."""
    return [
        touch_of(
            one._replace(message_id=f"{one.message_id}-{n}"), _AT - timedelta(days=3 * n + 1), is_out=True
        )
        for n in range(N_BEFORE)
    ]


def time_us(ask: Callable[[Subject], object], subjects: list[Subject]) -> float:
    """Microseconds for one of them."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for one in subjects:
            ask(one)
        best = min(best, time.process_time() - started)
    return best / len(subjects) * 1e6


async def time_store(folder: Path, subjects: list[Subject]) -> list[float]:
    """Microseconds of looking up, of keeping what is to go, and of keeping what goes."""
    store = await SqliteStore.open(folder / "hours.db")
    await store.write(lambda tx: save_touches(tx, [one for some in subjects for one in touched(some)]))
    taken = []
    for n in range(ROUNDS):

        async def op(tx: Tx, n: int = n) -> list[float]:
            new = [
                touch_of(one._replace(message_id=f"{one.message_id}+{n}"), _AT, is_out=False)
                for one in subjects
            ]
            marks = [time.thread_time()]
            await find_touches(tx, [one.recipient for one in subjects])
            marks.append(time.thread_time())
            await save_touches(tx, new)
            marks.append(time.thread_time())
            await save_gone(tx, new)
            marks.append(time.thread_time())
            await tx.execute("DELETE FROM touches WHERE message_id LIKE '%+%'")
            return [later - first for first, later in itertools.pairwise(marks)]

        taken.append(await store.write(op))
    await store.close()
    return [min(column) / len(subjects) * 1e6 for column in zip(*taken, strict=True)]


async def hours(folder: Path) -> list[Figure]:
    """All rows."""
    config = folder / "hours.toml"
    config.write_text(_CONFIG)
    settings = load_settings(config)
    rule = make_hours(settings.hours, settings.numbers.region)
    frequency, repeats = make_frequency(settings.caps), make_repeats(settings.repeats)
    subjects = [subject(n) for n in range(N_MESSAGES)]
    abroad = [subject(n, to=f"+1{201 + n % 700}555") for n in range(N_MESSAGES)]
    night = [subject(n, at=_AT + timedelta(hours=10)) for n in range(N_MESSAGES)]
    facts = Facts(touches=tuple(one.touch for one in touched(subjects[-1])))
    find_us, keep_us, gone_us = await time_store(folder, subjects)
    parts = {
        "hours, by day in China": time_us(lambda one: rule.decide(one, NO_FACTS, _AT), subjects),
        "hours, at night in China": time_us(lambda one: rule.decide(one, NO_FACTS, _AT), night),
        "hours, all over North America": time_us(lambda one: rule.decide(one, NO_FACTS, _AT), abroad),
        "caps, 3 limits, 2 messages before": time_us(lambda one: frequency.decide(one, facts, _AT), subjects),
        "repeats, 2 messages before": time_us(lambda one: repeats.decide(one, facts, _AT), subjects),
        "look up what a number had": find_us,
        "keep what is to go": keep_us + time_us(lambda one: touch_of(one, _AT, is_out=False), subjects),
        "keep what goes, at the claim": gone_us,
    }
    return [Figure(BENCH, what, value, "us/message") for what, value in parts.items()]
