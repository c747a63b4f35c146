"""Webhooks: who is called for which events. Pure.

`EVENT_TYPES` is the list of what receivers can be told. A new kind of event that the timeline gets needs a line here,
and nothing else: its data goes out as it stands in the timeline.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from gateway.ids import WebhookId

EVENT_TYPES: Final = {
    "message.queued": "The message waits to be sent; also when it waits for another attempt.",
    "message.sent": "The network has taken all of its segments.",
    "message.delivered": "All segments are on the handset.",
    "message.undelivered": "The network says that it did not reach the handset.",
    "message.failed": "It was refused for good.",
    "message.expired": "It was not sent in time.",
    "message.canceled": "Somebody took it back.",
    "message.blocked": "A rule or an opt-out stopped it after it was accepted.",
    "message.uncertain": "Nobody knows whether it went out.",
    "review.requested": "A message waits for a person's decision, because a rule asked for it.",
    "review.decided": "A person let it go, or rejected it.",
    "inbound.received": "Somebody wrote to us.",
    "subscription.opted_out": "A number wants no marketing any more.",
    "subscription.opted_in": "A number takes that back.",
    "channel.up": "A channel can send.",
    "channel.down": "A channel can't send any more.",
    "alarm.raised": "Something needs an operator.",
    "alarm.cleared": "It does not any more.",
    "webhook.disabled": "A webhook is not called any more.",
}
"""Types of events that receivers are told of -> what each says."""
MESSAGE_TYPES: Final = frozenset(name for name in EVENT_TYPES if name.startswith("message."))
TEST_TYPE: Final = "webhook.test"
"""Of the event that an operator sends by hand; every webhook gets it that is asked to."""
MOST_PATTERNS: Final = 50
MAX_URL_CHARS: Final = 2_000
_PATTERN: Final = re.compile(r"\*|[a-z_]+\.(\*|[a-z_]+)")


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A standing subscription.

    Args:
        name: unique, for people.
        types: types of events, or ``message.*``, or ``*``.
        tags: of messages; it is told only of those that have one of them, and of no other events. Empty for all.
        channels: it is told only of what concerns one of them. Empty for all.
        batch: events of one call at most; 1 for the plain form.
        enabled: whether it is called.
        reason: why it is not.
        failing_since: when the first call failed since one was heard; None while all is well.
        after_seq: it is not told of events up to this one.
    """

    id: WebhookId
    name: str
    url: str
    types: tuple[str, ...]
    tags: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    batch: int = 1
    enabled: bool = True
    reason: str | None = None
    disabled_at: datetime | None = None
    failing_since: datetime | None = None
    after_seq: int = 0
    created_at: datetime
    updated_at: datetime

    def wants(self, kind: str, seq: int, tags: Sequence[str], channel: str | None) -> bool:
        """Whether it is told of an event.

        Args:
            kind: the event's type.
            tags, channel: of what it concerns; none and None where it has none.
        """
        return (
            self.enabled
            and seq > self.after_seq
            and any(fnmatchcase(kind, pattern) for pattern in self.types)
            and (not self.tags or not set(self.tags).isdisjoint(tags))
            and (not self.channels or channel in self.channels)
        )


def find_type_fault(pattern: str) -> str:
    """What is wrong with a type of events, and what to write; empty when it will do."""
    if _PATTERN.fullmatch(pattern) and any(fnmatchcase(name, pattern) for name in EVENT_TYPES):
        return ""
    names = [*EVENT_TYPES, *sorted({f"{name.partition('.')[0]}.*" for name in EVENT_TYPES}), "*"]
    near = get_close_matches(pattern[:64], names, n=1)
    return (
        f"no event has this type; did you mean {near[0]}?"
        if near
        else f"no event has this type; write one of {', '.join(names)}"
    )
