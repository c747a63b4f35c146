"""Routing rules on the daemon: an SMSC that dies, its messages by another, and back; learned carriers; the command."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import COMMAND, Daemon, free_port, smpp_toml, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

RULES = """
[routing]
failover_after = "1s"
failback_after = "1s"

[[routes]]
name = "all"
to = ["first", "second"]
"""
N = 30
PHONE = "+8613800138000"


async def channels_of(daemon: Daemon, ids: list[str]) -> set[str | None]:
    return {(await daemon.get(f"/v1/messages/{one}"))[1]["channel"] for one in ids}


async def send(daemon: Daemon, begin: int) -> list[str]:
    to = [f"+86138{begin + n:08d}" for n in range(N)]
    status, batch = await daemon.post("/v1/messages/batch", {"to": to, "text": "hello"})
    assert (status, batch["accepted"]) == (202, N)
    return [item["id"] for item in batch["messages"]]


async def until_sent(daemon: Daemon, ids: list[str]) -> None:
    async def are_sent() -> bool:
        shown = [(await daemon.get(f"/v1/messages/{one}"))[1] for one in ids]
        return all(one["status"] in {"sent", "delivered"} for one in shown)

    await until(are_sent, 60)


async def explain(daemon: Daemon) -> dict[str, Any]:
    status, explained = await daemon.post("/v1/routes/explain", {"to": PHONE})
    assert status == 200
    return dict(explained)


async def run(daemon: Daemon, *words: str) -> str:
    """What a command prints."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *words, "--url", daemon.base, "--key", daemon.secret, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def test_an_smsc_dies_its_messages_go_by_the_other_and_back_again(tmp_path: Path) -> None:
    network, port = Network(), free_port()
    async with AsyncExitStack() as stack:
        second = await stack.enter_async_context(SimulatedSmsc(network))
        channels = smpp_toml("a", port, groups='["first"]') + smpp_toml("b", second.port, groups='["second"]')
        daemon = Daemon(tmp_path, channels, RULES)
        async with SimulatedSmsc(network, port=port):
            await daemon.start()
            stack.push_async_callback(daemon.close)
            before = await send(daemon, 0)
            await until_sent(daemon, before)
            assert await channels_of(daemon, before) == {"a"}
        during = await send(daemon, 1_000)
        await until_sent(daemon, during)
        assert await channels_of(daemon, during) == {"b"}
        told = await explain(daemon)
        assert (told["channel"], told["way"]) == ("b", ["group first", "group second"])
        async with SimulatedSmsc(network, port=port):

            async def is_back() -> bool:
                serving = [one["channel"] for one in (await explain(daemon))["channels"] if one["serves"]]
                return serving == ["a"]

            await until(is_back, 60)
            after = await send(daemon, 2_000)
            await until_sent(daemon, after)
            assert await channels_of(daemon, after) == {"a"}
            assert "-> a (group first): It takes the message now." in await run(daemon, "route", PHONE)
            assert "cmcc" in await run(daemon, "carriers", "show", PHONE)
            await run(daemon, "carriers", "set", PHONE, "unicom")
            assert json.loads(await run(daemon, "carriers", "list", "--json"))["carrier"] == "unicom"
            assert json.loads(await run(daemon, "route", PHONE, "--json"))["carrier"]["source"] == "api"
            await run(daemon, "carriers", "unset", PHONE)
            assert PHONE not in await run(daemon, "carriers", "list")
        events = [json.loads(line) for line in daemon.delivery.read_text("utf-8").splitlines()]
        queued = [one for one in events if one["type"] == "message.queued" and "attempt" not in one]
        assert {one.get("rule") for one in queued[: 2 * N]} == {"all"}, "the delivery log names the rule"
