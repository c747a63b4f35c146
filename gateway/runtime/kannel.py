"""Composition of Kannel's two calls: the door of `sendsms`, and the workers that call applications."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence

from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.kannel.accounts import KannelAccounts
from gateway.kannel.caller import Caller
from gateway.kannel.door import SendDoor
from gateway.kannel.follow import Follower
from gateway.kannel.inbound_routes import InboundRoute
from gateway.outbox.call import Sessions
from gateway.outbox.egress import Egress
from gateway.pipeline.intake.accept import Intake
from gateway.routing.channel import ChannelDirectory
from gateway.settings.config import Settings
from gateway.store.ports import Store

_log = logging.getLogger(__name__)

STORE_RETRY_S = 1.0
Jobs = dict[str, Coroutine[object, object, None]]
"""By name."""


class KannelSide:
    """What of Kannel is configured. Its workers run from when something is, and then to the end: calls may be owed.

    Args:
        senders: name -> groups of the channels that send.
        spawn: runs jobs that are wanted only since the config was read anew.

    Attributes:
        door: where clients come in.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        intake: Intake,
        channels: ChannelDirectory,
        senders: Mapping[str, Sequence[str]],
        spawn: Callable[[Jobs], None],
    ) -> None:
        self._store, self._clock, self._intake = store, clock, intake
        self._spawn = spawn
        self._accounts = KannelAccounts((a.account() for a in settings.kannel_accounts), senders)
        self.door = SendDoor(store, clock, intake, self._accounts, channels)
        self._settings = settings
        self._egress = Egress(settings.webhooks.allow_targets)
        self._sessions: Sessions | None = None
        self._caller: Caller | None = None
        self._follower: Follower | None = None

    def adopt(self, settings: Settings, senders: Mapping[str, Sequence[str]]) -> None:
        """Go by other accounts, routes and targets from now on."""
        self._settings = settings
        self._accounts.adopt((a.account() for a in settings.kannel_accounts), senders)
        self._egress.adopt(settings.webhooks.allow_targets)
        if self._follower is not None and self._caller is not None:
            self._follower.adopt(self._routes)
            self._caller.adopt(self._routes)
        elif self._is_wanted:
            follower, caller = self._make()
            self._spawn({"kannel reports": _open_and_run(follower), "kannel calls": caller.run()})

    async def open(self) -> Jobs:
        """Find the place in the timeline; the jobs to run: none where nothing is configured."""
        if not self._is_wanted:
            return {}
        follower, caller = self._make()
        await follower.open()
        return {"kannel reports": follower.run(), "kannel calls": caller.run()}

    async def close(self) -> None:
        """Close the connections; the jobs have ended."""
        if self._sessions is not None:
            await self._sessions.close()

    @property
    def _is_wanted(self) -> bool:
        return bool(self._settings.kannel_accounts or self._settings.mo_routes)

    @property
    def _routes(self) -> list[InboundRoute]:
        return [route.route() for route in self._settings.mo_routes]

    def _make(self) -> tuple[Follower, Caller]:
        self._sessions = Sessions(self._egress)
        caller = Caller(self._store, self._clock, self._intake, self._sessions, self._routes)
        follower = Follower(self._store, self._clock, self._routes, caller.wake)
        self._caller, self._follower = caller, follower
        return follower, caller


async def _open_and_run(follower: Follower) -> None:
    """Cancel: goes on from its place at the next start."""
    while True:
        try:
            await follower.open()
            break
        except StoreError as exc:
            _log.warning("reports to Kannel's clients wait for the store: %s", exc)
            await asyncio.sleep(STORE_RETRY_S)
    await follower.run()
