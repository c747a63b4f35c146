"""What a daemon does about failures, seen from outside: other channels, poison, alarms, what waits."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import Any

import pytest

from drivers.smpp.wire.constants import CommandStatus
from simulators.faults import Fault
from tests.e2e.conftest import World
from tests.support.daemon import COMMAND, Daemon, smpp_toml, until

pytestmark = pytest.mark.e2e

FULL = Fault(kind="submit_error", code=CommandStatus.RX_T_APPN, times=1_000)


async def cli(daemon: Daemon, *words: str) -> tuple[int, list[dict[str, Any]]]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *words,
        "--json",
        "--url",
        daemon.base,
        "--key",
        daemon.secret,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, [json.loads(line) for line in out.splitlines()]


async def send(daemon: Daemon, n: int, **fields: object) -> str:
    status, message = await daemon.post("/v1/messages", {"to": f"+86139001391{n:02}", "text": "hi", **fields})
    assert status == 202, message
    return str(message["id"])


async def test_codes_find_the_carrier_that_takes_them_and_others_say_that_they_wait(world: World) -> None:
    one, two = world.smscs
    daemon = world.make_daemon(smpp_toml("one", one.port) + smpp_toml("two", two.port))
    await daemon.start()
    one.plan.inject(FULL, asyncio.get_running_loop().time())
    codes = [await send(daemon, n, category="otp") for n in range(10)]
    await daemon.wait_status(codes, {"delivered"})
    shown = [await daemon.message(code) for code in codes]
    assert {message["channel"] for message in shown} == {"two"}
    asked = [
        e for m in shown for e in m["events"] if e["data"].get("error") and "smpp_0x64" in e["data"]["error"]
    ]
    assert asked, "the other one was asked, too"
    plain = await send(daemon, 50, channel="one")
    await until(lambda: _waits(daemon, plain, "retry"))
    _, page = await daemon.get("/v1/messages?status=queued")
    [reason] = page["items"][0]["waiting_for"]
    assert (reason["code"], reason["kind"]) == ("retry_pause", "retry")
    assert reason["until"] > page["items"][0]["created_at"]
    assert await daemon.stop() == 0


async def _waits(daemon: Daemon, message_id: str, kind: str) -> bool:
    return any(reason["kind"] == kind for reason in (await daemon.message(message_id))["waiting_for"])


async def _is_alarmed(daemon: Daemon) -> bool:
    return bool((await daemon.get("/v1/alarms"))[1]["items"])


async def test_a_message_that_can_not_be_read_fails_with_an_alarm_and_the_others_go(world: World) -> None:
    daemon = world.make_daemon(smpp_toml("one", world.smscs[0].port))
    await daemon.start()
    assert await cli(daemon, "alarms") == (0, [])
    assert (await daemon.post("/v1/channels/one/pause"))[0] == 200
    sent = [await send(daemon, n) for n in range(20)]
    with sqlite3.connect(daemon.database) as db:
        db.execute("UPDATE messages SET body = x'ff00' WHERE id = ?", (sent[7],))
    db.close()
    assert (await daemon.post("/v1/channels/one/resume"))[0] == 200
    others = [message for message in sent if message != sent[7]]
    await until(lambda: _is_alarmed(daemon))
    await daemon.wait_status(others, {"delivered"})
    code, [alarm] = await cli(daemon, "alarms")
    assert (code, alarm["kind"], alarm["subject"]) == (0, "internal_error", "claim")
    assert sent[7] in alarm["detail"]
    shown = await daemon.message(sent[7])
    assert (shown["status"], shown["error"]["code"], shown["text"]) == ("failed", "internal_error", None)
    await daemon.kill()
    await daemon.start()
    assert (await cli(daemon, "alarms"))[1] == [alarm], "it is open still"
    assert (await cli(daemon, "alarms", "--clear", alarm["id"]))[0] == 0
    assert await cli(daemon, "alarms") == (0, [])
    assert await daemon.stop() == 0
    assert "alarm internal_error: claim" in daemon.log()
