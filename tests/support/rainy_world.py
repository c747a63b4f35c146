"""Eight modems and an SMSC in bad weather, a daemon on them, traffic both ways, and the books at the end."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from simulators.fault_plan import FaultDesk
from simulators.faults import Fault
from simulators.modem.fleet import start_modems
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import Daemon, modem_toml, smpp_toml

N_MODEMS = 8
PIN = "1234"
NETWORK_TIME_S = 0.1
_OPERATOR = "10086"
_LONG = "Parts of this one go out one after the other, and come in as they please. " * 4
_SETTLED = {"delivered", "undelivered", "failed", "expired", "blocked"}
_QUEUE = '[queue]\nretry_first = "500ms"\nretry_cap = "5s"\nmax_attempts = 100\n'


@dataclass
class Ledger:
    """What was put in, and what came of it.

    Args:
        accepted: recipient by message id.
        n_parts: segments by message id.
        sent_in: ``(recipient, text)`` of what phones sent, as the network took it.
    """

    accepted: dict[str, str] = field(default_factory=dict)
    n_parts: dict[str, int] = field(default_factory=dict)
    sent_in: list[tuple[str, str]] = field(default_factory=list)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    stored: Counter[tuple[str, str]] = field(default_factory=Counter)
    seen: dict[str, Counter[bytes]] = field(default_factory=dict)

    def statuses(self) -> Counter[str]:
        """Messages by status."""
        return Counter(str(self.told[i]["status"]) if i in self.told else "LOST" for i in self.accepted)

    def discrepancies(self) -> list[str]:
        """What does not balance; empty when all is well."""
        found = []
        for message_id, recipient in self.accepted.items():
            status = self.told.get(message_id, {}).get("status", "LOST")
            seen = self.seen.get(recipient, Counter())
            if max(seen.values(), default=0) > 1:
                found.append(f"{message_id} {status}: sent twice")
            if status in {"delivered", "sent"} and len(seen) != self.n_parts[message_id]:
                found.append(f"{message_id} {status}: {len(seen)} of {self.n_parts[message_id]} parts sent")
            if status not in {"delivered", "sent", "uncertain", "failed"}:
                found.append(f"{message_id}: {status}")
            if status == "failed" and not self.told[message_id].get("error"):
                found.append(f"{message_id}: failed without a reason")
        sent = Counter(self.sent_in)
        found += [
            f"inbound to {key[0]}: sent {sent[key]}, stored {self.stored[key]}: {key[1][-30:]}"
            for key in sent.keys() | self.stored.keys()
            if sent[key] != self.stored[key]
        ]
        return found


class RainyWorld:
    """See the module.

    Args:
        folder: of the daemon and the ports.
        seed: of the weather and the traffic.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.network = Network(latency_s=0.02, receipt_delay_s=0.2, seed=seed)
        self.desk = FaultDesk(clock=asyncio.get_running_loop().time, seed=seed)
        self.ledger = Ledger()
        self.modems: list[SimulatedModem] = []
        self._folder = folder
        self._stack = AsyncExitStack()
        self._n_out = self._n_in = 0

    async def __aenter__(self) -> Self:
        try:
            await self._build()
        except BaseException:
            # Nobody else would: a daemon left behind takes the ports of the next test's modems.
            await self._stack.aclose()
            raise
        return self

    async def _build(self) -> None:
        self._stack.push_async_callback(self.network.close)
        self.modems = await start_modems(
            self.network, N_MODEMS, self._folder / "ports", network_time_s=NETWORK_TIME_S, desk=self.desk
        )
        for modem in self.modems:
            self._stack.push_async_callback(modem.stop)
        self.smsc = await self._stack.enter_async_context(
            SimulatedSmsc(self.network, latency_s=NETWORK_TIME_S, resend_s=0.5, desk=self.desk)
        )
        more = {"answer_timeout": '"3s"', "keepalive": '"5s"', "pin": f'"{PIN}"'}
        channels = [
            modem_toml(f"sim-{i}", modem.port, number=f'"{modem.number}"', **more)
            for i, modem in enumerate(self.modems, 1)
        ]
        more = {"response_timeout": '"3s"', "enquire_link": '"5s"', "window": "10"}
        channels.append(smpp_toml("smsc", self.smsc.port, rate='"20/s"', **more))
        self.daemon = Daemon(self._folder, "\n".join(channels), _QUEUE)
        self._stack.push_async_callback(self.daemon.close)
        await self.daemon.start()

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def inject(self, **fields: Any) -> None:
        """Arm a fault, now."""
        self.desk.inject(Fault(**fields))

    async def send_out(self) -> None:
        """One message by the API: short or long, to a number of its own."""
        self._n_out += 1
        to = f"+8613{self._n_out:09d}"
        text = f"{_LONG if self._n_out % 10 == 0 else ''}out {self._n_out}"
        status, message = await self.daemon.post("/v1/messages", {"to": to, "text": text})
        assert status == 202, message
        self.ledger.accepted[message["id"]] = to
        self.ledger.n_parts[message["id"]] = len(message["segments"])

    async def send_in(self) -> None:
        """One message from a phone to one of ours: short or long, GSM or not."""
        self._n_in += 1
        to = self.rng.choice([*(modem.number for modem in self.modems), self.smsc.number_of("hongyan")])
        text = (
            f"{_LONG if self._n_in % 10 == 0 else ''}in {self._n_in}{' 你好' if self._n_in % 7 == 0 else ''}"
        )
        handset = self.network.add_handset(f"+86139{self._n_in % 50:08d}")
        await handset.send(to, text)

    async def traffic(self, seconds: float, *, out_per_s: float, in_per_s: float) -> None:
        """Traffic both ways, evenly, for so long."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds

        async def flow(step: Callable[[], Any], per_s: float) -> None:
            at = loop.time()
            while at < end:
                await step()
                at += self.rng.expovariate(per_s)
                await asyncio.sleep(max(0.0, at - loop.time()))

        await asyncio.gather(flow(self.send_out, out_per_s), flow(self.send_in, in_per_s))

    async def settle(self, timeout_s: float) -> None:
        """End the bad weather, wait until nothing moves any more, and close the books."""
        self.desk.clear()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while loop.time() < deadline:
            await self._read_books()
            left = self.ledger.statuses()
            if not set(left) - _SETTLED - {"sent", "uncertain"} and not self._missing_inbound():
                break
            await asyncio.sleep(1.0)
        await asyncio.sleep(3.0)  # for reports that are still on their way
        await self._read_books()

    def _missing_inbound(self) -> int:
        return (Counter(self.ledger.sent_in) - self.ledger.stored).total()

    async def _read_books(self) -> None:
        books = self.ledger
        books.told = {message["id"]: message for message in await self.daemon.messages()}
        books.stored = Counter()
        cursor = ""
        while True:
            _, page = await self.daemon.get(f"/v1/inbound?limit=1000{cursor}")
            books.stored.update((m["to"], m["text"]) for m in page["items"] if m["from"] != _OPERATOR)
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        books.seen = {}
        parts: dict[tuple[str, str, bytes], dict[int, str]] = {}
        books.sent_in = []
        for message in self.network.accepted:
            if message.via != "handset":
                books.seen.setdefault(message.recipient, Counter())[message.udh + message.payload] += 1
        for number, text in self._phone_texts(parts):
            books.sent_in.append((number, text))

    def _phone_texts(self, parts: dict[tuple[str, str, bytes], dict[int, str]]) -> list[tuple[str, str]]:
        """What phones sent, joined; a phone sends the parts of a message behind each other."""
        found = []
        for message in self.network.accepted:
            if message.via != "handset":
                continue
            concat = message.concat
            if concat is None:
                found.append((message.recipient, message.text))
                continue
            key = (message.sender, message.recipient, bytes([concat.reference % 256]))
            held = parts.setdefault(key, {})
            held[concat.part] = message.text
            if len(held) == concat.total:
                found.append((message.recipient, "".join(held[i] for i in sorted(held))))
                del parts[key]
        return found
