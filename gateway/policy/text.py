"""Texts: what the installation decides about encoding and cutting them, and the preview of what one would cost.

Accepting and previewing ask the same function, so that a preview never promises what sending does not keep.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import msgspec

from drivers.base import Encoding
from drivers.codec.national_tables import Language
from drivers.codec.segment import MAX_SEGMENTS, NOTHING, Plan, Reserve, measure_room, plan_segments
from drivers.codec.shifts import IEI_LOCKING_SHIFT, IEI_SINGLE_SHIFT
from drivers.codec.typography import Replacement, find_foreign
from drivers.errors import EncodeError
from gateway.model.request import MAX_TEXT_CHARS

MAX_SEGMENTS_DEFAULT = 10
"""A page of text. Longer ones are hardly ever meant, and each segment costs the sender, the channel and the store."""


class TextRules(NamedTuple):
    """How texts are encoded and cut where a message does not say.

    Args:
        smart: write typographic characters plainly where that saves segments.
        full_width: smart mode writes full-width Latin plainly, too.
        national: languages whose GSM-7 tables may be used where that saves segments, in order of preference.
        reserve: room for what is not ours, such as a carrier's own signature.
        max_segments: the most that one message may have, 1 to 255.
    """

    smart: bool = False
    full_width: bool = False
    national: tuple[Language, ...] = ()
    reserve: Reserve = NOTHING
    max_segments: int = MAX_SEGMENTS_DEFAULT


DEFAULT_RULES = TextRules()


class PreviewSegment(msgspec.Struct, frozen=True, kw_only=True):
    """One segment as it would go out.

    Args:
        part: from 1.
        text: what it carries; null in a binary message.
        units: what it takes of its room.
    """

    part: int
    text: str | None
    units: int


class ForeignChar(msgspec.Struct, frozen=True, kw_only=True):
    """A character that GSM-7 has no code for: it makes the whole text UCS-2.

    Args:
        positions: where it stands, in characters (code points) from 0.
    """

    char: str
    positions: list[int]


class PlainChar(msgspec.Struct, frozen=True, kw_only=True):
    """What smart mode writes for a typographic character.

    Args:
        position: in the text as it was given, in characters (code points) from 0.
        original: what stood there.
        replacement: what stands there now; empty for invisible characters.
    """

    position: int
    original: str
    replacement: str


class SmartPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What the message would be in smart mode.

    Args:
        segments: how many.
        saved: how many fewer than without.
    """

    encoding: str
    segments: int
    saved: int
    replacements: list[PlainChar]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What would go out, and why.

    Args:
        encoding: ``gsm7``, ``ucs2`` or ``binary``.
        text: as it would be sent; null in a binary message.
        characters: code points of ``text``.
        unit: what is counted: ``septet`` (GSM-7), ``utf16`` (16 bits; most characters are one, an emoji is two or
            more) or ``octet``.
        units: how many in all.
        units_per_segment: how many fit into each segment of this message.
        units_left: how many more fit into the last segment.
        segments: in order; their number is what is billed.
        forced_ucs2: the characters that GSM-7 can't hold, each once, in order; empty when it can hold all.
        national: language tables that GSM-7 uses: ``locking`` or ``single_shift`` with the language; usually none.
        replacements: what smart mode replaced, when it was asked for and did.
        smart: what smart mode would make of it; null when it is on already or would save nothing.
    """

    encoding: str
    text: str | None
    characters: int
    unit: Literal["septet", "utf16", "octet"]
    units: int
    units_per_segment: int
    units_left: int
    segments: list[PreviewSegment]
    forced_ucs2: list[ForeignChar]
    national: dict[str, str]
    replacements: list[PlainChar]
    smart: SmartPreview | None


_UNIT: dict[Encoding, tuple[Literal["septet", "utf16", "octet"], int]] = {
    Encoding.GSM7: ("septet", 1),
    Encoding.UCS2: ("utf16", 2),
    Encoding.BINARY: ("octet", 1),
}
_SHIFTS = {IEI_LOCKING_SHIFT: "locking", IEI_SINGLE_SHIFT: "single_shift"}
_PART_CHARS = measure_room(Encoding.GSM7).part
BINARY_OCTETS = 140
"""TP-UD with its header (3GPP TS 23.040 9.2.3.24)."""


def most_chars(rules: TextRules, *, smart: bool | None = None) -> int:
    """A text with more characters needs too many segments in any encoding, so it need not be encoded to be refused.

    Args:
        smart: as the message asks; then a text may become shorter, as invisible characters are left out.
    """
    n = measure_room(Encoding.GSM7).single if rules.max_segments == 1 else _PART_CHARS * rules.max_segments
    on = rules.smart if smart is None else smart
    return min(2 * n, MAX_TEXT_CHARS) if on else n


def plan_text(text: str, encoding: str, rules: TextRules, *, smart: bool | None = None) -> Plan:
    """The plan of a message's text.

    Args:
        encoding: ``auto``, ``gsm7`` or ``ucs2``, as the message asks.
        smart: as the message asks; None leaves it to the rules.

    Raises:
        EncodeError: it can't be sent so; see `plan_segments`.
    """
    return plan_segments(
        text,
        None if encoding == "auto" else Encoding(encoding),
        reserve=rules.reserve,
        smart=rules.smart if smart is None else smart,
        full_width=rules.full_width,
        national=rules.national,
    )


def cut_text(
    text: str, most_segments: int, rules: TextRules = DEFAULT_RULES, *, mark: bool = False, rest: str = ""
) -> str:
    """The longest beginning of a text that fits into so many segments, with ``rest`` behind it.

    Args:
        mark: where something is left out an ellipsis stands for it.
        rest: goes out whatever is left out before it.
    """
    kept = text[: 160 * most_segments]
    if len(kept) == len(text) and _n_segments(text + rest, rules) <= most_segments:
        return text + rest
    # "…" is no character of GSM-7: it would halve the room of a plain text.
    plain = not any(find_foreign(kept + rest))
    ending = ("..." if plain else "…") * mark + rest
    low, high = 0, len(kept)
    while low < high:
        middle = (low + high + 1) // 2
        if _n_segments(kept[:middle] + ending, rules) <= most_segments:
            low = middle
        else:
            high = middle - 1
    return kept[:low].rstrip() + ending


def _n_segments(text: str, rules: TextRules) -> int:
    try:
        return len(plan_text(text, "auto", rules).segments)
    except EncodeError:
        return MAX_SEGMENTS + 1


def preview_text(text: str, encoding: str, rules: TextRules, *, smart: bool | None = None) -> Preview:
    """What a text would cost, and why; arguments and errors as in `plan_text`."""
    plan = plan_text(text, encoding, rules, smart=smart)
    preview = preview_plan(plan, rules.reserve)
    on = rules.smart if smart is None else smart
    return msgspec.structs.replace(
        preview,
        forced_ucs2=_group_foreign(text) if plan.encoding is Encoding.UCS2 and encoding == "auto" else [],
        smart=None if on else _preview_smart(text, encoding, rules, len(plan.segments)),
    )


def preview_plan(plan: Plan, reserve: Reserve = NOTHING, *, header_octets: int = 0) -> Preview:
    """A plan for people, without the reasons that only its text can give.

    Args:
        header_octets: of a binary message's own header.
    """
    unit, size = _UNIT[plan.encoding]
    used = [len(segment.payload) // size for segment in plan.segments]
    each, last = _measure(plan, reserve, header_octets)
    binary = plan.encoding is Encoding.BINARY
    return Preview(
        encoding=plan.encoding.value,
        text=None if binary else plan.text,
        characters=len(plan.text),
        unit=unit,
        units=sum(used),
        units_per_segment=each,
        units_left=last - used[-1],
        segments=[
            PreviewSegment(part=part, text=None if binary else segment.text, units=units)
            for part, (segment, units) in enumerate(zip(plan.segments, used, strict=True), 1)
        ],
        forced_ucs2=[],
        national={_SHIFTS[iei]: Language(data[0]).name.lower() for iei, data in plan.elements},
        replacements=_show_replacements(plan.replacements),
        smart=None,
    )


def _measure(plan: Plan, reserve: Reserve, header_octets: int) -> tuple[int, int]:
    """Units that fit into each segment of a plan, and into its last."""
    if plan.encoding is Encoding.BINARY:
        return BINARY_OCTETS - header_octets, BINARY_OCTETS - header_octets
    n_shift_octets = sum(2 + len(data) for _, data in plan.elements)
    reserve = replace(reserve, header_octets=reserve.header_octets + n_shift_octets)
    room = measure_room(plan.encoding, reserve)
    return (room.single, room.single) if len(plan.segments) == 1 else (room.part, room.last)


def _group_foreign(text: str) -> list[ForeignChar]:
    found: dict[str, list[int]] = {}
    for position, char in find_foreign(text):
        found.setdefault(char, []).append(position)
    return [ForeignChar(char=char, positions=positions) for char, positions in found.items()]


def _preview_smart(text: str, encoding: str, rules: TextRules, n_segments: int) -> SmartPreview | None:
    plan = plan_text(text, encoding, rules, smart=True)
    if not plan.replacements:
        return None
    return SmartPreview(
        encoding=plan.encoding.value,
        segments=len(plan.segments),
        saved=n_segments - len(plan.segments),
        replacements=_show_replacements(plan.replacements),
    )


def _show_replacements(replacements: tuple[Replacement, ...]) -> list[PlainChar]:
    return [
        PlainChar(position=position, original=original, replacement=replacement)
        for position, original, replacement in replacements
    ]
