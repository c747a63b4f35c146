"""Composition of webhooks: who reads the timeline for receivers, and who calls them."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial

from gateway.clock import Clock
from gateway.outbox.call import Sessions
from gateway.outbox.egress import Egress
from gateway.outbox.target import find_url_fault
from gateway.settings.webhooks import WebhookSettings
from gateway.store.ports import Store
from gateway.telemetry.metrics import Metrics
from gateway.webhooks.caller import AT_ONCE, Caller
from gateway.webhooks.desk import WebhookDesk
from gateway.webhooks.directory import Directory
from gateway.webhooks.follow import Follower


class WebhookSide:
    """All of webhooks.

    Attributes:
        desk: where operators change them.
    """

    def __init__(self, settings: WebhookSettings, store: Store, clock: Clock, metrics: Metrics) -> None:
        terms = settings.terms()
        self._egress = Egress(settings.allow_targets)
        self._directory = Directory(store, clock)
        self._sessions = Sessions(self._egress, AT_ONCE)
        self._caller = Caller(store, clock, self._directory, self._sessions, metrics, terms)
        self._follower = Follower(store, clock, self._directory, terms, self._caller.wake)
        self.desk = WebhookDesk(
            store,
            clock,
            self._directory,
            self._follower,
            self._caller,
            partial(find_url_fault, egress=self._egress),
        )

    def check_callback(self, url: str) -> str:
        """What is wrong with a message's callback URL, or empty: then it will be called, and we get ready for that."""
        fault = find_url_fault(url, self._egress)
        if not fault:
            self._directory.has_callbacks = True
            self._follower.want()
        return fault

    def adopt(self, settings: WebhookSettings) -> None:
        """Go by new settings from the next call on."""
        self._egress.adopt(settings.allow_targets)
        self._follower.adopt(settings.terms())
        self._caller.adopt(settings.terms())

    def wake(self) -> None:
        """Time has passed: look at what is due."""
        self._caller.wake()

    async def open(self) -> dict[str, Coroutine[object, object, None]]:
        """Find the place in the timeline; the jobs to run, by name."""
        await self._directory.load()
        await self._follower.open()
        return {"webhook events": self._follower.run(), "webhook calls": self._caller.run()}

    async def close(self) -> None:
        """Close the connections; the jobs have ended."""
        await self._sessions.close()
