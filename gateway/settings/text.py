"""The settings of ``[text]``, and the same as rules for planning texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from drivers.codec.national_tables import Language
from drivers.codec.segment import MAX_SEGMENTS, NOTHING, Reserve
from gateway.policy.text import MAX_SEGMENTS_DEFAULT, TextRules
from gateway.settings.forms import BadValue, Flag, Form, list_of, one_of, show, whole_number

_MOST_RESERVED = 40
"""Characters of the 67 in a segment of Chinese text."""
_LANGUAGES = tuple(language.name.lower() for language in Language)


def _parse_bits(value: object) -> int:
    if not isinstance(value, int) or value not in {8, 16}:
        raise BadValue(f"{show(value)} will not do; write 8 or 16")
    return value


class TextSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[text]``: how texts are encoded and cut.

    Args:
        smart: write typographic characters (curly quotes, dashes, ...) plainly where that saves segments.
        full_width: smart mode writes full-width Latin plainly, too.
        national: languages whose GSM-7 tables may be used where that saves segments.
        reserve_each: characters left free in every segment, such as for a signature that the carrier adds.
        reserve_last: characters left free in the last segment, besides those.
        reference_bits: 8 or 16: size of the number by which a handset joins the segments of a long text.
        max_segments: the most segments that one message may have; a longer message is refused.
    """

    smart: Flag = False
    full_width: Flag = False
    national: Annotated[tuple[str, ...], Form(list_of(one_of(*_LANGUAGES)))] = ()
    reserve_each: Annotated[int, Form(whole_number(0, _MOST_RESERVED))] = 0
    reserve_last: Annotated[int, Form(whole_number(0, _MOST_RESERVED))] = 0
    reference_bits: Annotated[int, Form(_parse_bits)] = 8
    max_segments: Annotated[int, Form(whole_number(1, MAX_SEGMENTS))] = MAX_SEGMENTS_DEFAULT

    def faults(self) -> Iterator[tuple[str, str]]:
        """Some room is left for the text."""
        if self.reserve_each + self.reserve_last > _MOST_RESERVED:
            yield "reserve_last", f"together with reserve_each is above {_MOST_RESERVED}; write less"

    def rules(self) -> TextRules:
        """The same as the codec takes it."""
        reserve = Reserve(
            every_segment=self.reserve_each,
            last_segment=self.reserve_last,
            reference_bits=self.reference_bits,
        )
        return TextRules(
            smart=self.smart,
            full_width=self.full_width,
            national=tuple(Language[name.upper()] for name in self.national),
            reserve=NOTHING if reserve == NOTHING else reserve,
            max_segments=self.max_segments,
        )
