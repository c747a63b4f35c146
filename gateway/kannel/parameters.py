"""The parameters of Kannel's `sendsms`: from octets to what is wanted, and Kannel's own words for what is wrong. Pure.

Names, ranges, the order of the checks and the words are those of Kannel 1.4.5, tried against its smsbox.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from yarl import URL

from drivers.codec.ucs2 import BIG, tidy_ucs2

MAX_ACCOUNT_CHARS = 64
MAX_UDH_OCTETS = 140
MAX_SENDER_CHARS = 64
MAX_URL_CHARS = 2_000
_FAR = 10**8
"""Minutes; more than two hundred years."""

BAD_SENDER = "Sender can't be sent, rejected"
DENIED = "Number(s) has/have been denied by white- and/or black-lists."
BAD_BODY = "Charset or body misformed, rejected"
BAD_UDH = "UDH field misformed, rejected"
BAD_DEFERRED = "Deferred field misformed, rejected"
BAD_URL = "DLR-URL field misformed, rejected"

_NUMBER = re.compile(rb"\s*([+-]?[0-9]{1,9})")
_RANGES = (
    ("dlr-mask", "DLR-Mask", 66),
    ("mclass", "MClass", 3),
    ("pid", "PID", 255),
    ("rpi", "RPI", 2),
    ("alt-dcs", "Alt-DCS", 1),
    ("mwi", "MWI", 7),
    ("coding", "Coding", 2),
    ("compress", "Compress", 1),
    ("validity", "Validity", _FAR),
    ("deferred", "Deferred", _FAR),
    ("priority", "Priority", 3),
)
"""Parameter, its name in a refusal, its greatest value. -1 and anything that is no number mean: not given."""
_OLDER_NAMES = {
    "username": "user",
    "password": "pass",
    "dlr-mask": "dlrmask",
    "dlr-url": "dlrurl",
}
_CANNOT = (("pid", 0, "PID"), ("compress", 0, "Compress"), ("mwi", -1, "MWI"))
"""What we can't put on a wire: refused, because a SIM or handset would take the message for another one."""
_NO_CHARSETS = frozenset({"unicode_escape", "raw_unicode_escape", "punycode", "idna", "mbcs", "undefined"})
_CHARSET_ALIASES = {"ucs-2": "utf-16-be", "ucs-2be": "utf-16-be", "ucs2": "utf-16-be", "utf-16": "utf-16-be"}


