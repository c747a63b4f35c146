"""From the timeline to what receivers are owed: each event becomes a row of the outbox for each who wants it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from gateway.clock import Clock, truncate_ms
from gateway.errors import StoreError
from gateway.ids import KeyId
from gateway.model.events import Event
from gateway.model.webhook import EVENT_TYPES, MESSAGE_TYPES, Webhook
from gateway.outbox.call import host_of
from gateway.store.events import load_timeline
from gateway.store.messages import Whole, load_whole
from gateway.store.outbox import Lane, Owed, save_owed
from gateway.store.ports import Store, Tx
from gateway.store.webhook_secrets import owner_of_key, owner_of_webhook
from gateway.store.webhooks import READER, begin_reading, find_callbacks, has_callbacks
from gateway.timeline.follow import STORE_RETRY_S, Taken, TimelineReader
from gateway.views.as_of import show_as_of
from gateway.views.shapes import MessageOut
from gateway.webhooks.bodies import Parcel, event_id, make_body, pack
from gateway.webhooks.directory import Directory
from gateway.webhooks.terms import Terms

DOOR = "webhooks"
"""Whose rows of the outbox its calls are."""


_log = logging.getLogger(__name__)


class _Facts(msgspec.Struct, frozen=True):
    """What of an event's data a webhook may look at."""

    name: str | None = None
    channel: str | None = None
    tags: tuple[str, ...] = ()
    part: int | None = None


_decode_facts = msgspec.json.Decoder(_Facts).decode


class _Callback(NamedTuple):
    url: str
    key_id: KeyId | None


class _Found(NamedTuple):
    """What a batch of events comes to.

    Args:
        wanted: events and the webhooks that are told of them.
        callbacks: by message.
        messages: by the event's ``seq``.
    """

    wanted: list[tuple[Event, list[Webhook]]]
    callbacks: Mapping[str, _Callback]
    messages: Mapping[int, MessageOut]


class Follower:
    """Reads the timeline from where it was left, also by a crash; each event becomes its calls exactly once.

    While nobody is to be called it does not read.

    Args:
        terms: how long each thing may take.
        wake: called when there are new calls.
    """

    def __init__(
        self, store: Store, clock: Clock, directory: Directory, terms: Terms, wake: Callable[[], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._directory = directory
        self._wake = wake
        self._wanted = asyncio.Event()
        self._reader = TimelineReader(store, clock, READER, self._take)
        self._terms = terms

    def want(self) -> None:
        """Somebody is to be called, or will be."""
        self._wanted.set()

    def adopt(self, terms: Terms) -> None:
        """Go by these from the next event on."""
        self._terms = terms

    async def open(self) -> None:
        """See whether there is anybody to be called."""
        if await self._store.write(begin_reading):
            self.want()
        self._directory.has_callbacks |= await self._store.read(has_callbacks)

    async def run(self) -> None:
        """Follow until the store closes. Cancel: goes on from the place that was committed last."""
        await self._wanted.wait()
        while True:
            try:
                await self._reader.open()
                break
            except StoreError as exc:
                _log.warning("events for webhooks wait for the store: %s", exc)
                await asyncio.sleep(STORE_RETRY_S)
        await self._reader.run()

    async def _take(self, events: Sequence[Event]) -> Taken | None:
        events = [event for event in events if event.type in EVENT_TYPES]
        if not events:
            return None
        found = await self._store.read(lambda tx: self._find(tx, events))
        owed = list(self._plan(found, truncate_ms(self._clock.now())))
        if not owed:
            return None

        async def save(tx: Tx) -> None:
            await save_owed(tx, owed)

        return Taken(save, self._wake)

    async def _find(self, tx: Tx, events: Sequence[Event]) -> _Found:
        webhooks = await self._directory.find_enabled(tx)
        called: set[str] = set()
        if self._directory.has_callbacks:
            called = await find_callbacks(
                tx, {event.subject for event in events if event.type in MESSAGE_TYPES}
            )
        wanted = []
        for event in events:
            has_callback = event.type in MESSAGE_TYPES and event.subject in called
            if not webhooks and not has_callback:
                continue
            facts = _decode_facts(event.data)
            if event.type == "message.queued" and (facts.part or 1) > 1:
                continue  # its next segment waits: nothing that a receiver has not been told
            channel = event.subject if event.type.startswith("channel.") else facts.channel
            told = [w for w in webhooks if w.wants(event.type, event.seq, facts.tags, channel)]
            if told or has_callback:
                wanted.append((event, told))
        return await _load(tx, wanted, called)

    def _plan(self, found: _Found, now: datetime) -> Iterable[Owed]:
        for event, webhooks in found.wanted:
            if event.type in MESSAGE_TYPES and event.seq not in found.messages:
                continue  # it was deleted meanwhile
            body = make_body(event, found.messages)
            for webhook in webhooks:
                parcel = Parcel(event.at, event.type, event.subject, body)
                yield self._owe(event, owner_of_webhook(webhook.id), webhook.url, parcel, now)
            callback = found.callbacks.get(event.subject) if event.type in MESSAGE_TYPES else None
            if callback is not None:
                parcel = Parcel(event.at, event.type, event.subject, body, callback.url)
                yield self._owe(event, owner_of_key(callback.key_id), callback.url, parcel, now)

    def _owe(self, event: Event, owner: str, url: str, parcel: Parcel, now: datetime) -> Owed:
        return Owed(
            id=event_id(event, owner),
            lane=Lane(DOOR, owner, host_of(url)),
            subject=f"{owner} {event.subject}",
            payload=pack(parcel),
            created_at=now,
            give_up_at=now + self._terms.retry_for,
        )


async def _load(tx: Tx, wanted: list[tuple[Event, list[Webhook]]], called: set[str]) -> _Found:
    """The messages that events tell of, as they were then."""
    ids = sorted({event.subject for event, _ in wanted if event.type in MESSAGE_TYPES})
    wholes: dict[str, Whole] = {whole.message.id: whole for whole in await load_whole(tx, ids)}
    timelines = {message_id: await load_timeline(tx, message_id) for message_id in wholes}
    messages = {
        event.seq: show_as_of(wholes[event.subject], timelines[event.subject], event)
        for event, _ in wanted
        if event.type in MESSAGE_TYPES and event.subject in wholes
    }
    callbacks = {
        message_id: _Callback(whole.message.callback_url, whole.message.key_id)
        for message_id, whole in wholes.items()
        if message_id in called and whole.message.callback_url is not None
    }
    return _Found(wanted, callbacks, messages)
