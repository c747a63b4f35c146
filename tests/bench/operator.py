"""The simulated operator as a process of its own: ``python -m tests.bench.operator smsc|modems``.

Unlike `hongyan simulate` it runs on uvloop and its receipts come a moment after the submit was answered, as
those of real networks do. One line of JSON on stdout says that it is ready.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from contextlib import AsyncExitStack
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import msgspec
import uvloop

from simulators.faults import Fault, ModemFault, Point
from simulators.modem.dialect import DIALECTS
from simulators.modem.fleet import FIRST_NUMBER
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.bench.wire import wire_log

SYSTEM_ID, PASSWORD = "hongyan", "secret"
KEEP = 1_000
_VARY_S = 0.02


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("smsc", "modems"))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--latency-s", type=float, default=0.005)
    parser.add_argument("--receipt-delay-s", type=float, default=0.2)
    parser.add_argument("--modems", type=int, default=1)
    parser.add_argument("--network-time-s", type=float, default=1.0)
    parser.add_argument("--spread-s", type=float, default=0.0, help="network times differ by up to so much")
    parser.add_argument("--hang-at", type=int, help="the segment with which the first modem hangs for good")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    network = Network(receipt_delay_s=options.receipt_delay_s, keep=KEEP)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(network.close)
        if options.kind == "smsc":
            smsc = SimulatedSmsc(network, accounts={SYSTEM_ID: PASSWORD}, latency_s=options.latency_s)
            await stack.enter_async_context(smsc)
            ready: object = smsc.port
        else:
            modems = [await stack.enter_async_context(modem) for modem in _modems(options, network)]
            if options.hang_at is not None:
                hang = Fault(kind=ModemFault.HANG, at=Point.PDU, nth=options.hang_at)
                modems[0].plan.inject(hang, asyncio.get_running_loop().time())
            ready = [modem.port for modem in modems]
            if options.spread_s:
                stack.callback(asyncio.create_task(_vary(modems, options)).cancel)
        print(msgspec.json.encode(ready).decode(), flush=True)
        await asyncio.get_running_loop().create_future()


async def _vary(modems: list[SimulatedModem], options: argparse.Namespace) -> None:
    """Give every segment a network time of its own: a new one whenever one can have begun."""
    chance = random.Random(1)
    while True:
        for modem in modems:
            modem.device.network_time_s = options.network_time_s + chance.uniform(-1, 1) * options.spread_s
        await asyncio.sleep(_VARY_S)


def _modems(options: argparse.Namespace, network: Network) -> list[SimulatedModem]:
    """Of all families by turns; what passes goes to ``wire.log``."""
    tap = wire_log(options.folder / "wire.log")
    return [
        SimulatedModem(
            network,
            number=f"+{FIRST_NUMBER + place}",
            dialect=dialect,
            link=options.folder / "modems" / f"sim-{place}",
            network_time_s=options.network_time_s,
            tap=partial(tap, f"sim-{place}"),
        )
        for place, dialect in enumerate(islice(cycle(DIALECTS), options.modems), start=1)
    ]


if __name__ == "__main__":
    main()
