"""From the timeline to calls: reports that were wished for, and inbound messages that a route takes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from gateway.clock import Clock, truncate_ms
from gateway.ids import make_id
from gateway.kannel.inbound_routes import InboundRoute, choose_route, plan_inbound
from gateway.kannel.reports import DLR_OF, Wish, complete_receipt, plan_report
from gateway.model.events import Event
from gateway.model.message import InboundMessage
from gateway.model.msisdn import spell_own
from gateway.outbox.call import host_of
from gateway.outbox.egress import has_fixed_host
from gateway.outbox.outcall import OutCall
from gateway.store.inbound import find_inbound
from gateway.store.kannel import find_wishes
from gateway.store.messages import find_message
from gateway.store.outbox import Lane, Owed, save_owed
from gateway.store.ports import Store, Tx
from gateway.timeline.follow import Taken, TimelineReader

READER = "kannel"
DOOR = "kannel"
"""Whose rows of the outbox its calls are."""
GIVE_UP = timedelta(hours=24)
_INBOUND = "inbound.received"
MAX_CALL_CHARS = 16_000
"""Of a report's URL: one of 2,000 characters may come to a thousand times as much by its escape codes."""

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_decode_wish = msgspec.json.Decoder(Wish).decode


class Follower:
    """Reads the timeline from where it was left, also by a crash; each event becomes its calls exactly once.

    Args:
        routes: of inbound messages, in order.
        wake: called when there are new calls.
    """

    def __init__(
        self, store: Store, clock: Clock, routes: Sequence[InboundRoute], wake: Callable[[], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._routes = routes
        self._wake = wake
        self._reader = TimelineReader(store, clock, READER, self._take)

    def adopt(self, routes: Sequence[InboundRoute]) -> None:
        """Take inbound messages by other routes, from the next one on."""
        self._routes = routes

    async def open(self) -> None:
        """Find the place; the first time it is the present."""
        await self._reader.open()

    async def run(self) -> None:
        """Follow until the store closes. Cancel: goes on from the place that was committed last."""
        await self._reader.run()

    async def _take(self, events: Sequence[Event]) -> Taken | None:
        now = truncate_ms(self._clock.now())
        calls = await self._plan(events, now)
        if not calls:
            return None

        async def save(tx: Tx) -> None:
            await save_owed(tx, calls)

        return Taken(save, self._wake)

    async def _plan(self, events: Sequence[Event], now: datetime) -> list[Owed]:
        reports = [event for event in events if event.type in DLR_OF]
        inbound = [event for event in events if event.type == _INBOUND] if self._routes else []
        if not reports and not inbound:
            return []

        async def load(tx: Tx) -> tuple[list[Event], Mapping[str, bytes], list[InboundMessage]]:
            wishes = await find_wishes(tx, {event.subject for event in reports})
            wished = [await _complete(tx, event) for event in reports if event.subject in wishes]
            found = [await find_inbound(tx, event.subject) for event in inbound]
            return [w for w in wished if w], wishes, [message for message in found if message is not None]

        wished, wishes, messages = await self._store.read(load)
        calls = [call for event in wished if (call := _report_call(event, wishes, now))]
        return calls + [call for message in messages if (call := self._inbound_call(message, now))]

    def _inbound_call(self, message: InboundMessage, now: datetime) -> Owed | None:
        route = choose_route(self._routes, message, spell_own(message.recipient or ""))
        if route is None:
            return None
        call = plan_inbound(message, route)
        return _store(message.id, call, now, owner=owner_of_route(route.name))


async def _complete(tx: Tx, event: Event) -> Event | None:
    """The event with all that a report says; None when its message is gone."""
    if not event.type.startswith("receipt."):
        return event
    message = await find_message(tx, event.subject)
    return complete_receipt(event, message) if message is not None else None


def _report_call(event: Event, wishes: Mapping[str, bytes], now: datetime) -> Owed | None:
    wish = _decode_wish(wishes[event.subject])
    url = plan_report(event, wish)
    if url is None:
        return None
    if len(url) > MAX_CALL_CHARS:
        _log.warning("a report for %s is not made: its URL has %d characters", wish.service, len(url))
        return None
    call = OutCall(method="GET", url=url, ours=wish.ours and has_fixed_host(wish.url))
    return _store(event.subject, call, now, owner=f"account {wish.service}")


def owner_of_route(name: str) -> str:
    """Whom calls for inbound messages are made for."""
    return f"route {name}"


def _store(subject: str, call: OutCall, now: datetime, *, owner: str) -> Owed:
    return Owed(
        id=make_id(),
        lane=Lane(DOOR, owner, host_of(call.url)),
        subject=subject,
        payload=_encode(call),
        created_at=now,
        give_up_at=now + GIVE_UP,
    )
