"""Every fault of a stick in four situations, on one real daemon: what was sent, what the network saw, what was told.

Each case has a faulty modem of its own and shares seven healthy ones with the others, so that all cases run at
once. See `tests.e2e.test_fault_matrix` for what must hold.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulators.fault_plan import FaultDesk
from simulators.faults import Fault, ModemFault, Point
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from tests.support.daemon import Daemon, modem_toml

SITUATIONS = ("idle", "sending", "receiving", "multi-segment")
N_HEALTHY = 7
PIN = "1234"
LONG = "A long message goes out in parts, and each of them counts for itself. " * 5
_POINT_BY_SITUATION = {"sending": Point.PDU, "receiving": Point.DELIVER, "multi-segment": Point.ANSWER}
_DIALECTS = ("huawei", "quectel", "simcom")
_QUEUE = '[queue]\nretry_first = "500ms"\nretry_cap = "2s"\nmax_attempts = 30\n'
_SETTLED = {"delivered", "undelivered", "failed", "expired", "uncertain"}
_FINAL = {"delivered", "undelivered", "failed", "expired"}
_GRACE_S = 5.0
"""For reports that may still come when everything else is settled, so that an uncertain message may be cleared up."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fault as the matrix tries it.

    Args:
        name: stable, unique.
        title: for the manual.
        fault: what is injected, but for its target; a fault that strikes by itself strikes in mid-work where
            there is work.
        back_s: by when the modem serves again, counted from the injection, on a machine that is busy.
        heals: False where only a person can mend it: then the rest of the fleet has to do.
        fails: messages may fail, with a reason.
        dialect: of the stick, where it matters; None for any.
    """

    name: str
    title: str
    fault: Fault
    back_s: float = 60.0
    heals: bool = True
    fails: bool = False
    dialect: str | None = None


@dataclass
class Case:
    """A row in a situation, and what became of it."""

    row: Row
    situation: str
    modem: SimulatedModem
    texts: dict[str, str] = field(default_factory=dict)
    """Recipient by message id."""
    n_parts: dict[str, int] = field(default_factory=dict)
    inbound: list[str] = field(default_factory=list)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    stored: Counter[str] = field(default_factory=Counter)
    back_s: float | None = None
    struck: int = 0

    @property
    def name(self) -> str:
        return f"{self.row.name}-{self.situation}"

    def statuses(self) -> Counter[str]:
        return Counter(message["status"] for message in self.told.values())


class Matrix:
    """All cases, run at once."""

    def __init__(self, rows: tuple[Row, ...], folder: Path) -> None:
        self.rows = rows
        self.network = Network(latency_s=0.01, receipt_delay_s=0.05)
        self.cases: dict[tuple[str, str], Case] = {}
        self.n_channels = 0
        self.channels_up: set[str] = set()
        self._folder = folder
        self._desk: FaultDesk | None = None
        self._messages: dict[str, dict[str, Any]] = {}
        self._inbound: Counter[tuple[str, str]] = Counter()
        self._polled = asyncio.Event()
        self._recipients = itertools.count()

    def seen(self, recipient: str) -> Counter[bytes]:
        """How often the network took each segment for a recipient."""
        return Counter(m.udh + m.payload for m in self.network.accepted if m.recipient == recipient)

    async def run(self) -> None:
        """Run all cases. Afterwards `cases` holds what became of them."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.network.close)
            self._desk = FaultDesk(clock=asyncio.get_running_loop().time, seed=7)
            daemon = Daemon(self._folder, await self._plug_in(stack), _QUEUE)
            stack.push_async_callback(daemon.close)
            await daemon.start()
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch(daemon))
                running = [group.create_task(self._run_case(case, daemon)) for case in self.cases.values()]
                await asyncio.wait(running)
                watching.cancel()
            assert await daemon.stop() == 0, daemon.log()

    async def _plug_in(self, stack: AsyncExitStack) -> str:
        """All modems; the TOML of their channels."""
        tables, groups = [], []
        for place, (row, situation) in enumerate((r, s) for r in self.rows for s in SITUATIONS):
            name = f"{row.name}-{situation}"
            modem = await self._add_modem(stack, name, 10_000 + place, row.dialect)
            self.cases[row.name, situation] = Case(row, situation, modem)
            groups.append(f"g-{name}")
            tables.append(_channel(modem, name, [f"g-{name}"], keepalive='"2s"', answer_timeout='"3s"'))
        for place in range(N_HEALTHY):
            modem = await self._add_modem(stack, f"healthy-{place}", 90_000 + place)
            tables.append(_channel(modem, f"healthy-{place}", groups))
        self.n_channels = len(tables)
        return "\n".join(tables)

    async def _add_modem(
        self, stack: AsyncExitStack, name: str, number: int, dialect: str | None = None
    ) -> SimulatedModem:
        modem = SimulatedModem(
            self.network, number=f"+86138{number:08d}", dialect=dialect or _DIALECTS[number % 3], name=name,
            link=self._folder / "modems" / name, network_time_s=0.02, noise_every_s=5.0, desk=self._desk,
        )  # fmt: skip
        await modem.start()
        stack.push_async_callback(modem.stop)
        return modem

    async def _watch(self, daemon: Daemon) -> None:
        """One look at the daemon for all cases, again and again."""
        while True:
            self._messages = {m["id"]: m for m in await daemon.messages()}
            _, inbound = await daemon.get("/v1/inbound?limit=1000")
            self._inbound = Counter((m["to"], m["text"]) for m in inbound["items"])
            _, channels = await daemon.get("/v1/channels")
            self.channels_up = {c["name"] for c in channels["items"] if c["state"] == "up"}
            self._polled.set()
            self._polled = asyncio.Event()
            await asyncio.sleep(0.25)

    async def _run_case(self, case: Case, daemon: Daemon) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._inject(case)
        await self._work(case, daemon)
        deadline = began + case.row.back_s + 15.0
        await self._until(lambda: self._settled(case), deadline)
        if case.row.heals:
            probe = await self._send(case, daemon, f"back {case.name}", pinned=True)
            await self._until(lambda: self._status(probe) in _SETTLED | {"sent"}, deadline)
            case.back_s = loop.time() - began
            await self._until(lambda: case.modem.device.name in self.channels_up, deadline)
        await self._until(lambda: self._all_reported(case), loop.time() + _GRACE_S)
        case.told = {message_id: self._messages[message_id] for message_id in case.texts}
        case.stored = Counter({text: self._inbound[case.modem.number, text] for text in case.inbound})
        case.struck = sum(case.modem.plan.struck.values())

    def _inject(self, case: Case) -> None:
        assert self._desk is not None
        fault = case.row.fault
        at = fault.point
        if at is Point.SECOND:
            at = _POINT_BY_SITUATION.get(case.situation, at)
        fields = {name: getattr(fault, name) for name in fault.__struct_fields__}
        self._desk.inject(Fault(**fields | {"target": case.modem.device.name, "at": at}))

    async def _work(self, case: Case, daemon: Daemon) -> None:
        name = case.name
        match case.situation:
            case "sending":
                texts = [f"hello {name} {i}" for i in range(8)]
                await asyncio.gather(*(self._send(case, daemon, text) for text in texts))
                if case.row.heals:
                    await asyncio.gather(
                        *(self._send(case, daemon, f"mine {name} {i}", pinned=True) for i in range(2))
                    )
            case "multi-segment":
                await self._send(case, daemon, f"{LONG}{name}", pinned=case.row.heals)
                await self._send(case, daemon, f"{LONG}{name}")
            case "receiving":
                handset = self.network.add_handset(case.modem.number.replace("+86138", "+86139"))
                case.inbound = [f"hi {name}", f"{LONG}{name}", f"你好 {name}"]
                for text in case.inbound:
                    await handset.send(case.modem.number, text)
            case _:
                pass

    async def _send(self, case: Case, daemon: Daemon, text: str, *, pinned: bool = False) -> str:
        recipient = f"+86137{next(self._recipients):08d}"
        way = {"channel": case.modem.device.name} if pinned else {"sender": f"g-{case.name}"}
        status, message = await daemon.post("/v1/messages", {"to": recipient, "text": text, **way})
        assert status == 202, message
        case.texts[message["id"]] = recipient
        case.n_parts[message["id"]] = len(message["segments"])
        return str(message["id"])

    def _status(self, message_id: str) -> str:
        return str(self._messages.get(message_id, {}).get("status"))

    def _settled(self, case: Case) -> bool:
        received = not case.row.heals or all(self._inbound[case.modem.number, text] for text in case.inbound)
        return received and all(self._status(i) in _SETTLED | {"sent"} for i in case.texts)

    def _all_reported(self, case: Case) -> bool:
        return all(self._status(i) in _FINAL for i in case.texts)

    async def _until(self, condition: Callable[[], bool], deadline: float) -> None:
        """Until the condition holds after a look, or the deadline: what is wrong then shows in the case."""
        try:
            async with asyncio.timeout_at(deadline):
                while True:
                    await self._polled.wait()
                    if condition():
                        return
        except TimeoutError:
            return


