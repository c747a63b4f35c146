"""An account: who may bind to us, from where, and what he may do. Values and pure questions about them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from drivers.smpp.server.listener import BindKind
from gateway.access.passwords import PasswordHash
from gateway.ids import KeyId
from gateway.model.message import ApiKey, Category, InboundMessage, Scope

ALL_BINDS: Final = frozenset(BindKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class EsmeAccount:
    """One account.

    Args:
        system_id: its name.
        password: its password's hash.
        addresses: networks it may bind from; empty for any.
        binds: kinds of bind it may open.
        max_binds: how many at once.
        window: requests a bind may have unanswered, in either direction.
        rate_per_s: submissions a second over all binds; None for any.
        max_waiting: messages it may have waiting for the network.
        groups: channel groups it may use; the first when it does not say.
        senders: patterns of source addresses it may use, which go out as they are; empty for any, and the
            channel's own goes out.
        category: of its messages: decides which policies apply.
        join: parts of a long text become one message; else each is a message of its own.
        latin_1: ``data_coding`` 0 is Latin-1 for it, not the GSM alphabet.
        inbound: numbers, patterns of numbers and channels whose inbound messages it gets.
        keep: how long a delivery waits that it does not fetch.
    """

    system_id: str
    password: PasswordHash = field(repr=False)
    addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    binds: frozenset[BindKind] = ALL_BINDS
    max_binds: int = 4
    window: int = 100
    rate_per_s: float | None = None
    max_waiting: int = 100_000
    groups: tuple[str, ...] = ("default",)
    senders: tuple[str, ...] = ()
    category: Category = Category.TRANSACTIONAL
    join: bool = True
    latin_1: bool = False
    inbound: tuple[str, ...] = ()
    keep: timedelta = timedelta(days=7)

    def lets_in_as(self, other: EsmeAccount) -> bool:
        """Whether whoever is bound by this account might be by the other: nothing of the door is different."""
        door = (self.password, self.addresses, self.binds)
        return door == (other.password, other.addresses, other.binds)

    def may_come_from(self, peer: str) -> bool:
        """Whether it may bind from this address."""
        if not self.addresses:
            return True
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.addresses)

    def may_send_as(self, source: str) -> bool:
        """Whether it may use this source address; none at all is always allowed."""
        return not source or not self.senders or any(fnmatchcase(source, one) for one in self.senders)

    def group_for(self, source: str) -> str:
        """The channel group of a submission: the one its source address names, else the first."""
        return source if source in self.groups else self.groups[0]

    def gets(self, inbound: InboundMessage, numbers: Collection[str]) -> bool:
        """Whether an inbound message is for it: by the number it was sent to, or by its channel.

        Args:
            numbers: the spellings of the number it was sent to, as `gateway.model.msisdn.spell_own` finds them.
        """
        return any(
            inbound.channel == one or any(fnmatchcase(number, one) for number in numbers)
            for one in self.inbound
        )

    def as_key(self) -> ApiKey:
        """What its messages bear as the key that sent them."""
        return ApiKey(
            id=KeyId(f"smpp:{self.system_id}"),
            name=self.system_id,
            scopes=frozenset({Scope.SEND}),
            created_at=datetime.fromtimestamp(0, UTC),
        )
