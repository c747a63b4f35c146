"""Inbound messages in Kannel's terms: which route takes one, how its application is called, what is sent back. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from email.message import Message as Headers
from html.parser import HTMLParser

from gateway.kannel.escapes import Facts, expand
from gateway.model.message import InboundMessage
from gateway.outbox.egress import has_fixed_host
from gateway.outbox.outcall import OutCall
from gateway.policy.text import cut_text

CODING_OF = {"gsm7": 0, "binary": 1, "ucs2": 2}
_DCS_OF = {"gsm7": 0x00, "binary": 0x04, "ucs2": 0x08}
_UTF8, _UTF16 = "UTF-8", "UTF-16BE"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRoute:
    """One ``[[mo_routes]]``, Kannel's ``sms-service``.

    Args:
        channels, numbers, keywords: what a message must match, each if it is not empty; keywords are compared with
            the first word, without regard to case.
        method: GET or POST.
        charset: in which texts are written into the URL; None for Kannel's way: UTF-8, but UTF-16BE for UCS-2.
        reply: whether an answer's text is sent back.
        max_segments: of an answer; the rest is cut off.
    """

    name: str
    url: str
    method: str = "GET"
    channels: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    charset: str | None = None
    reply: bool = True
    max_segments: int = 1

    def takes(self, message: InboundMessage, numbers: Collection[str]) -> bool:
        """Whether the message is for this route.

        Args:
            numbers: the spellings of the number it was sent to, as `gateway.model.msisdn.spell_own` finds them.
        """
        if self.channels and message.channel not in self.channels:
            return False
        if self.numbers and not any(number in numbers for number in self.numbers):
            return False
        return not self.keywords or _first_word(message.text) in {word.casefold() for word in self.keywords}


def choose_route(
    routes: Sequence[InboundRoute], message: InboundMessage, numbers: Collection[str]
) -> InboundRoute | None:
    """The first route that takes the message, which came to one of our ``numbers``, in all its spellings."""
    return next((route for route in routes if route.takes(message, numbers)), None)


def plan_inbound(message: InboundMessage, route: InboundRoute) -> OutCall:
    """The call that tells an application of a message."""
    charset = route.charset or (_UTF16 if message.encoding == "ucs2" else _UTF8)
    facts = Facts(
        phone=message.sender,
        ours=message.recipient or "",
        text=message.text,
        data=message.data or b"",
        charset=charset,
        at=message.network_time or message.received_at,
        smsc=message.channel,
        message_id=message.id,
        service=route.name,
        coding=CODING_OF.get(message.encoding, 0),
        dcs=_DCS_OF.get(message.encoding, 0),
    )
    url, ours = expand(route.url, facts), has_fixed_host(route.url)
    if route.method == "GET":
        return OutCall(method="GET", url=url, ours=ours)
    sent_at = facts.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    kind = "application/octet-stream" if message.text is None else f'text/plain; charset="{charset}"'
    headers = {
        "Content-Type": kind,
        "X-Kannel-From": _header_value(facts.phone),
        "X-Kannel-To": _header_value(facts.ours),
        "X-Kannel-Time": sent_at,
        "X-Kannel-SMSC": facts.smsc,
        "X-Kannel-Coding": str(facts.coding),
        "X-Kannel-Service": route.name,
    }
    return OutCall(method="POST", url=url, headers=headers, body=facts.octets, ours=ours)


def read_reply(content_type: str, body: bytes, max_segments: int) -> str:
    """The text to send back; empty for none.

    Plain text as it is, pages without their tags; other types are not meant for a handset.
    """
    header = Headers()
    header["Content-Type"] = content_type or "text/plain"
    charset = header.get_content_charset("utf-8")
    try:
        text = body.decode(charset, "replace")
    except (LookupError, ValueError):
        text = body.decode("utf-8", "replace")
    kind = header.get_content_type()
    if kind in {"text/html", "application/xhtml+xml", "text/vnd.wap.wml"}:
        text = _strip_tags(text)
    elif kind != "text/plain":
        return ""
    return cut_text(text.strip().replace("\0", ""), max_segments)


def _header_value(address: str) -> str:
    """An alphanumeric sender may hold a line feed, with which a header would end, or the call not be made."""
    return "".join(c if c.isprintable() else " " for c in address)


def _first_word(text: str | None) -> str:
    words = (text or "").split(maxsplit=1)
    return words[0].casefold() if words else ""


class _Text(HTMLParser):
    """Collects what a page shows."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in {"script", "style", "head"}
        self.pieces.append("\n" if tag in {"br", "p", "div", "tr", "li"} else "")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style", "head"} and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)


def _strip_tags(page: str) -> str:
    parser = _Text()
    # That is how it says no to a declaration, and to a number of thousands of digits; what came before counts.
    with suppress(AssertionError, ValueError):
        parser.feed(page)
        parser.close()
    lines = (re.sub(r"\s+", " ", line).strip() for line in "".join(parser.pieces).split("\n"))
    return "\n".join(line for line in lines if line)
