"""Webhooks and deliveries as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.model.request import Tag
from gateway.model.webhook import MAX_URL_CHARS, MOST_PATTERNS
from gateway.store.webhook_secrets import OVERLAP

Instant = Annotated[datetime, Meta(tz=True)]
_Name = Annotated[str, Meta(min_length=1, max_length=64)]
_Url = Annotated[str, Meta(max_length=MAX_URL_CHARS)]
_Types = Annotated[
    tuple[Annotated[str, Meta(max_length=64)], ...], Meta(min_length=1, max_length=MOST_PATTERNS)
]
_Tags = Annotated[tuple[Tag, ...], Meta(max_length=50)]
_Channels = Annotated[tuple[_Name, ...], Meta(max_length=50)]
_Batch = Annotated[int, Meta(ge=1, le=100)]


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new webhook.

    Args:
        name: to know it by; unique.
        url: where events are posted to.
        types: types of events, or `message.*`, or `*`.
        tags: only messages that have one of them, and no other events; empty for all events.
        channels: only what concerns one of them; empty for all.
        batch: up to so many events in one call; 1 for one event a call.
        secret: what calls are signed with, if you want to choose it: `whsec_` and 24 to 64 octets in base 64.
    """

    name: _Name
    url: _Url
    types: _Types = ("*",)
    tags: _Tags = ()
    channels: _Channels = ()
    batch: _Batch = 1
    enabled: bool = True
    secret: Annotated[str, Meta(max_length=128)] | None = None


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be otherwise; what is left out stays.

    Args:
        enabled: true calls one again that was disabled; it is told of what happens from then on.
    """

    name: _Name | UnsetType = UNSET
    url: _Url | UnsetType = UNSET
    types: _Types | UnsetType = UNSET
    tags: _Tags | UnsetType = UNSET
    channels: _Channels | UnsetType = UNSET
    batch: _Batch | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class RotateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a secret is replaced.

    Args:
        overlap: for how many seconds the old one signs, too; 0 to 7 days.
    """

    overlap: Annotated[int, Meta(ge=0, le=7 * 86_400)] = int(OVERLAP.total_seconds())


class WebhookOut(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook.

    Args:
        reason: why it is not called; null while it is.
        failing_since: when the first call failed since one was heard; null while all is well.
        pending: events that it has still to be told of.
        secret: what calls are signed with; only in the answer to the call that made it.
    """

    id: str
    name: str
    url: str
    types: tuple[str, ...]
    tags: tuple[str, ...]
    channels: tuple[str, ...]
    batch: int
    enabled: bool
    reason: str | None
    disabled_at: Instant | None
    failing_since: Instant | None
    pending: int
    created_at: Instant
    updated_at: Instant
    secret: str | UnsetType = UNSET


class WebhookPage(msgspec.Struct, frozen=True, kw_only=True):
    """Webhooks, in the order in which they were made; ``next`` is the cursor of the following page."""

    items: list[WebhookOut]
    next: str | None


class TrialOut(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a call.

    Args:
        heard: the receiver answered with a status of 2xx.
        status: of its answer; null where there was none.
        fault: why it was not heard; null when it was.
        seconds: how long it took.
    """

    heard: bool
    status: int | None
    fault: str | None
    seconds: float


class DeliveryOut(msgspec.Struct, frozen=True, kw_only=True):
    """An event for one receiver.

    Args:
        id: of the event for this receiver: `webhook-id`, or `id` in a batch.
        type: the event's.
        about: the id of the message, the name of the channel ...
        attempts: how often it was tried.
        next_at: when it is tried again; null where it waits for an earlier event of the same message, or is over.
        dead_at: when it was given up.
        fault: what was wrong the last time.
    """

    id: str
    type: str
    about: str
    status: Literal["pending", "dead", "delivered"]
    attempts: int
    created_at: Instant
    next_at: Instant | None = None
    delivered_at: Instant | None = None
    dead_at: Instant | None = None
    fault: str | None = None


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, the newest event first; ``next`` is the cursor of the following page."""

    items: list[DeliveryOut]
    next: str | None