class Refused(Exception):
    """What Kannel would answer when it says no.

    Args:
        words: the body of the answer.
        status: of the answer.
    """

    def __init__(self, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.words = words
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One call of `sendsms`, read.

    Args:
        to: the receivers as they were written, each once, at least one.
        sender: the ``from``; None when not given.
        text: None for binary messages, which have ``data``.
        coding: 0, 1 or 2; None when not given.
        udh: with its length octet; empty for none.
        mclass: message class; None when not given.
        validity_min, deferred_min: minutes; None when not given.
        priority: 0..3, 3 first.
        dlr_mask: 0 for no reports.
        dlr_url: empty for the account's own.
    """

    to: tuple[str, ...]
    sender: str | None
    text: str | None
    data: bytes | None
    coding: int | None
    udh: bytes
    mclass: int | None
    validity_min: int | None
    deferred_min: int | None
    priority: int
    dlr_mask: int
    dlr_url: str
    smsc: str | None
    account: str | None
    binfo: str | None
    meta_data: str | None


def parse_query(query: bytes) -> dict[str, bytes]:
    """The parameters of a query string; the first of each name counts."""
    given: dict[str, bytes] = {}
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name:
            key = unquote_to_bytes(name.replace(b"+", b" ")).decode("latin-1")
            given.setdefault(key, unquote_to_bytes(value.replace(b"+", b" ")))
    return given


def pick(given: Mapping[str, bytes], name: str) -> bytes | None:
    """A parameter by its name or the one it had before."""
    value = given.get(name)
    return given.get(_OLDER_NAMES[name]) if value is None and name in _OLDER_NAMES else value


def read_text(given: Mapping[str, bytes], name: str) -> str | None:
    """A parameter as text; None when it was not given or is empty."""
    value = pick(given, name)
    return value.decode("utf-8", "replace") if value else None


def read_wanted(given: Mapping[str, bytes], *, charset: str) -> Wanted:
    """What a call asks for.

    Args:
        given: the parameters.
        charset: of texts that name none and are no UTF-8 (coding 2 has its own: UTF-16BE).

    Raises:
        Refused: with Kannel's words; the first fault in Kannel's order.
    """
    receivers = _read_receivers(given.get("to"))
    udh = given.get("udh", b"")
    if udh and len(udh) != udh[0] + 1:
        raise Refused(BAD_UDH)
    if len(udh) > MAX_UDH_OCTETS:
        raise Refused("UDH field is too long, rejected")
    account = read_text(given, "account")
    if account and (len(account) > MAX_ACCOUNT_CHARS or re.search(r"[\[\]\r\n]", account)):
        raise Refused("Account field misformed or too long, rejected")
    url = read_text(given, "dlr-url") or ""
    if url and not is_callable_url(url):
        raise Refused(BAD_URL)
    sender = read_text(given, "from")
    if sender and len(sender) > MAX_SENDER_CHARS:
        raise Refused("Sender field too long, rejected")
    numbers = {name: _read_number(given, name, label, top) for name, label, top in _RANGES}
    for name, harmless, label in _CANNOT:
        if numbers[name] > harmless:
            raise Refused(f"{label} field not supported, rejected")
    coding = _optional(numbers["coding"])
    binary = coding == 1 or (coding is None and bool(udh))
    octets = given.get("text", b"")
    flash = _parse_number(given.get("flash")) > 0 and numbers["mclass"] < 0
    return Wanted(
        to=receivers,
        sender=sender,
        text=None if binary else _decode(octets, given.get("charset", b""), coding, charset),
        data=octets if binary else None,
        coding=coding,
        udh=udh,
        mclass=0 if flash else _optional(numbers["mclass"]),
        validity_min=_optional(numbers["validity"]),
        deferred_min=_optional(numbers["deferred"]),
        priority=max(0, numbers["priority"]),
        dlr_mask=max(0, numbers["dlr-mask"]),
        dlr_url=url,
        smsc=read_text(given, "smsc"),
        account=account,
        binfo=read_text(given, "binfo"),
        meta_data=read_text(given, "meta-data"),
    )


def is_callable_url(url: str) -> bool:
    """Whether a client may have us call it: HTTP or HTTPS with a host, in printable ASCII, of a bounded length."""
    if len(url) > MAX_URL_CHARS or not re.fullmatch(r"(?i:https?)://[^\s/?#][!-~]*", url):
        return False
    try:
        return bool(URL(url, encoded=True).host)  # as the caller reads it
    except ValueError:
        return False


def _read_receivers(value: bytes | None) -> tuple[str, ...]:
    if value is None:
        raise Refused("Missing receiver number, rejected")
    if not value:
        raise Refused("Empty receiver number not allowed, rejected")
    receivers = tuple(dict.fromkeys(value.decode("utf-8", "replace").split()))
    if not receivers:
        raise Refused(DENIED)
    return receivers


def _read_number(given: Mapping[str, bytes], name: str, label: str, top: int) -> int:
    value = _parse_number(pick(given, name))
    if not -1 <= value <= top:
        raise Refused(f"{label} field misformed, rejected")
    return value


def _parse_number(value: bytes | None) -> int:
    """As C reads a number: what stands in front counts; -1 when nothing does."""
    found = _NUMBER.match(value or b"")
    return int(found[1]) if found else -1


def _optional(value: int) -> int | None:
    return None if value < 0 else value


def _decode(octets: bytes, named: bytes, coding: int | None, otherwise: str) -> str:
    """The text; without a charset it is UTF-8, in coding 2 UTF-16BE."""
    try:
        if named:
            name = named.decode("ascii").lower()
            codec = codecs.lookup(_CHARSET_ALIASES.get(name, name)).name
            if codec.replace("-", "_") in _NO_CHARSETS:
                raise Refused(BAD_BODY)
            return (tidy_ucs2(octets) if codec == BIG else octets).decode(codec)
        if coding == 2:
            return tidy_ucs2(octets).decode(BIG)
    except (LookupError, UnicodeError, ValueError):
        raise Refused(BAD_BODY) from None
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        # Clients from before Kannel 1.4.3 send what was the default then; their octets are hardly ever UTF-8.
        return octets.decode(otherwise, "replace")
