"""Alarms at the API: listed, counted, closed by a person."""

from __future__ import annotations

import logging

import pytest

from gateway.model.alarm import AlarmKind
from gateway.model.message import Scope
from gateway.pipeline.alarms import clear_alarm, raise_alarm, tell_alarm
from gateway.telemetry.metrics import make_metrics
from tests.support.product import load_events

pytestmark = pytest.mark.integration


async def open_alarm(rig, subject: str, kind: AlarmKind = AlarmKind.STANDSTILL) -> None:
    await rig.store.write(lambda tx: raise_alarm(tx, rig.clock, kind, subject, "Nothing moves."))


async def test_alarms_are_listed_newest_first_page_by_page_and_closed(rig):
    for name in ("a", "b", "c"):
        await open_alarm(rig, name)
    _, first = await rig.call("GET", "/v1/alarms?limit=2")
    _, second = await rig.call("GET", f"/v1/alarms?limit=2&cursor={first['next']}")
    found = [*first["items"], *second["items"]]
    assert [item["subject"] for item in found] == ["c", "b", "a"]
    assert (second["next"], found[0]["kind"], found[0]["detail"]) == (None, "standstill", "Nothing moves.")
    status, closed = await rig.call("POST", f"/v1/alarms/{found[0]['id']}/clear")
    assert (status, closed["subject"]) == (200, "c")
    assert (await rig.call("POST", f"/v1/alarms/{found[0]['id']}/clear"))[0] == 404
    events = await rig.store.read(lambda tx: load_events(tx, 0, 100))
    assert (events[-1].type, b'"by":"key:admin"' in events[-1].data) == ("alarm.cleared", True)
    reader = await rig.make_key(Scope.READ)
    assert (await rig.call("POST", f"/v1/alarms/{found[1]['id']}/clear", secret=reader))[0] == 403


async def test_a_repeated_request_closes_one_alarm_once(rig):
    await open_alarm(rig, "a")
    alarm_id = (await rig.call("GET", "/v1/alarms"))[1]["items"][0]["id"]
    headers = {"Idempotency-Key": "once"}
    answers = [await rig.call("POST", f"/v1/alarms/{alarm_id}/clear", headers=headers) for _ in range(2)]
    assert [status for status, _ in answers] == [200, 200]
    assert answers[0] == answers[1]


async def test_figures_count_what_is_open(rig):
    await open_alarm(rig, "a")
    await open_alarm(rig, "b")
    async with rig.client.get("/metrics") as response:
        figures = await response.text()
    assert 'hongyan_alarms{kind="standstill"} 2.0' in figures
    assert 'hongyan_alarms{kind="internal_error"} 0.0' in figures


async def test_an_alarm_is_logged_and_counted_when_it_is_committed(rig, caplog):
    await open_alarm(rig, "a")
    await rig.store.write(lambda tx: clear_alarm(tx, rig.clock, AlarmKind.STANDSTILL, "a"))
    metrics = make_metrics()
    for event in await rig.store.read(lambda tx: load_events(tx, 0, 100)):
        tell_alarm(event, metrics)
    assert [(r.levelno, r.getMessage()) for r in caplog.records if r.name == "gateway.pipeline.alarms"] == [
        (logging.ERROR, "alarm standstill: a: Nothing moves."),
        (logging.WARNING, "alarm standstill of a is over, says system"),
    ]
    assert 'hongyan_alarms_raised_total{kind="standstill"} 1.0' in metrics.render().decode()
