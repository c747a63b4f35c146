"""Telephone numbers: what people write, as E.164 or as a short code."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

_SHORT_CODE = re.compile(r"\d{3,6}")
_SERVICE_NUMBER = re.compile(r"1(?:0[06]|2)\d{3,18}")
"""Chinese service numbers (106..., 100.., 12...): not E.164, dialled as they are."""
_CHINESE_MOBILE = re.compile(r"\+861[3-9][0-9]{9}")
"""Already in its one spelling; most of our traffic, and twenty times as fast as asking the number plan."""
_MAX_CHARS = 40
_NARROW = {ord(c) + 0xFEE0: c for c in "0123456789+-()"}
"""Full-width forms, as Chinese input methods write them."""


class InvalidNumber(ValueError):
    """Not a number that a message can be sent to; the text says what to write."""


@lru_cache(maxsize=20_000)
def parse_number(text: str, region: str) -> str:
    """A recipient in its one spelling inside the product.

    Args:
        text: as a person or program wrote it: ``+86 138 0013 8000``, ``0086138...``, ``13800138000``.
        region: ISO 3166 code that decides how national numbers are read.

    Returns:
        E.164 with ``+``, or the digits of a short code or Chinese service number.

    Raises:
        InvalidNumber: it can't be dialled; the sentence never repeats the number.
    """
    if _CHINESE_MOBILE.fullmatch(text):
        return text
    compact = re.sub(r"[\s\-().]", "", text.translate(_NARROW))
    if not compact:
        raise InvalidNumber("the number is empty; write it as +8613800138000")
    if len(compact) > _MAX_CHARS or not re.fullmatch(r"\+?[0-9]+", compact):
        raise InvalidNumber("write digits only, with + and the country code in front, such as +8613800138000")
    if _SHORT_CODE.fullmatch(compact) or (region == "CN" and _SERVICE_NUMBER.fullmatch(compact)):
        return compact
    if compact.startswith("00"):
        compact = "+" + compact[2:]
    try:
        number = phonenumbers.parse(compact, region)
    except phonenumbers.NumberParseException as exc:
        raise InvalidNumber(
            f"not a telephone number in region {region}; write it with + and the country code",
        ) from exc
    if not phonenumbers.is_possible_number(number):
        raise InvalidNumber(
            f"too short or too long for a number of +{number.country_code}; check its digits",
        )
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def parse_address(text: str, region: str) -> str:
    """An address that came from the network: like `parse_number`, but anything else stays as it is."""
    try:
        return parse_number(text, region)
    except InvalidNumber:
        return text
