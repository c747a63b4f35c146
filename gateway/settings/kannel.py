"""The settings of Kannel's two calls, ``[[kannel_accounts]]`` and ``[[mo_routes]]``, and the same as values."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Annotated, Literal

import msgspec

from gateway.kannel.accounts import NETWORK, KannelAccount
from gateway.kannel.inbound_routes import InboundRoute
from gateway.kannel.parameters import is_callable_url
from gateway.model.message import Category
from gateway.settings.forms import (
    BadValue,
    Filled,
    Flag,
    Form,
    Name,
    Text,
    Words,
    list_of,
    one_of,
    parse_filled,
    parse_name,
    show,
    whole_number,
)
from gateway.settings.secrets import Secret
from gateway.settings.shares import Weight

CategoryName = Literal["transactional", "otp", "marketing", "emergency"]


def parse_url(value: object) -> str:
    """An address to call, with Kannel's escape codes."""
    text = parse_filled(value)
    if not is_callable_url(text):
        raise BadValue('is not a URL; write "http://HOST/PATH?..." or https, without spaces, ASCII only')
    return text


def parse_charset(value: object) -> str:
    """A charset that Python knows."""
    text = parse_filled(value)
    try:
        "".encode(text)
    except (LookupError, ValueError):
        raise BadValue(f'{show(value)} is not a charset; write one such as "UTF-8"') from None
    return codecs.lookup(text).name.upper() if text.lower().startswith("utf") else text


def parse_networks(value: object) -> tuple[NETWORK, ...]:
    """Addresses and networks, none twice."""
    try:
        return tuple(ip_network(text) for text in list_of(parse_filled)(value))
    except BadValue:
        raise
    except ValueError:
        raise BadValue(
            f'{show(value)} has what is no address; write such as ["127.0.0.1", "10.0.0.0/8"]'
        ) from None


def parse_pair(value: object) -> str:
    """``"smsc-id=channel"``."""
    text = parse_filled(value)
    kannels, mark, ours = text.partition("=")
    if not (kannels.strip() and mark):
        raise BadValue(f'{show(value)} will not do; write "SMSC-ID=CHANNEL"')
    parse_name(ours.strip())
    return text


Url = Annotated[str, Form(parse_url)]
Charset = Annotated[str, Form(parse_charset)]


class KannelAccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[kannel_accounts]]``: one client of Kannel's ``sendsms``.

    Args:
        username: unique.
        password: as the client sends it.
        allowed_ips: addresses and networks it may call from; empty for all.
        group: the channel group of messages that name no ``smsc``, or one that is not ours.
        groups: the groups and channels that ``smsc`` may name; empty for all.
        smsc: which channel or group of ours a client's smsc-id means: ``"SMSC-ID=CHANNEL"``.
        category: the category of its messages.
        default_sender: the sender that reports name when a message brings no ``from``.
        senders: a ``from`` that fits one of these (``*`` for any characters) goes out as it is where the channel is
            SMPP. In all other cases the channel's own goes out.
        dlr_url: called for messages that ask for reports and bring no URL.
        charset: the charset of texts that name none and are no UTF-8.
        international: its receivers begin with a country code, with or without a plus.
        weight: its share of a queue, see ``[[shares]]``.
    """

    username: Filled
    password: Secret
    allowed_ips: Annotated[tuple[NETWORK, ...], Form(parse_networks)] = ()
    group: Name | None = None
    groups: Annotated[tuple[str, ...], Form(list_of(parse_name))] = ()
    smsc: Annotated[tuple[str, ...], Form(list_of(parse_pair))] = ()
    category: Annotated[CategoryName, Form(one_of("transactional", "otp", "marketing", "emergency"))] = (
        "transactional"
    )
    default_sender: Text = ""
    senders: Words = ()
    dlr_url: Url | None = None
    charset: Charset = "windows-1252"
    international: Flag = False
    weight: Weight = 1

    def account(self) -> KannelAccount:
        """The same as the call takes it."""
        pairs = (pair.partition("=") for pair in self.smsc)
        return KannelAccount(
            username=self.username,
            password=self.password.reveal(),
            group=self.group,
            groups=self.groups,
            smsc={kannels.strip(): ours.strip() for kannels, _, ours in pairs},
            category=Category(self.category),
            default_sender=self.default_sender,
            senders=self.senders,
            dlr_url=self.dlr_url or "",
            allowed_ips=self.allowed_ips,
            charset=self.charset,
            international=self.international,
        )


class MoRouteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[mo_routes]]``: an application that is called for inbound messages; the first route that fits takes one.

    Args:
        name: unique.
        channels: only messages from these channels; empty for all.
        numbers: only messages to these numbers of ours; empty for all.
        keywords: only messages whose first word is one of these, in any case; empty for all.
        get_url: called with GET.
        post_url: called with POST, the text as its body, the rest in X-Kannel headers.
        charset: the charset of texts in calls; without it UTF-8, and UTF-16BE for UCS-2 as in Kannel.
        reply: send the text that the application answers back to the person.
        max_segments: the most segments of such an answer; the rest is cut off.
    """

    name: Name
    channels: Annotated[tuple[str, ...], Form(list_of(parse_name))] = ()
    numbers: Words = ()
    keywords: Words = ()
    get_url: Url | None = None
    post_url: Url | None = None
    charset: Charset | None = None
    reply: Flag = True
    max_segments: Annotated[int, Form(whole_number(1, 255))] = 1

    def faults(self) -> Iterator[tuple[str, str]]:
        """One way to call."""
        if self.get_url is None and self.post_url is None:
            yield "get_url", 'is missing; write get_url = "http://HOST/PATH?from=%p&text=%a"'
        if self.get_url is not None and self.post_url is not None:
            yield "post_url", "stands beside get_url; write only one of them"

    def route(self) -> InboundRoute:
        """The same as the calls take it."""
        return InboundRoute(
            name=self.name,
            url=self.get_url or self.post_url or "",
            method="GET" if self.get_url else "POST",
            channels=self.channels,
            numbers=self.numbers,
            keywords=self.keywords,
            charset=self.charset,
            reply=self.reply,
            max_segments=self.max_segments,
        )


def kannel_faults(
    accounts: Sequence[KannelAccountSettings],
    routes: Sequence[MoRouteSettings],
    channels: Mapping[str, Sequence[str]],
) -> Iterator[tuple[str, str]]:
    """What is wrong beyond single tables: names that stand twice, channels that do not exist.

    Args:
        channels: name -> groups; without any nothing is said of them, for they may be simulated.
    """
    yield from _shared_names(accounts, routes)
    if not channels:
        return
    groups = {group for served in channels.values() for group in served}
    for number, account in enumerate(accounts):
        if account.group and account.group not in groups:
            yield f"kannel_accounts[{number}].group", f"no channel serves {show(account.group)}"
        targets = [pair.partition("=")[2].strip() for pair in account.smsc]
        for key, names in (("groups", account.groups), ("smsc", targets)):
            for name in names:
                if name not in groups and name not in channels:
                    yield f"kannel_accounts[{number}].{key}", f"{show(name)} is no channel and no group"
    for number, route in enumerate(routes):
        for name in route.channels:
            if name not in channels:
                yield f"mo_routes[{number}].channels", f"no channel is called {show(name)}"


def _shared_names(
    accounts: Iterable[KannelAccountSettings], routes: Iterable[MoRouteSettings]
) -> Iterator[tuple[str, str]]:
    for path, names in (
        ("kannel_accounts[{}].username", [account.username for account in accounts]),
        ("mo_routes[{}].name", [route.name for route in routes]),
    ):
        for number, name in enumerate(names):
            if name in names[:number]:
                yield path.format(number), f"{show(name)} stands there twice; write another"
