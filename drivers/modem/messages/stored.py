"""What is stored on the stick: listed or read, handed to the sink, and only then deleted."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from drivers.at.responses import NO_STATUS
from drivers.base import Receipt
from drivers.errors import CmsError, DeviceError, DriverError, WireTimeout
from drivers.modem.faults import is_busy
from drivers.modem.memories.storage import nearly_full
from drivers.modem.messages.received import unreadable_part
from drivers.modem.report import deliver
from drivers.paced_log import PacedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.at.responses import StorageUse, StoredPdu
    from drivers.base import DriverEvent, EventSink, InboundPart
    from drivers.modem.memories.storage import Found, StorageReader
    from drivers.modem.messages.announced import Announced
    from drivers.modem.messages.received import PduReader
    from drivers.modem.report import Report

logger = PacedLog(__name__, most=100)

MANY = 4
"""So many messages found by a sweep are deleted together."""
CMS_INVALID_INDEX = 321
MAX_SEEN = 512
"""Messages that are remembered: what could not be deleted is found again, and was announced long ago."""

_RECEIVED = frozenset({0, 1, NO_STATUS})
_DRAFTS = frozenset({2, 3})
"""And copies of what another program sent. What has a status that is neither may be anything."""


class StoredMessages:
    """Takes what is stored off one stick; one call at a time.

    Args:
        channel: for logs.
        pdus: reads what is found.
        announced: told of each message that was taken.
        on_room: called with the number of places of each storage that a sweep looks at.

    Attributes:
        unreadable: memories that hold what can't be read, or that the stick does not show at all.
        n_receipts: status reports that were taken.
    """

    def __init__(
        self,
        channel: str,
        sink: EventSink,
        report: Report,
        *,
        pdus: PduReader,
        announced: Announced,
        on_room: Callable[[int], None],
    ) -> None:
        self.unreadable: set[str | None] = set()
        self.n_receipts = 0
        self._announced = announced
        self._seen: OrderedDict[bytes | None, None] = OrderedDict()
        self._channel = channel
        self._sink = sink
        self._report = report
        self._pdus = pdus
        self._on_room = on_room
        self._told_full: set[str | None] = set()
        self._hidden: dict[str | None, int] = {}
        self._deletes_read = True
        self._last_taken: set[bytes | None] = set()

    async def sweep(self, memories: tuple[str, ...], reader: StorageReader) -> bool:
        """Take everything that is stored; True when nothing was left for want of a sink or of an answer.

        Args:
            memories: where it may lie; empty for the one that the stick reads anyway.

        Raises:
            DeviceError, WireTimeout: the stick listed a storage before, and now does not.
            WireLost: the port died.

        Cancel: what the sink has taken may stay on the stick; it comes again with the same ``dedupe_key``.
        """
        well = True
        for memory in memories or (None,):
            try:
                use = await reader.use(memory)
                found = await reader.find_all(memory, use, self._announced.open_in(memory or ""))
            except (DeviceError, WireTimeout) as error:
                logger.warning("%s: can't read storage %s: %s", self._channel, memory, error)
                well &= _is_final(error)
                if _is_final(error):
                    self.unreadable.add(memory)
                continue
            entries, is_near_full = found.entries, nearly_full(use)
            await self._tell_of_hidden(memory, found)
            if use is not None:
                self._on_room(use.n_total)
                await self._tell_of_room(memory, use)
            if memory is not None and len(entries) >= MANY:
                well &= await self._take_together(entries, memory, reader)
                if not is_near_full:
                    continue
                entries = (await reader.find_all(memory, await reader.use(memory), [])).entries
            for entry in entries:
                well &= await self._take(entry, memory, entry.index, reader, make_room=is_near_full)
        return well

    async def take_all(self, memory: str, reader: StorageReader) -> bool:
        """Take what one storage holds by as few commands as can be; False when something was left.

        Raises and Cancel: as `sweep`.
        """
        found = await reader.find_all(memory, None, self._announced.open_in(memory))
        return await self._take_together(found.entries, memory, reader)

    async def take_at(self, memory: str, index: int, reader: StorageReader) -> bool:
        """Take what lies in one place; False when it was left. Raises WireLost. Cancel: as `sweep`.

        What is not there was taken together with others before its turn came, or the stick named a wrong place.
        """
        try:
            entry = await reader.read(memory, index)
        except CmsError as error:
            return error.code == CMS_INVALID_INDEX
        except (DeviceError, WireTimeout) as error:
            # The sweep may have been faster; if not, the next one finds it.
            logger.info("%s: can't read %s %d: %s", self._channel, memory, index, error)
            return _is_final(error)
        return entry is None or await self._take(entry, memory, index, reader)

    async def _tell_of_hidden(self, memory: str | None, found: Found) -> None:
        """Tell of what a storage counts and does not show; it may be a message."""
        if not found.n_hidden:
            self.unreadable.discard(memory)
            self._hidden.pop(memory, None)
        else:
            self._hidden[memory] = found.n_hidden
            if not found.entries:
                self.unreadable.add(memory)
        where = ", ".join(f"{name or 'messages'} {n}" for name, n in self._hidden.items())
        if where:
            detail = f"The stick counts messages in its storage that it does not show: {where}."
            await self._report.ail("storage_unreadable", detail)
        else:
            await self._report.heal("storage_unreadable")

    async def _tell_of_room(self, memory: str | None, use: StorageUse) -> None:
        """Tell of a storage that is nearly full; again only when it has had room meanwhile."""
        if not nearly_full(use):
            self._told_full.discard(memory)
        elif memory not in self._told_full:
            self._told_full.add(memory)
            where = memory or "for messages"
            detail = f"Storage {where} held {use.n_used} of {use.n_total} messages; it is being emptied."
            await self._report.notice("storage_full", detail)

    async def _take_together(self, entries: list[StoredPdu], memory: str, reader: StorageReader) -> bool:
        """Take what was listed and delete it by one command; False when something was left."""
        entries = [entry for entry in entries if entry.status not in _DRAFTS]
        events = [self._read_quietly(entry) for entry in entries]
        # All at once, in their order: so they share a commit.
        stored = await asyncio.gather(*(self._deliver(event) for event in events))
        taken = [entry for entry, is_stored in zip(entries, stored, strict=True) if is_stored]
        for entry, event, is_stored in zip(entries, events, stored, strict=True):
            if is_stored:
                self._note_taken(entry.pdu, memory, entry.index, event)
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
        unreadable = [entry for entry, event in zip(entries, events, strict=True) if event is None]
        looked_at = [await self._take(entry, memory, entry.index, reader) for entry in unreadable]
        return len(taken) + len(unreadable) == len(entries) and all(deleted) and all(looked_at)

    async def _deliver(self, event: DriverEvent | None) -> bool:
        return event is not None and await deliver(self._sink, event, self._channel)

    async def _take(
        self,
        entry: StoredPdu,
        memory: str | None,
        index: int,
        reader: StorageReader,
        *,
        make_room: bool = False,
    ) -> bool:
        event = self._read_quietly(entry)
        if event is None and entry.status not in _DRAFTS:
            where = f"is left in {memory or 'storage'} {index}"
            try:  # it may be whole, and was broken on its way to us
                again = await reader.read(memory, index) or entry
            except (DeviceError, WireTimeout) as error:
                if is_final := _is_final(error):
                    await self._pdus.tell_unreadable(entry.pdu, where, str(error))
                return is_final
            event = await self._read_loudly(again, entry, where, keep_raw=make_room)
        # Drafts only take up room.
        if event is None and not make_room:
            return True
        if event is not None:
            if not await deliver(self._sink, event, self._channel):
                return False
            self._note_taken(entry.pdu, memory, index, event)
        return await self._delete(reader, memory, index)

    def _note_taken(
        self, pdu: bytes | None, memory: str | None, index: int, event: DriverEvent | None
    ) -> None:
        if pdu in self._seen:
            self._seen.move_to_end(pdu)
            return
        self._seen[pdu] = None
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)
        is_report = isinstance(event, Receipt)
        self.n_receipts += is_report
        now = asyncio.get_running_loop().time()
        self._announced.took(memory or "", index, now, is_report=is_report)

    def _read_quietly(self, entry: StoredPdu) -> InboundPart | Receipt | None:
        return self._pdus.read_quietly(entry.pdu, entry.n_octets) if entry.status in _RECEIVED else None

    async def _read_loudly(
        self, entry: StoredPdu, before: StoredPdu, where: str, *, keep_raw: bool
    ) -> InboundPart | Receipt | None:
        """Of what was read for a second time (``before`` itself when it was not); None for a draft, too.

        Args:
            keep_raw: what can't be read is given as it is, for its place is needed.
        """
        event = None
        if entry.status in _DRAFTS and before.status not in _RECEIVED:
            return None
        if entry.status in _RECEIVED | _DRAFTS:
            # Some sticks count wrongly; a broken line hardly breaks twice in the same place.
            same = entry is not before and (entry.pdu, entry.n_octets) == (before.pdu, before.n_octets)
            event = await self._pdus.read(entry.pdu, entry.n_octets, where, is_confirmed=same)
        else:
            await self._pdus.tell_unreadable(entry.pdu, where, f"its status is {entry.status}")
        if event is None and keep_raw and entry.line:
            return unreadable_part(entry.line.encode() if entry.pdu is None else entry.pdu)
        return event

    async def _delete(self, reader: StorageReader, memory: str | None, index: int) -> bool:
        try:
            await reader.delete(memory, index)
        except (DeviceError, WireTimeout) as error:
            logger.warning("%s: can't delete %s %d: %s", self._channel, memory or "storage", index, error)
            return False
        return True


def _is_final(error: DriverError) -> bool:
    """What a stick does not have it will refuse again; silence passes, and so does a busy SIM."""
    return isinstance(error, DeviceError) and not is_busy(error)
