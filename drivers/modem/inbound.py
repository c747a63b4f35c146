"""Messages and status reports in: read, handed to the sink, and only then deleted or acknowledged.

Stored messages (``+CMTI``, ``+CDSI``) are read by index; a sweep of all storages at the start and every few
minutes finds what a notification was missed for, or what the sink could not take before. Stored status reports
wait for each other while segments go out (`drivers.modem.waiting`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections import Counter, deque
from contextlib import suppress
from operator import itemgetter
from typing import TYPE_CHECKING

from drivers.at.responses import parse_cmti, parse_direct_length, parse_hex
from drivers.base import DriverEvent, Encoding, InboundPart, Receipt
from drivers.codec.address import split_sca
from drivers.codec.status import classify_tp_st
from drivers.codec.text import to_plain
from drivers.codec.tpdu import SmsDeliver, SmsStatusReport, decode_incoming
from drivers.errors import CmsError, DecodeError, DeviceError, WireTimeout
from drivers.modem.bringup import try_request
from drivers.modem.faults import is_busy
from drivers.modem.report import deliver
from drivers.modem.storage import StorageReader, nearly_full
from drivers.modem.waiting import WaitingReports

if TYPE_CHECKING:
    from drivers.at.port import AtPort
    from drivers.at.responses import StorageUse, StoredPdu
    from drivers.at.unsolicited import Urc
    from drivers.base import EventSink
    from drivers.modem.bringup import Setup
    from drivers.modem.config import ModemConfig
    from drivers.modem.report import Report

logger = logging.getLogger(__name__)

MAX_JOBS = 256
"""Notifications that may wait; beyond that a sweep finds what is stored."""
DIRECT_TRIES = 5
"""Times that a directly delivered message is offered to the sink before the network must repeat it."""
MAX_REPORTED = 1024
"""Unreadable messages that are remembered, so that each is reported once and not at every sweep."""

MANY = 4
"""So many messages found by a sweep are deleted together."""
CNMA_ERROR = "AT+CNMA=2"
"""The network is asked to send it again (TS 27.005 3.4.4)."""
CMS_INVALID_INDEX = 321
UNREADABLE = "unreadable"
"""The sender under which the octets of such a message go to the gateway."""

_RECEIVED = frozenset({0, 1})
_REPORT_STORED = "+CDSI:"
_STORED = ("+CMTI:", _REPORT_STORED)
_DIRECT = ("+CMT:", "+CDS:")
_FULL = ("^SMMEMFULL", "+SMS FULL", '+QIND: "smsfull"', '+QIND: "SMS FULL"', "*SMS FULL")
"""Nothing more comes in until something is deleted."""
_CALLS = ("RING", "+CRING:")


class Inbound:
    """The inbound side of one session.

    `on_urc` may be called before `run`: what comes during bring-up waits.
    """

    def __init__(self, config: ModemConfig, sink: EventSink, report: Report) -> None:
        self._channel = config.name
        self._config = config
        self._sink = sink
        self._report = report
        self._timing = config.timing
        self._jobs: deque[Urc] = deque()
        self._waiting = WaitingReports()
        self._awake = asyncio.Event()
        self._sweep_due = True
        self._next_sweep = 0.0
        self._last_stray = -math.inf
        self._stray_wait_s = 0.0
        self._last_use: StorageUse | None = None
        self._reported: set[str] = set()
        self._told_full: set[str | None] = set()
        self._deletes_read = True
        self._last_taken: set[bytes | None] = set()

    def on_urc(self, urc: Urc) -> None:
        """Note an unsolicited message; those that are not ours are ignored."""
        if urc.line.startswith(_FULL):
            self.sweep_soon()
            return
        is_call = self._config.hang_up_calls and urc.line.startswith(_CALLS)
        if not is_call and not urc.line.startswith(_STORED + _DIRECT):
            return
        if urc.line.startswith(_REPORT_STORED) and len(self._waiting) < MAX_JOBS:
            if not self._waiting.add(urc, _now()):
                return
        elif len(self._jobs) < MAX_JOBS:
            self._jobs.append(urc)
        elif urc.line.startswith(_STORED):
            self._sweep_due = True
        else:
            logger.error("%s: too many messages at once; the network must repeat one", self._channel)
        self._awake.set()

    def on_stray(self, line: str) -> None:
        """Note a line that nobody understands: a broken one may have been a notification."""
        if line.isascii() and not line.startswith("+C"):
            return
        now = _now()
        if now - self._last_stray >= self._timing.sweep_s:
            self._stray_wait_s = self._timing.sweep_after_failure_s
        self._last_stray = now
        if now + self._stray_wait_s < self._next_sweep:
            # Each time later, for some sticks always say what nobody understands.
            self._sweep_by(now + self._stray_wait_s)
            self._stray_wait_s *= 2
            self._awake.set()

    def note_use(self, use: StorageUse | None) -> None:
        """Note how full the memory for new messages is; not all sticks say by themselves that nothing fits any more."""
        is_news, self._last_use = use != self._last_use, use
        if nearly_full(use) and is_news:  # what could not be deleted is no news
            self.sweep_soon()

    def sweep_soon(self) -> None:
        """A notification may have been missed: look at what is stored."""
        self._sweep_due = True
        self._awake.set()

    async def run(self, port: AtPort, setup: Setup) -> None:
        """Handle what comes until cancelled.

        Raises:
            WireLost: the port died.

        Cancel: a message that the sink has taken may stay on the stick; it comes again with the same
        ``dedupe_key``.
        """
        reader = StorageReader(port, setup.storage)
        self._sweep_due = (
            True  # after a new bring-up, too: what was under way when the service ended is still there
        )
        while True:
            soon = _now() + self._timing.sweep_after_failure_s
            if self._waiting.due(_now(), port.free_since) <= _now():
                self._jobs.extend(self._waiting.take())
            try:
                if self._sweep_due or _now() >= self._next_sweep:
                    self._sweep_due = False
                    self._next_sweep = _now() + self._timing.sweep_s
                    if not await self._sweep(port, setup, reader):
                        self._sweep_by(soon)
                while self._jobs and not self._sweep_due:
                    # While segments go out, each command waits for its turn between two of them: reading and
                    # deleting one by one would be slower than receipts come in.
                    if (memory := self._take_backlog()) is not None:
                        if not await self._take_together(await reader.list_all(memory), memory, reader):
                            self._sweep_by(soon)
                    elif not await self._handle(self._jobs.popleft(), port, setup, reader):
                        self._sweep_by(soon)
            except (DeviceError, WireTimeout) as error:
                # Slow or dead: the port finds out. What was meant to be read is still on the stick.
                logger.info("%s: %s; the next sweep will find what is left", self._channel, error)
                self._sweep_by(soon)
            await self._wait_until(min(self._next_sweep, self._waiting.due(_now(), port.free_since)))

    def _sweep_by(self, when: float) -> None:
        self._next_sweep = min(self._next_sweep, when)

    async def _wait_until(self, deadline: float) -> None:
        if not self._jobs and not self._sweep_due:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._awake.wait()
        self._awake.clear()

    async def _sweep(self, port: AtPort, setup: Setup, reader: StorageReader) -> bool:
        """Take everything that is stored; True when nothing was left for want of a sink or of an answer."""
        await self._notify_again(port, setup)  # an acknowledgement may have been missed
        well = True
        self._waiting.take()  # what they name is seen here
        for memory in setup.storage.readable or (None,):
            try:
                use = await reader.use(memory)
                entries = await reader.list_all(memory)
            except (DeviceError, WireTimeout) as error:
                logger.warning("%s: can't list storage %s: %s", self._channel, memory, error)
                # What it does not have it will refuse again; silence passes, and so does a busy SIM.
                well &= isinstance(error, DeviceError) and not is_busy(error)
                continue
            is_near_full = nearly_full(use)
            if use is not None:
                self._waiting.note_room(use.n_total)
                await self._tell_of_room(memory, use)
            if memory is not None and len(entries) >= MANY:
                well &= await self._take_together(entries, memory, reader)
                entries = await reader.list_all(memory) if is_near_full else []
            for entry in entries:
                well &= await self._take_stored(entry, memory, entry.index, reader, make_room=is_near_full)
        return well

    async def _tell_of_room(self, memory: str | None, use: StorageUse) -> None:
        """Tell of a storage that is nearly full; again only when it has had room meanwhile."""
        if not nearly_full(use):
            self._told_full.discard(memory)
        elif memory not in self._told_full:
            self._told_full.add(memory)
            where = memory or "for messages"
            detail = f"Storage {where} held {use.n_used} of {use.n_total} messages; it is being emptied."
            await self._report.notice("storage_full", detail)

    async def _notify_again(self, port: AtPort, setup: Setup) -> None:
        """A stick that missed an acknowledgement stops notifying (TS 27.005 3.4.1): arm it again."""
        if setup.notify_command is not None:
            await try_request(port, setup.notify_command)

    async def _handle(self, urc: Urc, port: AtPort, setup: Setup, reader: StorageReader) -> bool:
        if urc.line.startswith(_CALLS):
            if await try_request(port, "AT+CHUP") is None:
                await try_request(port, "ATH")
            logger.info("%s: a call was hung up", self._channel)
            return True
        if urc.line.startswith(_DIRECT):
            return await self._take_direct(urc, port, setup)
        place = parse_cmti(urc.line)
        if place is None:
            self._sweep_due = True
            return True
        memory, index = place
        try:
            entry = await reader.read(memory, index)
        except CmsError as error:
            # Taken together with others before its turn came.
            return error.code == CMS_INVALID_INDEX
        except (DeviceError, WireTimeout) as error:
            # The sweep may have been faster; if not, the next one finds it.
            logger.info("%s: can't read %s %d: %s", self._channel, memory, index, error)
            return False
        return entry is None or await self._take_stored(entry, memory, index, reader)

    def _take_backlog(self) -> str | None:
        """A storage that several notifications name; they are taken off the list."""
        places = [parse_cmti(urc.line) for urc in self._jobs if urc.line.startswith(_STORED)]
        named = Counter(place[0] for place in places if place is not None)
        memory, n = max(named.items(), key=itemgetter(1), default=("", 0))
        if n < 2:
            return None
        self._jobs = deque(urc for urc in self._jobs if _memory_of(urc) != memory)
        self._waiting.drop(lambda urc: _memory_of(urc) == memory)
        return memory

    async def _take_together(self, entries: list[StoredPdu], memory: str, reader: StorageReader) -> bool:
        """Take what was listed and delete it by one command; False when something was left."""
        entries = [entry for entry in entries if entry.status in _RECEIVED]
        events = [await self._decode(e.pdu, e.n_octets, f"{memory} {e.index}") for e in entries]
        # All at once, in their order: so they share a commit.
        stored = await asyncio.gather(*(self._deliver(event) for event in events))
        taken = [entry for entry, is_stored in zip(entries, stored, strict=True) if is_stored]
        pdus = {entry.pdu for entry in taken}
        # A stick that ignores the flag shows the same messages again.
        self._deletes_read = self._deletes_read and pdus.isdisjoint(self._last_taken)
        self._last_taken = pdus
        if taken and len(taken) == len(entries) and self._deletes_read and reader.listed_whole:
            try:
                await reader.delete_read(memory, taken[0].index)
            except (DeviceError, WireTimeout) as error:
                if is_busy(error):
                    return False
                self._deletes_read = False
            else:
                return True
        deleted = [await self._delete(reader, memory, entry.index) for entry in taken]
        return len(taken) == len(entries) and all(deleted)

    async def _deliver(self, event: DriverEvent | None) -> bool:
        return event is not None and await deliver(self._sink, event, self._channel)

    async def _take_stored(
        self,
        entry: StoredPdu,
        memory: str | None,
        index: int,
        reader: StorageReader,
        *,
        make_room: bool = False,
    ) -> bool:
        where = f"{memory or 'storage'} {index}"
        is_received = entry.status in _RECEIVED
        # Drafts and copies of what another program sent only take up room.
        event = await self._decode(entry.pdu, entry.n_octets, where) if is_received else None
        if event is None and not make_room:
            return True
        if event is None and is_received and entry.pdu:
            event = _unreadable_part(entry.pdu)
        if event is not None and not await deliver(self._sink, event, self._channel):
            return False
        return await self._delete(reader, memory, index)

    async def _delete(self, reader: StorageReader, memory: str | None, index: int) -> bool:
        try:
            await reader.delete(memory, index)
        except (DeviceError, WireTimeout) as error:
            logger.warning("%s: can't delete %s %d: %s", self._channel, memory or "storage", index, error)
            return False
        return True

    async def _take_direct(self, urc: Urc, port: AtPort, setup: Setup) -> bool:
        name = urc.line.partition(":")[0]
        if not urc.body:
            logger.warning("%s: %s came without its PDU; the network must repeat it", self._channel, name)
            if setup.acknowledges and await try_request(port, CNMA_ERROR) is not None:
                await self._notify_again(port, setup)
            return False
        event = await self._decode(parse_hex(urc.body), parse_direct_length(urc.line) or 0, name)
        # What can't be read now never can be: acknowledged, lest the network repeats it for ever.
        if event is not None and not await self._deliver_patiently(event):
            return False
        if setup.acknowledges and await try_request(port, "AT+CNMA") is None:
            logger.info("%s: acknowledgement of %s came too late", self._channel, name)
        return True

    async def _deliver_patiently(self, event: DriverEvent) -> bool:
        # Few networks repeat a status report that was not acknowledged, so use the time they wait.
        for _ in range(DIRECT_TRIES - 1):
            if await deliver(self._sink, event, self._channel):
                return True
            await asyncio.sleep(self._timing.poll_s)
        return await deliver(self._sink, event, self._channel)

    async def _decode(self, pdu: bytes | None, n_octets: int, where: str) -> DriverEvent | None:
        digest = hashlib.sha256(pdu or b"").hexdigest()
        try:
            if pdu is None:
                raise DecodeError("pdu", 0, "not in hex")
            return event_of(_strip_sca(pdu, n_octets))
        except DecodeError as error:
            if digest not in self._reported and len(self._reported) < MAX_REPORTED:
                self._reported.add(digest)
                await self._report.notice("unreadable", f"An unreadable message is left in {where}: {error}.")
                await self._report.tell(unreadable=len(self._reported))
            return None


def _memory_of(urc: Urc) -> str | None:
    """The storage that a notification names."""
    place = parse_cmti(urc.line) if urc.line.startswith(_STORED) else None
    return None if place is None else place[0]


def _unreadable_part(pdu: bytes) -> InboundPart:
    """What can't be read, as it is: there somebody may find out what it was."""
    return InboundPart(
        sender=UNREADABLE,
        encoding=Encoding.BINARY,
        payload=pdu,
        dedupe_key=hashlib.sha256(pdu).hexdigest(),
    )


