"""What the API answers with: one struct per thing, and how it is made from the product's own values.

These structs are the contract (INTERFACE section 3) and the source of the OpenAPI document; the product's
values may change without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.model.alarm import Alarm
from gateway.model.events import Event
from gateway.model.message import (
    Category,
    InboundMessage,
    Keyword,
    Message,
    MessageError,
    MessageStatus,
    Segment,
    SegmentStatus,
)
from gateway.model.request import UssdCode
from gateway.policy.decision import Finding
from gateway.routing.channel import ChannelSnapshot
from gateway.routing.costs import Spent
from gateway.routing.prices import format_amount
from gateway.routing.waiting import Reason

_decode_findings = msgspec.json.Decoder(list[Finding]).decode
Instant = Annotated[datetime, Meta(tz=True)]


class SegmentOut(msgspec.Struct, frozen=True, kw_only=True):
    """One part on the wire.

    Args:
        ref: the network's own reference; null until the network has taken the part.
        attempts: how often the part was submitted, whether that was answered or not.
    """

    part: int
    status: SegmentStatus
    channel: str | None
    ref: str | None
    attempts: int
    sent_at: Instant | None
    delivered_at: Instant | None
    error: MessageError | None


class EventOut(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the timeline, as webhooks and server-sent events carry it too.

    Args:
        type: ``message.sent``, ``inbound.received``, ``channel.down`` ...
        data: what the step changed.
    """

    type: str
    timestamp: Instant
    data: msgspec.Raw


