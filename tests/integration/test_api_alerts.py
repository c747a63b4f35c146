"""Alarms of monitoring tools over the API: who is told what, once, however often a tool says it."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.model.message import Scope
from gateway.settings.alerts import AlertSettings
from gateway.settings.forms import Rate
from tests.support.api import ApiRig, open_api
from tests.support.vectors import load_vectors

pytestmark = pytest.mark.integration

ONE, OTHER = "+8613800138000", "+8613900139000"
BODIES = {entry["name"]: entry["body"] for entry in load_vectors("alerts", "bodies")}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[ApiRig]:
    async with open_api(tmp_path) as rig:
        rig.alerts.adopt([AlertSettings(name="on-call", to=(ONE,)).receiver()])
        yield rig


def adopt(rig: ApiRig, *tables: AlertSettings) -> None:
    rig.alerts.adopt([table.receiver() for table in tables])


async def post(rig: ApiRig, body: Any, tool: str = "alertmanager", **options: Any) -> dict[str, Any]:
    data = body if isinstance(body, str) else msgspec.json.encode(body)
    status, answer = await rig.call("POST", f"/v1/alerts/{tool}", data=data, **options)
    assert status == 202, answer
    return dict(answer)


async def texts(rig: ApiRig, to: str | None = None) -> list[str]:
    query = {"tag": "alert", "limit": "1000"} | ({"to": to} if to else {})
    _, page = await rig.call("GET", "/v1/messages", params=query)
    return [item["text"] for item in reversed(page["items"])]


def fire(*names: str, status: str = "firing", **more: Any) -> dict[str, Any]:
    alerts = [
        {
            "status": status,
            "labels": {"alertname": name},
            "fingerprint": name,
            "startsAt": "2026-11-30T08:00:00Z",
        }
        for name in names
    ]
    return {"version": "4", "status": status, "alerts": alerts} | more


async def test_bodies_of_both_tools_become_texts(rig):
    told = await post(rig, BODIES["alertmanager firing"])
    assert (told["received"], told["told"], len(told["messages"])) == (2, 2, 1)
    await post(rig, BODIES["grafana firing"], "grafana")
    both, memory = await texts(rig)
    assert both.splitlines() == [
        "[FIRING 2] InstanceDown web-1:9100: web-1 does not answer",
        "InstanceDown web-2:9100: web-2 does not answer",
    ]
    assert memory == "[FIRING] High memory usage: Zone us-1 is short of memory"


async def test_a_tool_may_say_it_as_often_as_it_likes(rig):
    told = [await post(rig, fire("Down", "Full")) for _ in range(3)]
    assert [one["told"] for one in told] == [2, 0, 0]
    assert [one["known"] for one in told] == [0, 2, 2]
    ended = [await post(rig, fire("Down", status="resolved")) for _ in range(2)]
    assert [one["told"] for one in ended] == [1, 0]
    await post(rig, fire("Full", "New"))
    assert await texts(rig) == ["[FIRING 2] Down\nFull", "[RESOLVED] Down", "[FIRING] New"]
    _, page = await rig.call("GET", "/v1/alerts", params={"status": "firing"})
    assert [(a["name"], a["times"], a["told_at"] is not None) for a in page["items"]] == [
        ("New", 1, True),
        ("Full", 4, True),
    ]


async def test_ten_at_once_tell_once(rig):
    told = await asyncio.gather(*(post(rig, fire("Down")) for _ in range(10)))
    assert sum(one["told"] for one in told) == 1
    assert await texts(rig) == ["[FIRING] Down"]


async def test_labels_say_who_is_told_and_what_nobody_takes_is_listed(rig):
    adopt(
        rig,
        AlertSettings(name="page", match=('severity="critical"',), to=(ONE, OTHER), category="emergency"),
        AlertSettings(name="office", match=('severity=~"warning|info"',), to=(OTHER,), firing="note"),
    )
    alerts = [
        {"labels": {"alertname": severity.title(), "severity": severity}}
        for severity in ("critical", "warning", "odd")
    ]
    told = await post(rig, {"status": "firing", "alerts": [*alerts, {}]})
    assert (told["told"], told["unrouted"], len(told["messages"])) == (2, 2, 3)
    assert await texts(rig, ONE) == ["[FIRING] Critical"]
    assert sorted(await texts(rig, OTHER)) == ["[FIRING] Critical", "[note] Warning"]
    _, page = await rig.call("GET", "/v1/alerts", params={"receiver": ""})
    assert sorted(item["name"] for item in page["items"]) == ["Odd", "alarm"]
    _, page = await rig.call("GET", "/v1/messages", params={"tag": "alert:page"})
    assert {item["category"] for item in page["items"]} == {"emergency"}
    adopt(rig, AlertSettings(name="all", to=(ONE,)))
    assert (await post(rig, {"alerts": alerts}))["told"] == 3


async def test_in_a_storm_so_many_texts_go_and_one_tells_of_the_rest(rig):
    adopt(rig, AlertSettings(name="on-call", to=(ONE,), storm=Rate(3, 60.0)))
    told = [await post(rig, fire(f"Down{n}")) for n in range(10)]
    assert [one["told"] for one in told] == [1] * 3 + [0] * 7
    assert [one["held"] for one in told] == [0] * 3 + [1] * 7
    assert (await post(rig, fire("Down5")))["known"] == 1
    assert (await post(rig, fire("Down9", status="resolved")))["held"] == 1
    await rig.alerts.tell_due()
    assert len(await texts(rig)) == 3
    _, page = await rig.call("GET", "/v1/alerts", params={"held": "true"})
    assert len(page["items"]) == 7
    rig.clock.jump(61)
    await rig.alerts.tell_due()
    await rig.alerts.tell_due()
    assert (await texts(rig))[3:] == [
        "and 7 more alarms, 1 of them over: Down3; Down4; Down5; Down6; Down7; Down8; Down9"
    ]
    _, page = await rig.call("GET", "/v1/alerts", params={"held": "true"})
    assert page["items"] == []
    assert (await post(rig, fire("Later")))["told"] == 1


async def test_what_is_due_is_told_before_what_is_new(rig):
    adopt(rig, AlertSettings(name="on-call", to=(ONE,), storm=Rate(1, 60.0)))
    await post(rig, fire("First"))
    await post(rig, fire("Second"))
    rig.clock.jump(61)
    assert (await post(rig, fire("Third")))["held"] == 1  # the summary used up the new minute
    assert await texts(rig) == ["[FIRING] First", "and 1 more alarm: Second"]
    rig.clock.jump(61)
    await rig.alerts.tell_due()
    assert (await texts(rig))[2:] == ["and 1 more alarm: Third"]


async def test_an_idempotency_key_gives_the_first_answer_again(rig):
    headers = {"Idempotency-Key": "a-1"}
    first = await post(rig, fire("Down"), headers=headers)
    assert await post(rig, fire("Down"), headers=headers) == first
    body = msgspec.json.encode(fire("Other"))
    status, problem = await rig.call("POST", "/v1/alerts/alertmanager", data=body, headers=headers)
    assert (status, problem["code"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ("{", 400, None),
        ("[]", 422, ""),
        ("{}", 422, "/alerts"),
        ('{"alerts": {}}', 422, "/alerts"),
        ('{"alerts": [{"labels": {"a": 1}}]}', 422, "/alerts/0/labels"),
        ('{"alerts": [1]}', 422, "/alerts/0"),
        ('{"alerts": [' + ",".join(["{}"] * 5_001) + "]}", 422, "/alerts"),
        ('{"alerts": [{"labels": {"a": "' + "x" * (9 << 20) + '"}}]}', 413, None),
    ],
)
async def test_what_is_no_report_is_refused_in_words(rig, body, status, pointer):
    got, problem = await rig.call("POST", "/v1/alerts/alertmanager", data=BytesIO(body.encode()))
    assert got == status, problem
    if pointer is not None:
        assert problem["errors"][0]["pointer"] == pointer
        assert problem["errors"][0]["detail"]


async def test_five_thousand_alarms_are_one_text_and_five_thousand_rows(rig):
    told = await post(rig, fire(*(f"A{n}" for n in range(5_000)), truncatedAlerts=143))
    assert (told["told"], len(told["messages"])) == (5_000, 1)
    (text,) = await texts(rig)
    assert text.startswith("[FIRING 5143] A0\nA1\n")
    assert (await post(rig, fire(*(f"A{n}" for n in range(5_000)))))["known"] == 5_000


async def test_no_table_and_no_good_number_are_said(rig):
    adopt(rig, AlertSettings(name="on-call", to=("12",)))
    status, problem = await rig.call("POST", "/v1/alerts/grafana", json=fire("A"))
    assert (status, problem["errors"][0]["code"]) == (422, "invalid_number")
    assert "on-call" in problem["errors"][0]["detail"]
    adopt(rig, AlertSettings(name="on-call", to=("12", ONE)))
    assert len((await post(rig, fire("A")))["messages"]) == 1
    adopt(rig)
    status, problem = await rig.call("POST", "/v1/alerts/grafana", json=fire("A"))
    assert (status, problem["errors"][0]["code"]) == (422, "no_receivers")


async def test_held_alarms_of_a_table_that_can_tell_nobody_stay_held(rig):
    adopt(rig, AlertSettings(name="on-call", to=(ONE,), storm=Rate(1, 60.0)))
    await post(rig, fire("First"))
    await post(rig, fire("Second"))
    adopt(rig, AlertSettings(name="on-call", to=("12",), storm=Rate(1, 60.0)))
    rig.clock.jump(61)
    await rig.alerts.tell_due()
    adopt(rig, AlertSettings(name="on-call", to=(ONE,), storm=Rate(1, 60.0)))
    rig.clock.jump(61)
    await rig.alerts.tell_due()
    assert (await texts(rig))[1:] == ["and 1 more alarm: Second"]


async def test_the_key_may_be_a_password_here_and_nowhere_else(rig):
    secret = await rig.make_key(Scope.SEND)

    async def call(path: str, credentials: str) -> int:
        headers = {"Authorization": f"Basic {b64encode(credentials.encode()).decode()}"}
        async with rig.client.post(path, headers=headers, json=fire("A")) as response:
            return response.status

    assert await call("/v1/alerts/grafana", f"grafana:{secret}") == 202
    assert await call("/v1/alerts/grafana", "grafana:nonsense") == 401
    assert await call("/v1/alerts/grafana", secret) == 401
    assert await call("/v1/messages", f"grafana:{secret}") == 401
    reader = await rig.make_key(Scope.READ)
    assert await call("/v1/alerts/grafana", f"grafana:{reader}") == 403
    headers = {"Authorization": "Basic ???"}
    async with rig.client.post("/v1/alerts/grafana", headers=headers, json=fire("A")) as response:
        assert response.status == 401
