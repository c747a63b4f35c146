"""What the number plans of the world say of digits: whether they are a number, and how people there write it. Pure.

The plans are those of phonenumberslite. They lag behind what regulators give out, so what they don't know is only
less likely, never impossible. Of Chinese numbers, which are most of ours, the ranges stand here. So does the form of
North America's: ten digits in an area code that the plan does not know yet must not look like another country.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum, IntEnum
from functools import cache, lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberType, ValidationResult

_CHINA = 86
_CHINESE = re.compile(r"1[3-9][0-9]{9}|14[0-4][0-9]{8,10}")
"""Mobiles, whichever range the regulator opens next, and the longer numbers of things (140 to 144)."""
_AMERICA = 1
_AMERICAN = re.compile(r"1[2-9][0-9]{2}[2-9][0-9]{6}")
"""What North America's plan can give out, whichever area code it opens next: with a plus it is no other number."""
_MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
_TEXTED = {PhoneNumberType.PAGER, PhoneNumberType.PERSONAL_NUMBER, PhoneNumberType.VOIP}
_NO_COUNTRY = "001"
_MEXICAN_OF_OLD = re.compile(r"521([0-9]{10})")
"""Until 2019 a Mexican mobile had a 1 behind the country code; some networks still write it."""


class Grade(IntEnum):
    """How much a plan says for a number."""

    NONE = 0
    """Too short, too long, or of no country."""
    POSSIBLE = 1
    """Of a possible length."""
    VALID = 2
    """In a range that is given out."""


class Candidate(NamedTuple):
    """A number that digits may mean.

    Args:
        number: E.164 with ``+``.
        code: its country code.
        usual: of a national reading: people there write it so.
        mobile: it is, or may be, a mobile.
    """

    number: str
    grade: Grade
    code: int = 0
    usual: bool = True
    mobile: bool = False


NOTHING = Candidate("", Grade.NONE)
"""Digits that mean no number."""


def is_plain(number: str) -> bool:
    """Whether ``+`` and digits are surely a number in its one spelling, told without looking far.

    False says nothing. What is plain here is at least possible; a test holds this against the whole plan.
    """
    digits = number[1:]
    if number[:1] != "+" or not (digits.isascii() and digits.isdecimal()):
        return False
    for n in (1, 2, 3):
        if digits[:n] and (shape := _shape(digits[:n])) is not None:
            prefix, lengths = shape
            rest = digits[n:]
            return len(rest) in lengths and not (prefix and prefix.match(rest))
    return False


def read_international(digits: str) -> Candidate:
    """What digits are that begin with a country code."""
    if former := _MEXICAN_OF_OLD.fullmatch(digits):
        digits = f"52{former[1]}"
    number = _parse(f"+{digits}", None)
    return NOTHING if number is None else _judge(number)


def read_national(digits: str, region: str) -> Candidate:
    """What digits are as people in ``region`` dial them: nationally, or abroad by their own prefix."""
    number = _parse(digits, region)
    if number is None:
        return NOTHING
    found = _judge(number)
    if number.country_code != phonenumbers.country_code_for_region(region):
        return found
    if found.number == f"+{digits}":
        return NOTHING  # it begins with the country code: that is no national writing
    bare = phonenumbers.national_significant_number(number)
    if number.country_code == _AMERICA and _AMERICAN.fullmatch(f"1{bare}"):
        return found._replace(grade=Grade.VALID, mobile=True)
    if digits == bare and not digits.startswith("0"):
        if number.country_code == _CHINA and found.grade is Grade.POSSIBLE:
            return found._replace(grade=Grade.NONE)  # the plan takes any digits there
        return found._replace(usual=found.mobile and _is_written_bare(found.code, bare))
    return found


def may_be_bare(digits: str, region: str) -> bool:
    """Whether digits that follow a plus may be a number of ``region`` that has none; quick, never misses one.

    Mobiles without country code, and of China also service numbers.
    """
    if region == "CN":
        return digits.startswith("10") or bool(_CHINESE.fullmatch(digits) and not _AMERICAN.fullmatch(digits))
    return any(len(digits) in lengths and form.fullmatch(digits) for lengths, form in _mobiles(region))


def read_as_before(digits: str, region: str) -> str | None:
    """What digits without ``+`` were taken for up to version 0.1: a national number if they could be one."""
    number = _parse(digits, region)
    if number is None or not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def spell_nationally(number: str) -> tuple[str, ...]:
    """How people of its country dial an E.164 number, with and without the prefix of calls in the country."""
    parsed = _parse(number, None)
    if parsed is None:
        return ()
    written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    dialled = "".join(char for char in str(written) if char.isdecimal())
    return str(phonenumbers.national_significant_number(parsed)), dialled


def is_country_code(digits: str) -> bool:
    """Whether some country has it."""
    return bool(digits) and _shape(digits) is not None


def country_code(region: str) -> str:
    """The digits of a region's country code."""
    return str(phonenumbers.country_code_for_region(region))


