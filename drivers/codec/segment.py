"""Planning: one text into the payloads of its segments, and a payload back into text.

The plan leaves room for a concatenation header with an 8-bit reference and does not write it: the
reference is chosen by whoever sends. No transliteration, no national tables; graphemes may be cut.

Spec: 3GPP TS 23.038 6.1.2, 6.2; TS 23.040 9.2.3.24.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, assert_never

from drivers.base import Encoding
from drivers.codec.gsm7 import decode_gsm7, encode_gsm7, is_gsm7
from drivers.codec.gsm7_tables import ESCAPE
from drivers.errors import EncodeError

MAX_SEGMENTS: Final = 255
"""The total travels in one octet."""

SINGLE_SEPTETS: Final = 160
PART_SEPTETS: Final = 153
"""140 octets less a header of 6 are 1072 bits."""

SINGLE_UCS2_OCTETS: Final = 140
PART_UCS2_OCTETS: Final = 134

_HIGH_SURROGATES: Final = range(0xD8, 0xDC)
"""First octets of the first unit of a surrogate pair."""


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
        segments: 1..255, in order; their texts joined are the text that was planned.
    """

    encoding: Encoding
    segments: tuple[PlannedSegment, ...]


def plan_segments(text: str, encoding: Encoding | None = None) -> Plan:
    """Choose an encoding and cut the text into segments.

    Never cuts an escaped character or a surrogate pair. Empty text is one empty segment.

    Args:
        text: any string; surrogates without their partner are replaced by U+FFFD.
        encoding: GSM7 or UCS2 to insist; None takes GSM7 if every character is in its alphabet.

    Raises:
        EncodeError: GSM7 was asked for and can't carry the text, BINARY was asked for, or the text
            needs more than 255 segments.

    Spec: 3GPP TS 23.038 6.2; TS 23.040 9.2.3.24.1.

    >>> plan_segments("Hello").encoding, len(plan_segments("好" * 71).segments)
    (<Encoding.GSM7: 'gsm7'>, 2)
    >>> [len(segment.payload) for segment in plan_segments("x" * 152 + "€" * 5).segments]
    [152, 10]
    """
    if encoding is None:
        # Asking first is cheaper than failing: the charmap codec gathers all that it can't encode.
        encoding = Encoding.GSM7 if is_gsm7(text) else Encoding.UCS2
    match encoding:
        case Encoding.GSM7:
            return _plan(encoding, text, encode_gsm7(text))
        case Encoding.UCS2:
            return _plan(encoding, *_encode_ucs2(text))
        case Encoding.BINARY:
            raise EncodeError("encoding", "text can't be sent as binary")
    assert_never(encoding)


def decode_payload(encoding: Encoding, payload: bytes) -> str:
    """Turn the payload of a segment, or of several joined, into text; total.

    Args:
        encoding: of ``payload``. BINARY is read as Latin-1: octets have no text, but none is lost.
        payload: see `drivers.base.Encoding`; half of a surrogate pair becomes U+FFFD, an odd last
            octet of UCS-2 is dropped, unknown codes are read as `decode_gsm7` does.

    Spec: 3GPP TS 23.038 6.2.

    >>> decode_payload(Encoding.UCS2, bytes.fromhex("9e3f96c1d83e"))
    '鸿雁\ufffd'
    """
    match encoding:
        case Encoding.GSM7:
            return decode_gsm7(payload)
        case Encoding.UCS2:
            return payload[: len(payload) & ~1].decode("utf-16-be", "replace")
        case Encoding.BINARY:
            return payload.decode("latin-1")
    assert_never(encoding)


def _encode_ucs2(text: str) -> tuple[str, bytes]:
    """The text with lone surrogates replaced, and its octets."""
    try:
        return text, text.encode("utf-16-be")
    except UnicodeEncodeError:
        # Halves that stand side by side become a character; only the lonely are replaced.
        text = text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")
        return text, text.encode("utf-16-be")


def _plan(encoding: Encoding, text: str, payload: bytes) -> Plan:
    if len(payload) <= (SINGLE_SEPTETS if encoding is Encoding.GSM7 else SINGLE_UCS2_OCTETS):
        return Plan(encoding=encoding, segments=(PlannedSegment(text=text, payload=payload),))
    cut = _cut_gsm7 if encoding is Encoding.GSM7 else _cut_ucs2
    segments = tuple(
        PlannedSegment(text=decode_payload(encoding, part), payload=part) for part in cut(payload)
    )
    if len(segments) > MAX_SEGMENTS:
        raise EncodeError("ud", f"needs {len(segments)} segments, {MAX_SEGMENTS} are possible")
    return Plan(encoding=encoding, segments=segments)


def _cut_gsm7(codes: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(codes):
        end = start + PART_SEPTETS
        if codes[end - 1 : end] == bytes((ESCAPE,)):  # its partner would open the next segment
            end -= 1
        yield codes[start:end]
        start = end


def _cut_ucs2(octets: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(octets):
        end = start + PART_UCS2_OCTETS
        if end < len(octets) and octets[end - 2] in _HIGH_SURROGATES:
            end -= 2
        yield octets[start:end]
        start = end
