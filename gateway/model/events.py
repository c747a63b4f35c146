"""Events: the durable timeline that the delivery log, SSE and webhooks read."""

from __future__ import annotations

from datetime import datetime

import msgspec

from gateway.model.actor import Actor
from gateway.model.message import ApiKey, Message, MessageStatus

_encode = msgspec.json.Encoder().encode
_TYPES = {status: f"message.{status.value}" for status in MessageStatus}


class MessageEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The data of a ``message.*`` event: what changed, never the text.

    Args:
        id: the message.
        to: recipient, E.164.
        part: the segment that caused it, in messages of several.
        ref: the network's reference of that segment.
        attempt: which attempt of that segment, from 1.
        error: code and sentence joined by ``: ``; None when all is well.
        word: the network's own for what became of it, where it is not the specification's.
        by: who did it (`gateway.model.actor.Actor`), where somebody did: ``key:billing``.
        rule: the routing rule that took it.
    """

    id: str
    to: str
    status: str
    category: str | None = None
    channel: str | None = None
    segments: int = 1
    part: int | None = None
    ref: str | None = None
    attempt: int | None = None
    reference: str | None = None
    batch_id: str | None = None
    tags: tuple[str, ...] = ()
    error: str | None = None
    word: str = ""
    by: str | None = None
    rule: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the timeline.

    Args:
        seq: order of commit over the whole store; 0 until the store gives it.
        type: ``message.sent``, ``inbound.received``, ``subscription.opted_out``, ``channel.up`` ...
        subject: the message's, inbound message's, number's or channel's id.
        data: JSON object, already encoded.
    """

    seq: int = 0
    type: str
    at: datetime
    subject: str
    data: bytes


def make_event(kind: str, at: datetime, subject: str, data: object) -> Event:
    """An event whose data is encoded here, once."""
    return Event(type=kind, at=at, subject=subject, data=_encode(data))


def message_event(
    message: Message,
    at: datetime,
    *,
    part: int | None = None,
    ref: str | None = None,
    attempt: int | None = None,
    word: str = "",
    by: Actor | None = None,
    rule: str | None = None,
) -> Event:
    """The event that ``message`` has come to the status it shows.

    Args:
        part: segment that caused it; dropped for messages of one segment.
        ref: the network's reference of that segment.
        attempt: which attempt of that segment, from 1.
        word: the network's own for what became of it.
        by: who brought it there; None where nobody did.
        rule: the routing rule that took it.
    """
    status, error = message.status, message.error
    data = MessageEvent(
        id=message.id,
        to=message.recipient,
        status=status,
        category=message.category,
        channel=message.channel,
        segments=message.n_segments,
        part=part if message.n_segments > 1 else None,
        ref=ref,
        attempt=attempt,
        reference=message.reference,
        batch_id=message.batch_id,
        tags=message.tags,
        error=f"{error.code}: {error.detail}" if error else None,
        word=word,
        by=None if by is None else str(by),
        rule=rule,
    )
    return Event(type=_TYPES[status], at=at, subject=message.id, data=_encode(data))


def key_event(kind: str, key: ApiKey, at: datetime, by: Actor) -> Event:
    """The event that an API key was made or revoked: its name and scopes, never its secret.

    Args:
        kind: ``key.made`` or ``key.revoked``.
    """
    return make_event(kind, at, key.id, {"name": key.name, "scopes": sorted(key.scopes), "by": str(by)})


class _Reached(msgspec.Struct, frozen=True):
    """What `reached_status` reads of a `MessageEvent`."""

    status: str
    category: str
    part: int | None = None


_decode_reached = msgspec.json.Decoder(_Reached).decode


def reached_status(event: Event) -> tuple[str, str] | None:
    """Status and category of a message that has come to a status by this event.

    None for other things than messages, and for further parts of a message that is on its way already.
    """
    if not event.type.startswith("message."):
        return None
    reached = _decode_reached(event.data)
    if reached.status == "sending" and reached.part is not None and reached.part > 1:
        return None
    return reached.status, reached.category
