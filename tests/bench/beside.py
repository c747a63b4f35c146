"""How long one message takes: on an idle system, beside a queue that drains, and beside somebody's large batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from tests.bench.figures import percentiles
from tests.bench.load import make_message, make_post
from tests.bench.options import Options
from tests.bench.poster import poster
from tests.bench.rig import LONG, batch_posts, gateway, lean_smsc, settle, single_posts
from tests.bench.rows import Row

N_IDLE: Final = 300
IDLE_S: Final = 0.02
N_BESIDE: Final = 200
BESIDE_S: Final = 0.01
DRAIN_EACH: Final = 20_000
LARGE: Final = 10_000
"""Messages of a batch, of three segments each."""
FAR: Final = 5_000_000
"""Numbers of those that are measured begin so far behind those of the crowd."""


async def idle(options: Options) -> list[Row]:
    """From the beginning of a POST to the octets of its submit_sm at the SMSC; each message is alone."""
    medians, slow = [], []
    for _ in options.rounds:
        async with (
            options.place() as (folder, url),
            lean_smsc(folder, timed=True) as smsc,
            gateway(folder, url, smsc.port) as (daemon, _),
            poster(folder, daemon.port, single_posts(daemon.secret, N_IDLE), 1, every_s=IDLE_S) as load,
        ):
            await settle()
            posted = await load.post()
            await settle()
            came = smsc.submitted_at()
            median_s, slow_s = percentiles([at - began for at, began in zip(came, posted.began, strict=True)])
        medians.append(median_s * 1e3)
        slow.append(slow_s * 1e3)
    return [
        Row("POST -> submit_sm, idle: median", "-", 2, medians, "ms"),
        Row("POST -> submit_sm, idle: p99", "-", 8, slow, "ms"),
    ]


async def beside_drain(options: Options) -> list[Row]:
    """POSTs one after the other while the queue drains as fast as it can."""
    medians, slow = [], []
    for _ in options.rounds:
        async with options.place() as (folder, url):
            async with (
                gateway(folder, url, None) as (daemon, _),
                poster(folder, daemon.port, batch_posts(daemon.secret, DRAIN_EACH, 1_000), 1) as load,
            ):
                await load.post()
            async with (
                lean_smsc(folder) as smsc,
                gateway(folder, url, smsc.port) as (daemon, _),
                poster(
                    folder,
                    daemon.port,
                    single_posts(daemon.secret, N_BESIDE, first=FAR),
                    1,
                    every_s=BESIDE_S,
                ) as load,
            ):
                median_s, slow_s = percentiles((await load.post()).latencies_s)
        medians.append(median_s * 1e3)
        slow.append(slow_s * 1e3)
    return [
        Row("POST beside a queue that drains: median", "15", 5, medians, "ms"),
        Row("POST beside a queue that drains: p99", "-", None, slow, "ms"),
    ]


async def beside_batch(options: Options) -> list[Row]:
    """POSTs of ``otp`` messages while a batch of 10,000 messages of three segments is being taken."""
    slow, medians, batches = [], [], []
    for _ in options.rounds:
        async with (
            options.place() as (folder, url),
            lean_smsc(folder) as smsc,
            gateway(folder, url, smsc.port) as (daemon, _),
            poster(folder, daemon.port, _large(daemon.secret), 1) as crowd,
        ):
            codes = single_posts(daemon.secret, N_BESIDE, first=FAR, category="otp")
            lone = folder / "lone"
            lone.mkdir()
            async with poster(lone, daemon.port, codes, 1, every_s=BESIDE_S) as load:
                await settle()
                taking = asyncio.create_task(crowd.post())
                posted = await load.post()
                took = await taking
            within = [
                taken
                for taken, began in zip(posted.latencies_s, posted.began, strict=True)
                if began < took.began[0] + took.latencies_s[0]
            ]
            median_s, slow_s = percentiles(within)
        slow.append(slow_s * 1e3)
        medians.append(median_s * 1e3)
        batches.append(took.seconds)
    return [
        Row("otp POST beside a batch of 10,000 x 3: p99", "-", 50, slow, "ms"),
        Row("otp POST beside a batch of 10,000 x 3: median", "-", None, medians, "ms"),
        Row("that batch", "-", None, batches, "s"),
    ]


def _large(secret: str) -> Iterator[bytes]:
    messages = [make_message(i) | {"text": LONG} for i in range(LARGE)]
    yield make_post("/v1/messages/batch", secret, {"messages": messages})
