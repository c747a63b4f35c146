"""Composition of Kannel's two calls: the door of `sendsms`, and the workers that call applications."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence

from gateway.clock import Clock
from gateway.kannel.accounts import KannelAccounts
from gateway.kannel.caller import Caller
from gateway.kannel.door import SendDoor
from gateway.kannel.follow import Follower
from gateway.outbox.call import Sessions
from gateway.outbox.egress import Egress
from gateway.pipeline.intake.accept import Intake
from gateway.routing.channel import ChannelDirectory
from gateway.settings.config import Settings
from gateway.store.ports import Store


class KannelSide:
    """What of Kannel is configured.

    Args:
        senders: name -> groups of the channels that send.

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
    ) -> None:
        self._store, self._clock, self._intake = store, clock, intake
        accounts = KannelAccounts((a.account() for a in settings.kannel_accounts), senders)
        self.door = SendDoor(store, clock, intake, accounts, channels)
        self._routes = [route.route() for route in settings.mo_routes]
        self._wanted = bool(settings.kannel_accounts or settings.mo_routes)
        self._egress = Egress(settings.webhooks.allow_targets)
        self._sessions: Sessions | None = None

    async def open(self) -> dict[str, Coroutine[object, object, None]]:
        """Find the place in the timeline; the jobs to run, by name: none where nothing is configured."""
        if not self._wanted:
            return {}
        self._sessions = Sessions(self._egress)
        caller = Caller(self._store, self._clock, self._intake, self._sessions, self._routes)
        follower = Follower(self._store, self._clock, self._routes, caller.wake)
        await follower.open()
        return {"kannel reports": follower.run(), "kannel calls": caller.run()}

    async def close(self) -> None:
        """Close the connections; the jobs have ended."""
        if self._sessions is not None:
            await self._sessions.close()
