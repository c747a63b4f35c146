"""Telephone numbers: the one reading of what people and networks write.

The rules stand in docs/numbers.md. Every door uses them: HTTP, Kannel, SMPP in both directions, modems, look-ups and
the opt-out list. A number that may be one of two persons', or nobody's, is *doubtful*: doors refuse it, and what came
from a network keeps the spelling in which it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from gateway.model.number_plan import (
    NOTHING,
    Candidate,
    Grade,
    country_code,
    is_country_code,
    is_plain,
    may_be_bare,
    read_as_before,
    read_international,
    read_national,
    spell_nationally,
)

_SHORT_CODE = re.compile(r"[0-9]{3,6}")
_SERVICE_NUMBER = re.compile(r"10[06][0-9]{3,18}")
"""Chinese service numbers (10086..., 106...): not E.164, dialled as they are."""
_RARER_SERVICE_NUMBER = re.compile(r"(?:12|9[56])[0-9]{3,18}")
"""More of them (12306, 12520..., 95588...), where the digits are no number: +1 2.. and +95 begin like these."""
_CHINESE_MOBILE = re.compile(r"\+861[3-9][0-9]{9}")
"""Already in its one spelling, and most of our traffic."""
_CHINESE_WITHOUT_PLUS = re.compile(r"(?:86)?1[3-9][0-9]{9}")
_MAX_CHARS = 40
_NARROW = {ord(c) + 0xFEE0: c for c in "0123456789+-()."}
"""Full-width forms, as Chinese input methods write them."""
_BETWEEN = re.compile(
    "[\\s\\-().\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u2010-\u2015\u2212]"
)
"""What stands between digits for the eye, or is not seen at all: address books and web pages bring it along."""
_BEFORE_SHORT_CODE = "too short for + in front; write a short code or service number without it"
_FROM_A_SPREADSHEET = re.compile(r"\+?[0-9]{7,}\.0{1,2}")

_COMING_AND_GOING = (
    (re.compile(r"\+549([0-9]{10})"), r"+54\1"),
    (re.compile(r"\+54([1-8][0-9]{9})"), r"+549\1"),
    (re.compile(r"\+55([1-9][0-9])9([6-9][0-9]{7})"), r"+55\1\2"),
    (re.compile(r"\+55([1-9][0-9])([6-9][0-9]{7})"), r"+55\g<1>9\2"),
)
"""Argentina and Brazil: a 9 marks mobiles, and some networks leave it out."""

_EMPTY = "the number is empty; write it as +8613800138000"
_NO_DIGITS = "write digits only, with + and the country code in front, such as +8613800138000"
_PLUS_BEFORE_SHORT_CODE = "too short for + in front; write a short code or service number without it"
_SPREADSHEET = "a spreadsheet has made a number with decimals of it; write the digits without .0"


class InvalidNumber(ValueError):
    """Not a number that a message can be sent to; the text says what to write."""


class Reading(NamedTuple):
    """What a number may mean.

    Args:
        number: in its one spelling, E.164 or the digits of a short code; None when it is doubtful, or none at all.
        spelling: ``number``, or else what it is kept as: its digits, or the text as it came.
        people: every number that it may be, the likeliest first; none when nobody has it.
        aliases: other spellings of the same people, in older stores and some networks.
        fault: why ``number`` is None, and what to write; never repeats the number.
    """

    number: str | None
    spelling: str
    people: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    fault: str = ""

    @property
    def readings(self) -> tuple[str, ...]:
        """For which numbers an opt-out holds; a name stands for itself."""
        return (*self.people, *self.aliases) or (self.spelling,)

    @property
    def spellings(self) -> tuple[str, ...]:
        """Under which the person may stand in the store."""
        return tuple(dict.fromkeys((self.spelling, *self.readings)))


def parse_number(text: str, region: str, *, national: bool = False) -> str:
    """A recipient in its one spelling inside the product.

    Args:
        text: as a person or program wrote it: ``+86 138 0013 8000``, ``0086138...``, ``13800138000``.
        region: ISO 3166 code that decides how national numbers are read.
        national: whoever wrote it says that it is a national number: that settles a doubt, and nothing else.

    Returns:
        E.164 with ``+``, or the digits of a short code or Chinese service number.

    Raises:
        InvalidNumber: it can't be dialled, or is doubtful; the sentence never repeats the number.
    """
    if (number := _read_at_once(text, region)) is not None:
        return number
    reading = _read(text, region)
    if reading.number is not None:
        return reading.number
    own = f"+{country_code(region)}"
    if (
        national
        and not text.startswith("+")
        and (meant := [one for one in reading.people if one.startswith(own)])
    ):
        return meant[0]
    raise InvalidNumber(reading.fault)


@lru_cache(maxsize=1_000)
def spell_own(address: str) -> frozenset[str]:
    """How a config may write an address of ours that a message came to: in full, without plus, nationally."""
    if address.startswith("+"):
        return frozenset({address, address[1:], *spell_nationally(address)})
    return frozenset({address, f"+{address}"} if address else {""})


def parse_address(text: str, region: str) -> str:
    """An address that came from the network: like `parse_number`, but anything else stays as it is."""
    return _read_at_once(text, region) or _read(text, region).number or text


@lru_cache(maxsize=20_000)
def read_number(text: str, region: str) -> Reading:
    """All that a number may mean; total."""
    reading = _read(text, region)
    aliases: dict[str, None] = {}
    for number in reading.people:
        aliases |= dict.fromkeys(_find_aliases(number, region))
    return reading._replace(aliases=tuple(one for one in aliases if one not in reading.people))


def _read_at_once(text: str, region: str) -> str | None:
    """What `_read` makes of the plainest spellings, fifty times as fast; None for any other."""
    if _CHINESE_MOBILE.fullmatch(text):
        return text
    may_be_service = len(text) <= len("+123456") or text.startswith("+10")
    if not may_be_service and is_plain(text) and not may_be_bare(text[1:], region):
        return text
    if region == "CN" and _CHINESE_WITHOUT_PLUS.fullmatch(text):
        return f"+{text}" if text[0] == "8" else f"+86{text}"
    return None


@lru_cache(maxsize=20_000)
def _read(text: str, region: str) -> Reading:
    if _CHINESE_MOBILE.fullmatch(text):
        return Reading(text, text, (text,))
    compact = _BETWEEN.sub("", text.translate(_NARROW))
    if not compact:
        return Reading(None, text, fault=_EMPTY)
    if len(compact) > _MAX_CHARS or not re.fullmatch(r"\+?[0-9]+", compact):
        return Reading(None, text, fault=_NO_DIGITS)
    if _FROM_A_SPREADSHEET.fullmatch(text.translate(_NARROW).strip()):
        return Reading(None, text, fault=_SPREADSHEET)
    if _SHORT_CODE.fullmatch(compact) or (region == "CN" and _SERVICE_NUMBER.fullmatch(compact)):
        national = read_national(compact, region)  # on some islands people have such short ones
        also = (national.number,) if national.grade is Grade.VALID and region != "CN" else ()
        return Reading(compact, compact, (compact, *also))
    if compact.startswith("+"):
        return _read_marked(compact, region)
    if compact.startswith("00"):
        return _read_dialled_abroad(compact, region)
    if region == "CN" and _RARER_SERVICE_NUMBER.fullmatch(compact) and not _is_abroad(compact):
        return Reading(compact, compact, (compact,))
    return _read_bare(compact, region)


def _read_marked(compact: str, region: str) -> Reading:
    """With a plus, which says that a country code follows; networks and programs also put it where none does."""
    digits = compact[1:].lstrip("0") if compact.startswith("+00") else compact[1:]
    marked = read_international(digits)
    if marked.grade is Grade.VALID:
        return _certain(marked)
    national = read_national(digits, region) if may_be_bare(digits, region) else NOTHING
    if national.grade is Grade.VALID and national.usual:
        fault = (
            f"with + in front this is no number that exists; if it is a number of region {region},"
            f" write +{country_code(region)} in front"
        )
        return _doubtful(compact, (national, marked), fault)
    if _SHORT_CODE.fullmatch(digits) or (region == "CN" and _SERVICE_NUMBER.fullmatch(digits)):
        people = (digits, *((marked.number,) if marked.grade else ()))
        return Reading(None, compact, people, fault=_PLUS_BEFORE_SHORT_CODE)
    if marked.grade is Grade.POSSIBLE:
        return _certain(marked)
    return Reading(None, compact, fault=_why_impossible(digits, region))


def _read_dialled_abroad(compact: str, region: str) -> Reading:
    """With 00, or the prefix for calls abroad of the region, such as Hong Kong's 001."""
    marked, dialled = read_international(compact[2:].lstrip("0")), read_national(compact, region)
    if dialled.grade > marked.grade:
        marked, dialled = dialled, marked
    if marked.grade is Grade.NONE:
        return Reading(None, compact, fault=_why_impossible(compact.lstrip("0"), region))
    if dialled.grade is Grade.VALID and dialled.number != marked.number:
        return _doubtful(compact, (marked, dialled), _two_meanings(marked, dialled))
    return _certain(marked)


