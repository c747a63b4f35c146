"""A SIM with a contract, on the real daemon: quotas that outlive kill -9, what a message waits for, USSD, balance."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.conftest import World
from tests.support.daemon import COMMAND, Daemon, modem_toml, smpp_toml, until
from tests.support.programs import run_program

pytestmark = pytest.mark.e2e

PHONES = [f"+861390013900{n}" for n in range(5)]


@pytest.fixture
async def daemon(world: World) -> AsyncIterator[Daemon]:
    sim = modem_toml(
        "sim-1",
        world.modems[0].port,
        quota='"3/day"',
        recipients_per_month="2",
        reserve="1",
        balance_code='"*100#"',
        balance_pattern="'Balance ([0-9.]+)'",
        balance_alarm="50",
    )
    daemon = world.make_daemon(sim + smpp_toml("smsc", world.smscs[0].port, groups='["other"]'))
    await daemon.start()
    yield daemon
    assert await daemon.stop() == 0, daemon.log()


async def _send(daemon: Daemon, to: str, **fields: object) -> str:
    status, message = await daemon.post("/v1/messages", {"to": to, "text": "hello", **fields})
    assert status == 202, message
    return str(message["id"])


async def _reasons(daemon: Daemon, message_id: str) -> dict[str, datetime | None]:
    waiting_for = (await daemon.message(message_id))["waiting_for"]
    assert {reason["channel"] for reason in waiting_for} == {"sim-1"}
    return {r["code"]: r["until"] and datetime.fromisoformat(r["until"]) for r in waiting_for}


async def _cli(daemon: Daemon, *words: str) -> str:
    return await run_program(*COMMAND, *words, "--url", daemon.base, "--key", daemon.secret)


async def test_a_quota_holds_over_kill_9_and_says_until_when(daemon: Daemon) -> None:
    out = [await _send(daemon, PHONES[0]), await _send(daemon, PHONES[1])]
    await daemon.wait_status(out, {"sent", "delivered"})
    third, stranger = await _send(daemon, PHONES[0]), await _send(daemon, PHONES[2])
    await daemon.kill()
    await daemon.start()
    reasons = await _reasons(daemon, third)
    assert list(reasons) == ["quota"]
    midnight = (datetime.now(UTC).astimezone() + timedelta(days=1)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    assert reasons["quota"] == midnight
    assert list(await _reasons(daemon, stranger)) == ["quota", "recipients"]
    shown = await _cli(daemon, "show", stranger)
    assert "waiting for:" in shown
    assert "recipients" in shown
    urgent = await _send(daemon, PHONES[0], category="otp")
    await daemon.wait_status([urgent], {"sent", "delivered"})
    assert (await daemon.message(third))["status"] == "queued"
    _, channel = await daemon.get("/v1/channels/sim-1")
    assert [(b["what"], b["period"], b["used"], b["limit"]) for b in channel["budgets"]] == [
        ("segments", "day", 3, 3),
        ("recipients", "month", 2, 2),
    ]
    assert "3 segments a day used up" in await _cli(daemon, "channels")


async def test_the_network_is_asked_by_http_and_on_the_command_line(daemon: Daemon) -> None:
    answer = {"text": "Balance 42.00 CNY", "expects_reply": False}
    assert await daemon.post("/v1/channels/sim-1/ussd", {"code": "*100#"}) == (200, answer)
    assert await _cli(daemon, "channel", "sim-1", "ussd", "*100#") == "Balance 42.00 CNY\n"
    for name, code, expected in (
        ("sim-1", "*999#", (502, "network_refused")),
        ("smsc", "*100#", (501, "not_implemented")),
    ):
        status, problem = await daemon.post(f"/v1/channels/{name}/ussd", {"code": code})
        assert (status, problem["code"]) == expected


async def test_a_menu_is_walked_through_by_http_and_on_the_command_line(daemon: Daemon) -> None:
    menu = {"text": "1 Balance\n2 Tariff", "expects_reply": True}
    assert await daemon.post("/v1/channels/sim-1/ussd", {"code": "*102#"}) == (200, menu)
    assert "Tariff A. Change it?\n1 Yes\n2 No\n" in await _cli(daemon, "channel", "sim-1", "ussd", "2")
    done = {"text": "Done", "expects_reply": False}
    assert await daemon.post("/v1/channels/sim-1/ussd", {"code": "1"}) == (200, done)


async def test_a_trace_is_switched_by_the_command_line(daemon: Daemon) -> None:
    said = await _cli(daemon, "channel", "sim-1", "trace", "on")
    path = Path(said.removeprefix("sim-1  trace on: ").strip())
    await _cli(daemon, "channel", "sim-1", "ussd", "*100#")
    assert await _cli(daemon, "channel", "sim-1", "trace", "off") == "sim-1  trace off\n"
    text = await asyncio.to_thread(path.read_text)
    assert "AT+CUSD=1" in text
    assert "*100#" not in text
    status, problem = await daemon.post("/v1/channels/smsc/trace", {"on": True})
    assert (status, problem["code"]) == (501, "not_implemented")


async def test_a_modem_that_is_gone_can_not_be_asked(world: World, daemon: Daemon) -> None:
    await world.modems[0].stop()

    async def is_down() -> bool:
        return bool((await daemon.get("/v1/channels/sim-1"))[1]["state"] == "down")

    await until(is_down)
    status, problem = await daemon.post("/v1/channels/sim-1/ussd", {"code": "*100#"})
    assert (status, problem["code"]) == (409, "conflict")
    waits = await _reasons(daemon, await _send(daemon, PHONES[0]))
    assert list(waits) == ["down"]


async def test_the_balance_is_asked_by_itself_and_a_low_one_is_told(daemon: Daemon) -> None:
    async def is_known() -> bool:
        return bool((await daemon.get("/v1/channels/sim-1"))[1]["facts"].get("balance") == 42.0)

    await until(is_known)
    _, metrics = await daemon.get("/metrics")
    assert 'hongyan_channel_balance{channel="sim-1"} 42.0' in metrics
    assert 'hongyan_channel_budget_left{channel="sim-1",period="day",what="segments"} 3.0' in metrics
    assert 'hongyan_channel_state{channel="sim-1",state="up"} 1.0' in metrics
    await until(lambda: "below 50" in daemon.log())
