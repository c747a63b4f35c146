"""What a stick does when a fault strikes: asked by the machine, the device and the port at each point.

Bytes go through `hears` and `says`, command lines through `on_line`, segments through `before_network` and
`after_network`, what the network brings through `on_deliver` and `on_report`. With a quiet plan all of them
pass everything on.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Protocol

from simulators.fault_plan import NEVER, FaultPlan, lasting
from simulators.faults import Fault, ModemFault, Point
from simulators.modem.syntax import Failed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from simulators.traffic import NetworkMessage

TICK_S = 1.0
_AFTERWARDS_S = 0.01
"""An effect is looked at again when it is over for sure."""
_FINAL = re.compile(rb"\r\n(?:OK|ERROR|\+CM[ES] ERROR: ?.*)\r\n")
_CMS_BUSY, _CME_BUSY, _UNKNOWN = 314, 14, 500
_DEAF = (ModemFault.HANG, ModemFault.REBOOT)
_NO_NETWORK = (ModemFault.DEREGISTERED, ModemFault.REBOOT, ModemFault.DISAPPEAR, ModemFault.REENUMERATE)
_NOISE = bytes(set(range(0x80, 0x100)) | set(range(0x21, 0x3A)))


class Victim(Protocol):
    """The stick that a fault happens to."""

    def reboot(self, boot_s: float) -> None:
        """Lose all that was set; speak again after so long."""
        ...

    def vanish(self, gone_s: float, *, elsewhere: bool, name: str) -> None:
        """Take the port away for so long; perhaps it comes back as another, perhaps under another name."""
        ...

    def lock_sim(self, pin: str) -> None:
        """The SIM asks for this PIN, or for its own when that is empty."""
        ...

    def fill_storage(self) -> None:
        """Old messages in all slots."""
        ...

    def jump_reference(self, next_mr: int) -> None:
        """The next message reference."""
        ...

    def service_changed(self) -> None:
        """It can or can't be reached by the network any more."""
        ...


