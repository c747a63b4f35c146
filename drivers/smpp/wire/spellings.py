"""The spellings under which a message may be known, and the dialect that each of them belongs to.

An SMSC names a message twice: in submit_sm_resp and, later, in its receipt. Hex in one and decimal in the other,
lost or added zeros and changed case are all found in the field. From the receipt's spelling the candidates for
that of the response are made, each with the name of the dialect that would explain it; which dialect a bind
speaks is learned by whoever finds the message.

Spec: SMPP 3.4 5.3.2.12 (receipted_message_id).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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
    if _AS_IS in allowed:
        found.update(dict.fromkeys(given, _AS_IS))
    for spelling in given:
        for dialect, references in _variants(spelling):
            if dialect in allowed:
                for reference in references:
                    if reference not in found:
                        found[reference] = dialect
    found.pop("", None)
    return found


# Every receipt comes by here, and looking up a member of an enumeration costs as much as making a spelling.
_AS_IS: Final = Dialect.AS_IS
_CASE: Final = Dialect.CASE
_ZEROS: Final = Dialect.ZEROS
_HEX_TO_DECIMAL: Final = Dialect.HEX_TO_DECIMAL
_DECIMAL_TO_HEX: Final = Dialect.DECIMAL_TO_HEX
_SIGNED: Final = Dialect.SIGNED

_Variants = list[tuple[Dialect, tuple[str, ...]]]


def _variants(spelling: str) -> _Variants:
    if spelling.isdecimal() and len(spelling) <= _LONGEST_NUMBER and spelling.isascii():
        return _variants_of_digits(spelling)
    if _NEGATIVE.fullmatch(spelling):
        return _variants_of_negative(spelling)
    stripped = spelling.lstrip("0")
    upper, lower = stripped.upper(), stripped.lower()
    found: _Variants = [(_CASE, (spelling.upper(), spelling.lower())), (_ZEROS, (stripped, upper, lower))]
    if len(spelling) > _LONGEST_NUMBER or not (spelling.isascii() and spelling.isalnum()):
        return found
    with suppress(ValueError):  # of a name, which has no other base
        plain = str(int(spelling, 16))
        found.append((_DECIMAL_TO_HEX, (plain, plain.zfill(10), plain.zfill(20))))
        for width in (8, 16):
            found.append((_ZEROS, (stripped.zfill(width), upper.zfill(width), lower.zfill(width))))
    return found


def _variants_of_digits(spelling: str) -> _Variants:
    """Of a number that may be decimal or hex; digits have no case."""
    # Numbers of 32 and 64 bits fill 8 and 16 hex digits, or 10 and 20 decimal ones.
    stripped = spelling.lstrip("0")
    found: _Variants = [(_ZEROS, (stripped, stripped.zfill(10), stripped.zfill(20)))]
    number = int(spelling)
    for bits in _WIDTHS:
        if 1 << (bits - 1) <= number < 1 << bits:
            found.append((_SIGNED, (str(number - (1 << bits)),)))
    plain = f"{number:x}"
    short, long = plain.zfill(8), plain.zfill(16)
    found.append((_HEX_TO_DECIMAL, (plain, plain.upper(), short, short.upper(), long, long.upper())))
    plain = str(int(spelling, 16))
    found.append((_DECIMAL_TO_HEX, (plain, plain.zfill(10), plain.zfill(20))))
    found.append((_ZEROS, (stripped.zfill(8), stripped.zfill(16))))
    return found


def _variants_of_negative(spelling: str) -> _Variants:
    number = int(spelling)
    bits = next((bits for bits in _WIDTHS if -number <= 1 << (bits - 1)), 0)
    if not bits:
        return []
    unsigned = number + (1 << bits)
    return [(_SIGNED, (str(unsigned),)), (_HEX_TO_DECIMAL, (f"{unsigned:x}", f"{unsigned:X}"))]