def _channel(modem: SimulatedModem, name: str, groups: list[str], **more: str) -> str:
    listed = ", ".join(f'"{group}"' for group in groups)
    return modem_toml(
        name, modem.port, number=f'"{modem.number}"', pin=f'"{PIN}"', groups=f"[{listed}]", **more
    )


def _row(name: str, title: str, kind: ModemFault, *, back_s: float = 60.0, **fields: Any) -> Row:
    own = {key: fields.pop(key) for key in ("heals", "fails", "dialect") if key in fields}
    return Row(name=name, title=title, fault=Fault(kind=kind, **fields), back_s=back_s, **own)


M = ModemFault
ROWS = (
    _row("echo", "echo can't be switched off", M.ECHO_STUCK),
    _row("split", "answers one byte at a time", M.SPLIT, lasts_s=5),
    _row("interleave", "unsolicited lines inside answers", M.INTERLEAVE, every=1, text="+CREG: 1"),
    _row("no-prompt", "the prompt is lost", M.NO_PROMPT),
    _row("bare-prompt", "the prompt comes without its blank", M.BARE_PROMPT, every=1),
    _row("late-ok", "OK comes late, within the limit", M.LATE_OK, delay_s=1.0),
    _row("very-late-ok", "OK comes after the limit", M.LATE_OK, delay_s=4.5),
    _row("two-finals", "the final result code comes twice", M.TWO_FINALS, every=1),
    _row("cms-once", "+CMS ERROR: 38, once", M.CMS_ERROR, code=38),
    _row("cms-every-2nd", "+CMS ERROR: 38, every second segment", M.CMS_ERROR, code=38, every=2),
    _row("cms-burst", "+CMS ERROR: 42, three in a row", M.CMS_ERROR, code=42, times=3),
    _row("cms-number", "+CMS ERROR: 1, the number's own fault", M.CMS_ERROR, code=1, fails=True),
    _row("cme", "+CME ERROR: 100, every eleventh command", M.CME_ERROR, code=100, every=11),
    _row("busy", "SIM busy", M.BUSY, lasts_s=3),
    _row("pin-lock", "the SIM asks for its PIN again", M.PIN_LOCK, text=PIN),
    _row("deregistered", "no network for 4 s", M.DEREGISTERED, lasts_s=4),
    _row("storage-full", "no free slot for 3 s", M.STORAGE_FULL, lasts_s=3),
    _row("storage-filled", "old messages fill the storage", M.STORAGE_FILLED, dialect="huawei"),
    _row("receipt-lost", "a status report is lost", M.RECEIPT_LOST),
    _row("receipt-twice", "status reports come twice", M.RECEIPT_TWICE, every=1),
    _row("receipt-late", "a status report comes 3 s late", M.RECEIPT_LATE, delay_s=3),
    _row("parts-swapped", "parts come out of order", M.PARTS_SWAPPED, every=2),
    _row("message-twice", "the network repeats a message", M.MESSAGE_TWICE, every=1),
    _row("hang-prompt", "hangs 8 s before the prompt", M.HANG, at=Point.PROMPT, lasts_s=8),
    _row("hang-pdu", "hangs 8 s after Ctrl-Z, before the network", M.HANG, at=Point.PDU, lasts_s=8),
    _row("hang-answer", "hangs 8 s after Ctrl-Z, behind the network", M.HANG, at=Point.ANSWER, lasts_s=8),
    _row("hang-8s", "hangs 8 s in whatever it does", M.HANG, lasts_s=8),
    _row("hang-for-ever", "hangs for ever", M.HANG, heals=False, back_s=5),
    _row("reboot", "reboots, forgets its settings", M.REBOOT, lasts_s=2),
    _row("disappear", "the port is gone for 3 s", M.DISAPPEAR, lasts_s=3),
    _row("reenumerate", "the port comes back as another", M.REENUMERATE, lasts_s=1),
    _row("garbage", "noise between lines", M.GARBAGE, probability=0.2, dialect="huawei"),
    _row("garble", "a byte of an answer is wrong", M.GARBLE, times=3),
    _row("slow-line", "a line of 9,600 baud", M.SLOW_LINE, count=9600, lasts_s=6),
    _row("latency", "the network takes 1.5 s longer", M.LATENCY, delay_s=1.5, lasts_s=4),
    _row("mr-jump", "TP-MR wraps", M.MR_JUMP, code=255),
)  # fmt: skip