def _read_bare(compact: str, region: str) -> Reading:
    """Without any mark: a national number, or one whose plus was left out."""
    national = read_national(compact, region)
    if compact.startswith("0"):
        if national.grade is Grade.NONE:
            return Reading(None, compact, fault=_why_impossible(compact, region))
        return _certain(national)
    abroad = read_international(compact)
    if national.grade is Grade.VALID and national.usual:
        return _certain(national, abroad)
    if abroad.grade and abroad.number.startswith(f"+{country_code(region)}"):
        return _certain(abroad)
    if abroad.grade is national.grade is Grade.VALID:
        return _doubtful(compact, (national, abroad), _two_meanings(national, abroad))
    for one, other in ((national, abroad), (abroad, national)):
        if one.grade is Grade.VALID or (one is national and one.grade and not other.grade):
            return _certain(one)
    if not (abroad.grade or national.grade):
        return Reading(None, compact, fault=_why_impossible(compact, region))
    fault = f"no number of region {region}, nor surely one of another country; write it with + and the country code"
    return _doubtful(compact, (abroad, national), fault)


def _certain(meant: Candidate, other: Candidate | None = None) -> Reading:
    """Of one meaning; opt-outs hold for another that is as good a number, too."""
    people = [meant.number]
    if other is not None and other.grade is Grade.VALID and other.number not in people:
        people.append(other.number)
    return Reading(meant.number, meant.number, tuple(people))


