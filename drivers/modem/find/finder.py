"""Where a stick is now: from its USB socket, its IMEI, its SIM or its port to the port that takes AT commands.

A stick that comes back under another name is followed. Which channel has which stick stands in a `StickBook` that
all drivers of a process share, so that no two of them use one.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.errors import DriverError, WireLost
from drivers.modem.find.probe import Place, Who, ask_port
from drivers.modem.find.usb import Stick, Tty, scan
from drivers.modem.profile import Profile, choose_profile, load_profiles, named_profile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.at.transport import OpenWire
    from drivers.modem.config import ModemConfig

logger = logging.getLogger(__name__)

HOME_S = 120.0
"""So long a socket is kept for the channel whose stick was in it, when sticks come back under each other's names."""


class StickTaken(DriverError):
    """Another channel has this stick or this SIM: a configuration is wrong, or they were moved about."""


@dataclass(eq=False, slots=True)
class StickBook:
    """Who has which stick, which sockets they left and when, and who sticks are; one for an event loop's drivers."""

    owners: dict[str, str] = field(default_factory=dict)
    homes: dict[str, tuple[str, float]] = field(default_factory=dict)
    known: dict[tuple[str, int], Who] = field(default_factory=dict)
    at_ports: dict[tuple[str, int], str] = field(default_factory=dict)
    one_search: asyncio.Lock = field(default_factory=asyncio.Lock)

    def claim(self, channel: str, *keys: str) -> None:
        """Take sticks or SIMs for a channel.

        Raises:
            StickTaken: another channel has one of them; nothing is taken.
        """
        for key in keys:
            owner = self.owners.get(key, channel)
            if owner != channel:
                what = {"iccid": "this SIM", "usb": f"the stick in {key[4:]}"}.get(
                    key.partition(":")[0], "this port"
                )
                raise StickTaken(f"channel {owner} has {what} already")
        self.owners.update(dict.fromkeys(keys, channel))

    def release(self, channel: str, kind: str = "") -> None:
        """Give back all that a channel has, or only what is of one kind, such as ``iccid:``."""
        self.owners = {
            key: owner for key, owner in self.owners.items() if owner != channel or not key.startswith(kind)
        }


