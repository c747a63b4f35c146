"""Opt-outs at random moments while much marketing goes out over simulated modems and an SMSC: none starts afterwards.

python -m tests.soak.opt_outs [--messages 10000] [--postgres]
"""

# ruff: noqa: T201, ASYNC110 - a program that reports, and waits

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import Any

import msgspec

from drivers.base import OutboundSegment, SubmitResult
from gateway.clock import SystemClock
from gateway.model.message import Category, MessageStatus
from gateway.model.msisdn import read_number
from gateway.model.request import MessageRequest
from gateway.pipeline.operator.suppress import opt_out
from gateway.pipeline.sending.lane import Lane
from gateway.policy.rules.opt_out import OptOut
from gateway.routing.channel import ChannelState
from gateway.runtime.app import Gateway
from gateway.settings.config import load_settings
from gateway.store.postgres.engine import PostgresStore
from gateway.store.target import Target
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.people import OPERATOR
from tests.support.postgres import running_cluster

N_MODEMS = 4
N_EACH = 5
"""Messages to each number."""
STUCK_S = 300.0


class Books:
    """What started when.

    Args:
        channels: how many segments each channel was given.
        late: segments that a channel was given after the opt-out of their recipient was committed.
        on_the_way: those that the network got afterwards, and a driver had before.
    """

    def __init__(self) -> None:
        self.out: set[str] = set()
        self.channels: Counter[str] = Counter()
        self.late = self.on_the_way = 0

    def watch(self, lane: Lane) -> None:
        """Note each segment that a channel is given, in the moment when it is."""
        driver: Any = lane.driver
        submit = driver.submit

        async def noting(segment: OutboundSegment) -> SubmitResult:
            self.channels[lane.name] += 1
            self.late += segment.recipient in self.out
            result: SubmitResult = await submit(segment)
            self.on_the_way += segment.recipient in self.out
            return result

        driver.submit = noting


async def soak(n_messages: int, seed: int, database: str | None) -> bool:
    """Run it; whether nothing was late."""
    dice, books = random.Random(seed), Books()
    numbers = [f"+86{13_700_000_000 + n}" for n in range(n_messages // N_EACH)]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hongyan-soak-")))
        gateway = await _start(stack, folder, database)
        for lane in gateway._lanes:
            books.watch(lane)
            while lane.state is not ChannelState.UP:
                await asyncio.sleep(0.1)
        other = gateway.store
        if database is not None:
            other = await PostgresStore.open(Target(database))
            stack.push_async_callback(other.close)
        began = time.monotonic()
        sending = asyncio.create_task(_send(gateway, dice, numbers))
        waiting = dice.sample(numbers, len(numbers) // 2)
        for number in waiting:
            await asyncio.sleep(dice.random() * 0.06)
            store = dice.choice([gateway.store, other])
            await opt_out(
                store, SystemClock(), read_number(number, "CN"), by=OPERATOR, source="api", rule=OptOut()
            )
            books.out.add(number)
        await sending
        statuses = await _settle(gateway)
    print(
        f"{n_messages} messages, {len(numbers)} numbers, {len(waiting)} opt-outs, {time.monotonic() - began:.1f} s"
    )
    print(f"segments given to channels: {dict(books.channels)}; messages: {dict(statuses)}")
    print(
        f"given after the opt-out was committed: {books.late}; with a driver at that moment: {books.on_the_way}"
    )
    return books.late == 0 and statuses["blocked"] > 0 and statuses["sent"] + statuses["delivered"] > 0


async def _start(stack: AsyncExitStack, folder: Path, database: str | None) -> Gateway:
    network = Network(latency_s=0.01, receipt_delay_s=0.1, seed=1, keep=1_000)
    stack.push_async_callback(network.close)
    modems = []
    for i in range(N_MODEMS):
        modem = SimulatedModem(
            network,
            number=f"+86138001380{i:02}",
            dialect=("huawei", "quectel", "simcom")[i % 3],
            link=folder / f"sim-{i}",
            network_time_s=0.01,
        )
        await modem.start()
        stack.push_async_callback(modem.stop)
        modems.append(f'[[modems]]\nname = "sim-{i}"\nport = "{modem.port}"\n')
    smsc = SimulatedSmsc(network, accounts={"hongyan": "simulate"})
    await smsc.start()
    stack.push_async_callback(smsc.stop)
    config = folder / "hongyan.toml"
    config.write_text(
        f"""
[http]
listen = "127.0.0.1:0"
[store]
url = "{database or f"sqlite:///{folder}/s.db"}"
[log]
delivery = "{folder}/delivery.jsonl"
{"".join(modems)}
[[smpp]]
name = "smsc"
host = "127.0.0.1"
port = {smsc.port}
system_id = "hongyan"
password = "simulate"
window = 20
rate = "60/s"
""",
        encoding="utf-8",
    )
    gateway = await Gateway.open(load_settings(config))
    await gateway.start()
    stack.push_async_callback(gateway.stop, 5.0)
    return gateway


async def _send(gateway: Gateway, dice: random.Random, numbers: list[str]) -> None:
    for number in dice.sample(numbers * N_EACH, len(numbers) * N_EACH):
        text = dice.choice(["promo", "promo " * 40])
        request = msgspec.convert(
            {"to": number, "text": text, "category": Category.MARKETING}, MessageRequest
        )
        await gateway.intake.accept(request, key=None)


async def _settle(gateway: Gateway) -> Counter[str]:
    """How many messages ended how, once none waits any more."""
    give_up_at = time.monotonic() + STUCK_S
    while True:
        rows = await gateway.store.read(
            lambda tx: tx.fetch("SELECT status, count(*) FROM messages GROUP BY status")
        )
        found = Counter({row[0]: row[1] for row in rows})
        if not any(found[one] for one in (MessageStatus.QUEUED, MessageStatus.SENDING)):
            return found
        if time.monotonic() > give_up_at:
            print(f"WRONG still open: {dict(found)}")
            return found
        await asyncio.sleep(0.2)


def main() -> int:
    """Run it; 1 when something was late."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--postgres", action="store_true", help="on a PostgreSQL server, with two stores open"
    )
    given = parser.parse_args()
    with running_cluster() if given.postgres else nullcontext() as cluster:
        database = None if cluster is None else cluster.url(cluster.make_database())
        return 0 if asyncio.run(soak(given.messages, given.seed, database)) else 1


if __name__ == "__main__":
    sys.exit(main())
