"""The message storages of a stick: which there are, which one takes new messages, which one is being read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.at.responses import parse_cmgl, parse_cmgr, parse_cpms, parse_storage_choices
from drivers.at.transaction import MAX_INFO_LINES
from drivers.errors import AtError, CmeError, CmsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drivers.at.port import AtPort
    from drivers.at.responses import StorageUse, StoredPdu

PREFERENCE = ("ME", "SM", "MT")
"""The stick's own memory is larger and does not wear the SIM out."""
_REPORTS = "SR"
"""Some sticks keep status reports apart."""

NEAR_FULL = 0.8
"""So much of a storage in use, and what can't be read or was never ours is taken off it as well."""

LIST_TIMEOUT_S = 15.0
"""Silence within a listing. A full storage of 255 messages takes longer on a slow SIM, but line comes after line."""
DELETE_TIMEOUT_S = 25.0
"""Quectel's manuals allow their sticks that long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSetup:
    """What `set_up_storage` found.

    Args:
        preferred: where new messages go; None when the stick keeps its own choice to itself.
        readable: all storages that messages may lie in, ``preferred`` first.
    """

    preferred: str | None
    readable: tuple[str, ...]


async def set_up_storage(port: AtPort, preference: tuple[str, ...] = PREFERENCE) -> StorageSetup:
    """Choose where new messages go (3GPP TS 27.005 3.2.2).

    Args:
        preference: memories, best first.

    Raises and Cancel: as `AtPort.request`; refusals are tolerated.
    """
    try:
        choices = parse_storage_choices(await port.request("AT+CPMS=?"))
    except (AtError, CmeError, CmsError):
        choices = []
    for names in _candidates(choices, preference):
        try:
            await port.request("AT+CPMS=" + ",".join(f'"{name}"' for name in names))
        except (AtError, CmeError, CmsError):
            continue
        return StorageSetup(preferred=names[0], readable=_readable(names, choices))
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
    wanted = ("ME", "SM", _REPORTS) if offered & {"ME", "SM"} else ("MT", _REPORTS)
    found = [name for name in wanted if name in offered]
    return tuple(sorted(found, key=lambda name: name != names[0]))


class StorageReader:
    """Reads and deletes stored messages; one user at a time.

    Args:
        before_each: awaited before each command: does what can't wait until many of them are over.

    Attributes:
        listed_whole: every line of the last listing was understood, so that it hides no message.
    """

    def __init__(
        self, port: AtPort, setup: StorageSetup, before_each: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.listed_whole = False
        self._port = port
        self._before_each = before_each
        self._selected = setup.preferred

    async def list_all(self, memory: str | None) -> list[StoredPdu]:
        """Every message in a storage; raises and Cancel as `AtPort.request`."""
        await self._select(memory)
        lines = await self._request("AT+CMGL=4", timeout_s=LIST_TIMEOUT_S)
        entries = parse_cmgl(lines)
        self.listed_whole = len(lines) == 2 * len(entries) and len(lines) < MAX_INFO_LINES
        return entries

    async def read(self, memory: str | None, index: int) -> StoredPdu | None:
        """One message; None when its place is empty. Raises and Cancel as `AtPort.request`."""
        await self._select(memory)
        return parse_cmgr(await self._request(f"AT+CMGR={index}"))

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
        await self._request(f'AT+CPMS="{memory}"')
        self._selected = memory

    async def _request(self, text: str, *, timeout_s: float | None = None) -> tuple[str, ...]:
        if self._before_each is not None:
            await self._before_each()
        return await self._port.request(text, timeout_s=timeout_s)
