"""Subject and facts: all that rules may look at. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import Enum, auto
from typing import Final, NamedTuple

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


class Need(Enum):
    """What the store must be asked for before a rule can decide. Each has a field of `Facts`."""

    OPT_OUTS = auto()


class Facts(NamedTuple):
    """What the store knows of the recipient of a message, as far as the rules that are asked need it.

    Args:
        opt_outs: scopes in which the number opted out; see `gateway.policy.rules.opt_out`.
    """

    opt_outs: frozenset[str] = frozenset()


NO_FACTS: Final = Facts()
"""Of a number of which nothing is known."""
