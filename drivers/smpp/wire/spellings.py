"""The spellings under which a message may be known, and the dialect that each of them belongs to.

An SMSC names a message twice: in submit_sm_resp and, later, in its receipt. Hex in one and decimal in the other,
lost or added zeros and changed case are all found in the field. From the receipt's spelling the candidates for
that of the response are made, each with the name of the dialect that would explain it; which dialect a bind
speaks is learned by whoever finds the message.

Spec: SMPP 3.4 5.3.2.12 (receipted_message_id).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final

from drivers.smpp.wire.constants import Tag
from drivers.smpp.wire.fields import Tlv, find_text_tlv
from drivers.smpp.wire.receipt import DeliveryReceipt


class Dialect(StrEnum):
    """How the receipt's spelling of an id came about from that of the response."""

    AS_IS = "as-is"
    CASE = "case"
    """Letters in the other case."""
    ZEROS = "zeros"
    """Zeros in front were dropped or added."""
    HEX_TO_DECIMAL = "hex-to-decimal"
    """The response is in hex, the receipt in decimal."""
    DECIMAL_TO_HEX = "decimal-to-hex"
    """The response is in decimal, the receipt in hex."""
    SIGNED = "signed"
    """A number from 2^31 on (or 2^63) that one of the two takes for a negative one."""


AUTO: Final = "auto"
_BY_RULE: Final = {
    AUTO: tuple(Dialect),
    Dialect.AS_IS.value: (Dialect.AS_IS, Dialect.CASE, Dialect.ZEROS, Dialect.SIGNED),
    Dialect.HEX_TO_DECIMAL.value: (Dialect.HEX_TO_DECIMAL,),
    Dialect.DECIMAL_TO_HEX.value: (Dialect.DECIMAL_TO_HEX,),
}
RULES: Final = tuple(_BY_RULE)
"""What may be agreed with a carrier: one dialect, or any."""

_AROUND: Final = " \t\r\n\"'"
_NEGATIVE: Final = re.compile(r"-[1-9][0-9]{0,18}")
_WIDTHS: Final = (32, 64)
_LONGEST_NUMBER: Final = 40
"""Digits; a longer id is a name, and has no other base."""


def given_references(receipt: DeliveryReceipt, tlvs: tuple[Tlv, ...]) -> tuple[str, ...]:
    """The ids that a receipt gives, as spelled: the parameter receipted_message_id before the text's ``id``."""
    given = (find_text_tlv(tlvs, Tag.RECEIPTED_MESSAGE_ID) or "", receipt.message_id)
    bare = (spelling.strip(_AROUND) for spelling in given)
    return tuple(dict.fromkeys(spelling for spelling in bare if spelling))


def spell_references(given: Sequence[str], rule: str = AUTO) -> dict[str, Dialect]:
    """Candidates for the response's spelling, best first, each with the dialect that explains it.

    Args:
        given: the receipt's own spellings, best first.
        rule: one of `RULES`.

    Returns:
        All as given before any variant: a variant is a guess and may hit another message.

    >>> list(spell_references(["26"], "hex-to-decimal"))
    ['1a', '1A', '0000001a', '0000001A', '000000000000001a', '000000000000001A']
    """
    allowed = _BY_RULE[rule]
    found: dict[str, Dialect] = {}
    if Dialect.AS_IS in allowed:
        found.update(dict.fromkeys(given, Dialect.AS_IS))
    for spelling in given:
        for dialect, references in _variants(spelling):
            if dialect in allowed:
                for reference in references:
                    found.setdefault(reference, dialect)
    found.pop("", None)
    return found


def _variants(spelling: str) -> Iterator[tuple[Dialect, tuple[str, ...]]]:
    if _NEGATIVE.fullmatch(spelling):
        bits = next((bits for bits in _WIDTHS if -int(spelling) <= 1 << (bits - 1)), 0)
        unsigned = int(spelling) + (1 << bits)
        yield Dialect.SIGNED, (str(unsigned),) if bits else ()
        yield Dialect.HEX_TO_DECIMAL, (f"{unsigned:x}", f"{unsigned:X}") if bits else ()
        return
    stripped = spelling.lstrip("0")
    upper, lower = stripped.upper(), stripped.lower()
    yield Dialect.CASE, (spelling.upper(), spelling.lower())
    yield Dialect.ZEROS, (stripped, upper, lower)
    if len(spelling) > _LONGEST_NUMBER or not (spelling.isascii() and spelling.isalnum()):
        return
    # Numbers of 32 and 64 bits fill 8 and 16 hex digits, or 10 and 20 decimal ones.
    if spelling.isdecimal():
        yield Dialect.ZEROS, (stripped.zfill(10), stripped.zfill(20))
        for bits in _WIDTHS:
            if 1 << (bits - 1) <= int(spelling) < 1 << bits:
                yield Dialect.SIGNED, (str(int(spelling) - (1 << bits)),)
        plain = f"{int(spelling):x}"
        short, long = plain.zfill(8), plain.zfill(16)
        in_hex = (plain, plain.upper(), short, short.upper(), long, long.upper())
        yield Dialect.HEX_TO_DECIMAL, in_hex
    with suppress(ValueError):  # of a name, which has no other base
        plain = str(int(spelling, 16))
        yield Dialect.DECIMAL_TO_HEX, (plain, plain.zfill(10), plain.zfill(20))
        for width in (8, 16):
            yield Dialect.ZEROS, (stripped.zfill(width), upper.zfill(width), lower.zfill(width))