def _doubtful(compact: str, meant: tuple[Candidate, ...], fault: str) -> Reading:
    people = tuple(dict.fromkeys(one.number for one in meant if one.grade))
    return Reading(None, compact, people, fault=fault)


def _find_aliases(number: str, region: str) -> Iterator[str]:
    """Other spellings of a full number, under which older stores and some networks know the same person."""
    if not number.startswith("+") or _CHINESE_MOBILE.fullmatch(number):
        return
    for form, other in _COMING_AND_GOING:
        if form.fullmatch(number):
            yield form.sub(other, number)
    code = f"+{country_code(region)}"
    known = read_international(number[1:])
    if known.grade is Grade.NONE:
        return
    if not number.startswith(code):
        # Numbers of other countries without plus were once taken for national ones.
        before = read_as_before(number[1:], region)
        if before is not None and read_international(before[1:]).grade is not Grade.VALID:
            yield before
    elif known.grade is not Grade.VALID:
        meant = read_international(number[len(code) :])
        if meant.grade:
            yield meant.number


def _is_abroad(digits: str) -> bool:
    return read_international(digits).grade is Grade.VALID


def _two_meanings(one: Candidate, other: Candidate) -> str:
    codes = " or ".join(sorted({f"+{one.code}", f"+{other.code}"}))
    return f"it may be a number of {codes}; write it with + and the country code"


def _why_impossible(digits: str, region: str) -> str:
    for code in (digits[:n] for n in (1, 2, 3)):
        if is_country_code(code):
            return f"too short or too long for a number of +{code}, and no number of region {region}; check its digits"
    return f"not a telephone number in region {region}; write it with + and the country code"
