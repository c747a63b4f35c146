"""The message storages of a stick: which there are, which one takes new messages, which one is being read.

A listing is not believed blindly. Some firmware refuses it always (EP06), or answers it with less than there is: then
the storage is read place by place, as far as the stick says that something is there.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from drivers.at.responses import parse_cmgl, parse_cmgr, parse_cpms, parse_storage_choices
from drivers.at.transaction import MAX_INFO_LINES
from drivers.errors import AtError, CmeError, CmsError, WireTimeout
from drivers.modem.faults import is_busy
from drivers.modem.memories.habits import LIST, READ, Habits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drivers.at.port import AtPort
    from drivers.at.responses import StorageUse, StoredPdu

logger = logging.getLogger(__name__)

PREFERENCE = ("ME", "SM", "MT")
"""The stick's own memory is larger and does not wear the SIM out."""
REPORTS = "SR"
"""Some sticks keep status reports apart."""

NEAR_FULL = 0.8
"""So much of a storage in use, and what can't be read or was never ours is taken off it as well."""

LIST_TIMEOUT_S = 15.0
"""Silence within a listing. A full storage of 255 messages takes longer on a slow SIM, but line comes after line."""
DELETE_TIMEOUT_S = 25.0
"""Quectel's manuals allow their sticks that long."""
MAX_PLACES = 256
"""So many places of one storage are read one by one."""
GAP = 20
"""So many empty places in a row end that when the stick does not say how many messages there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSetup:
    """What `set_up_storage` found.

    Args:
        preferred: where new messages go; None when the stick keeps its own choice to itself.
        readable: all storages that messages may lie in, ``preferred`` first.
        chosen: the names that were accepted: for reading, writing and what comes in.
    """

    preferred: str | None
    readable: tuple[str, ...]
    chosen: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look into one storage found.

    Args:
        entries: all that is readable.
        n_hidden: so many more the stick counts, and shows neither in a listing nor in their places.
    """

    entries: list[StoredPdu]
    n_hidden: int = 0


async def set_up_storage(port: AtPort, preference: tuple[str, ...] = PREFERENCE) -> StorageSetup:
    """Choose where new messages go (3GPP TS 27.005 3.2.2).

    Args:
        preference: memories, best first.

    Raises and Cancel: as `AtPort.request`; refusals are tolerated, but not that the SIM is busy.
    """
    try:
        choices = parse_storage_choices(await port.request("AT+CPMS=?"))
    except (AtError, CmeError, CmsError) as error:
        if is_busy(error):
            raise
        choices = []
    for names in _candidates(choices, preference):
        try:
            await port.request("AT+CPMS=" + ",".join(f'"{name}"' for name in names))
        except (AtError, CmeError, CmsError) as error:
            if is_busy(error):
                raise
            continue
        return StorageSetup(preferred=names[0], readable=_readable(names, choices), chosen=names)
    return StorageSetup(preferred=None, readable=())


def nearly_full(use: StorageUse | None) -> bool:
    """Whether it is time to make room; False when the stick does not say how full it is."""
    return use is not None and use.n_used >= NEAR_FULL * use.n_total > 0


def _candidates(choices: list[frozenset[str]], preference: tuple[str, ...]) -> list[tuple[str, ...]]:
    if not choices:
        return [(name,) * 3 for name in preference]
    return [tuple(_choose(name, allowed) for allowed in choices) for name in preference if name in choices[0]]


def _choose(name: str, allowed: frozenset[str]) -> str:
    if name in allowed or not allowed:
        return name
    return next((other for other in PREFERENCE if other in allowed), min(allowed))


def _readable(names: tuple[str, ...], choices: list[frozenset[str]]) -> tuple[str, ...]:
    offered = choices[0] if choices else frozenset(names)
    # MT is ME and SM taken together: reading it as well would show everything twice.
    wanted = ("ME", "SM", REPORTS) if offered & {"ME", "SM"} else ("MT", REPORTS)
    found = [name for name in wanted if name in offered]
    return tuple(sorted(found, key=lambda name: name != names[0]))


