"""The daemon as a process: limits and costs are right after `kill -9`, and follow the config without a restart."""

from __future__ import annotations

import asyncio
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import Daemon, free_port, smpp_toml, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BODY = {"to": "+8613800138000", "text": "hello"}


async def test_what_waits_is_known_after_a_kill_and_limits_follow_the_config(tmp_path: Path) -> None:
    channels = smpp_toml("smsc", free_port())  # nobody is there: all waits
    daemon = Daemon(tmp_path, channels, '[[limits]]\nkey = "*"\nmax_messages = 3\n')
    try:
        await daemon.start(n_up=0)
        assert [(await daemon.post("/v1/messages", BODY))[0] for _ in range(4)] == [202, 202, 202, 429]
        await daemon.kill()
        await daemon.start(n_up=0)
        status, problem = await daemon.post("/v1/messages", BODY)
        assert (status, problem["code"]) == (429, "queue_full"), "counted anew from the store"
        _, figures = await daemon.get("/metrics")
        fills = [line for line in figures.splitlines() if line.startswith("hongyan_limit_")]
        assert any(line.startswith('hongyan_limit_fill_ratio{limit="messages",owner="key:') for line in fills)
        assert any(
            line.startswith('hongyan_limit_refusals_total{limit="messages",owner="key:') for line in fills
        )

        daemon.config.write_text(daemon.config.read_text().replace("max_messages = 3", "max_messages = 4"))
        assert (await daemon.post("/v1/reload"))[0] == 200
        assert [(await daemon.post("/v1/messages", BODY))[0] for _ in range(2)] == [202, 429]
        for message in await daemon.messages():
            assert (await daemon.post(f"/v1/messages/{message['id']}/cancel"))[0] == 200
        assert (await daemon.post("/v1/messages", BODY))[0] == 202
    finally:
        await daemon.close()


PRICES = """
[[prices]]
price = "0.033333"
currency = "CNY"
[[prices]]
prefixes = ["+86139"]
price = "0.000007"
currency = "CNY"
"""


async def test_sums_are_those_of_the_messages_through_kills_and_other_prices(tmp_path: Path) -> None:
    async with SimulatedSmsc(Network()) as smsc:
        daemon = Daemon(tmp_path, smpp_toml("smsc", smsc.port, rate='"200/s"'), PRICES)
        try:
            await daemon.start()
            for life in range(3):
                batch = {
                    "messages": [
                        {
                            "to": f"+861{3 + life}{8 + n % 2}00138{n:03}",
                            "text": "鸿" * (n % 80),
                            "tags": [f"t{n % 3}"],
                        }
                        for n in range(1, 200)
                    ]
                }
                assert (await daemon.post("/v1/messages/batch", batch))[0] == 202
                await until(lambda n=life: _n_sent(daemon, 150 * n + 40))  # type: ignore[misc]
                await daemon.kill()
                text = daemon.config.read_text().replace('"0.033333"', f'"0.0{life + 1}1111"')
                daemon.config.write_text(text)
                await daemon.start()
            ended = {"delivered", "sent", "uncertain", "undelivered", "failed"}
            await daemon.wait_status([m["id"] for m in await daemon.messages()], ended, 120)
            await asyncio.sleep(0)
            await _check(daemon)
        finally:
            await daemon.close()


async def _n_sent(daemon: Daemon, n: int) -> bool:
    return sum(m["status"] in {"delivered", "sent"} for m in await daemon.messages()) >= n


async def _check(daemon: Daemon) -> None:
    messages = await daemon.messages()
    for message in messages:
        if message["status"] in {"delivered", "sent"}:
            assert message["cost"]["segments"] == len(message["segments"]), message["id"]
    whole = _sum([m["cost"] for m in messages if "cost" in m])
    for by in ("", "day", "key,channel", "tag", "day,key,tag,channel"):
        _, page = await daemon.get(f"/v1/costs?by={by}" if by else "/v1/costs")
        assert _sum(page["items"]) == whole, by
    tags: Counter[str] = Counter()
    for message in messages:
        tags[message["tags"][0]] += message.get("cost", {}).get("segments", 0)
    _, page = await daemon.get("/v1/costs?by=tag")
    assert {one["tag"]: one["segments"] for one in page["items"]} == dict(tags)


def _sum(costs: list[dict[str, Any]]) -> tuple[Fraction | int, ...]:
    names = ("segments", "amount", "uncertain_segments", "uncertain_amount")
    return tuple(sum(Fraction(cost[name]) for cost in costs) for name in names)