class Finder:
    """Finds one channel's stick.

    Args:
        config: which stick.
        book: shared with the other channels.
        open_wire: for ports that must be asked who is behind them.

    Raises:
        BadProfile: the profile that the configuration names can't be used.
    """

    def __init__(self, config: ModemConfig, book: StickBook, open_wire: OpenWire) -> None:
        self._config = config
        self._book = book
        self._open_wire = open_wire
        self._last: Place | None = None
        self.profiles = load_profiles(config.user_profiles)
        self._named = named_profile(config.profile, self.profiles) if config.profile else None

    @property
    def sysfs(self) -> Path:
        """Where the kernel shows devices."""
        return self._config.sysfs

    async def find(self) -> Place:
        """Where the stick is now; it is claimed for this channel.

        Raises:
            StickTaken: another channel has it.
            WireLost: it is not there.

        Cancel: nothing is claimed.
        """
        sticks = await asyncio.get_running_loop().run_in_executor(None, self._scan)
        place = await self._locate(sticks)
        if place is None:
            raise WireLost(f"no stick with {self._describe()} is there", by_peer=False)
        if self._last is not None and place.port != self._last.port:
            logger.warning("%s: the stick is at %s now", self._config.name, place.port)
        self._last = place
        self._book.claim(self._config.name, *_keys_of(place))
        return place

    def note_identity(self, who: Who) -> None:
        """Remember who answered.

        Raises:
            StickTaken: another channel has this SIM.
            WireLost: the configuration names another SIM, which has left this stick.
        """
        place = self._last
        if place is not None and place.usb is not None:
            for stick in self._scan():
                if stick.usb == place.usb:
                    self._book.known[stick.usb, stick.n_device] = who
                    self._book.at_ports[stick.usb, stick.n_device] = place.port
        self.release_sim()
        if who.iccid is None:
            return
        if self._config.iccid is not None and not self._is_wanted(who):
            raise WireLost("another SIM is in the stick now", by_peer=False)
        self._book.claim(self._config.name, f"iccid:{who.iccid}")

    def release_sim(self) -> None:
        """The SIM is not in service; it may be in another stick by now."""
        self._book.release(self._config.name, "iccid:")

    def release(self) -> None:
        """The port is closed."""
        name, place = self._config.name, self._last
        if place is not None and place.usb is not None and self._book.owners.get(f"usb:{place.usb}") == name:
            self._book.homes[place.usb] = (name, _now())
        self._book.release(name)

    def choose_profile(self, usb_id: str | None, answers: Iterable[str] = ()) -> Profile:
        """The stick's profile, as configured or by what is known of it."""
        return self._named or choose_profile(self.profiles, usb_id=usb_id, answers=answers)

    def is_present(self) -> bool:
        """Whether there is anything to be opened."""
        config = self._config
        if config.port is not None:
            return Path(config.port).exists() or self._followed(self._scan()) is not None
        sticks = self._scan()
        if config.usb is not None:
            return any(stick.usb == config.usb and stick.ttys for stick in sticks)
        if self._last is not None and Path(self._last.port).exists():
            return True
        return any(stick.is_modem and self._may_be_wanted(stick) for stick in sticks)

    def _may_be_wanted(self, stick: Stick) -> bool:
        who = self._book.known.get((stick.usb, stick.n_device))
        return self._owner_of(stick) == self._config.name and (who is None or self._is_wanted(who))

    async def wait_for_change(self, timeout_s: float, poll_s: float) -> bool:
        """Wait until something was plugged in, pulled out or named anew; False when nothing was."""
        before = self._view()
        deadline = _now() + timeout_s
        while (left_s := deadline - _now()) > 0:
            await asyncio.sleep(min(poll_s, left_s))
            if self._view() != before:
                return True
        return False

    async def wait_until_present(self, timeout_s: float, poll_s: float) -> None:
        """Wait until there is something to be opened, or the time is over."""
        deadline = _now() + timeout_s
        while not self.is_present() and await self.wait_for_change(deadline - _now(), poll_s):
            pass

    def _scan(self) -> list[Stick]:
        return scan(self._config.sysfs, self._config.dev)

    def _view(self) -> object:
        port = self._config.port
        node = None
        if port is not None:
            with suppress(OSError):
                stat = Path(port).stat()
                node = (stat.st_ino, stat.st_rdev)
        return node, [(stick.usb, stick.n_device, stick.ttys) for stick in self._scan()]

    async def _locate(self, sticks: list[Stick]) -> Place | None:
        config = self._config
        if config.port is not None:
            return self._followed(sticks) or self._not_anothers(self._at_port(config.port, sticks))
        async with self._book.one_search:
            if config.usb is not None:
                return await self._in_socket(config.usb, sticks)
            return await self._by_identity(sticks)

    def _at_port(self, port: str, sticks: list[Stick]) -> Place | None:
        if not Path(port).exists():
            return None
        real = Path(port).resolve()
        for stick in sticks:
            for tty in stick.ttys:
                if tty.path == port or Path(tty.path).resolve() == real:
                    return self._place(stick, tty, port)
        return Place(port=port, profile=self.choose_profile(None))

    def _followed(self, sticks: list[Stick]) -> Place | None:
        """The stick that was behind the configured port, when that name is gone or another's now."""
        last = self._last
        if last is None or last.usb is None or self._config.port is None:
            return None
        now_there = self._at_port(self._config.port, sticks)
        if now_there is not None and (now_there.usb, now_there.interface) == (last.usb, last.interface):
            return None
        for stick in sticks:
            for tty in stick.ttys:
                if (stick.usb, stick.usb_id, tty.interface) == (last.usb, last.usb_id, last.interface):
                    return self._place(stick, tty, tty.path)
        return None

    def _not_anothers(self, place: Place | None) -> Place | None:
        """None for the stick of a channel whose name it took while that of this channel was away."""
        if self._last is None or place is None or place.usb is None:
            return place
        channel, left_at = self._book.homes.get(place.usb, (self._config.name, 0.0))
        return place if channel == self._config.name or _now() - left_at >= HOME_S else None

    async def _in_socket(self, usb: str, sticks: list[Stick]) -> Place | None:
        stick = next((stick for stick in sticks if stick.usb == usb), None)
        if stick is None or not stick.ttys:
            return None
        self._book.claim(self._config.name, f"usb:{usb}")
        tty = await self._find_at_tty(stick)
        return self._place(stick, tty, tty.path)

    async def _find_at_tty(self, stick: Stick) -> Tty:
        """The port that answers AT; the likeliest when none does."""
        candidates = self._candidates(stick)
        if len(candidates) == 1:
            return candidates[0]
        known = self._book.at_ports.get((stick.usb, stick.n_device))
        for tty in candidates:
            if tty.path == known or (known is None and await self._ask(stick, tty) is not None):
                return tty
        return candidates[0]

    async def _by_identity(self, sticks: list[Stick]) -> Place | None:
        free = []
        for stick in sticks:
            who = self._book.known.get((stick.usb, stick.n_device))
            owner = self._owner_of(stick)
            if who is not None and self._is_wanted(who):
                if owner != self._config.name:
                    raise StickTaken(f"channel {owner} has the stick with {self._describe()} already")
                tty = await self._find_at_tty(stick)
                return self._place(stick, tty, tty.path)
            if stick.is_modem and owner == self._config.name:
                free.append(stick)
        found = await asyncio.gather(*(self._ask_stick(stick) for stick in free))
        return next((place for place in found if place is not None), None)

    def _owner_of(self, stick: Stick) -> str:
        return self._book.owners.get(f"usb:{stick.usb}", self._config.name)

    async def _ask_stick(self, stick: Stick) -> Place | None:
        for tty in self._candidates(stick):
            who = await self._ask(stick, tty)
            if who is not None:
                return self._place(stick, tty, tty.path) if self._is_wanted(who) else None
        return None

    async def _ask(self, stick: Stick, tty: Tty) -> Who | None:
        commands = self.choose_profile(stick.usb_id).iccid_commands
        who = await ask_port(tty.path, self._config.baudrate, self._open_wire, commands)
        if who is not None:
            self._book.known[stick.usb, stick.n_device] = who
            self._book.at_ports[stick.usb, stick.n_device] = tty.path
        return who

    def _candidates(self, stick: Stick) -> list[Tty]:
        best = self.choose_profile(stick.usb_id).at_interfaces
        return sorted(
            stick.ttys,
            key=lambda tty: best.index(tty.interface) if tty.interface in best else len(best) + tty.interface,
        )

    def _is_wanted(self, who: Who) -> bool:
        if self._config.imei is not None:
            return _same_imei(who.imei, self._config.imei)
        return who.iccid is not None and who.iccid == (self._config.iccid or "").upper().rstrip("F")

    def _place(self, stick: Stick, tty: Tty, port: str) -> Place:
        return Place(
            port=port,
            usb=stick.usb,
            usb_id=stick.usb_id,
            interface=tty.interface,
            profile=self.choose_profile(stick.usb_id),
        )

    def _describe(self) -> str:
        config = self._config
        if config.imei is not None:
            return f"IMEI {config.imei}"
        if config.iccid is not None:
            return f"a SIM that ends in {config.iccid[-4:]}"
        return f"port {config.port}" if config.port is not None else f"USB socket {config.usb}"


def _keys_of(place: Place) -> list[str]:
    keys = [f"port:{os.path.realpath(place.port)}"]
    return keys if place.usb is None else [*keys, f"usb:{place.usb}"]


def _same_imei(one: str | None, other: str) -> bool:
    # The fifteenth digit is a checksum; IMEISV has two digits of software version instead.
    return one is not None and one[:14] == other[:14]


def _now() -> float:
    return asyncio.get_running_loop().time()