class Misbehaviour:
    """The faults of one stick at work.

    Args:
        plan: which strike.

    Attributes:
        victim: set by the stick when it is started.
    """

    def __init__(self, plan: FaultPlan) -> None:
        self._plan = plan
        self.victim: Victim | None = None
        self._clock: Callable[[], float] = lambda: 0.0
        self._timers: set[asyncio.TimerHandle] = set()
        self._ticker: asyncio.Handle | None = None
        self._changed = asyncio.Event()
        self._reachable = True
        self._held: asyncio.Future[None] | None = None

    def start(self, victim: Victim) -> None:
        """The stick is there; what was injected before may strike now."""
        self.victim = victim
        self._clock = asyncio.get_running_loop().time
        self._plan.on_change = self._look
        self._look()

    def stop(self) -> None:
        """The stick is gone for good."""
        self._plan.on_change = lambda: None
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None

    @property
    def offline(self) -> bool:
        """The network can't reach the stick."""
        return any(map(self.in_effect, _NO_NETWORK))

    @property
    def storage_full(self) -> bool:
        """Nothing can be stored."""
        return self.in_effect(ModemFault.STORAGE_FULL) is not None

    @property
    def echo_stuck(self) -> bool:
        """It echoes whatever was set."""
        return self.in_effect(ModemFault.ECHO_STUCK) is not None

    @property
    def latency_s(self) -> float:
        """What the network takes on top."""
        fault = self.in_effect(ModemFault.LATENCY)
        return fault.delay_s if fault else 0.0

    @property
    def baud(self) -> int | None:
        """Of a slow line; None for a fast one."""
        fault = self.in_effect(ModemFault.SLOW_LINE)
        return (fault.count or 9_600) if fault else None

    def hears(self) -> bool:
        """Whether bytes from the program are taken in."""
        return not any(map(self.in_effect, _DEAF))

    def pace(self) -> tuple[int, float] | None:
        """So many bytes at once, and the pause behind them; None for all at once."""
        if self.in_effect(ModemFault.SPLIT):
            return 1, 0.0
        baud = self.baud
        return (max(1, baud // 1_000), max(1, baud // 1_000) * 10 / baud) if baud else None

    def on_line(self, line: str) -> None:
        """A command line is complete. Raises the `Failed` that it ends with."""
        for fault in self._strike(Point.COMMAND, line):
            if fault.kind == ModemFault.CME_ERROR:
                raise Failed.cme(_code(fault))
            if fault.kind == ModemFault.CMS_ERROR:
                raise Failed.cms(_code(fault))
        if self.in_effect(ModemFault.BUSY):
            raise Failed.cms(_CMS_BUSY) if "+CMG" in line.upper() else Failed.cme(_CME_BUSY)

    def prompt(self, prompt: bytes) -> bytes:
        """The prompt as it comes out; a stick that says none waits for the text all the same."""
        for fault in self._strike(Point.PROMPT):
            if fault.kind == ModemFault.NO_PROMPT:
                return b""
            if fault.kind == ModemFault.BARE_PROMPT:
                return prompt.rstrip()
            if fault.kind == ModemFault.CMS_ERROR:
                raise Failed.cms(_code(fault))
        return prompt

    def says(self, octets: bytes) -> bytes:
        """What the program hears of it."""
        if self._plan.quiet or not octets:  # a prompt may be swallowed already
            return octets
        if _FINAL.fullmatch(octets):
            for fault in self._strike(Point.FINAL):
                if fault.kind == ModemFault.TWO_FINALS:
                    octets += octets
                elif fault.kind == ModemFault.INTERLEAVE:
                    octets = f"\r\n{fault.text or 'RING'}\r\n".encode("latin-1", "replace") + octets
        for fault in self._strike(Point.TRANSMIT):
            if fault.kind == ModemFault.GARBAGE:
                octets = bytes(self._plan.rng.choices(_NOISE, k=fault.count or 8)) + octets
            elif fault.kind == ModemFault.GARBLE:
                place = self._plan.rng.randrange(len(octets))
                octets = octets[:place] + b"\xff" + octets[place + 1 :]
        return octets if self.hears() else b""

    async def before_network(self, recipient: str) -> None:
        """A segment is about to reach the network.

        Raises:
            Failed: it never does.

        Cancel: it did not.
        """
        for fault in self._strike(Point.PDU, recipient):
            if fault.kind == ModemFault.CMS_ERROR:
                raise Failed.cms(_code(fault))
            if fault.kind == ModemFault.HANG:
                await self._end_of(ModemFault.HANG)
                raise Failed.cms(_UNKNOWN)
            await self._die_with(fault)

    async def after_network(self, recipient: str) -> None:
        """The network has a segment. Cancel: it has it, and nobody knows."""
        for fault in self._strike(Point.ANSWER, recipient):
            if fault.kind == ModemFault.LATE_OK:
                await asyncio.sleep(fault.delay_s)
            elif fault.kind == ModemFault.HANG:
                await self._end_of(ModemFault.HANG)
            else:
                await self._die_with(fault)

    async def on_deliver(self, message: NetworkMessage) -> int:
        """How often an inbound message arrives, after waiting for its turn."""
        n = 1
        if self._held is not None and not self._held.done():
            asyncio.get_running_loop().call_soon(_release, self._held)  # behind the one that overtakes
        for fault in self._strike(Point.DELIVER, message.sender):
            if fault.kind == ModemFault.MESSAGE_TWICE:
                n = 2
            elif fault.kind == ModemFault.PARTS_SWAPPED and message.concat is not None:
                self._held = asyncio.get_running_loop().create_future()
                await asyncio.wait((self._held,), timeout=fault.delay_s)
        return n

    async def on_report(self, recipient: str) -> int:
        """How often a status report arrives, after waiting for its turn."""
        n = 1
        for fault in self._strike(Point.REPORT, recipient):
            if fault.kind == ModemFault.RECEIPT_LOST:
                return 0
            if fault.kind == ModemFault.RECEIPT_TWICE:
                n = 2
            elif fault.kind == ModemFault.RECEIPT_LATE:
                await asyncio.sleep(fault.delay_s)
        return n

    def in_effect(self, kind: ModemFault) -> Fault | None:
        """The fault of this kind that still lasts."""
        return None if self._plan.quiet else self._plan.in_effect(kind, self._clock())

    def _strike(self, point: Point, text: str = "") -> list[Fault]:
        if self._plan.quiet or self.victim is None:
            return []
        faults = self._plan.strike(point, self._clock(), text)
        for fault in faults:
            self._befall(fault, self.victim)
        return faults

    def _befall(self, fault: Fault, victim: Victim) -> None:
        """What a fault does wherever it strikes."""
        lasts_s = lasting(fault)
        if lasts_s is not None and lasts_s != NEVER:
            self._call_later(lasts_s + _AFTERWARDS_S, self._look)
        match fault.kind:
            case ModemFault.REBOOT:
                victim.reboot(_finite(lasts_s))
            case ModemFault.DISAPPEAR | ModemFault.REENUMERATE:
                elsewhere = fault.kind == ModemFault.REENUMERATE
                victim.vanish(_finite(lasts_s), elsewhere=elsewhere, name=fault.text)
            case ModemFault.PIN_LOCK:
                victim.lock_sim(fault.text)
            case ModemFault.STORAGE_FILLED:
                victim.fill_storage()
            case ModemFault.MR_JUMP:
                victim.jump_reference(255 if fault.code is None else fault.code % 256)
            case _:
                pass  # strikes where it is asked for
        self._announce()

    def _look(self) -> None:
        """Something was injected, cleared, or is over."""
        self._changed.set()
        self._changed = asyncio.Event()
        self._announce()
        if self._ticker is None and self._plan.waits_at(Point.SECOND):
            self._ticker = asyncio.get_running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        self._ticker = None
        self._strike(Point.SECOND)
        if self._plan.waits_at(Point.SECOND) and self._ticker is None:
            self._ticker = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _announce(self) -> None:
        """Tell the stick when it can be reached again, or no more."""
        reachable = not self.offline and not self.storage_full
        if reachable is not self._reachable and self.victim is not None:
            self._reachable = reachable
            self.victim.service_changed()

    async def _end_of(self, kind: ModemFault) -> None:
        while self.in_effect(kind):
            await self._changed.wait()

    async def _die_with(self, fault: Fault) -> None:
        """The exchange never ends by itself when the stick is gone; the machine that ran it is stopped."""
        if fault.kind in (ModemFault.REBOOT, ModemFault.DISAPPEAR, ModemFault.REENUMERATE):
            await _for_ever()

    def _call_later(self, delay_s: float, step: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            step()

        timer = asyncio.get_running_loop().call_later(delay_s, run)
        self._timers.add(timer)


async def _for_ever() -> NoReturn:
    while True:
        await asyncio.get_running_loop().create_future()


def _release(held: asyncio.Future[None]) -> None:
    if not held.done():
        held.set_result(None)


def _code(fault: Fault) -> int:
    return _UNKNOWN if fault.code is None else fault.code


def _finite(lasts_s: float | None) -> float:
    return 86_400.0 if lasts_s is None or lasts_s == NEVER else lasts_s
