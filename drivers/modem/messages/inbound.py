"""Messages and status reports in: what the stick tells of, in its order, and when its storages are swept.

Stored messages (``+CMTI``, ``+CDSI``) are read by index (`stored`); a sweep of all storages at the
start and every few minutes finds what a notification was missed for, or what the sink could not take before.
Stored status reports wait for each other while segments go out (`drivers.modem.messages.waiting`). What comes directly
(``+CMT``, ``+CDS``) is handed to the sink here, and only then acknowledged.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import suppress
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

from drivers.at.responses import parse_cmti, parse_direct_length, parse_hex
from drivers.errors import DeviceError, WireTimeout
from drivers.modem.asking import try_request
from drivers.modem.bringup.message_setup import NOTIFICATIONS
from drivers.modem.memories.storage import REPORTS, StorageReader, nearly_full
from drivers.modem.messages.announced import MESSAGE_STORED, REPORT_STORED, Announced, Announcement
from drivers.modem.messages.received import PduReader, is_as_announced, unreadable_part
from drivers.modem.messages.stored import StoredMessages
from drivers.modem.messages.sweeps import SweepSchedule
from drivers.modem.messages.waiting import WaitingReports
from drivers.modem.report import deliver
from drivers.paced_log import PacedLog

if TYPE_CHECKING:
    from drivers.at.port import AtPort
    from drivers.at.responses import StorageUse
    from drivers.at.unsolicited import Urc
    from drivers.base import DriverEvent, EventSink
    from drivers.modem.bringup.message_setup import MessageSetup
    from drivers.modem.bringup.steps import Setup
    from drivers.modem.config import ModemConfig
    from drivers.modem.memories.habits import Habits
    from drivers.modem.report import Report

logger = PacedLog(__name__, most=100)

MAX_JOBS = 256
"""Notifications that may wait; beyond that a sweep finds what is stored."""
DIRECT_TRIES = 5
"""Times that a directly delivered message is offered to the sink before the network must repeat it."""
FOUND_AGAIN = 3
"""So many announcements in a row that were true, and one that was not is past."""
CNMA_ERROR = "AT+CNMA=2"
"""The network is asked to send it again (TS 27.005 3.4.4)."""

_STORED = (MESSAGE_STORED, REPORT_STORED)
_DIRECT = ("+CMT:", "+CDS:")
_FULL = ("^SMMEMFULL", "+SMS FULL", '+QIND: "smsfull"', '+QIND: "SMS FULL"', "*SMS FULL")
"""Nothing more comes in until something is deleted."""
_CALLS = ("RING", "+CRING:")


class Inbound:
    """The inbound side of one session.

    `on_urc` may be called before `run`: what comes during bring-up waits.
    """

    def __init__(self, config: ModemConfig, sink: EventSink, report: Report, habits: Habits) -> None:
        self._channel = config.name
        self._config = config
        self._sink = sink
        self._report = report
        self._habits = habits
        self._timing = config.timing
        self._jobs: deque[Urc] = deque()
        self._waiting = WaitingReports()
        self._awake = asyncio.Event()
        self._sweep_due = True
        self._schedule = SweepSchedule(config.timing)
        self._last_use: StorageUse | None = None
        self._counts_well = False
        self._misfits: deque[Urc] = deque(maxlen=MAX_JOBS)
        self._pdus = PduReader(report)
        self._announced = Announced(habits.homes)
        self._n_lost = 0
        self._stored = StoredMessages(
            config.name,
            sink,
            report,
            pdus=self._pdus,
            announced=self._announced,
            on_room=self._waiting.note_room,
        )

    def on_urc(self, urc: Urc) -> None:
        """Note an unsolicited message; those that are not ours are ignored."""
        if urc.line.startswith(_FULL):
            self.sweep_soon()
            return
        is_call = self._config.hang_up_calls and urc.line.startswith(_CALLS)
        if not is_call and not urc.line.startswith(_STORED + _DIRECT):
            return
        if urc.line.startswith(_STORED) and not self._note_announced(urc):
            return
        if urc.line.startswith((REPORT_STORED, "+CDS:")):
            self._schedule.note_reports_come()
        if urc.line.startswith(REPORT_STORED) and len(self._waiting) < MAX_JOBS:
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
        if (not line.isascii() or line.startswith("+C")) and self._schedule.note_stray(_now()):
            self._awake.set()

    def note_use(self, use: StorageUse | None) -> None:
        """Note how full the memory for new messages is; not all sticks say by themselves that nothing fits any more."""
        is_news, self._last_use = use != self._last_use, use
        if nearly_full(use) and is_news:  # what could not be deleted is no news
            self.sweep_soon()

    def note_sent(self) -> None:
        """A segment went out whose report will come."""
        if self._schedule.note_owed(_now(), self._waiting.limit):
            self._awake.set()

    def wake(self) -> None:
        """Something of the set-up is to be done anew."""
        self._awake.set()

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
        messages = setup.messages
        take_direct_ones = partial(self._take_direct_ones, port, setup)
        reader = StorageReader(port, messages.storage, take_direct_ones, self._habits)
        # After a new bring-up, too: what was under way when the service ended is still there.
        self._sweep_due = self._schedule.is_first = True
        while True:
            if self._waiting.due(_now(), port.free_since) <= _now():
                self._jobs.extend(self._waiting.take())
            try:
                if messages.due <= _now():
                    await self._set_up_again(port, setup)
                    reader = StorageReader(port, messages.storage, take_direct_ones, self._habits)
                if self._sweep_due or _now() >= self._schedule.next:
                    await self._sweep(port, setup, reader)
                while self._jobs and not self._sweep_due:
                    await self._do_next(port, setup, reader)
                if self._announced.n_found_again >= FOUND_AGAIN:
                    await self._report.heal("announced_not_found")
            except (DeviceError, WireTimeout) as error:
                # Slow or dead: the port finds out. What was meant to be read is still on the stick.
                logger.info("%s: %s; the next sweep will find what is left", self._channel, error)
                self._schedule.again(_now())
            due = (self._schedule.next, messages.due, self._waiting.due(_now(), port.free_since))
            await self._wait_until(min(due))

    async def _set_up_again(self, port: AtPort, setup: Setup) -> None:
        """Do what bring-up could not, or what the stick forgot; then look at what came meanwhile."""
        await setup.messages.again()
        await setup.learn_settings(port)
        await tell_unfinished(self._report, setup.messages)
        self._sweep_due = True

    async def _sweep(self, port: AtPort, setup: Setup, reader: StorageReader) -> None:
        self._sweep_due = False
        began = _now()
        self._schedule.begin(began)
        await self._take_direct_ones(port, setup)
        await self._notify_again(port, setup)  # an acknowledgement may have been missed
        self._waiting.take()  # what they name is seen here
        if not setup.messages.reads:
            await self._tell_that_nothing_is_read(setup)
            return
        memories = setup.messages.storage.readable
        if self._announced.are_reports_open:  # their memory is the smallest, and fills while others are read
            memories = tuple(sorted(memories, key=lambda name: name != REPORTS))
        if not await self._stored.sweep(memories, reader):
            self._schedule.again(_now())
        lost = self._announced.searched(began)
        self._schedule.end(_now(), self._announced.n_unannounced(began))
        await self._judge(setup, lost)
        if self._announced:
            self._schedule.again(_now())

    async def _do_next(self, port: AtPort, setup: Setup, reader: StorageReader) -> None:
        # While segments go out, each command waits for its turn between two of them: reading and
        # deleting one by one would be slower than receipts come in.
        if setup.messages.reads and (memory := self._take_backlog()) is not None:
            well = await self._stored.take_all(memory, reader)
            self._search_if_open()
        else:
            well = await self._handle(self._jobs.popleft(), port, setup, reader)
        if not well:
            self._schedule.again(_now())

    async def _judge(self, setup: Setup, lost: list[Announcement]) -> None:
        """Tell of what was announced and is nowhere, and have such messages go where they can be found."""
        if lost:
            self._n_lost += len(lost)
            last = lost[-1]
            what = "A report" if last.kind == REPORT_STORED else "A message"
            detail = f"{what} was announced in storage {last.memory} and is in none; {self._n_lost} so far."
            await self._report.ail("announced_not_found", detail)
            await self._report.tell(announced_not_found=self._n_lost)
        in_vain = {(one.kind, one.memory) for one in lost}
        unreadable = self._stored.unreadable
        reports = (REPORTS in unreadable and REPORTS in setup.messages.storage.readable) or any(
            kind == REPORT_STORED for kind, _ in in_vain
        )
        if reports and setup.messages.avoid_stored_reports():
            await self._report.notice(
                "reports_rerouted", "Stored reports can't be read; they are to come directly."
            )
        preferred = setup.messages.storage.preferred
        is_bad = preferred in unreadable or (MESSAGE_STORED, preferred) in in_vain
        if is_bad and setup.messages.avoid(preferred):
            detail = (
                f"Storage {preferred} can't be read; new messages are to go elsewhere, or to come directly."
            )
            await self._report.notice("storage_rerouted", detail)

    async def _tell_that_nothing_is_read(self, setup: Setup) -> None:
        if not self._config.send_only:
            detail = "Reading its storage silences the stick; what it stores is not read. See send_only."
            await self._report.ail("storage_silences", detail)
            if setup.messages.armed_reading:
                setup.messages.renew(NOTIFICATIONS)

    async def _wait_until(self, deadline: float) -> None:
        if not self._jobs and not self._sweep_due:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._awake.wait()
        self._awake.clear()

    async def _notify_again(self, port: AtPort, setup: Setup) -> None:
        """A stick that missed an acknowledgement stops notifying (TS 27.005 3.4.1): arm it again."""
        if setup.messages.notify_command is not None:
            await try_request(port, setup.messages.notify_command)

    async def _take_direct_ones(self, port: AtPort, setup: Setup) -> None:
        """For these the network waits, for 15 s and no longer; what is stored has time."""
        while (urc := next((urc for urc in self._jobs if urc.line.startswith(_DIRECT)), None)) is not None:
            self._jobs.remove(urc)
            if not await self._take_direct(urc, port, setup):
                self._schedule.again(_now())

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
        if not setup.messages.reads:
            return True
        home = self._announced.home(_kind_of(urc), place[0])
        if home is not None:
            return await self._stored.take_all(home, reader)
        well = await self._stored.take_at(*place, reader)
        self._search_if_open()
        return well

    def _search_if_open(self) -> None:
        """What is not in its place is somewhere: all storages are looked through, at once and then ever more rarely."""
        waiting = len(self._waiting) + sum(urc.line.startswith(_STORED) for urc in self._jobs)
        if len(self._announced) > waiting and self._schedule.note_search(_now()):
            self._sweep_due = True

    def _note_announced(self, urc: Urc) -> bool:
        """Whether it is to be heeded: what is stored may be read."""
        if self._config.send_only or self._habits.reads_nothing:
            return False
        if place := parse_cmti(urc.line):
            self._announced.expect(_kind_of(urc), *place, _now())
        return True

    def _take_backlog(self) -> str | None:
        """A storage that several notifications name, or mean; they are taken off the list."""
        named = Counter(memory for urc in self._jobs if (memory := self._memory_of(urc)) is not None)
        memory, n = max(named.items(), key=itemgetter(1), default=("", 0))
        if n < 2:
            return None
        self._jobs = deque(urc for urc in self._jobs if self._memory_of(urc) != memory)
        self._waiting.drop(lambda urc: self._memory_of(urc) == memory)
        return memory

    def _memory_of(self, urc: Urc) -> str | None:
        """The storage that a notification means."""
        place = parse_cmti(urc.line) if urc.line.startswith(_STORED) else None
        return None if place is None else self._announced.home(_kind_of(urc), place[0]) or place[0]

    async def _take_direct(self, urc: Urc, port: AtPort, setup: Setup) -> bool:
        name = urc.line.partition(":")[0]
        octets, n_octets = parse_hex(urc.body) or b"", parse_direct_length(urc.line) or 0
        fits = is_as_announced(octets, n_octets)
        self._counts_well |= fits
        # Some sticks count wrongly, and few networks repeat a report: only one that did well before is doubted.
        is_believed = fits or not self._counts_well or urc in self._misfits
        if not octets or (setup.messages.acknowledges and not is_believed):
            self._misfits.append(urc)
            logger.warning(
                "%s: %s came without its whole PDU; the network must repeat it", self._channel, name
            )
            if setup.messages.acknowledges and await try_request(port, CNMA_ERROR) is not None:
                await self._notify_again(port, setup)
            return False
        event = await self._pdus.read(octets, n_octets, f"came by {name}", is_confirmed=is_believed)
        # What can't be read now never can be: kept as it is and acknowledged, lest the network repeats it for ever.
        if not await self._deliver_patiently(event or unreadable_part(octets)):
            return False
        self._announced.note_handed_over()
        if setup.messages.acknowledges and await try_request(port, "AT+CNMA") is None:
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


def _kind_of(urc: Urc) -> str:
    return REPORT_STORED if urc.line.startswith(REPORT_STORED) else MESSAGE_STORED


async def tell_unfinished(report: Report, messages: MessageSetup) -> None:
    """Show what of the set-up the stick was not ready for. Cancel: as `Report.up`."""
    if messages.unfinished:
        names = ", ".join(messages.unfinished)
        await report.ail("setup_unfinished", f"The stick was not ready for: {names}; it is tried again.")
    else:
        await report.heal("setup_unfinished")


def _now() -> float:
    return asyncio.get_running_loop().time()
