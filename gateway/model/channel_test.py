"""What a test of a channel measures, and what is kept of tests that run by themselves. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

TEST_TAG = "channel-test"
"""Of every message that a test sends."""
MOST_RECIPIENTS = 20
MOST_WAIT_S = 60
DEFAULT_TEXT = "hongyan: channel test"


class ChannelTestRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Test messages by one channel.

    Args:
        to: 1 to 20 recipients, each as in a message.
        text: what they get.
        wait: for how many seconds the answer may wait for the network and for delivery reports.
    """

    to: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(min_length=1, max_length=MOST_RECIPIENTS)]
    text: Annotated[str, Meta(min_length=1, max_length=1_000)] = DEFAULT_TEXT
    wait: Annotated[int, Meta(ge=0, le=MOST_WAIT_S)] = 30


class TestedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a test. Times are seconds; null for what has not happened.

    Args:
        id: of the message; `GET /v1/messages/{id}` shows what becomes of it later.
        accepted_s: until it was on disk.
        answered_s: from then until the network had taken it.
        delivered_s: from then until its delivery report.
        error: why it failed, or what it waits for.
    """

    __test__ = False

    id: str
    status: str
    accepted_s: float
    answered_s: float | None = None
    delivered_s: float | None = None
    error: str | None = None


class ChannelTest(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a test.

    Args:
        channel: its name.
        n_answered: messages that the network took.
        n_delivered: messages that arrived.
        delivery_rate: those of all that arrived, 0 to 1.
    """

    channel: str
    messages: tuple[TestedMessage, ...]
    n_answered: int
    n_delivered: int
    delivery_rate: float


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one probe.

    Args:
        at: when it was sent.
        ok: it was delivered in time.
        answered_s, delivered_s: see `TestedMessage`.
        detail: why it failed; empty when it did not.
    """

    at: datetime
    ok: bool
    answered_s: float | None = None
    delivered_s: float | None = None
    detail: str = ""
