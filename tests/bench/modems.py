"""Many simulated modems: is every one of them busy all the time?"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from tests.bench.daemons import running, wait_logged
from tests.bench.figures import Figure
from tests.bench.load import make_message, make_post, send_all
from tests.bench.processes import Meter, memory_mib, operator
from tests.support.daemon import modem_toml

NETWORK_TIME_S = 1.0


async def modems(folder: Path, n_modems: int, n_each: int) -> list[Figure]:
    """One batch for all of them; none of them is named in it."""
    n = n_modems * n_each
    async with operator("modems", folder, modems=n_modems, network_time_s=NETWORK_TIME_S) as (_, ports):
        channels = "\n".join(modem_toml(f"sim-{i}", port) for i, port in enumerate(ports, 1))
        async with running(folder, channels) as (daemon, pid):
            post = make_post(
                "/v1/messages/batch", daemon.secret, {"messages": [make_message(i) for i in range(n)]}
            )
            meter = Meter(pid)
            await send_all(daemon.port, [post], 1)
            await wait_logged(daemon.delivery, "message.delivered", n)
            cpu_ms = meter.used_s * 1e3 / n
            wall_s = _wall_s(daemon.delivery)
            busy = n * NETWORK_TIME_S / (n_modems * wall_s)
            return [
                Figure("modems", f"{n_modems} modems, {n:,} messages of {NETWORK_TIME_S:g} s network time",
                       n / wall_s, "msg/s"),
                Figure("modems", "utilisation of the modems", busy * 100, "%"),
                Figure("modems", "CPU of the daemon", cpu_ms, "ms/msg"),
                Figure("modems", "memory of the daemon, highest", memory_mib(pid, "VmHWM"), "MiB"),
            ]  # fmt: skip


def _wall_s(delivery: Path) -> float:
    """From the first message that was handed to a modem to the last that a modem had sent."""
    lines = [msgspec.json.decode(line) for line in delivery.read_bytes().splitlines()]
    first = min(_at(line) for line in lines if line["type"] == "message.sending")
    last = max(_at(line) for line in lines if line["type"] == "message.sent")
    return (last - first).total_seconds()


def _at(line: dict[str, str]) -> datetime:
    return datetime.fromisoformat(line["at"])
