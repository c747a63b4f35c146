"""Which parts belong together, and what they read as."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drivers.base import Encoding
from drivers.codec.reassembly import Moment, OpenSet, Part, choose_set, join_parts

pytestmark = pytest.mark.unit

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def moment(sent_h: float | None, came_h: float = 0.0) -> Moment:
    sent_at = None if sent_h is None else NOON + timedelta(hours=sent_h)
    return Moment(sent_at, NOON + timedelta(hours=came_h))


@pytest.mark.parametrize(
    ("part", "sets", "chosen"),
    [
        (moment(0), [], None),
        (moment(0), [moment(0.9)], 0),
        (moment(0), [moment(1.1)], None),  # sent an hour apart: the reference was used again
        (moment(0, 100), [moment(0.1, 0)], 0),  # sent together, however late it came
        (moment(None, 0), [moment(None, 5)], 0),  # nobody says when it was sent
        (moment(None, 0), [moment(None, 7)], None),
        (moment(0, 0), [moment(None, 5)], 0),
        (moment(5), [moment(4.2), moment(5)], 1),  # the nearest
        (moment(5), [moment(4.99), moment(5)], 0),  # of equally near ones the first
    ],
)
def test_a_part_goes_to_what_was_sent_with_it(part: Moment, sets: list[Moment], chosen: int | None) -> None:
    named = [OpenSet(str(n), latest) for n, latest in enumerate(sets)]
    assert choose_set(part, named) == (None if chosen is None else str(chosen))


@pytest.mark.parametrize(
    ("parts", "total", "text"),
    [
        ({1: "a", 2: "b"}, 2, "ab"),
        ({2: "b"}, 3, "[…]b[…]"),
        ({1: "a", 4: "d"}, 4, "a[…]d"),
        ({3: "c"}, 3, "[…]c"),
    ],
)
def test_holes_are_marked(parts: dict[int, str], total: int, text: str) -> None:
    joined = join_parts([Part(n, Encoding.GSM7, part.encode()) for n, part in reversed(parts.items())], total)
    assert (joined.text, joined.encoding, joined.data) == (text, Encoding.GSM7, None)


def test_what_a_sender_cut_is_whole_again() -> None:
    escape = [Part(1, Encoding.GSM7, b"a\x1b"), Part(2, Encoding.GSM7, b"e!")]
    assert join_parts(escape, 2).text == "a€!"
    swan = "🦢".encode("utf-16-be")
    assert join_parts([Part(2, Encoding.UCS2, swan[2:]), Part(1, Encoding.UCS2, swan[:2])], 2).text == "🦢"
    assert (
        join_parts([Part(1, Encoding.UCS2, swan[:2]), Part(3, Encoding.UCS2, swan[2:])], 3).text
        == "\ufffd[…]\ufffd"
    )


def test_a_stray_octet_shifts_no_other_part() -> None:
    parts = [Part(n, Encoding.UCS2, text.encode("utf-16-be")) for n, text in enumerate("早上好", 1)]
    parts[1] = Part(2, Encoding.UCS2, parts[1].payload + b"\0")
    assert join_parts(parts, 3).text == "早上好"
    parts[0] = Part(1, Encoding.UCS2, parts[0].payload + b"\0")
    assert join_parts(parts, 3).text == "早上好"
    swan = "🦢".encode("utf-16-be")
    halves = [Part(1, Encoding.UCS2, swan[:2] + b"\r"), Part(2, Encoding.UCS2, swan[2:])]
    assert join_parts(halves, 2).text == "🦢"


@pytest.mark.parametrize("length", [100, 145, 200])
def test_a_character_that_was_cut_in_half_is_whole_again(length: int) -> None:
    text = ("早上好，Alice。" * 20)[:length]
    octets = text.encode("utf-16-be")
    # 140 octets less a header with a 16-bit reference, filled to the last one.
    parts = [
        Part(n, Encoding.UCS2, octets[start : start + 133])
        for n, start in enumerate(range(0, len(octets), 133), 1)
    ]
    assert join_parts(parts, len(parts)).text == text


def test_encodings_mix_without_loss() -> None:
    mixed = [
        Part(1, Encoding.BINARY, b"\xe9"),
        Part(2, Encoding.GSM7, b"\x00"),
        Part(3, Encoding.UCS2, b"\x4e\x2d"),
    ]
    assert join_parts(mixed, 3).text == "é@中"
    assert join_parts(mixed, 3).encoding is Encoding.UCS2
    assert join_parts(mixed[:2], 2).encoding is Encoding.GSM7
    binary = join_parts([Part(2, Encoding.BINARY, b"\xff"), Part(1, Encoding.BINARY, b"\x00")], 3)
    assert (binary.encoding, binary.text, binary.data) == (Encoding.BINARY, None, b"\x00\xff")


@pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("marked", [(True, True, True), (True, False, False)])
def test_a_byte_order_mark_holds_for_its_part_and_the_first_one_for_those_without(order, marked):
    texts = ["你好，", "世界", "，再见"]
    parts = [
        Part(number, Encoding.UCS2, ("\ufeff" * has_mark + text).encode(order))
        for number, (text, has_mark) in enumerate(zip(texts, marked, strict=True), 1)
    ]
    assert join_parts(parts, 3).text == "".join(texts)


def test_an_octet_that_is_no_padding_is_shown_where_it_stands():
    parts = [
        Part(1, Encoding.UCS2, "你".encode("utf-16-be") + b"x"),
        Part(2, Encoding.UCS2, "好".encode("utf-16-be")),
    ]
    assert join_parts(parts, 2).text == "你\ufffd好"