def event_of(tpdu: bytes) -> InboundPart | Receipt:
    """What the gateway is to know of a received TPDU. Raises DecodeError."""
    match decode_incoming(tpdu):
        case SmsDeliver() as pdu:
            if pdu.udh_fault:
                logger.warning("a message came with a broken header, which is ignored: %s", pdu.udh_fault)
            encoding, payload = to_plain(pdu.encoding, pdu.payload, pdu.udh)
            return InboundPart(
                sender=pdu.tp_oa,
                encoding=encoding,
                payload=payload,
                concat=pdu.concat,
                flash=pdu.flash,
                network_time=pdu.tp_scts,
                dedupe_key=hashlib.sha256(tpdu).hexdigest(),
            )
        case SmsStatusReport() as pdu:
            state, code = classify_tp_st(pdu.tp_st)
            return Receipt(
                references=(str(pdu.tp_mr),),
                recipient=pdu.tp_ra or None,
                state=state,
                code=code,
                done_at=pdu.tp_dt,
                accepted_at=pdu.tp_scts,
            )


def _strip_sca(pdu: bytes, n_octets: int) -> bytes:
    # The length never counts the service centre; some sticks leave that out altogether.
    return pdu if len(pdu) == n_octets else split_sca(pdu)[1]


def _now() -> float:
    return asyncio.get_running_loop().time()