class StorageReader:
    """Reads and deletes stored messages; one user at a time.

    Args:
        before_each: awaited before each command: does what can't wait until many of them are over.
        habits: what is known of the stick, and is learnt here.

    Attributes:
        listed_whole: every line of the last listing was understood, so that it hides no message.
    """

    def __init__(
        self,
        port: AtPort,
        setup: StorageSetup,
        before_each: Callable[[], Awaitable[None]] | None = None,
        habits: Habits | None = None,
    ) -> None:
        self.listed_whole = False
        self._port = port
        self._before_each = before_each
        self._habits = habits or Habits()
        self._chosen = setup.chosen
        self._selected = setup.preferred

    async def find_all(self, memory: str | None, use: StorageUse | None, announced: list[int]) -> Found:
        """Every message in a storage, by a listing or place by place.

        Args:
            use: what the stick says of how full it is.
            announced: places that the stick has told of; they are looked at in any case.

        Raises: as `list_all`; a refusal only when the SIM is busy.
        Cancel: as `AtPort.request`.
        """
        entries, is_listed = await self._list_if_possible(memory)
        n_missing = None if use is None else max(0, use.n_used - len(entries))
        unseen = set(announced) - {entry.index for entry in entries}
        if n_missing == 0 and not unseen:
            self._habits.hidden.pop(memory, None)
            return Found(entries=entries)
        if n_missing or not is_listed:
            self._habits.partial.add(memory)
            self.listed_whole = False
        known = self._habits.hidden.get(memory, 0)
        is_worth_it = not is_listed if n_missing is None else n_missing > known
        if self._habits.may_use(READ):
            if is_worth_it:
                n_places = MAX_PLACES if use is None else use.n_total + 1
                entries += await self._scan(memory, range(n_places), n_missing, entries)
            unseen -= {entry.index for entry in entries}
            entries += await self._scan(memory, sorted(unseen), None, entries)
        n_hidden = 0 if use is None else max(0, use.n_used - len(entries))
        self._habits.hidden[memory] = n_hidden
        return Found(entries=entries, n_hidden=n_hidden)

    async def _list_if_possible(self, memory: str | None) -> tuple[list[StoredPdu], bool]:
        self.listed_whole = False
        if memory in self._habits.unlisted or not self._habits.may_use(LIST):
            return [], False
        try:
            return await self.list_all(memory), True
        except (AtError, CmeError, CmsError) as error:
            if is_busy(error):
                raise
            logger.info("the listing of %s is refused (%s); it is read place by place", memory, error)
            self._habits.unlisted.add(memory)
            return [], False

    async def _scan(
        self, memory: str | None, places: range | list[int], n_wanted: int | None, known: list[StoredPdu]
    ) -> list[StoredPdu]:
        """Read place by place, until there are enough or too many in a row are empty."""
        seen, found, n_empty = {entry.index for entry in known}, [], 0
        for index in places[:MAX_PLACES]:
            if n_wanted is None and n_empty >= GAP:
                break
            if index in seen:
                n_empty = 0
                continue
            try:
                entry = await self.read(memory, index)
            except (AtError, CmeError, CmsError) as error:
                if is_busy(error):
                    raise
                entry = None
            n_empty = 0 if entry else n_empty + 1
            if entry:
                found.append(replace(entry, index=index))
            if n_wanted is not None and len(found) >= n_wanted:
                break
        return found

    async def list_all(self, memory: str | None) -> list[StoredPdu]:
        """Every message in a storage; raises and Cancel as `AtPort.request`."""
        await self._select(memory)
        lines = await self._request_surviving(LIST, "AT+CMGL=4", LIST_TIMEOUT_S)
        entries = parse_cmgl(lines)
        self.listed_whole = (
            len(lines) == 2 * len(entries)
            and len(lines) < MAX_INFO_LINES
            and memory not in self._habits.partial
        )
        return entries

    async def read(self, memory: str | None, index: int) -> StoredPdu | None:
        """One message; None when its place is empty. Raises and Cancel as `AtPort.request`."""
        await self._select(memory)
        return parse_cmgr(await self._request_surviving(READ, f"AT+CMGR={index}"))

    async def use(self, memory: str | None) -> StorageUse | None:
        """How full a storage is; None when the stick does not say. Raises and Cancel as `AtPort.request`."""
        await self._select(memory)
        try:
            return parse_cpms(await self._request("AT+CPMS?"))
        except (AtError, CmeError, CmsError):
            return None

    async def delete_read(self, memory: str | None, index: int) -> None:
        """Delete what was read; what came meanwhile stays (27.005 3.5.4). Raises and Cancel as `AtPort.request`.

        Args:
            index: of one that was read; a stick that does not know the flag deletes this one.
        """
        await self._select(memory)
        await self._request(f"AT+CMGD={index},1", timeout_s=DELETE_TIMEOUT_S)

    async def delete(self, memory: str | None, index: int) -> None:
        """Free one place. Raises and Cancel as `AtPort.request`."""
        await self._select(memory)
        await self._request(f"AT+CMGD={index}", timeout_s=DELETE_TIMEOUT_S)

    async def _select(self, memory: str | None) -> None:
        if memory is None or memory == self._selected:
            return
        # Unknown until it succeeds: a refusal or a lost answer leaves the stick where it was, perhaps.
        self._selected = None
        try:
            await self._request(f'AT+CPMS="{memory}"')
        except (AtError, CmeError, CmsError) as error:
            if is_busy(error) or len(self._chosen) < 2:
                raise
            # Some sticks want all memories named, or none.
            names = ",".join(f'"{name}"' for name in (memory, *self._chosen[1:]))
            await self._request(f"AT+CPMS={names}")
        self._selected = memory

    async def _request_surviving(
        self, command: str, text: str, timeout_s: float | None = None
    ) -> tuple[str, ...]:
        """A command that silences some sticks: how often in a row is remembered."""
        try:
            lines = await self._request(text, timeout_s=timeout_s)
        except WireTimeout:
            self._habits.silenced[command] += 1
            raise
        except (AtError, CmeError, CmsError):
            self._habits.silenced[command] = 0
            raise
        self._habits.silenced[command] = 0
        return lines

    async def _request(self, text: str, *, timeout_s: float | None = None) -> tuple[str, ...]:
        if self._before_each is not None:
            await self._before_each()
        return await self._port.request(text, timeout_s=timeout_s)
