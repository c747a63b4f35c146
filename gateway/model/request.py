"""What a client may ask for, as it comes in JSON; bounds that JSON Schema can say stand here."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.model.message import Category

MAX_TEXT_CHARS = 39_015
"""255 parts of 153 characters: the most that one message can carry (TS 23.040 9.2.3.24.1)."""
MAX_BATCH = 10_000

IDEMPOTENCY_KEY_PATTERN = re.compile(r"[\x20-\x7e]{1,255}")
IDEMPOTENCY_KEY_FORM = "1 to 255 printable ASCII characters, such as a UUID"

END = r"$(?!\n)"
"""The end of a pattern: ``$`` alone lets a line feed follow, in Python though not in JSON Schema."""
_HEX = f"^([0-9A-Fa-f]{{2}})*{END}"
_TLV_TAG = f"^0x[0-9A-Fa-f]{{4}}{END}"
_ENCODING = f"^(auto|gsm7|ucs2){END}"
_HTTP = "^https?://"
_USSD = rf'^[^"\x00-\x1f\x7f]*{END}'

PATTERN_WORDS = {
    _HEX: 'write octets in hex, two digits each, such as "00a1"',
    _TLV_TAG: 'write a tag as 0x and four hex digits, such as "0x1401"',
    _ENCODING: "write one of auto, gsm7, ucs2",
    _HTTP: "write an address that begins with http:// or https://",
    _USSD: "leave out quotes and control characters",
}
"""What each pattern asks for, to people."""

Tag = Annotated[str, Meta(min_length=1, max_length=64)]
UssdCode = Annotated[str, Meta(min_length=1, max_length=182, pattern=_USSD)]
"""A USSD code or the choice from a menu."""
TlvTag = Annotated[str, Meta(pattern=_TLV_TAG)]
"""Tag of an optional parameter of SMPP."""
TlvValue = Annotated[str, Meta(max_length=510, pattern=_HEX)]
"""Its octets in hex."""


class CommonFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """All fields of a message but its recipient (INTERFACE section 3).

    Args:
        text: what the handset shows; a long one is cut into parts.
        category: opt-outs stop ``marketing``; ``otp`` and ``emergency`` may use the reserve of a SIM's quota.
        sender: a channel group; any of its channels may send the message.
        channel: one channel, which alone may send the message.
        priority: 0 to 9; 9 goes first.
        encoding: ``gsm7``, ``ucs2``, or ``auto``: GSM-7 if it holds the text, else UCS-2.
        smart: write typographic characters plainly where that saves segments; null for the setting of the gateway.
        flash: show the text at once and do not store it.
        schedule_at: when to send it; null for now.
        valid_for: for how many seconds the message makes sense; null for the setting of the gateway.
        report: ask the network for a delivery report.
        callback_url: posted to whenever the message's status changes, signed with your key's webhook secret.
        reference: your own id.
        sequence: messages to one recipient with the same name here go one after the other: the next when the one before
            is with the network, or has ended.
        brand: in whose name it goes; one of those that the config gives to your key. Null for the first of them.
        template: the name of the template that the text was made from.
        tags: words to find the message by.
        data: octets of a binary message in hex, in place of ``text``.
        udh: the header of a binary message in hex, with its length octet.
        smpp_tlvs: parameters for the SMSC, tag and octets in hex; SIMs ignore them.
    """

    text: str | None = None
    category: Category = Category.TRANSACTIONAL
    sender: Annotated[str, Meta(max_length=64)] | None = None
    channel: Annotated[str, Meta(max_length=64)] | None = None
    priority: Annotated[int, Meta(ge=0, le=9)] = 5
    encoding: Annotated[str, Meta(pattern=_ENCODING)] = "auto"
    smart: bool | None = None
    flash: bool = False
    schedule_at: Annotated[datetime, Meta(tz=True)] | None = None
    valid_for: Annotated[int, Meta(ge=1, le=30 * 86_400)] | None = None
    report: bool = True
    callback_url: Annotated[str, Meta(max_length=2_000, pattern=_HTTP)] | None = None
    reference: Annotated[str, Meta(max_length=200)] | None = None
    sequence: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    brand: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    template: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    tags: Annotated[tuple[Tag, ...], Meta(max_length=20)] = ()
    data: Annotated[str, Meta(max_length=280, pattern=_HEX)] | None = None
    udh: Annotated[str, Meta(max_length=280, pattern=_HEX)] | None = None
    smpp_tlvs: Annotated[dict[TlvTag, TlvValue], Meta(max_length=16)] = {}


class MessageRequest(CommonFields, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One message to one recipient.

    Args:
        to: E.164, a short code, or a number as people in the gateway's country write it.
    """

    to: Annotated[str, Meta(max_length=64)]


class PreviewRequest(CommonFields, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A message to be looked at before it is sent.

    Args:
        to: may be left out.
    """

    to: Annotated[str, Meta(max_length=64)] | None = None


class RouteRequest(MessageRequest, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A message whose way is asked for before it is sent. Without text and data it is taken for a short one.

    Args:
        key: name or id of the API key that would send it, or an account as ``smpp:NAME``; that of the caller without.
    """

    key: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


class CheckRequest(RouteRequest, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A message that rules are to be asked about before it is sent.

    Args:
        key: name or id of the API key that would send it, or an account as ``smpp:NAME``; that of the caller without.
    """


class CarrierRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whose a number is, set by hand.

    Args:
        carrier: as the carrier files name it, such as ``unicom``.
    """

    carrier: Annotated[str, Meta(min_length=1, max_length=32)]


class FanOutRequest(CommonFields, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One text to many recipients: the second form of a batch.

    Args:
        to: the recipients, each as in a single message.
    """

    to: Annotated[list[str], Meta(min_length=1, max_length=MAX_BATCH)]
