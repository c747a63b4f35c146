"""What an SMSC does when a fault strikes: to binds, submits and receipts, and to PDUs on their way out.

`Mood` belongs to the whole SMSC, an `Outlet` to one connection. With a quiet plan both pass everything on.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from drivers.smpp.wire.constants import HEADER_OCTETS, CommandId, CommandStatus
from simulators.fault_plan import NEVER, FaultPlan, lasting
from simulators.faults import Fault, Point, SmscFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TICK_S: Final = 1.0
_UNKNOWN_TAG: Final = 0x1999
_SEQUENCE_FLIP: Final = 0x2A000000
_POINTS: Final = {CommandId.SUBMIT_SM_RESP: Point.RESPONSE, CommandId.DELIVER_SM: Point.PUSH}
_HEADER: Final = struct.Struct(">IIII")
_OVERSIZE: Final = _HEADER.pack(0x7FFF_FFFF, CommandId.DELIVER_SM, 0, 1)
_RECEIPT_BIT: Final = 0x04


class Victim(Protocol):
    """The SMSC that a fault happens to."""

    def hang_up(self) -> None:
        """Close all connections, without a word."""
        ...

    def unbind(self) -> None:
        """Send unbind to all."""
        ...

    def flood(self, n: int) -> None:
        """Let so many messages come from phones."""
        ...


class Mood:
    """The faults of one SMSC at work.

    Args:
        plan: which strike.
    """

    def __init__(self, plan: FaultPlan) -> None:
        self._plan = plan
        self._victim: Victim | None = None
        self._clock: Callable[[], float] = lambda: 0.0
        self._ticker: asyncio.Handle | None = None
        self._timers: set[asyncio.TimerHandle] = set()

    def start(self, victim: Victim) -> None:
        """The SMSC listens; what was injected before may strike now."""
        self._victim = victim
        self._clock = asyncio.get_running_loop().time
        self._plan.on_change = self._look
        self._look()

    def stop(self) -> None:
        """The SMSC is gone."""
        self._plan.on_change = lambda: None
        for timer in (*self._timers, *([self._ticker] if self._ticker else [])):
            timer.cancel()
        self._timers.clear()
        self._ticker = None

    @property
    def quiet(self) -> bool:
        """Nothing goes wrong."""
        return self._plan.quiet

    @property
    def half_open(self) -> bool:
        """Nothing comes in or goes out."""
        return self.in_effect(SmscFault.HALF_OPEN) is not None

    def in_effect(self, kind: SmscFault) -> Fault | None:
        """The fault of this kind that still lasts."""
        return None if self._plan.quiet else self._plan.in_effect(kind, self._clock())

    def refuse_bind(self, system_id: str) -> int | None:
        """The status that a bind is refused with."""
        for fault in self.strike(Point.BIND, system_id):
            if fault.kind == SmscFault.REFUSE_BIND:
                return _code(fault, CommandStatus.RBINDFAIL)
        return None

    def refuse_submit(self, recipient: str) -> int | None:
        """The status that a submit_sm is refused with."""
        for fault in self.strike(Point.SUBMIT, recipient):
            if fault.kind == SmscFault.THROTTLE:
                return _code(fault, CommandStatus.RTHROTTLED)
            if fault.kind == SmscFault.SUBMIT_ERROR:
                return _code(fault, CommandStatus.RSYSERR)
        return None

    def window_exceeded(self, n_unanswered: int) -> bool:
        """Whether a submit_sm is one too many."""
        fault = self.in_effect(SmscFault.SMALL_WINDOW)
        return fault is not None and n_unanswered >= (fault.count or 1)

    async def on_report(self, recipient: str) -> tuple[int, str]:
        """How often a receipt goes out, and its dialect, after waiting for its turn."""
        n, dialect = 1, ""
        for fault in self.strike(Point.REPORT, recipient):
            if fault.kind == SmscFault.RECEIPT_LOST:
                return 0, ""
            if fault.kind == SmscFault.RECEIPT_TWICE:
                n = 2
            elif fault.kind == SmscFault.RECEIPT_DIALECT:
                dialect = fault.text
            elif fault.kind == SmscFault.RECEIPT_LATE:
                await asyncio.sleep(fault.delay_s)
        return n, dialect

    def strike(self, point: Point, text: str = "") -> list[Fault]:
        """The faults of this occasion; those that concern the whole SMSC have done their work."""
        if self._plan.quiet or self._victim is None:
            return []
        faults = self._plan.strike(point, self._clock(), text)
        for fault in faults:
            self._befall(fault, self._victim)
        return faults

    def noise(self, n_octets: int) -> bytes:
        """Octets that are no PDU: a length that can't be, and then anything."""
        return b"\xff\xff\xff\xff" + self._plan.rng.randbytes(max(12, n_octets))

    def call_later(self, delay_s: float, step: Callable[[], None]) -> None:
        """Run a step later, unless the SMSC is gone by then."""

        def run() -> None:
            self._timers.discard(timer)
            step()

        timer = asyncio.get_running_loop().call_later(delay_s, run)
        self._timers.add(timer)

    def _befall(self, fault: Fault, victim: Victim) -> None:
        match fault.kind:
            case SmscFault.DISCONNECT:
                self.call_later(0.0, victim.hang_up)
            case SmscFault.UNBIND:
                self.call_later(0.0, victim.unbind)
            case SmscFault.MO_FLOOD:
                victim.flood(fault.count or 100)
            case SmscFault.HALF_OPEN if (lasts_s := lasting(fault)) not in (None, NEVER):
                self.call_later(lasts_s or 0.0, victim.hang_up)
            case _:
                pass  # strikes where it is asked for

    def _look(self) -> None:
        if self._ticker is None and self._plan.waits_at(Point.SECOND):
            self._ticker = asyncio.get_running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        self._ticker = None
        self.strike(Point.SECOND)
        if self._plan.waits_at(Point.SECOND) and self._ticker is None:
            self._ticker = asyncio.get_running_loop().call_later(TICK_S, self._tick)


