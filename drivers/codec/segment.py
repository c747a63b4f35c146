"""Planning: one text into the payloads of its segments, and a payload back into text.

The one place where a text is counted and cut: drivers, preview, policy and billing all ask here. The plan
leaves room for a concatenation header and does not write it: whoever sends chooses the reference.

Spec: 3GPP TS 23.038 6.1.2, 6.2; TS 23.040 9.2.3.24.1, 9.2.3.24.8, 9.2.3.24.15.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple, assert_never

from drivers.base import Encoding
from drivers.codec.cut import Room, cut_payload
from drivers.codec.gsm7 import decode_gsm7, encode_gsm7, is_gsm7
from drivers.codec.latin import encode_latin_1
from drivers.codec.national_tables import Language
from drivers.codec.shifts import shift_options
from drivers.codec.typography import Replacement, replace_typographic
from drivers.errors import EncodeError

MAX_SEGMENTS: Final = 255
"""The total travels in one octet."""
MAX_UD_OCTETS: Final = 140

_UNIT_OCTETS: Final = {Encoding.GSM7: 1, Encoding.UCS2: 2, Encoding.BINARY: 1}
"""Octets of a payload that one unit takes: GSM7 payloads are not packed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """Room in the segments that is not for the text.

    Args:
        header_octets: user data header elements that the caller adds to every segment, identifiers and
            length octets counted, concatenation not.
        every_segment: units that somebody adds to every segment, such as a carrier's own signature:
            septets in GSM-7, 16-bit units (Chinese characters) in UCS-2.
        last_segment: units added to the last segment besides those.
        reference_bits: 8 or 16: of the concatenation reference.

    Spec: 3GPP TS 23.040 9.2.3.24.
    """

    header_octets: int = 0
    every_segment: int = 0
    last_segment: int = 0
    reference_bits: int = 8


