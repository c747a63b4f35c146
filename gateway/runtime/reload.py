"""Reading the config anew while the gateway runs: what changed is handed to whoever holds it.

A setting that nobody takes over needs a restart, and is named. A faulty file changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from gateway.clock import Clock
from gateway.errors import Conflict, FaultyConfig, FieldError, StoreError
from gateway.model.actor import Actor
from gateway.model.audit import Details
from gateway.model.events import make_event
from gateway.runtime.tls import check_tls
from gateway.settings.changes import covers, find_changed, take_keys
from gateway.settings.config import Settings, SettingsErrors, load_settings
from gateway.settings.doubts import find_doubts
from gateway.store.audit import record_audit
from gateway.store.ports import Store, Tx
from gateway.views.reloaded import ChannelChange, Reloaded

_log = logging.getLogger(__name__)

RELOADED = "config.reloaded"
CHANNELS = ("modems", "smpp")
"""The tables that describe channels."""


class Adopter(NamedTuple):
    """Somebody who takes over settings while he works.

    Args:
        keys: tables, or single keys such as ``log.level``, that he holds a value of.
        adopt: hands him the new one; called when any of them changed. It only replaces a value: it neither waits nor
            fails. What can be wrong with a setting is found when the file is read.
    """

    keys: tuple[str, ...]
    adopt: Callable[[Settings], None]


class ChannelPlan(Protocol):
    """What is to become of the channels, ready to begin."""

    @property
    def changes(self) -> Sequence[ChannelChange]:
        """Those that start, change or go."""
        ...

    def begin(self) -> None:
        """Begin; it goes on by itself."""
        ...


class Running:
    """The settings that hold.

    Args:
        settings: at the start.
        adopters: called in this order.
        plan: what the channels of a config come to, from those of another; raises SettingsErrors.
        renew: called after each reload, whatever changed: for files that the config only names, such as certificates.

    Attributes:
        settings: as they are now: what needs a restart is in them as it was at the start.
    """

    def __init__(
        self,
        settings: Settings,
        adopters: Sequence[Adopter],
        plan: Callable[[Settings, Settings], ChannelPlan] | None = None,
        renew: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self._adopters = adopters
        self._plan = plan
        self._renew = renew
        self._names = {*(CHANNELS if plan else ()), *(name for adopter in adopters for name in adopter.keys)}

    def adopt(self, wanted: Settings) -> Reloaded:
        """Go by another config from now on.

        Raises:
            SettingsErrors: a channel can't be made; nothing has changed.
        """
        changed = find_changed(self.settings, wanted)
        adopted = [key for key in changed if any(covers(name, key) for name in self._names)]
        before, settings = self.settings, take_keys(self.settings, wanted, adopted)
        plan = self._plan(before, settings) if self._plan else None
        self.settings = settings
        if plan is not None:
            plan.begin()
        for adopter in self._adopters:
            if any(covers(name, key) for name in adopter.keys for key in adopted):
                adopter.adopt(settings)
        self._renew()
        return Reloaded(
            adopted=tuple(key for key in adopted if key not in CHANNELS),
            channels=tuple(plan.changes) if plan else (),
            needs_restart=tuple(key for key in changed if key not in adopted),
        )


class ConfigFile:
    """The file that the daemon was started with.

    Args:
        complete: adds what is not in the file, such as simulated channels.
    """

    def __init__(
        self, path: Path, complete: Callable[[Settings], Settings] = lambda settings: settings
    ) -> None:
        self.path = path
        self._complete = complete

    def read(self) -> tuple[Settings, list[str]]:
        """All of it, and the warnings that `hongyan check` would give. Takes some milliseconds.

        Raises:
            SettingsErrors: with every fault.
        """
        settings = load_settings(self.path)
        check_tls(settings, self.path)
        doubts = find_doubts(settings, self.path)
        lines = [
            f"{self.path}:{doubt.key_path + ':' if doubt.key_path else ''} {doubt.reason}" for doubt in doubts
        ]
        return self._complete(settings), lines


class Reload:
    """Reads the file anew when somebody asks, one after the other.

    Args:
        file: None where the daemon was started without one.
    """

    def __init__(self, file: ConfigFile | None, running: Running, store: Store, clock: Clock) -> None:
        self._file = file
        self._running = running
        self._store = store
        self._clock = clock
        self._one = asyncio.Lock()

    @property
    def has_file(self) -> bool:
        """Whether there is something to read."""
        return self._file is not None

    async def reload(self, by: Actor) -> Reloaded:
        """Read the file anew and go by it.

        Raises:
            Conflict: there is no file.
            FaultyConfig: with every fault; nothing has changed.

        Cancel: either all of it holds, or nothing.
        """
        if self._file is None:
            raise Conflict("the gateway runs without a config file; start it with --config FILE")
        async with self._one:
            try:
                settings, warnings = await asyncio.to_thread(self._file.read)
                done = self._running.adopt(settings)
            except SettingsErrors as errors:
                # Faults of a channel that can't be made come without the file's name.
                raise _refuse(SettingsErrors(str(self._file.path), errors.errors)) from None
        done = msgspec.structs.replace(done, warnings=tuple(warnings))
        for line in done.describe():
            _log.info("config: %s", line)
        for line in done.warnings:
            _log.warning("config: %s", line)
        await self._tell(done, by)
        return done

    async def _tell(self, done: Reloaded, by: Actor) -> None:
        holds = bool(done.adopted or done.channels)
        if not (holds or done.needs_restart):
            return
        now = self._clock.now()
        data = {"adopted": done.adopted, "channels": done.channels, "by": str(by)}
        event = make_event(RELOADED, now, "config", data)
        details: Details = {
            "adopted": done.adopted,
            "channels": [f"{one.name} {one.change}" for one in done.channels],
            "needs_restart": done.needs_restart,
        }

        async def op(tx: Tx) -> None:
            if holds:
                tx.record(event)
            await record_audit(tx, by, RELOADED, str(file), details, at=now)

        file = "" if self._file is None else self._file.path.absolute()
        try:
            await self._store.write(op)
        except StoreError as exc:  # it holds all the same
            _log.warning("that the config was read anew is not in the timeline: %s", exc)


def _refuse(errors: SettingsErrors) -> FaultyConfig:
    lines = str(errors).splitlines()
    for line in lines:
        _log.error("config: %s", line)
    _log.error("the config has faults and was not read anew: everything is as it was")
    faults = [FieldError(e.key_path, "settings", line) for e, line in zip(errors.errors, lines, strict=True)]
    return FaultyConfig(*faults)
