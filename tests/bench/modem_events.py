"""Simulated modems in two moments that a rate does not show: one message on an idle system, and a modem that hangs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import msgspec

from tests.bench.daemons import wait_logged
from tests.bench.figures import Figure, percentiles
from tests.bench.load import make_message, make_post, send_all
from tests.bench.modems import NETWORK_TIME_S, SHORT_NETWORK_TIME_S, Rig, modem_rig, send_batch
from tests.bench.wire import Wire

N_MODEMS = 8
N_POSTS = 50
IDLE_S = 0.3
"""Between two posts, after the last one was delivered; each modem is idle for longer than PDU mode is trusted."""
N_MESSAGES = 160
HANGS_AT = 5
ANSWER_TIMEOUT_S = 10


async def modem_idle(folder: Path) -> list[Figure]:
    """One message at a time, with nothing else to do: from the POST to the wire."""
    bench = "modem-idle"
    async with modem_rig(folder, N_MODEMS, SHORT_NETWORK_TIME_S) as rig:
        await send_batch(rig, N_MODEMS)  # what happens only once has happened
        taken = [await _post_one(rig, n) for n in range(N_POSTS)]
    median_s, slow_s = percentiles(taken)
    what = f"POST to AT+CMGS, {SHORT_NETWORK_TIME_S:g} s network time"
    return [
        Figure(bench, f"{what}, median of {N_POSTS}", median_s * 1e3, "ms"),
        Figure(bench, f"{what}, p99", slow_s * 1e3, "ms"),
    ]


async def _post_one(rig: Rig, n: int) -> float:
    await asyncio.sleep(IDLE_S)
    n_before = _n_asked(rig.wire_path)
    posted_at = time.monotonic()
    await send_all(rig.daemon.port, [make_post("/v1/messages", rig.daemon.secret, make_message(n))], 1)
    await wait_logged(rig.daemon.delivery, "message.delivered", N_MODEMS + n + 1)
    asked = [e.asked_at for exchanges in Wire(rig.wire_path).exchanges.values() for e in exchanges]
    assert len(asked) == n_before + 1
    return max(asked) - posted_at


def _n_asked(path: Path) -> int:
    return sum(map(len, Wire(path).exchanges.values()))


async def modem_hung(folder: Path) -> list[Figure]:
    """One modem of eight takes a segment and never says a word again."""
    bench = "modem-hung"
    timeout = f'"{ANSWER_TIMEOUT_S}s"'
    async with modem_rig(folder, N_MODEMS, NETWORK_TIME_S, hang_at=HANGS_AT, answer_timeout=timeout) as rig:
        messages = [make_message(i) for i in range(N_MESSAGES)]
        post = make_post("/v1/messages/batch", rig.daemon.secret, {"messages": messages})
        await send_all(rig.daemon.port, [post], 1)
        await wait_logged(rig.daemon.delivery, "message.sent", N_MESSAGES - 1)
        await wait_logged(rig.daemon.delivery, "message.uncertain", 1)
        lines = [msgspec.json.decode(line) for line in rig.daemon.delivery.read_bytes().splitlines()]
    told = Counter(
        {line["id"]: line["status"] for line in lines if line["type"].startswith("message.")}.values()
    )
    hung_ids = {
        line["id"] for line in lines if line["type"] == "message.sending" and line.get("channel") == "sim-1"
    }
    recognised_at = next(_at(line) for line in lines if line["type"] == "message.uncertain")
    later = [
        (_at(line) - recognised_at).total_seconds()
        for line in lines
        if line["type"] == "message.sending" and line["id"] in hung_ids and line.get("channel") != "sim-1"
    ]
    title = f"of {N_MESSAGES} of {NETWORK_TIME_S:g} s, one of {N_MODEMS} modems hangs: sent"
    after_s = max(later, default=0.0)
    return [
        Figure(bench, title, told["sent"] + told["delivered"]),
        Figure(bench, "uncertain: the segment it had", told["uncertain"]),
        Figure(bench, f"recognised by the time limit of {ANSWER_TIMEOUT_S} s; taken over", len(later)),
        Figure(bench, "the last of those, after that (below 0: before)", after_s, "s"),
    ]


def _at(line: dict[str, str]) -> datetime:
    return datetime.fromisoformat(line["at"])
