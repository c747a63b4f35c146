"""Cutting an encoded text into payloads that fit, at places where nothing is torn.

Spec: 3GPP TS 23.040 9.2.3.24.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from drivers.codec.graphemes import find_torn
from drivers.codec.gsm7_tables import ESCAPE

_HIGH_SURROGATES: Final = range(0xD8, 0xDC)
"""First octets of the first unit of a surrogate pair."""


class Room(NamedTuple):
    """Units that fit into a segment: septets in GSM-7, 16-bit units in UCS-2.

    Args:
        single: into the only one.
        part: into one of several.
        last: into the last of several.
    """

    single: int
    part: int
    last: int


def cut_payload(
    text: str, payload: bytes, room: Room, encode: Callable[[str], bytes], *, unit: int
) -> Iterator[tuple[str, bytes]]:
    """Cut into segments as full as they may be; text and payload of each.

    Escaped characters and surrogate pairs stay whole, and so does every grapheme cluster that fits
    into one segment.

    Args:
        payload: more than fits into a single segment.
        encode: what made ``payload`` of ``text``; also of any part of it.
        unit: octets of ``payload`` that count as one: 1 for GSM-7 codes, 2 for UTF-16BE.

    Spec: 3GPP TS 23.040 9.2.3.24.1.

    >>> [text for text, _ in cut_payload("aaae\u0301b", "aaae\u0301b".encode("utf-16-be"), Room(4, 4, 4),
    ...                                 lambda text: text.encode("utf-16-be"), unit=2)]
    ['aaa', 'éb']
    """
    full, last = room.part * unit, room.last * unit
    start = at = 0  # of the segment: in the payload, in the text
    whole_from = 0  # a cluster larger than a segment may be cut; from here on they are whole again
    while len(payload) - start > last:
        end = _step_back(payload, min(start + full, len(payload) - unit), unit)
        to = at + _count_chars(payload, start, end, unit, len(text))
        torn = find_torn(text, to, max(at, whole_from)) if to > whole_from else None
        if torn is not None:
            n_tail = len(encode(text[torn.start : to]))
            if torn.start > at and n_tail + len(encode(text[to : torn.end])) <= full:
                end, to = end - n_tail, torn.start
            else:
                whole_from = torn.end
        yield text[at:to], payload[start:end]
        start, at = end, to
    yield text[at:], payload[start:]


def _step_back(payload: bytes, end: int, unit: int) -> int:
    """``end``, or one unit before it where an escape or a surrogate would be parted from its partner."""
    if unit == 1:
        return end - 1 if payload[end - 1] == ESCAPE else end
    return end - 2 if payload[end - 2] in _HIGH_SURROGATES else end


def _count_chars(payload: bytes, start: int, end: int, unit: int, n_chars: int) -> int:
    if unit == 1:
        return end - start - payload.count(ESCAPE, start, end)
    if len(payload) == 2 * n_chars:  # no surrogates at all
        return (end - start) // 2
    return len(payload[start:end].decode("utf-16-be"))
