"""The Message, its segments, and what came in: the values that the whole product passes around."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from gateway.ids import BatchId, InboundId, KeyId, MessageId
from gateway.model.opt_out import EVERYTHING


class MessageStatus(StrEnum):
    """INTERFACE section 3; the transitions are in `gateway.model.lifecycle`."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"
    BLOCKED = "blocked"
    UNCERTAIN = "uncertain"


class SegmentStatus(StrEnum):
    """The life of one segment; the message's verdict follows from all of them."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


NEAR_OPT_OUT: Final = "near_opt_out"
"""Flag of an inbound text that sounds like no to marketing and is no keyword."""
DEFAULT_BRAND: Final = "default"
"""In whose name messages go that name no other brand."""


class Category(StrEnum):
    """Why a message is sent; decides which policies apply."""

    TRANSACTIONAL = "transactional"
    OTP = "otp"
    MARKETING = "marketing"
    EMERGENCY = "emergency"


class MessageError(msgspec.Struct, frozen=True, kw_only=True):
    """Why it went wrong: a stable code and a sentence."""

    code: str
    detail: str


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One part on the wire.

    Args:
        part: 1..n.
        payload: as in `drivers.base.OutboundSegment`, without header.
        reference: what receipts name; None until accepted.
        attempts: submits that reached a network's answer or an unknown end.
        submitted_at: when it was last given to its channel; None when the channel refused it.
    """

    part: int
    status: SegmentStatus = SegmentStatus.QUEUED
    payload: bytes
    channel: str | None = None
    reference: str | None = None
    attempts: int = 0
    submitted_at: datetime | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    error: MessageError | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asked for: one text, one recipient.

    Args:
        recipient: E.164 with ``+``, or a short code's digits.
        text: None for binary messages, which have ``data``.
        udh: header of every segment, with its length octet, without concatenation: the client's own in a binary
            message, national tables in a text.
        sender: the channel group asked for; None means the default group.
        channel: the channel it is pinned to, or the one that took it.
        encoding: ``gsm7``, ``ucs2`` or ``binary``: what was decided.
        concat_ref: for messages of several segments, else None; see `concat_width`.
        queue: ``group:NAME`` or ``channel:NAME``: who may claim it.
        valid_for_s: seconds from creation (or schedule) until it expires.
        key_id: the API key that sent it; None for the gateway's own.
        sequence: messages to one recipient with the same one go one after the other.
        carrier_options: what it brings along for its carrier, in every segment; only drivers read it.
        brand: in whose name it goes.
        template: whose text it is, where the client said so.
        policy: what rules said of it when it came in: JSON of `gateway.policy.decision.Finding`; empty for nothing.
        source_address: what the handset is to see as sender, where the channel can choose; None for the channel's own.
        owner: the instance that is sending it; None while nobody is.
        epoch: how often it was claimed: with the owner, what a write must name that builds on a claim.
    """

    id: MessageId
    recipient: str
    text: str | None
    data: bytes | None = None
    udh: bytes | None = None
    category: Category = Category.TRANSACTIONAL
    sender: str | None = None
    channel: str | None = None
    priority: int = 5
    encoding: str
    flash: bool = False
    schedule_at: datetime | None = None
    valid_for_s: int | None = None
    report: bool = True
    callback_url: str | None = None
    reference: str | None = None
    tags: tuple[str, ...] = ()
    status: MessageStatus
    n_segments: int
    concat_ref: int | None = None
    queue: str
    error: MessageError | None = None
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    expires_at: datetime | None = None
    batch_id: BatchId | None = None
    key_id: KeyId | None = None
    sequence: str | None = None
    carrier_options: str | None = None
    source_address: str | None = None
    brand: str = DEFAULT_BRAND
    template: str | None = None
    policy: bytes = b""
    owner: str | None = None
    epoch: int = 0


def concat_width(concat_ref: int) -> int:
    """Bits of a concatenation reference: long ones begin where the short ones end, so each tells its own.

    >>> concat_width(255), concat_width(256)
    (8, 16)
    """
    return 8 if concat_ref <= 0xFF else 16


class Keyword(StrEnum):
    """What an inbound text asks of us."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "help"


class InboundMessage(msgspec.Struct, frozen=True, kw_only=True, rename={"sender": "from", "recipient": "to"}):
    """A mobile-originated message, its parts joined; in JSON as INTERFACE section 3 has it.

    Args:
        sender: E.164, short code or alphanumeric.
        recipient: our number or port, if known.
        text: None for binary, which has ``data``.
        parts: how many parts it had.
        complete: False while parts are missing; late ones still join it.
        kind: what it is when it is no message of a person (`drivers.inbound_kind`).
        flag: ``near_opt_out``: it sounds like no to marketing, and a person is to look at it.
    """

    id: InboundId
    sender: str
    recipient: str | None
    channel: str
    text: str | None
    data: bytes | None = None
    encoding: str
    parts: int
    complete: bool
    received_at: datetime
    network_time: datetime | None = None
    keyword: Keyword | None = None
    in_reply_to: MessageId | None = None
    kind: str | None = None
    flag: str | None = None


class Suppression(msgspec.Struct, frozen=True, kw_only=True):
    """A number that wants no marketing.

    Args:
        number: E.164, or digits whose country is not clear, as they came.
        readings: for which numbers it holds, ``number`` first where it is one of them.
        source: ``inbound`` (the person wrote), ``api`` or ``cli``.
        keyword: the word they used, if they wrote.
        scope: from what; see `gateway.model.opt_out`.
    """

    number: str
    scope: str = EVERYTHING
    source: str
    keyword: str | None = None
    reason: str | None = None
    created_at: datetime
    readings: tuple[str, ...] = ()


class Scope(StrEnum):
    """What an API key may do; ``admin`` includes all."""

    SEND = "send"
    READ = "read"
    MANAGE = "manage"
    ADMIN = "admin"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as stored: never the secret, only its SHA-256 (the secret has 160 random bits)."""

    id: KeyId
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    revoked_at: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether the key may do what needs ``scope``."""
        return self.revoked_at is None and (scope in self.scopes or Scope.ADMIN in self.scopes)
