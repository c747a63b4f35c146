"""Subject and facts: all that rules may look at. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, auto
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, NamedTuple

from gateway.model.consent import Standing
from gateway.model.message import DEFAULT_BRAND, Category


class Subject(NamedTuple):
    """A message as rules see it.

    Args:
        recipient: E.164 with ``+``, or a short code's digits.
        at: when it may go by its own schedule; aware.
        text: as it would go out so far; None for a binary message.
        brand: in whose name it goes.
        key: who sends it: id and name of an API key, ``smpp:NAME`` or ``kannel:NAME`` of an account; empty for what
            the gateway itself writes, which only rules that are fixed are asked about.
        template: whose text it is, where the client says so.
        sender: the channel group that the client asked for.
        message_id: what belongs to this very message (such as its place in a spread) is made of it.
        expires_at: when its time is over, where that is known.
    """

    recipient: str
    category: Category
    at: datetime
    text: str | None
    brand: str = DEFAULT_BRAND
    key: tuple[str, ...] = ()
    template: str | None = None
    sender: str | None = None
    message_id: str = ""
    expires_at: datetime | None = None

    def with_text(self, text: str | None) -> Subject:
        """The same with another text; `_replace` takes twice as long, and this is done for each message."""
        recipient, category, at, _, brand, key, template, sender, message_id, expires_at = self
        return Subject(recipient, category, at, text, brand, key, template, sender, message_id, expires_at)

    def of_anybody(self) -> Subject:
        """What its text is judged by: the same for all messages that are alike but for whom they go to."""
        _, category, at, text, brand, key, template, sender, _, _ = self
        return Subject("", category, at, text, brand, key, template, sender)


class Need(Enum):
    """What the store must be asked for before a rule can decide. Each has a field of `Facts`."""

    __hash__ = object.__hash__
    """An enumeration's own is written in Python, and sets of needs are asked many times for each message."""

    OPT_OUTS = auto()
    TOUCHES = auto()
    CONSENTS = auto()
    ACQUAINTED = auto()
    CARRIER = auto()
    DEAD_NUMBER = auto()
    NUMBER_COUNTS = auto()


class Touch(NamedTuple):
    """A message that went out to a recipient, or is to.

    Args:
        at_ms: when it was given to a channel, or is expected to be; milliseconds since 1970.
        is_out: it was.
        text_hash: see `hash_text`.
    """

    message_id: str
    at_ms: int
    is_out: bool
    category: Category
    brand: str
    template: str | None
    text_hash: bytes | None


class Failures(NamedTuple):
    """Networks said that nobody has a number.

    Args:
        n: of so many messages, without one that arrived in between.
        last_at: when they last did, or a message was last let through to try it once again.
    """

    n: int
    last_at: datetime


class Facts(NamedTuple):
    """What the store knows of the recipient of a message, as far as the rules that are asked need it.

    Args:
        opt_outs: scopes in which the number opted out; see `gateway.policy.rules.opt_out`.
        touches: messages to it. Right before the wire those alone that went out.
        claiming: it is asked right before the wire.
        consents: what holds of the number, for every brand and purpose.
        is_acquainted: there was a message to the number, or from it, before.
        carrier: of the number, where the store knows it better than its range tells; with the source of that.
        failures: what networks said of nobody having the number.
        number_counts: how many messages each limit of `gateway.policy.rules.number_limits` has let through; by its
            name, and for all numbers.
    """

    opt_outs: frozenset[str] = frozenset()
    touches: tuple[Touch, ...] = ()
    claiming: bool = False
    consents: tuple[Standing, ...] = ()
    is_acquainted: bool = False
    carrier: tuple[str, str] | None = None
    failures: Failures | None = None
    number_counts: Mapping[str, int] = MappingProxyType({})


NO_FACTS: Final = Facts()
"""Of a number of which nothing is known."""


def hash_text(text: str | None) -> bytes | None:
    """What tells whether two texts are the same, in 8 octets; None for a binary message."""
    if text is None:
        return None
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