class Outlet:
    """Where PDUs leave.

    Args:
        mood: of the SMSC.
        write: takes octets for the connection; drops them when it is gone.
    """

    def __init__(self, mood: Mood, write: Callable[[bytes], None]) -> None:
        self._mood = mood
        self._write = write
        self._overtaken: list[bytes] = []
        """Responses that wait for the next one."""
        self._early: list[bytes] = []
        """Responses that wait for the next receipt."""

    def send(self, octets: bytes) -> None:
        """Send PDUs, or what a fault makes of them."""
        if self._mood.quiet and not self._overtaken and not self._early:
            self._write(octets)
        elif not self._mood.half_open:
            for pdu in _split(octets):
                self._send_one(pdu)

    def _send_one(self, pdu: _Pdu) -> None:
        if pdu.command_id == CommandId.ENQUIRE_LINK_RESP and self._mood.in_effect(SmscFault.ENQUIRE_IGNORED):
            return
        faults = self._mood.strike(Point.TRANSMIT)
        point = _POINTS.get(pdu.command_id)  # type: ignore[call-overload] # any number may be asked for
        if point is not None:
            faults += self._mood.strike(point)
        octets: bytes | None = pdu.octets
        for fault in faults:
            octets = None if octets is None else self._distort(fault, octets)
        if octets is not None:
            self._write(octets)
        if point is Point.RESPONSE and octets is not None:
            self._release(self._overtaken)
        elif point is Point.PUSH and pdu.is_receipt:
            self._release(self._early)

    def _distort(self, fault: Fault, octets: bytes) -> bytes | None:
        """The PDU as it goes out now; None when it does not, or not now."""
        match fault.kind:
            case SmscFault.RESPONSE_LOST:
                return None
            case SmscFault.RESPONSE_LATE:
                self._mood.call_later(fault.delay_s, lambda: self._write(octets))
                return None
            case SmscFault.REORDER:
                self._hold(octets, self._overtaken, fault.delay_s)
                return None
            case SmscFault.RECEIPT_EARLY:
                self._hold(octets, self._early, fault.delay_s)
                return None
            case SmscFault.RESPONSE_TWICE:
                return octets + octets
            case SmscFault.WRONG_SEQUENCE:
                length, command_id, status, sequence_number = _HEADER.unpack_from(octets)
                wrong = sequence_number ^ _SEQUENCE_FLIP
                return _HEADER.pack(length, command_id, status, wrong) + octets[HEADER_OCTETS:]
            case SmscFault.UNKNOWN_TLV if len(octets) > HEADER_OCTETS:
                tlv = struct.pack(">HH", _UNKNOWN_TAG, 4) + b"what"
                return struct.pack(">I", len(octets) + len(tlv)) + octets[4:] + tlv
            case SmscFault.OVERSIZE:
                return _OVERSIZE + octets
            case SmscFault.GARBAGE:
                return self._mood.noise(fault.count or 16) + octets
            case _:
                return octets

    def _hold(self, octets: bytes, held: list[bytes], at_most_s: float) -> None:
        held.append(octets)

        def let_go() -> None:
            if octets in held:
                held.remove(octets)
                self._write(octets)

        self._mood.call_later(at_most_s, let_go)

    def _release(self, held: list[bytes]) -> None:
        for octets in held:
            self._write(octets)
        held.clear()


class _Pdu(NamedTuple):
    """One PDU on its way out."""

    command_id: int
    octets: bytes

    @property
    def is_receipt(self) -> bool:
        """A deliver_sm with the receipt bits: service_type and two addresses stand before esm_class."""
        at = self.octets.index(0, HEADER_OCTETS) + 1
        for _ in range(2):
            at = self.octets.index(0, at + 2) + 1
        return bool(self.octets[at] & _RECEIPT_BIT)


def _split(octets: bytes) -> Iterator[_Pdu]:
    start = 0
    while start < len(octets):
        length, command_id, _, _ = _HEADER.unpack_from(octets, start)
        yield _Pdu(command_id, octets[start : start + length])
        start += length


def _code(fault: Fault, default: CommandStatus) -> int:
    return default if fault.code is None else fault.code
