"""Kannel's escape codes: `%p`, `%t` and the others in the URLs of callbacks and inbound routes. Pure.

Each code's meaning and encoding is that of Kannel 1.4.5, tried against its smsbox; `%U`, `%v`, `%V`, `%x` and `%y` are
those of later versions. What is no code stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote_plus

from gateway.kannel.parameters import parse_query

_UNQUOTED = "-_.!~*'()"
UNSET = -1
"""What Kannel writes for numbers that nobody gave."""
BINARY_CHARSET = "8-BIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the codes stand for: one delivery report, or one inbound message.

    Args:
        phone: the handset's number.
        ours: our number, or the sender that the message had.
        text: of the message, or the SMSC's words in a report; None for binary messages, which have ``data``.
        charset: in which ``text`` is written into the URL.
        at: of the event.
        smsc: the channel.
        message_id: our id.
        foreign_id: the network's reference.
        service: the account's or the route's name.
        dlr: the report's value.
        validity_min, deferred_min, priority: None where nobody said.
    """

    phone: str
    ours: str = ""
    text: str | None = ""
    data: bytes = b""
    charset: str = "UTF-8"
    at: datetime
    smsc: str = ""
    message_id: str = ""
    foreign_id: str = ""
    service: str = ""
    dlr: int = UNSET
    coding: int = UNSET
    mclass: int = UNSET
    mwi: int = UNSET
    dcs: int = 0
    udh: bytes = b""
    binfo: str = ""
    account: str = ""
    smsc_number: str = ""
    dlr_url: str = ""
    meta_data: str = ""
    validity_min: int | None = None
    deferred_min: int | None = None
    priority: int = UNSET

    @property
    def octets(self) -> bytes:
        """The text or the data as octets."""
        return self.data if self.text is None else self.text.encode(self.charset, "replace")


@dataclass(slots=True)
class _Words:
    """The words of a text, handed out one after the other; the first is the keyword."""

    all: list[bytes]
    space: bytes
    next: int = field(default=1)

    @classmethod
    def of(cls, facts: Facts) -> _Words:
        if facts.text is None:
            return cls(facts.data.split(), b" ")
        words = [word.encode(facts.charset, "replace") for word in facts.text.split()]
        return cls(words, " ".encode(facts.charset))

    def take(self) -> bytes:
        if self.next >= len(self.all):
            return b""
        self.next += 1
        return self.all[self.next - 1]

    def join(self, first: int) -> bytes:
        return self.space.join(self.all[first:])


def expand(pattern: str, facts: Facts) -> str:
    """A URL with its codes replaced by what they stand for; nothing else of it is touched."""
    words = _Words.of(facts)
    told: dict[str, str] = {}  # each fact is written once: a code may stand there a thousand times
    parts: list[str] = []
    at = 0
    while (found := pattern.find("%", at)) >= 0 and found + 1 < len(pattern):
        parts.append(pattern[at:found])
        code = pattern[found + 1]
        at = found + 2
        if code == "#":
            value, at = _meta_parameter(pattern, at, facts.meta_data)
            parts.append(value)
        elif code in _FROM_WORDS:
            parts.append(_FROM_WORDS[code](words))
        elif code in _FROM_FACTS:
            if code not in told:
                told[code] = _FROM_FACTS[code](facts)
            parts.append(told[code])
        else:
            parts.append(f"%{code}")
    parts.append(pattern[at:])
    return "".join(parts)


def quote(value: str | bytes) -> str:
    """As Kannel writes text into a URL: a space is ``+``, hex digits are large."""
    return quote_plus(value, safe=_UNQUOTED)


def _plus(number: str) -> str:
    return quote(f"+{number[2:]}" if number.startswith("00") else number)


def _raw_word(words: _Words) -> str:
    """A word for use as a URL: not encoded, but for what can't stand in one; ``*`` becomes ``~``."""
    return quote_plus(words.take().replace(b"*", b"~"), safe="".join(map(chr, range(0x21, 0x7F))))


def _minutes(value: int | None) -> str:
    return "" if value is None else str(value)


def _meta_parameter(pattern: str, at: int, meta_data: str) -> tuple[str, int]:
    """``%#group#name#``: one value of the meta-data, and where the pattern goes on."""
    group, first, rest = pattern[at:].partition("#")
    name, second, _ = rest.partition("#")
    if not (first and second):
        return "%#", at
    found = parse_meta_data(meta_data).get(group, {}).get(name, b"")
    return quote(found), at + len(group) + len(name) + 2


def parse_meta_data(meta_data: str) -> dict[str, dict[str, bytes]]:
    """``?group?name=value&name=value&?group?...`` as values by group and name."""
    pieces = meta_data.split("?")[1:]
    groups: dict[str, dict[str, bytes]] = {}
    for group, pairs in zip(pieces[::2], pieces[1::2], strict=False):
        groups.setdefault(group, {}).update(parse_query(pairs.encode()))
    return groups


_FROM_WORDS: dict[str, Callable[[_Words], str]] = {
    "k": lambda words: quote(words.all[0]) if words.all else "",
    "s": lambda words: quote(words.take()),
    "S": _raw_word,
    "r": lambda words: quote(words.join(words.next)),
    "a": lambda words: quote(words.join(0)),
}
_FROM_FACTS: dict[str, Callable[[Facts], str]] = {
    "A": lambda facts: quote(facts.octets),
    "b": lambda facts: quote(facts.octets),
    "B": lambda facts: quote(facts.binfo),
    "c": lambda facts: str(facts.coding),
    "C": lambda facts: BINARY_CHARSET if facts.text is None else facts.charset,
    "d": lambda facts: str(facts.dlr),
    "D": lambda facts: quote(facts.meta_data),
    "e": lambda facts: facts.octets.hex().upper(),
    "f": lambda facts: quote(facts.smsc_number),
    "F": lambda facts: quote(facts.foreign_id),
    "i": lambda facts: quote(facts.smsc),
    "I": lambda facts: quote(facts.message_id),
    "m": lambda facts: str(facts.mclass),
    "M": lambda facts: str(facts.mwi),
    "n": lambda facts: quote(facts.service),
    "o": lambda facts: quote(facts.account),
    "O": lambda facts: f"{facts.dcs:02d}",
    "p": lambda facts: quote(facts.phone),
    "P": lambda facts: quote(facts.ours),
    "q": lambda facts: _plus(facts.phone),
    "Q": lambda facts: _plus(facts.ours),
    "R": lambda facts: quote(facts.dlr_url),
    "t": lambda facts: facts.at.astimezone(UTC).strftime("%Y-%m-%d+%H:%M:%S"),
    "T": lambda facts: str(int(facts.at.timestamp())),
    "u": lambda facts: quote(facts.udh),
    "U": lambda facts: facts.udh.hex().upper(),
    "v": lambda facts: _minutes(facts.validity_min),
    "V": lambda facts: _minutes(facts.deferred_min),
    "x": lambda _: "",
    "y": lambda facts: str(facts.priority),
    "%": lambda _: "%",
}