class CostOut(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent in one currency. Amounts are decimal numbers, exact, as text.

    Args:
        segments: that the network took.
        amount: what they cost.
        uncertain_segments: that may or may not have gone out.
        uncertain_amount: what these cost if they did.
    """

    currency: str
    segments: int
    amount: str
    uncertain_segments: int
    uncertain_amount: str


class MessageCostOut(CostOut, frozen=True, kw_only=True):
    """What a message has cost so far.

    Args:
        further: the same in other currencies, of a message that was sent again by another channel.
    """

    further: list[CostOut] | msgspec.UnsetType = msgspec.UNSET


class MessageOut(msgspec.Struct, frozen=True, kw_only=True):
    """A message.

    Args:
        to: E.164, or the digits of a short code.
        encoding: what was decided: ``gsm7``, ``ucs2`` or ``binary``.
        data: hex; null unless it is a binary message.
        udh: hex, with its length octet.
        valid_for: seconds.
        channel: the channel that sent it or has it now, or the one that was asked for; null while any may take it.
        error: why it failed, or why the last attempt did; null otherwise.
        sent_at: when the network had taken all parts.
        delivered_at: when the handset had all parts.
        expires_at: when it is given up if it has not been sent by then.
        events: the timeline; left out in lists.
        waiting_for: why it is not sent yet; empty when it does not wait.
        brand: in whose name it goes.
        template: whose text it is; null if the sender did not say.
        policy: what rules said of it when it came in, those left out that had nothing to say.
        cost: what it has cost so far; left out while that is nothing, or nothing is known of prices.
    """

    id: str
    status: MessageStatus
    to: str
    text: str | None
    data: str | None
    udh: str | None
    category: Category
    sender: str | None
    channel: str | None
    priority: int
    encoding: str
    flash: bool
    schedule_at: Instant | None
    valid_for: int | None
    report: bool
    callback_url: str | None
    reference: str | None
    sequence: str | None
    tags: tuple[str, ...]
    segments: list[SegmentOut]
    error: MessageError | None
    created_at: Instant
    updated_at: Instant
    sent_at: Instant | None
    delivered_at: Instant | None
    expires_at: Instant | None
    batch_id: str | None
    brand: str
    template: str | None
    policy: list[Finding]
    events: list[EventOut] | msgspec.UnsetType = msgspec.UNSET
    waiting_for: list[Reason] | msgspec.UnsetType = msgspec.UNSET
    cost: MessageCostOut | msgspec.UnsetType = msgspec.UNSET


class BatchItemOut(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted message of a batch.

    Args:
        index: its place in the request, from 0.
        segments: how many parts it has.
    """

    index: int
    id: str
    to: str
    status: MessageStatus
    segments: int


class RejectedOut(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a batch that was not accepted.

    Args:
        index: its place in the request, from 0.
    """

    index: int
    code: str
    detail: str


class BatchOut(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch.

    Args:
        accepted: how many messages were accepted.
    """

    batch_id: str
    accepted: int
    rejected: list[RejectedOut]
    messages: list[BatchItemOut]


class InboundOut(msgspec.Struct, frozen=True, kw_only=True):
    """A mobile-originated message, its parts joined.

    Args:
        to: our number that it came to; null if that is not known.
        channel: the channel that it came by.
        text: null if the message is binary.
        data: hex; null unless it is binary.
        parts: how many parts it has.
        received_at: when it came to us.
        network_time: when the network took it, by the network's clock; null if it did not say.
        from: E.164; a number that may belong to several persons stays as it came.
        complete: false while parts are missing. `[…]` stands for them in the text. A part that comes later joins it.
        keyword: what the text asks for; null for other texts.
        in_reply_to: the latest message sent to that number from that channel; null if the inbound message is days old.
        kind: null for a person's message. `message_waiting` switches the lamp for voicemail, fax or e-mail; `silent`
            is of type 0, which phones don't show.
        flag: `near_opt_out`: the text sounds like no to marketing and is none of the known words; a person is to look.
            Null for others.
    """

    id: str
    sender: str = msgspec.field(name="from")
    to: str | None
    channel: str
    text: str | None
    data: str | None
    encoding: str
    parts: int
    complete: bool
    received_at: Instant
    network_time: Instant | None
    keyword: Keyword | None
    in_reply_to: str | None
    kind: str | None
    flag: str | None


class MessagePage(msgspec.Struct, frozen=True, kw_only=True):
    """Messages, newest first; ``next`` is the cursor of the following page, null on the last."""

    items: list[MessageOut]
    next: str | None


class InboundPage(msgspec.Struct, frozen=True, kw_only=True):
    """Inbound messages, newest first; ``next`` is the cursor of the following page, null on the last."""

    items: list[InboundOut]
    next: str | None


class ChannelPage(msgspec.Struct, frozen=True, kw_only=True):
    """All channels, in the order of the config; ``next`` is always null."""

    items: list[ChannelSnapshot]
    next: str | None = None


class AlarmPage(msgspec.Struct, frozen=True, kw_only=True):
    """Open alarms, newest first; ``next`` is the cursor of the following page, null on the last."""

    items: Sequence[Alarm]
    next: str | None


class UssdRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A USSD code, such as ``*100#``, or the choice from a menu; without quotes and control characters."""

    code: UssdCode


class TraceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether what is said to a modem is written down from now on."""

    on: bool


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A probe's answer."""

    status: str


def show_message(
    message: Message,
    segments: Iterable[Segment],
    events: Iterable[Event] | None = None,
    waiting_for: list[Reason] | msgspec.UnsetType = msgspec.UNSET,
    spent: Mapping[str, Spent] | None = None,
) -> MessageOut:
    """A message for the outside; without ``events`` that field is left out.

    Args:
        spent: currency -> what it has cost.
    """
    return MessageOut(
        id=message.id,
        status=message.status,
        to=message.recipient,
        text=message.text,
        data=_hex(message.data),
        udh=_hex(message.udh),
        category=message.category,
        sender=message.sender,
        channel=message.channel,
        priority=message.priority,
        encoding=message.encoding,
        flash=message.flash,
        schedule_at=message.schedule_at,
        valid_for=message.valid_for_s,
        report=message.report,
        callback_url=message.callback_url,
        reference=message.reference,
        sequence=message.sequence,
        tags=message.tags,
        segments=[_show_segment(segment) for segment in segments],
        error=message.error,
        created_at=message.created_at,
        updated_at=message.updated_at,
        sent_at=message.sent_at,
        delivered_at=message.delivered_at,
        expires_at=message.expires_at,
        batch_id=message.batch_id,
        brand=message.brand,
        template=message.template,
        policy=_decode_findings(message.policy) if message.policy else [],
        events=msgspec.UNSET if events is None else [show_event(event) for event in events],
        waiting_for=waiting_for,
        cost=_show_message_cost(spent) if spent else msgspec.UNSET,
    )


def figures_of(spent: Spent) -> dict[str, Any]:
    """The fields of a `CostOut` beside the currency."""
    return {
        "segments": spent.segments,
        "amount": format_amount(spent.micros),
        "uncertain_segments": spent.uncertain_segments,
        "uncertain_amount": format_amount(spent.uncertain_micros),
    }


def _show_message_cost(spent: Mapping[str, Spent]) -> MessageCostOut:
    (currency, first), *others = spent.items()
    further = [CostOut(currency=name, **figures_of(one)) for name, one in others]
    return MessageCostOut(currency=currency, **figures_of(first), further=further or msgspec.UNSET)


def show_event(event: Event) -> EventOut:
    """An event for the outside."""
    data = event.data
    if event.type.startswith("inbound."):
        data = msgspec.json.encode(show_inbound(_inbound.decode(data)))
    return EventOut(type=event.type, timestamp=event.at, data=msgspec.Raw(data))


_inbound = msgspec.json.Decoder(InboundMessage)


def show_inbound(inbound: InboundMessage) -> InboundOut:
    """An inbound message for the outside."""
    return InboundOut(
        id=inbound.id,
        sender=inbound.sender,
        to=inbound.recipient,
        channel=inbound.channel,
        text=inbound.text,
        data=_hex(inbound.data),
        encoding=inbound.encoding,
        parts=inbound.parts,
        complete=inbound.complete,
        received_at=inbound.received_at,
        network_time=inbound.network_time,
        keyword=inbound.keyword,
        in_reply_to=inbound.in_reply_to,
        kind=inbound.kind,
        flag=inbound.flag,
    )


def _show_segment(segment: Segment) -> SegmentOut:
    return SegmentOut(
        part=segment.part,
        status=segment.status,
        channel=segment.channel,
        ref=segment.reference,
        attempts=segment.attempts,
        sent_at=segment.sent_at,
        delivered_at=segment.delivered_at,
        error=segment.error,
    )


def _hex(octets: bytes | None) -> str | None:
    return None if octets is None else octets.hex()
