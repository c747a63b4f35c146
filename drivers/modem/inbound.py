"""Messages and status reports in: what the stick tells of, in its order, and when its storages are swept.

Stored messages (``+CMTI``, ``+CDSI``) are read by index (`drivers.modem.stored`); a sweep of all storages at the
start and every few minutes finds what a notification was missed for, or what the sink could not take before.
Stored status reports wait for each other while segments go out (`drivers.modem.waiting`). What comes directly
(``+CMT``, ``+CDS``) is handed to the sink here, and only then acknowledged.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from contextlib import suppress
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

from drivers.at.responses import parse_cmti, parse_direct_length, parse_hex
from drivers.errors import DeviceError, WireTimeout
from drivers.modem.bringup import try_request
from drivers.modem.received import PduReader, is_as_announced, unreadable_part
from drivers.modem.report import deliver
from drivers.modem.storage import StorageReader, nearly_full
from drivers.modem.stored import StoredMessages
from drivers.modem.waiting import WaitingReports
from drivers.paced_log import PacedLog

if TYPE_CHECKING:
    from drivers.at.port import AtPort
    from drivers.at.responses import StorageUse
    from drivers.at.unsolicited import Urc
    from drivers.base import DriverEvent, EventSink
    from drivers.modem.bringup import Setup
    from drivers.modem.config import ModemConfig
    from drivers.modem.report import Report

logger = PacedLog(__name__, most=100)

MAX_JOBS = 256
"""Notifications that may wait; beyond that a sweep finds what is stored."""
DIRECT_TRIES = 5
"""Times that a directly delivered message is offered to the sink before the network must repeat it."""
CNMA_ERROR = "AT+CNMA=2"
"""The network is asked to send it again (TS 27.005 3.4.4)."""

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
        self._timing = config.timing
        self._jobs: deque[Urc] = deque()
        self._waiting = WaitingReports()
        self._awake = asyncio.Event()
        self._sweep_due = True
        self._next_sweep = 0.0
        self._last_stray = -math.inf
        self._stray_wait_s = 0.0
        self._last_use: StorageUse | None = None
        self._counts_well = False
        self._misfits: deque[Urc] = deque(maxlen=MAX_JOBS)
        self._pdus = PduReader(report)
        self._stored = StoredMessages(
            config.name, sink, report, pdus=self._pdus, on_room=self._waiting.note_room
        )

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
        take_direct_ones = partial(self._take_direct_ones, port, setup)
        reader = StorageReader(port, setup.storage, before_each=take_direct_ones)
        # After a new bring-up, too: what was under way when the service ended is still there.
        self._sweep_due = True
        while True:
            if self._waiting.due(_now(), port.free_since) <= _now():
                self._jobs.extend(self._waiting.take())
            try:
                if self._sweep_due or _now() >= self._next_sweep:
                    self._sweep_due = False
                    self._next_sweep = _now() + self._timing.sweep_s
                    await take_direct_ones()
                    await self._notify_again(port, setup)  # an acknowledgement may have been missed
                    self._waiting.take()  # what they name is seen here
                    if not await self._stored.sweep(setup.storage.readable, reader):
                        self._sweep_again()
                while self._jobs and not self._sweep_due:
                    # While segments go out, each command waits for its turn between two of them: reading and
                    # deleting one by one would be slower than receipts come in.
                    if (memory := self._take_backlog()) is not None:
                        if not await self._stored.take_all(memory, reader):
                            self._sweep_again()
                    elif not await self._handle(self._jobs.popleft(), port, setup, reader):
                        self._sweep_again()
            except (DeviceError, WireTimeout) as error:
                # Slow or dead: the port finds out. What was meant to be read is still on the stick.
                logger.info("%s: %s; the next sweep will find what is left", self._channel, error)
                self._sweep_again()
            await self._wait_until(min(self._next_sweep, self._waiting.due(_now(), port.free_since)))

    def _sweep_by(self, when: float) -> None:
        self._next_sweep = min(self._next_sweep, when)

    def _sweep_again(self) -> None:
        self._sweep_by(_now() + self._timing.sweep_after_failure_s)

    async def _wait_until(self, deadline: float) -> None:
        if not self._jobs and not self._sweep_due:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._awake.wait()
        self._awake.clear()

    async def _notify_again(self, port: AtPort, setup: Setup) -> None:
        """A stick that missed an acknowledgement stops notifying (TS 27.005 3.4.1): arm it again."""
        if setup.notify_command is not None:
            await try_request(port, setup.notify_command)

    async def _take_direct_ones(self, port: AtPort, setup: Setup) -> None:
        """For these the network waits, for 15 s and no longer; what is stored has time."""
        while (urc := next((urc for urc in self._jobs if urc.line.startswith(_DIRECT)), None)) is not None:
            self._jobs.remove(urc)
            if not await self._take_direct(urc, port, setup):
                self._sweep_again()

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
        return await self._stored.take_at(*place, reader)

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

    async def _take_direct(self, urc: Urc, port: AtPort, setup: Setup) -> bool:
        name = urc.line.partition(":")[0]
        octets, n_octets = parse_hex(urc.body) or b"", parse_direct_length(urc.line) or 0
        fits = is_as_announced(octets, n_octets)
        self._counts_well |= fits
        # Some sticks count wrongly, and few networks repeat a report: only one that did well before is doubted.
        is_believed = fits or not self._counts_well or urc in self._misfits
        if not octets or (setup.acknowledges and not is_believed):
            self._misfits.append(urc)
            logger.warning(
                "%s: %s came without its whole PDU; the network must repeat it", self._channel, name
            )
            if setup.acknowledges and await try_request(port, CNMA_ERROR) is not None:
                await self._notify_again(port, setup)
            return False
        event = await self._pdus.read(octets, n_octets, f"came by {name}", is_confirmed=is_believed)
        # What can't be read now never can be: kept as it is and acknowledged, lest the network repeats it for ever.
        if not await self._deliver_patiently(event or unreadable_part(octets)):
            return False
        if setup.acknowledges and await try_request(port, "AT+CNMA") is None:
            # Then it stops notifying; what the network delivers from now on is only found by looking.
            logger.info("%s: acknowledgement of %s came too late", self._channel, name)
            await self._notify_again(port, setup)
            return False
        return True

    async def _deliver_patiently(self, event: DriverEvent) -> bool:
        # Few networks repeat a status report that was not acknowledged, so use the time they wait.
        for _ in range(DIRECT_TRIES - 1):
            if await deliver(self._sink, event, self._channel):
                return True
            await asyncio.sleep(self._timing.poll_s)
        return await deliver(self._sink, event, self._channel)


def _memory_of(urc: Urc) -> str | None:
    """The storage that a notification names."""
    place = parse_cmti(urc.line) if urc.line.startswith(_STORED) else None
    return None if place is None else place[0]


def _now() -> float:
    return asyncio.get_running_loop().time()
