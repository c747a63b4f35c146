"""The settings of ``[[smpp_server]]`` and ``[[smpp_accounts]]``: applications that bind to us."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Annotated, Literal

import msgspec

from gateway.access.passwords import parse_hash
from gateway.model.message import Category
from gateway.settings.forms import (
    Address,
    BadValue,
    Duration,
    File,
    Flag,
    Form,
    Groups,
    Listen,
    Pace,
    Words,
    list_of,
    one_of,
    parse_text,
    short_text,
    show,
    whole_number,
)
from gateway.settings.shares import Weight

_BINDS = ("transceiver", "transmitter", "receiver")
_CATEGORIES = tuple(category.value for category in Category)


def _parse_network(value: object) -> str:
    """``"10.0.0.0/8"``, ``"192.0.2.7"``, ``"2001:db8::/32"``."""
    try:
        return str(ip_network(parse_text(value), strict=False))
    except ValueError:
        raise BadValue(
            f'{show(value)} is no address; write one such as "192.0.2.7" or "10.0.0.0/8"'
        ) from None


def _parse_password_hash(value: object) -> str:
    """What ``hongyan smpp-account`` prints."""
    text = parse_text(value)
    try:
        parse_hash(text)
    except ValueError:
        # Not shown: it may be the password itself.
        raise BadValue("is no password hash; make one with: hongyan smpp-account SYSTEM_ID") from None
    return text


def _parse_system_id(value: object) -> str:
    text = short_text(15)(value)
    if not text.strip():
        raise BadValue("is empty; write the account's name")
    return text


class SmppServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[smpp_server]]``: an address that applications connect to.

    Args:
        listen: address and port; port 0 takes a free one.
        tls_cert: certificate chain in PEM; makes it TLS, together with ``tls_key``.
        tls_key: the certificate's private key in PEM.
        max_connections: how many may be open at once; for one more, the oldest that has not bound is closed.
        max_per_address: how many of them may come from one address.
        enquire_link_s: how often a silent application is asked whether it lives.
        response_timeout_s: how long an application may take to acknowledge a delivery.
    """

    listen: Address = Listen("127.0.0.1", 2775)
    tls_cert: File | None = None
    tls_key: File | None = None
    max_connections: Annotated[int, Form(whole_number(1, 100_000))] = 1_000
    max_per_address: Annotated[int, Form(whole_number(1, 100_000))] = 200
    enquire_link_s: Duration = msgspec.field(default=30.0, name="enquire_link")
    response_timeout_s: Duration = msgspec.field(default=60.0, name="response_timeout")

    def faults(self) -> Iterator[tuple[str, str]]:
        """A certificate and its key come together."""
        if self.tls_cert and not self.tls_key:
            yield "tls_key", "is missing; write the private key that belongs to tls_cert"
        if self.tls_key and not self.tls_cert:
            yield "tls_cert", "is missing; write the certificate that belongs to tls_key"


class SmppAccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[smpp_accounts]]``: an application that may bind, and its rights.

    Args:
        system_id: its name in bind requests; unique.
        password_hash: what ``hongyan smpp-account`` prints for its password.
        addresses: addresses and networks it may bind from; empty for any.
        binds: kinds of bind it may open.
        max_binds: how many binds it may have at once.
        window: requests one bind may have unanswered, in either direction.
        rate: the most messages it may submit in so much time; more are answered with ESME_RTHROTTLED.
        max_queued: messages of it that may wait for the network; more are answered with ESME_RMSGQFUL.
        weight: its share of a queue, see ``[[shares]]``.
        groups: the channel groups it may use. The first serves, unless the source address names another.
        senders: source addresses it may use, ``*`` for any characters. They go out as they are where the channel is
            SMPP. Empty: it may use any, and the channel's own goes out.
        category: the category of its messages.
        join: the parts of a long text become one message; false makes each part a message of its own.
        alphabet: what its data_coding 0 means: gsm7 or latin1.
        inbound: numbers (``*`` for any characters) and channels whose inbound messages it gets.
        keep_s: how long receipts and inbound messages wait for it to fetch them.
    """

    system_id: Annotated[str, Form(_parse_system_id)]
    password_hash: Annotated[str, Form(_parse_password_hash)]
    addresses: Annotated[tuple[str, ...], Form(list_of(_parse_network))] = ()
    binds: Annotated[tuple[str, ...], Form(list_of(one_of(*_BINDS)))] = _BINDS
    max_binds: Annotated[int, Form(whole_number(1, 1_000))] = 4
    window: Annotated[int, Form(whole_number(1, 10_000))] = 100
    rate: Pace | None = None
    max_queued: Annotated[int, Form(whole_number(1, 100_000_000))] = 100_000
    weight: Weight = 1
    groups: Groups = ("default",)
    senders: Words = ()
    category: Annotated[str, Form(one_of(*_CATEGORIES))] = "transactional"
    join: Flag = True
    alphabet: Annotated[Literal["gsm7", "latin1"], Form(one_of("gsm7", "latin1"))] = "gsm7"
    inbound: Words = ()
    keep_s: Duration = msgspec.field(default=7 * 86_400.0, name="keep")

    def faults(self) -> Iterator[tuple[str, str]]:
        """It may bind somehow."""
        if not self.binds:
            yield "binds", f"is empty; write one or more of {', '.join(_BINDS)}"


def check_accounts(
    servers: tuple[SmppServerSettings, ...], accounts: tuple[SmppAccountSettings, ...]
) -> Iterator[tuple[str, str]]:
    """What servers and accounts must be together."""
    if servers and not accounts:
        yield (
            "smpp_accounts",
            "is missing: nobody could bind; write [[smpp_accounts]], or leave smpp_server out",
        )
    if accounts and not servers:
        yield "smpp_server", "is missing: nobody could bind; write [[smpp_server]] with listen"
    seen: dict[str, int] = {}
    for i, account in enumerate(accounts):
        if seen.setdefault(account.system_id, i) != i:
            first = f"smpp_accounts[{seen[account.system_id]}]"
            yield f"smpp_accounts[{i}].system_id", f"is that of {first} too; write another"
