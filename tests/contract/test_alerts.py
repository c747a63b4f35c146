"""Alarms on either engine, with two daemons on one database, at night."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from gateway.alerts.door import AlertDoor, Told
from gateway.alerts.payload import AlertmanagerPayload, read_report
from gateway.errors import StaleWrite
from gateway.pipeline.chores import KEEP_ALERTS
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.drafting import IntakeSettings
from gateway.settings.alerts import AlertSettings
from gateway.settings.forms import Rate, parse_hours
from gateway.store.alerts import Window, forget_alerts, list_heard, load_windows, move_windows
from gateway.store.messages import MessageFilter
from gateway.telemetry.metrics import make_metrics
from tests.support.gateway import PHONE, START, ManualClock
from tests.support.product import list_messages
from tests.support.stores import Database, OpenStore

pytestmark = pytest.mark.contract

TABLE = AlertSettings(name="on-call", to=(PHONE,), storm=Rate(2, 60.0))


def make_door(store: OpenStore, clock: ManualClock) -> AlertDoor:
    intake = Intake(store, clock, IntakeSettings("CN", {"sim-1": ("default",)}, 3_600.0))
    return AlertDoor(store, clock, intake, make_metrics(), [TABLE.receiver()])


@pytest.fixture
async def doors(database: Database) -> tuple[AlertDoor, AlertDoor, OpenStore, ManualClock]:
    clock, one, other = ManualClock(), await database.open(), await database.open()
    return make_door(one, clock), make_door(other, clock), one, clock


async def take(door: AlertDoor, *names: str, **fields: Any) -> Told:
    alerts = [{"labels": {"alertname": name}, "fingerprint": name, **fields} for name in names]
    report = read_report("alertmanager", msgspec.convert({"alerts": alerts}, AlertmanagerPayload))
    return msgspec.json.decode((await door.accept(report, key=None)).body, type=Told)


async def texts(store: OpenStore) -> list[str | None]:
    rows = await store.read(lambda tx: list_messages(tx, MessageFilter(), limit=100, before=None))
    return [message.text for message in reversed(rows)]


async def test_two_daemons_tell_an_alarm_once_and_share_a_storm_guard(doors):
    one, other, store, clock = doors
    told = await asyncio.gather(*(take(door, name) for name in "ABCDEF" for door in (one, other)))
    assert sum(t.told for t in told) == 2
    assert sum(t.held for t in told) == 4
    assert sum(t.known for t in told) == 6
    clock.advance(61)
    await asyncio.gather(one.tell_due(), other.tell_due())
    found = await texts(store)
    assert len(found) == 3
    assert str(found[2]).startswith("and 4 more alarms: ")
    rows = await store.read(lambda tx: list_heard(tx, limit=100))
    assert {(row.name, row.n_heard, row.held, row.told_at is None) for row in rows} == {
        (name, 2, False, False) for name in "ABCDEF"
    }


async def test_at_night_alarms_are_held_and_told_in_one_text_in_the_morning(doors):
    one, _, store, clock = doors
    day = clock.now().astimezone().replace(minute=0)
    hours = f"{(day.hour + 2) % 24:02}:00-{(day.hour + 3) % 24:02}:00"
    table = AlertSettings(name="office", to=(PHONE,), active_hours=parse_hours(hours))
    one.adopt([table.receiver()])
    assert (await take(one, "Full")).held == 1
    assert (await take(one, "Full", status="resolved")).held == 1
    assert (await take(one, "Down", annotations={"summary": "no answer"})).held == 1
    clock.advance(3_600)
    await one.tell_due()
    assert await texts(store) == []
    clock.advance(3_600)
    await one.tell_due()
    assert await texts(store) == ["and 2 more alarms, 1 of them over: Down: no answer; Full"]


async def test_strange_characters_are_kept_and_shown(doors):
    one, _, store, _ = doors
    await take(one, "磁盘\x00已满 😀", "quote ' \" %")
    assert await texts(store) == ["[FIRING 2] 磁盘 已满 😀\nquote ' \" %"]
    rows = await store.read(lambda tx: list_heard(tx, limit=100, receiver="on-call", is_firing=True))
    assert {row.line for row in rows} == {"磁盘 已满 😀", "quote ' \" %"}


async def test_a_guard_that_somebody_changed_is_not_overwritten(doors):
    _, _, store, _ = doors
    window = Window(0, START, 1)
    await store.write(lambda tx: move_windows(tx, {"a": (None, window)}))
    with pytest.raises(StaleWrite):
        await store.write(lambda tx: move_windows(tx, {"a": (None, window)}))
    read = (await store.read(load_windows))["a"]
    await store.write(lambda tx: move_windows(tx, {"a": (read, read._replace(n_texts=2, due_at=START))}))
    with pytest.raises(StaleWrite):
        await store.write(lambda tx: move_windows(tx, {"a": (read, read)}))
    assert (await store.read(load_windows))["a"] == Window(2, START, 2, START)


async def test_alarms_are_forgotten_when_nobody_has_spoken_of_them_for_long(doors):
    one, _, store, clock = doors
    await take(one, "old", "young")
    clock.advance(KEEP_ALERTS.total_seconds() - 10)
    await take(one, "young")
    before = clock.now() + timedelta(seconds=20) - KEEP_ALERTS
    assert await store.write(lambda tx: forget_alerts(tx, before, 100)) == 1
    rows = await store.read(lambda tx: list_heard(tx, limit=100))
    assert [row.name for row in rows] == ["young"]