def _parse(text: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _judge(number: PhoneNumber) -> Candidate:
    code = number.country_code or 0
    spelled = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    if code == _CHINA and _CHINESE.fullmatch(spelled[3:]):
        return Candidate(spelled, Grade.VALID, _CHINA, mobile=True)
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return NOTHING
    kind = phonenumbers.number_type(number)
    grade = Grade.POSSIBLE if kind == PhoneNumberType.UNKNOWN else Grade.VALID
    return Candidate(spelled, grade, code, mobile=kind in _MOBILE)


def _is_written_bare(code: int, bare: str) -> bool:
    """Whether people write such a number without the prefix (as a rule 0) of calls in their country."""
    metadata = PhoneMetadata.metadata_for_region(phonenumbers.region_code_for_country_code(code))
    for form in metadata.number_format if metadata is not None else ():
        leading = form.leading_digits_pattern
        if (not leading or re.match(leading[-1], bare)) and re.fullmatch(form.pattern or "", bare):
            rule = (form.national_prefix_formatting_rule or "").replace(r"\1", "")
            return bool(form.national_prefix_optional_when_formatting) or not re.search(r"[0-9]", rule)
    return True


@cache
def _shape(code: str) -> tuple[re.Pattern[str] | None, Collection[int]] | None:
    """Of a country code: what in front of a number is no part of it, and how many digits numbers have."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    if regions is None or code.startswith("0"):
        return None
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(int(code), regions[0])
    if metadata is None or metadata.general_desc is None:
        return None
    prefix = metadata.national_prefix_for_parsing
    return re.compile(prefix) if prefix else None, metadata.general_desc.possible_length


@cache
def _mobiles(region: str) -> list[tuple[Collection[int], re.Pattern[str]]]:
    """Lengths and form of the mobiles of all regions that share the country code."""
    found: list[tuple[Collection[int], re.Pattern[str]]] = []
    for one in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[phonenumbers.country_code_for_region(region)]:
        metadata = PhoneMetadata.metadata_for_region(one)
        if metadata is None or metadata.mobile is None or metadata.general_desc is None:
            continue
        if form := metadata.mobile.national_number_pattern:
            lengths = metadata.mobile.possible_length or metadata.general_desc.possible_length
            found.append((lengths, re.compile(form)))
    return found


def region_of(number: str) -> str | None:
    """The country of an E.164 number, ISO 3166; None of short codes, and of what belongs to no country.

    Of a range that the plan does not know yet it is the first country with this code: +1 is the United States.
    """
    code = _code_of(number)
    if code is None:
        return None
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    if len(regions) == 1:
        return None if regions[0] == _NO_COUNTRY else str(regions[0])
    return _shared_region(number) or str(regions[0])


def is_premium(number: str) -> bool:
    """Whether calling or texting an E.164 number costs more than a number of its country usually does."""
    code = _code_of(number)
    if code is None or (code == _CHINA and _CHINESE.fullmatch(number, 3)):
        return False
    form = _premium(code)
    return form is not None and form.fullmatch(number, 1 + len(str(code))) is not None


@lru_cache(maxsize=20_000)
def kind_of(number: str) -> NumberKind:
    """What an E.164 number is."""
    if _code_of(number) == _CHINA and _CHINESE.fullmatch(number, 3):
        return NumberKind.MOBILE
    parsed = _parse(number, None) if number.startswith("+") else None
    if parsed is None:
        return NumberKind.UNKNOWN
    kind = phonenumbers.number_type(parsed)
    if kind in _MOBILE or kind in _TEXTED:
        return NumberKind.MOBILE
    return NumberKind.UNKNOWN if kind == PhoneNumberType.UNKNOWN else NumberKind.OTHER


class NumberKind(Enum):
    """What the plan says of a number."""

    MOBILE = "mobile"
    """A mobile, or one that may be: a pager, a number of a person, or of a line over the Internet."""
    OTHER = "other"
    """A fixed line, a free number or another that takes no texts."""
    UNKNOWN = "unknown"
    """In no range that is given out, as far as the plan knows."""


@lru_cache(maxsize=20_000)
def _shared_region(number: str) -> str | None:
    """The country among those that share a code."""
    parsed = _parse(number, None)
    region = None if parsed is None else phonenumbers.region_code_for_number(parsed)
    return None if region is None else str(region)


def _code_of(number: str) -> int | None:
    if not number.startswith("+"):
        return None
    if number.startswith("+86"):
        return _CHINA
    for n in (1, 2, 3):
        if is_country_code(number[1 : 1 + n]):
            return int(number[1 : 1 + n])
    return None


@cache
def _premium(code: int) -> re.Pattern[str] | None:
    """The premium numbers of all countries with a code."""
    forms = []
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]:
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        if metadata is not None and metadata.premium_rate is not None:
            forms.append(metadata.premium_rate.national_number_pattern)
    found = [f"(?:{form})" for form in dict.fromkeys(forms) if form]
    return re.compile("|".join(found)) if found else None
