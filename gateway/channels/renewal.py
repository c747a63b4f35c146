"""From the channels that run to those that a new config wants, without touching one that is the same in both.

A changed channel finishes what is on its wire, closes it, and starts anew under its name. A removed one is gone then.
What waits in the queue for either goes on waiting, for the new one or for an operator, and says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from drivers.errors import DriverError
from gateway.channels.attendants import Attendants
from gateway.channels.lanes import LaneMaker
from gateway.errors import GatewayError, SettingsError
from gateway.pipeline.sending.directory import Lanes
from gateway.pipeline.sending.lane import Lane
from gateway.settings.config import ChannelSettings, Settings, SettingsErrors
from gateway.views.reloaded import ChannelChange

_log = logging.getLogger(__name__)

DRAIN_S: Final = 90.0
"""For what is on a wire; longer than an SMSC may take to answer by default. What has no answer then is uncertain."""
LOOK_S: Final = 0.02
"""How often it is looked whether a wire is free."""

REPLACED: Final = "The config has changed it: it finishes what is on its wire, then starts anew"
REMOVED: Final = "The config does not have it any more: it finishes what is on its wire, then it is gone"


class Runs(Protocol):
    """Who runs drivers; see `gateway.channels.supervise.Channels`."""

    def begin(self, lane: Lane) -> None:
        """Start a lane's driver."""
        ...

    async def close(self, lane: Lane) -> None:
        """Close a lane's wire for good."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to become of the channels.

    Args:
        wanted: all lanes that are to be, by name, in the order of the config.
        changes: of those that are not as they were.
    """

    wanted: Mapping[str, Lane]
    changes: Sequence[ChannelChange]
    carry_out: Callable[[Plan], None]

    def begin(self) -> None:
        """Begin; it goes on by itself."""
        self.carry_out(self)


class Renewal:
    """Brings the channels from one config to the next.

    Args:
        lanes: the directory of all.
        runs: starts and closes them.
        attendants: of each.
        maker: makes new ones.
        claimed: names of the channels to which messages may come yet though they take nothing more.

    Attributes:
        wanted: the lanes that the config wants, by name; those that are to come are not in the directory yet.
    """

    def __init__(
        self,
        lanes: Lanes,
        runs: Runs,
        attendants: Attendants,
        maker: LaneMaker,
        claimed: Callable[[], Collection[str]],
    ) -> None:
        self._lanes = lanes
        self._runs = runs
        self._attendants = attendants
        self._maker = maker
        self._claimed = claimed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.wanted: Mapping[str, Lane] = {lane.name: lane for lane in lanes}

    def plan(self, old: Settings, new: Settings) -> Plan:
        """What is to be done; nothing changes yet.

        Raises:
            SettingsErrors: a channel can't be made of its settings.
        """
        before = {channel.name: channel for channel in old.channels}
        wanted, changes, faults = {}, [], []
        for path, channel in _with_paths(new):
            name = channel.name
            if before.get(name) == channel:
                wanted[name] = self.wanted[name]
                continue
            try:
                wanted[name] = self._maker.make(channel)
            except (GatewayError, DriverError, OSError, ValueError) as error:
                faults.append(SettingsError(path, str(error)))
            changes.append(ChannelChange(name=name, change="changed" if name in before else "added"))
        if faults:
            raise SettingsErrors("", faults)
        gone = [name for name in before if name not in wanted]
        changes += [ChannelChange(name=name, change="removed") for name in gone]
        return Plan(wanted, changes, self._carry_out)

    async def stop(self) -> None:
        """Leave everything as it is now; the daemon ends."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _carry_out(self, plan: Plan) -> None:
        self.wanted = plan.wanted
        for change in plan.changes:
            name = change.name
            if name in self._tasks:
                continue  # the one before is closing still; what is wanted by then comes after it
            lane = self._lanes.find(name)
            if lane is None:
                self._install(name)
            else:
                lane.leaving = REPLACED if name in self.wanted else REMOVED
                self._tasks[name] = asyncio.create_task(self._replace(lane), name=f"renewal of {name}")

    def _install(self, name: str) -> None:
        """Have what is wanted under a name, and start it."""
        lane = self.wanted.get(name)
        self._lanes.put(name, lane, list(self.wanted))
        if lane is not None:
            self._runs.begin(lane)
            self._attendants.begin(lane)

    async def _replace(self, lane: Lane) -> None:
        await self._attendants.end(lane)
        if not await self._drained(lane):
            _log.warning(
                "channel %s is closed with %d messages on its wire; they will be uncertain",
                lane.name,
                lane.in_flight,
            )
        await self._runs.close(lane)
        await self._drained(lane)
        if (successor := self.wanted.get(lane.name)) is not None:
            successor.sent, successor.failed = lane.sent, lane.failed
            successor.uncertain, successor.received = lane.uncertain, lane.received
        del self._tasks[lane.name]
        self._install(lane.name)

    async def _drained(self, lane: Lane) -> bool:
        """Wait until nothing is on its way to a lane or on its wire; whether it came to that in time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + DRAIN_S
        while lane.in_flight or lane.name in self._claimed():
            if loop.time() > until:
                return False
            await asyncio.sleep(LOOK_S)
        return True


def _with_paths(settings: Settings) -> Iterator[tuple[str, ChannelSettings]]:
    """The channels with their places in the file."""
    yield from ((f"modems[{i}]", modem) for i, modem in enumerate(settings.modems))
    yield from ((f"smpp[{i}]", bind) for i, bind in enumerate(settings.smpp))
