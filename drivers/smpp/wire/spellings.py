"""The spellings under which a message may be known, and the dialect that each of them belongs to.

An SMSC names a message twice: in submit_sm_resp and, later, in its receipt. Hex in one and decimal in the other,
lost or added zeros and changed case are all found in the field. From the receipt's spelling the candidates for
that of the response are made, each with the name of the dialect that would explain it; which dialect a bind
speaks is learned by whoever finds the message.

Spec: SMPP 3.4 5.3.2.12 (receipted_message_id).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final, NamedTuple

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


class Spelling(NamedTuple):
    """A candidate for the response's spelling."""

    reference: str
    dialect: Dialect


AUTO: Final = "auto"
_BY_RULE: Final = {
    AUTO: frozenset(Dialect),
    Dialect.AS_IS.value: frozenset({Dialect.AS_IS, Dialect.CASE, Dialect.ZEROS}),
    Dialect.HEX_TO_DECIMAL.value: frozenset({Dialect.HEX_TO_DECIMAL}),
    Dialect.DECIMAL_TO_HEX.value: frozenset({Dialect.DECIMAL_TO_HEX}),
}
RULES: Final = tuple(_BY_RULE)
"""What may be agreed with a carrier: one dialect, or any."""

_HEX_WIDTHS: Final = (8, 16)
_DECIMAL_WIDTHS: Final = (10, 20)
_LONGEST_NUMBER: Final = 40
"""Digits; a longer id is a name, and has no other base."""


def given_references(receipt: DeliveryReceipt, tlvs: tuple[Tlv, ...]) -> tuple[str, ...]:
    """The ids that a receipt gives, as spelled: the parameter receipted_message_id before the text's ``id``."""
    given = (find_text_tlv(tlvs, Tag.RECEIPTED_MESSAGE_ID) or "", receipt.message_id)
    return tuple(dict.fromkeys(spelling.strip() for spelling in given if spelling.strip()))


def spell_references(given: Sequence[str], rule: str = AUTO) -> tuple[Spelling, ...]:
    """Candidates for the response's spelling, best first, each spelling once.

    Args:
        given: the receipt's own spellings, best first.
        rule: one of `RULES`.

    Returns:
        All as given before any variant: a variant is a guess and may hit another message.

    >>> [spelling.reference for spelling in spell_references(["26"], "hex-to-decimal")]
    ['1a', '1A', '0000001a', '0000001A', '000000000000001a', '000000000000001A']
    """
    allowed = _BY_RULE[rule]
    found: dict[str, Dialect] = {}
    if Dialect.AS_IS in allowed:
        found.update(dict.fromkeys(given, Dialect.AS_IS))
    for spelling in given:
        for reference, dialect in _variants(spelling):
            if reference and dialect in allowed:
                found.setdefault(reference, dialect)
    return tuple(Spelling(*item) for item in found.items())


def _variants(spelling: str) -> Iterator[tuple[str, Dialect]]:
    for changed in (spelling.upper(), spelling.lower()):
        yield changed, Dialect.CASE
    stripped = spelling.lstrip("0")
    for changed in (stripped, stripped.upper(), stripped.lower()):
        yield changed, Dialect.ZEROS
    if len(spelling) > _LONGEST_NUMBER or not (spelling.isascii() and spelling.isalnum()):
        return
    if spelling.isdecimal():
        for width in _DECIMAL_WIDTHS:
            yield stripped.zfill(width), Dialect.ZEROS
        plain = f"{int(spelling):x}"
        for number in (plain, *(plain.zfill(width) for width in _HEX_WIDTHS)):
            yield number, Dialect.HEX_TO_DECIMAL
            yield number.upper(), Dialect.HEX_TO_DECIMAL
    with suppress(ValueError):  # of a name, which has no other base
        plain = str(int(spelling, 16))
        for number in (plain, *(plain.zfill(width) for width in _DECIMAL_WIDTHS)):
            yield number, Dialect.DECIMAL_TO_HEX
        for width in _HEX_WIDTHS:
            yield stripped.zfill(width), Dialect.ZEROS
            yield stripped.upper().zfill(width), Dialect.ZEROS
            yield stripped.lower().zfill(width), Dialect.ZEROS
