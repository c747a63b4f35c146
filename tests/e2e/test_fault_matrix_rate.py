"""One stick of eight hangs for good: the seven others go on and take over what it had. `make bench` has their rate."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from simulators.faults import Fault, Point
from simulators.modem.fleet import start_modems
from simulators.network import Network
from tests.support.daemon import Daemon, modem_toml, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

N_MODEMS, N_MESSAGES = 8, 160
NETWORK_TIME_S = 0.2


async def test_the_seven_others_share_what_it_had(tmp_path: Path) -> None:
    network = Network()
    modems = await start_modems(network, N_MODEMS, tmp_path / "ports", network_time_s=NETWORK_TIME_S)
    daemon = Daemon(
        tmp_path,
        "\n".join(
            modem_toml(f"sim-{i}", modem.port, answer_timeout='"3s"') for i, modem in enumerate(modems, 1)
        ),
    )
    try:
        await daemon.start()
        well, ids = await _send_all(daemon, network, "139", N_MESSAGES)
        await daemon.wait_status(ids, {"delivered"}, 60.0)  # or it hangs with their reports unread
        now = asyncio.get_running_loop().time()
        modems[0].plan.inject(Fault(kind="hang", at=Point.PDU), now)
        ill, ids = await _send_all(daemon, network, "138", N_MESSAGES - 1)
        assert set(ill) == set(well) - {"sim-1"}
        assert min(ill.values()) > N_MESSAGES / N_MODEMS / 2, ill

        await daemon.wait_status(ids, {"delivered", "uncertain"}, 60.0)
        messages = await daemon.messages()
        told = Counter(message["status"] for message in messages)
        assert told == {"delivered": 2 * N_MESSAGES - 1, "uncertain": 1}
        assert [m["channel"] for m in messages if m["status"] == "uncertain"] == ["sim-1"]
        seen = Counter(message.recipient for message in network.accepted)
        assert seen == Counter(m["to"] for m in messages if m["status"] == "delivered")
        assert await daemon.stop() == 0
    finally:
        await daemon.close()
        for modem in modems:
            await modem.stop()
        await network.close()


async def _send_all(
    daemon: Daemon, network: Network, prefix: str, n_expected: int
) -> tuple[Counter[str], list[str]]:
    """Send a batch until the network has as many segments as expected: how many by each modem, and the ids."""
    n_before = len(network.accepted)
    numbers = [f"+86{prefix}{i:08d}" for i in range(N_MESSAGES)]
    _, batch = await daemon.post("/v1/messages/batch", {"to": numbers, "text": "keep going"})
    await until(lambda: len(network.accepted) >= n_before + n_expected, 60.0)
    by_modem = Counter(message.via for message in network.accepted[n_before:])
    return by_modem, [item["id"] for item in batch["messages"]]
