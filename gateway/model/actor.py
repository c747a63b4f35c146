"""Actor: who does something. It goes with every verb, and into the timeline as ``by``. Never a secret. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from gateway.model.message import ApiKey


class ActorKind(StrEnum):
    """What kind of somebody."""

    KEY = "key"
    """A program or person with an API key. The command line's verbs over HTTP are its key's."""
    USER = "user"
    """A person who signed in."""
    STRANGER = "stranger"
    """Somebody at the console who has not signed in."""
    ACCOUNT = "account"
    """An application at another door than the API: an SMPP account, a Kannel account."""
    COMMAND_LINE = "cli"
    """Whoever runs a command on the gateway's machine that works on the store itself."""
    PERSON = "person"
    """Somebody who wrote to us: a recipient who opts out. The number is what the deed is about, and is not repeated."""
    SYSTEM = "system"
    """The gateway, of its own accord."""


class Actor(NamedTuple):
    """Who does something.

    Args:
        name: of the key (no two keys ever have the same), the account with its door (``smpp:alice``), the login name
            of the process on the command line; empty for the gateway itself and for persons who write to us.
        origin: from where: the door and the address there, such as ``api 203.0.113.7``; the audit trail has it.
    """

    kind: ActorKind
    name: str = ""
    origin: str = ""

    def __str__(self) -> str:
        """As events have it.

        >>> str(Actor(ActorKind.KEY, "billing")), str(SYSTEM)
        ('key:billing', 'system')
        """
        return f"{self.kind.value}:{self.name}" if self.name else self.kind.value


SYSTEM = Actor(ActorKind.SYSTEM)


def actor_of(key: ApiKey | None, origin: str = "") -> Actor:
    """Whoever comes with a key.

    Args:
        origin: from where.
        key: None for the gateway's own messages. Accounts of other doors come with one made up for them, whose id is
            the account's with its door: ``smpp:alice``, ``kannel:bob``.
    """
    if key is None:
        return SYSTEM
    if ":" in key.id:
        return Actor(ActorKind.ACCOUNT, key.id, origin)
    return Actor(ActorKind.KEY, key.name, origin)
