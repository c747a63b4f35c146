"""``[content]``: what texts may have in them. All is off until a key of it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

from gateway.model.message import Category
from gateway.policy.chain import TextRule
from gateway.policy.links import read_host
from gateway.policy.rules.content import ContactDetails, ExpiryDate, Links, SegmentLimit, TemplateRequired
from gateway.policy.text import TextRules
from gateway.settings.forms import BadValue, Flag, Form, list_of, parse_filled, show, whole_number

ANY: Final = -1
_MOST_HOSTS: Final = 10_000
_MOST_COUNTED: Final = 1_000
_HOST: Final = re.compile(r"(\*\.)?[^\s/:?#@*]{1,253}")
_CHINA: Final = "CN"
_LINKS_IN_CHINA, _CONTACTS_IN_CHINA = 1, 2


def _parse_host(value: object) -> str:
    text = parse_filled(value)
    wild = text.startswith("*.")
    host = read_host(text.removeprefix("*."))
    if not _HOST.fullmatch(text) or not host:
        raise BadValue(
            f'{show(text)} is not a host; write it as "example.cn", or "*.example.cn" for all under it'
        )
    return f"*.{host}" if wild else host


def _parse_hosts(value: object) -> tuple[str, ...]:
    hosts = list_of(_parse_host)(value)
    if len(hosts) > _MOST_HOSTS:
        raise BadValue(f"has {len(hosts)} hosts; write at most {_MOST_HOSTS}")
    return hosts


def _parse_most(value: object) -> int:
    if value == "any":
        return ANY
    try:
        return whole_number(0, _MOST_COUNTED)(value)
    except BadValue as error:
        raise BadValue(f'{error}, or "any" for no limit') from None


MostSegments = Annotated[int, Form(whole_number(1, 255))]


class SegmentLimits(msgspec.Struct, frozen=True, kw_only=True):
    """``[content.max_segments]``: the most segments of a message, by its category; `[text] max_segments` is for all.

    Args:
        transactional, otp, marketing, emergency: of messages of the category.
    """

    transactional: MostSegments | None = None
    otp: MostSegments | None = None
    marketing: MostSegments | None = None
    emergency: MostSegments | None = None

    def by_category(self) -> dict[Category, int]:
        """Those that are given."""
        found = {category: getattr(self, category.value) for category in Category}
        return {category: most for category, most in found.items() if most is not None}


class ContentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[content]``: what texts may have in them.

    Args:
        hosts: to which links may lead; ``*.`` in front stands for all under a host. Not given, they may lead anywhere.
        max_links: links in a text of marketing; ``"any"`` for any number. Not given, 1 in China and any elsewhere.
        max_contacts: telephone numbers, mail addresses and accounts in a text of marketing; ``"any"`` for any number.
            Not given, 2 in China and any elsewhere.
        expiry_date: a text of marketing with an offer that does not say until when it holds gets a warning. Not given,
            in China.
        templates_required: senders whose messages must name a template: API keys' names, ``smpp:NAME``,
            ``kannel:NAME``.
        max_segments: by category.
    """

    hosts: Annotated[tuple[str, ...], Form(_parse_hosts)] | None = None
    max_links: Annotated[int, Form(_parse_most)] | None = None
    max_contacts: Annotated[int, Form(_parse_most)] | None = None
    expiry_date: Flag | None = None
    templates_required: Annotated[tuple[str, ...], Form(list_of(parse_filled))] = ()
    max_segments: SegmentLimits = SegmentLimits()

    def rules(self, region: str, text: TextRules) -> Iterator[TextRule]:
        """The rules that it asks for; none where nothing of it is written.

        Args:
            region: in which the gateway is.
            text: how texts are encoded and cut.
        """
        if self == ContentSettings():
            return
        in_china = region == _CHINA
        links = _most(self.max_links, _LINKS_IN_CHINA if in_china else ANY)
        if self.hosts is not None or links is not None:
            yield Links(hosts=None if self.hosts is None else frozenset(self.hosts), most=links)
        contacts = _most(self.max_contacts, _CONTACTS_IN_CHINA if in_china else ANY)
        if contacts is not None:
            yield ContactDetails(most=contacts)
        if in_china if self.expiry_date is None else self.expiry_date:
            yield ExpiryDate()
        if most := self.max_segments.by_category():
            yield SegmentLimit(most=most, text=text)
        if self.templates_required:
            yield TemplateRequired(keys=frozenset(self.templates_required))


def _most(given: int | None, usual: int) -> int | None:
    most = usual if given is None else given
    return None if most == ANY else most