NOTHING: Final = Reserve()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSegment:
    """One segment of a plan.

    Args:
        text: what this segment carries.
        payload: the same, as `drivers.base.Encoding` says; at most 160 codes or 140 octets alone,
            153 or 134 in a plan of several.
    """

    text: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a text goes over the air.

    Args:
        encoding: of every segment.
        segments: 1..255, in order; their texts joined are the text that was planned, with the
            replacements made.
        elements: what every segment's header must announce besides concatenation, as (identifier, data)
            for `drivers.codec.udh.encode_udh`: national tables.
        replacements: what smart mode changed; empty when nothing.
    """

    encoding: Encoding
    segments: tuple[PlannedSegment, ...]
    elements: tuple[tuple[int, bytes], ...] = ()
    replacements: tuple[Replacement, ...] = ()

    @property
    def text(self) -> str:
        """What the handset will show."""
        return "".join(segment.text for segment in self.segments)

    @property
    def n_units(self) -> int:
        """What is counted against the limits: septets in GSM-7, 16-bit units in UCS-2, else octets."""
        return sum(len(segment.payload) for segment in self.segments) // _UNIT_OCTETS[self.encoding]


def plan_segments(
    text: str,
    encoding: Encoding | None = None,
    *,
    reserve: Reserve = NOTHING,
    smart: bool = False,
    full_width: bool = False,
    national: tuple[Language, ...] = (),
) -> Plan:
    """Choose an encoding and cut the text into segments.

    Never cuts an escaped character or a surrogate pair, nor a grapheme cluster that fits into one
    segment. Empty text is one empty segment.

    Args:
        text: any string; surrogates without their partner are replaced by U+FFFD.
        encoding: GSM7 or UCS2 to insist; None takes GSM7 if every character is in its alphabet.
        reserve: see `Reserve`.
        smart: write typographic characters plainly where that saves segments, or makes GSM7 possible
            where it is insisted on.
        full_width: with ``smart``: full-width Latin too.
        national: languages whose tables may be used where that saves segments, or makes GSM7 possible
            where it is insisted on; in order of preference. Older handsets may not know them.

    Raises:
        EncodeError: GSM7 was asked for and can't carry the text (the first character that it can't is
            named with its position), BINARY was asked for, the reserve leaves no room, or the text
            needs more than 255 segments.

    Spec: 3GPP TS 23.038 6.2; TS 23.040 9.2.3.24.1.

    >>> plan_segments("Hello").encoding, len(plan_segments("好" * 71).segments)
    (<Encoding.GSM7: 'gsm7'>, 2)
    >>> [len(segment.payload) for segment in plan_segments("x" * 152 + "€" * 5).segments]
    [152, 10]
    >>> plan_segments("“" + "x" * 150 + "”", smart=True).replacements[0]
    Replacement(position=0, original='“', replacement='"')
    """
    if encoding is Encoding.BINARY:
        raise EncodeError("encoding", "text can't be sent as binary")
    rules = _Rules(reserve, national)
    if smart and encoding is Encoding.GSM7 and not is_gsm7(text):
        text, replacements = replace_typographic(text, full_width=full_width)
        plan = replace(_plan(text, encoding, rules), replacements=replacements)
    else:
        plan = _plan(text, encoding, rules)
        if smart and len(plan.segments) > 1:
            plan = _save_segments(text, encoding, rules, plan, full_width)
    if len(plan.segments) > MAX_SEGMENTS:
        raise EncodeError("ud", f"needs {len(plan.segments)} segments, {MAX_SEGMENTS} are possible")
    return plan


def measure_room(encoding: Encoding, reserve: Reserve = NOTHING) -> Room:
    """How much text fits.

    Raises:
        EncodeError: the reserve leaves less than one character, or is not possible.

    Spec: 3GPP TS 23.040 9.2.3.16, 9.2.3.24.

    >>> measure_room(Encoding.GSM7), measure_room(Encoding.UCS2, Reserve(reference_bits=16))
    (Room(single=160, part=153, last=153), Room(single=70, part=66, last=66))
    """
    every, last, elements = reserve.every_segment, reserve.last_segment, reserve.header_octets
    if min(every, last, elements) < 0 or reserve.reference_bits not in {8, 16}:
        raise EncodeError("reserve", "is negative, or of a reference that has neither 8 nor 16 bits")
    single = _units(encoding, elements) - every
    part = _units(encoding, elements + 4 + reserve.reference_bits // 8) - every
    room = Room(single - last, part, part - last)
    if room.last < 2:  # two: an escaped character, a surrogate pair
        raise EncodeError("reserve", "leaves no room for the text")
    return room


def decode_payload(encoding: Encoding, payload: bytes) -> str:
    """Turn the payload of a segment, or of several joined, into text; total.

    Args:
        encoding: of ``payload``. BINARY is read as Latin-1: octets have no text, but none is lost.
        payload: see `drivers.base.Encoding`; half of a surrogate pair becomes U+FFFD, and so does an odd last
            octet of UCS-2, unless it is padding; unknown codes are read as `decode_gsm7` does.

    Spec: 3GPP TS 23.038 6.2.

    >>> decode_payload(Encoding.UCS2, bytes.fromhex("9e3f96c1d83e"))
    '鸿雁\ufffd'
    """
    match encoding:
        case Encoding.GSM7:
            return decode_gsm7(payload)
        case Encoding.UCS2:
            return make_even(payload).decode("utf-16-be", "replace")
        case Encoding.BINARY:
            return payload.decode("latin-1")
    assert_never(encoding)


def make_even(payload: bytes) -> bytes:
    """UCS-2 octets without an odd one at the end: padding is dropped, anything else becomes U+FFFD, which is seen."""
    if len(payload) % 2 == 0:
        return payload
    return payload[:-1] if payload[-1] in _PADDING else payload[:-1] + _LOST


_PADDING: Final = b"\0\r\n "
_LOST: Final = "\ufffd".encode("utf-16-be")


def _units(encoding: Encoding, n_element_octets: int) -> int:
    octets = MAX_UD_OCTETS - (n_element_octets + 1 if n_element_octets else 0)
    return octets * 8 // 7 if encoding is Encoding.GSM7 else octets // 2


_ROOMS: Final = {encoding: measure_room(encoding) for encoding in (Encoding.GSM7, Encoding.UCS2)}


class _Rules(NamedTuple):
    """What a plan may do besides choosing."""

    reserve: Reserve
    national: tuple[Language, ...]


def _plan(text: str, encoding: Encoding | None, rules: _Rules) -> Plan:
    """The plan for the text as it is; perhaps of too many segments."""
    payload: bytes | None = None
    if encoding is not Encoding.UCS2:
        payload = encode_latin_1(text)
        # Asking is cheaper than failing: the charmap codec gathers all that it can't encode.
        if payload is None and is_gsm7(text):
            payload = encode_gsm7(text)
        if payload is None and encoding is Encoding.GSM7:
            if (national := _plan_national(text, rules)) is not None:
                return national
            encode_gsm7(text)  # raises, and says why
    if payload is not None:
        plan = _fill(text, payload, Encoding.GSM7, rules.reserve, encode_gsm7)
    else:
        text, payload = _encode_ucs2(text)
        plan = _fill(text, payload, Encoding.UCS2, rules.reserve, _encode_utf16)
    if rules.national and len(plan.segments) > 1 and encoding is not Encoding.UCS2:
        national = _plan_national(text, rules)
        if national is not None and len(national.segments) < len(plan.segments):
            return national
    return plan


def _plan_national(text: str, rules: _Rules) -> Plan | None:
    """The shortest plan with national tables; None if none can carry the text."""
    plans = []
    for option in shift_options(text, rules.national)[:_OPTIONS_TRIED]:
        if not option.elements:
            continue
        encode = partial(encode_gsm7, locking=option.locking, single_shift=option.single_shift)
        reserve = replace(rules.reserve, header_octets=rules.reserve.header_octets + option.n_header_octets)
        plan = _fill(text, encode(text), Encoding.GSM7, reserve, encode)
        plans.append(replace(plan, elements=option.elements))
    return min(plans, key=lambda plan: len(plan.segments), default=None)


_OPTIONS_TRIED: Final = 4
"""They come cheapest first; only the room that their headers take can change that order a little."""


def _fill(
    text: str, payload: bytes, encoding: Encoding, reserve: Reserve, encode: Callable[[str], bytes]
) -> Plan:
    """One segment if it fits, else as many as it takes."""
    room = _ROOMS[encoding] if reserve is NOTHING else measure_room(encoding, reserve)
    unit = _UNIT_OCTETS[encoding]
    if len(payload) <= room.single * unit:
        return Plan(encoding=encoding, segments=(PlannedSegment(text=text, payload=payload),))
    parts = cut_payload(text, payload, room, encode, unit=unit)
    return Plan(
        encoding=encoding, segments=tuple(PlannedSegment(text=part, payload=octets) for part, octets in parts)
    )


def _save_segments(text: str, encoding: Encoding | None, rules: _Rules, plan: Plan, full_width: bool) -> Plan:
    plain, replacements = replace_typographic(text, full_width=full_width)
    if not replacements:
        return plan
    smart = _plan(plain, encoding, rules)
    return replace(smart, replacements=replacements) if len(smart.segments) < len(plan.segments) else plan


def _encode_ucs2(text: str) -> tuple[str, bytes]:
    """The text with lone surrogates replaced, and its octets."""
    try:
        return text, _encode_utf16(text)
    except UnicodeEncodeError:
        # Halves that stand side by side become a character; only the lonely are replaced.
        text = text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")
        return text, _encode_utf16(text)


def _encode_utf16(text: str) -> bytes:
    return text.encode("utf-16-be")
