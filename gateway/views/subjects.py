"""A person's data as the API shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.model.message import Suppression
from gateway.views.consents import ConsentOut
from gateway.views.shapes import InboundOut, MessageOut

Instant = Annotated[datetime, Meta(tz=True)]


class SubjectOut(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of a number.

    Args:
        messages: to it, the newest first.
        inbound: messages from it, the newest first.
        suppressions: entries of the opt-out list that hold for it.
        consents: all that it said, in the order in which it was recorded.
        truncated: there is more than 10,000 of one kind; the lists of messages and inbound messages have the rest.
    """

    number: str
    made_at: Instant
    messages: list[MessageOut]
    inbound: list[InboundOut]
    suppressions: list[Suppression]
    consents: list[ConsentOut]
    truncated: bool


class KeptOut(msgspec.Struct, frozen=True, kw_only=True):
    """What was not erased, and why."""

    what: str
    count: int
    why: str


class ErasedOut(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased of a number.

    Args:
        messages: to it.
        inbound: messages from it.
        events: of the timeline that were emptied.
        other: rows of what was learned of it on the way, and entries of the audit trail that named it.
    """

    messages: int
    inbound: int
    events: int
    other: int
    kept: list[KeptOut]
