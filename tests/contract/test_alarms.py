"""Alarms on every engine: one for each kind and subject, told once, until it is cleared."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import pytest

from gateway.model.actor import Actor, ActorKind
from gateway.model.alarm import Alarm, AlarmData, AlarmKind
from gateway.pipeline.alarms import clear_alarm, raise_alarm
from gateway.store.alarms import MOST_OPEN, count_alarms, find_subjects, list_alarms
from gateway.store.ports import Tx
from tests.support.gateway import ManualClock
from tests.support.product import load_events
from tests.support.stores import Database, OpenStore

pytestmark = pytest.mark.contract

KIND = AlarmKind.STANDSTILL
T = TypeVar("T")
CLOCK = ManualClock()


def rising(
    subject: str, detail: str = "It stands still.", kind: AlarmKind = KIND
) -> Callable[[Tx], Awaitable[bool]]:
    return lambda tx: raise_alarm(tx, CLOCK, kind, subject, detail)


async def told(store: OpenStore) -> list[tuple[str, str, AlarmData]]:
    events = await store.read(lambda tx: load_events(tx, 0, 100))
    return [(e.type, e.subject, msgspec.json.decode(e.data, type=AlarmData)) for e in events]


async def opened(store: OpenStore) -> list[Alarm]:
    return await store.read(lambda tx: list_alarms(tx, limit=10))


async def test_an_alarm_is_told_once_and_kept_until_it_is_over(database: Database):
    store = await database.open()
    assert await store.write(rising("a"))
    assert not await store.write(rising("a", "It still stands still."))
    assert await store.write(rising("b"))
    assert await store.write(rising("a", kind=AlarmKind.INTERNAL_ERROR))
    other = await database.open()
    assert [(a.kind, a.subject, a.detail) for a in await opened(other)] == [
        (AlarmKind.INTERNAL_ERROR, "a", "It stands still."),
        (KIND, "b", "It stands still."),
        (KIND, "a", "It still stands still."),
    ]
    assert await store.read(lambda tx: find_subjects(tx, KIND)) == {"a", "b"}
    assert (await store.read(count_alarms))[KIND] == 2
    by = Actor(ActorKind.KEY, "ops")
    cleared = await other.write(lambda tx: clear_alarm(tx, CLOCK, KIND, "a", by=by))
    assert cleared is not None
    assert await other.write(lambda tx: clear_alarm(tx, CLOCK, KIND, "a", by=by)) is None
    seen = [(kind, subject, data.kind, data.by) for kind, subject, data in await told(store)]
    assert seen == [
        ("alarm.raised", "a", "standstill", "system"),
        ("alarm.raised", "b", "standstill", "system"),
        ("alarm.raised", "a", "internal_error", "system"),
        ("alarm.cleared", "a", "standstill", "key:ops"),
    ]
    assert await store.write(rising("a")), "it is news again"


async def test_what_is_said_is_bounded_and_so_is_how_many(database: Database):
    store = await database.open()
    await store.write(rising("s" * 5_000, "d" * 5_000))
    [alarm] = await opened(store)
    assert (len(alarm.subject), len(alarm.detail)) == (200, 1_000)
    assert not await store.write(rising("s" * 6_000)), "known by what is kept of it"

    async def many(tx: Tx) -> int:
        return sum([await raise_alarm(tx, CLOCK, KIND, f"{n}", "x") for n in range(MOST_OPEN + 5)])

    assert await store.write(many) == MOST_OPEN - 1
    assert await store.write(rising("0", kind=AlarmKind.INTERNAL_ERROR)), "other kinds have room"
