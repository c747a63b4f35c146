"""The segment plan: what a text costs, and where it is cut."""

from __future__ import annotations

import pytest

from drivers.base import Encoding
from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.segment import Reserve, decode_payload, measure_room, plan_segments
from drivers.errors import EncodeError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("n_chars", "n_segments"),
    [(0, 1), (1, 1), (68, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4)],
)
def test_chinese_billing(n_chars: int, n_segments: int) -> None:
    plan = plan_segments("鸿" * n_chars)
    assert len(plan.segments) == n_segments
    assert plan.encoding is (Encoding.UCS2 if n_chars else Encoding.GSM7)


@pytest.mark.parametrize(
    ("text", "n_segments"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 159 + "€", 2),
        ("a" * 69 + "中", 1),  # one character makes the whole text UCS-2
        ("a" * 70 + "中", 2),
        ("😀" * 35, 1),  # an emoji is two units
        ("😀" * 36, 2),
    ],
)
def test_what_a_text_costs(text: str, n_segments: int) -> None:
    assert len(plan_segments(text).segments) == n_segments


def test_an_escape_at_153_moves_to_the_next_segment() -> None:
    plan = plan_segments("a" * 152 + "€" + "b" * 20)
    assert [segment.text for segment in plan.segments] == ["a" * 152, "€" + "b" * 20]
    assert plan.segments[1].payload.startswith(b"\x1be")


def test_an_escape_that_just_fits_stays() -> None:
    plan = plan_segments("a" * 151 + "€" + "b" * 20)
    assert [len(segment.payload) for segment in plan.segments] == [153, 20]


def test_an_emoji_on_the_boundary_is_not_torn() -> None:
    plan = plan_segments("鸿" * 66 + "😀" + "雁" * 10)
    assert [segment.text for segment in plan.segments] == ["鸿" * 66, "😀" + "雁" * 10]
    assert [len(segment.payload) for segment in plan.segments] == [132, 24]


def test_an_emoji_before_the_boundary_stays() -> None:
    plan = plan_segments("鸿" * 65 + "😀" + "雁" * 10)
    assert [len(segment.payload) for segment in plan.segments] == [134, 20]


def test_encoding_may_be_insisted_on() -> None:
    assert plan_segments("abc", Encoding.UCS2).segments[0].payload == b"\x00a\x00b\x00c"
    assert plan_segments("abc", Encoding.GSM7).encoding is Encoding.GSM7
    with pytest.raises(EncodeError, match="binary"):
        plan_segments("abc", Encoding.BINARY)


def test_what_gsm7_cannot_hold_is_named_with_its_position_and_nothing_else() -> None:
    with pytest.raises(EncodeError, match=r"character 2, .*U\+9E3F") as caught:
        plan_segments("ab鸿雁", Encoding.GSM7)
    assert "雁" not in str(caught.value)


@pytest.mark.parametrize("text", ["a" * 431, "é{" * 200, "€Δ" * 200, "£¥ñ\f~" * 60, "\r\n" * 200])
def test_texts_beyond_ascii_get_the_codes_of_the_alphabet(text: str) -> None:
    assert b"".join(segment.payload for segment in plan_segments(text).segments) == encode_gsm7(text)


@pytest.mark.parametrize(
    ("encoding", "reserve", "room"),
    [
        (Encoding.GSM7, Reserve(), (160, 153, 153)),
        (Encoding.GSM7, Reserve(reference_bits=16), (160, 152, 152)),
        (Encoding.GSM7, Reserve(header_octets=3), (155, 149, 149)),  # a national single shift table
        (Encoding.GSM7, Reserve(header_octets=6), (152, 146, 146)),  # 16-bit ports, or both shift tables
        (Encoding.UCS2, Reserve(), (70, 67, 67)),
        (Encoding.UCS2, Reserve(reference_bits=16), (70, 66, 66)),
        (Encoding.UCS2, Reserve(header_octets=6), (66, 64, 64)),
        (Encoding.BINARY, Reserve(), (70, 67, 67)),
        (Encoding.UCS2, Reserve(every_segment=6), (64, 61, 61)),
        (Encoding.UCS2, Reserve(last_segment=6), (64, 67, 61)),
        (Encoding.UCS2, Reserve(every_segment=6, last_segment=4), (60, 61, 57)),
    ],
)
def test_room_that_a_reserve_leaves(encoding: Encoding, reserve: Reserve, room: tuple[int, int, int]) -> None:
    assert measure_room(encoding, reserve) == room


@pytest.mark.parametrize(
    ("reserve", "n_chars", "lengths"),
    [
        # A carrier that puts 【鸿雁】 before every part (FIELD pain 26).
        (Reserve(every_segment=4), 66, [66]),
        (Reserve(every_segment=4), 67, [63, 4]),
        (Reserve(every_segment=4), 127, [63, 63, 1]),
        # A carrier that puts it behind the last part.
        (Reserve(last_segment=4), 66, [66]),
        (Reserve(last_segment=4), 67, [66, 1]),
        (Reserve(last_segment=4), 130, [67, 63]),
        (Reserve(last_segment=4), 131, [67, 63, 1]),
        (Reserve(last_segment=4), 134, [67, 66, 1]),
        (Reserve(last_segment=4), 135, [67, 67, 1]),
    ],
)
def test_a_signature_of_the_carrier_fits(reserve: Reserve, n_chars: int, lengths: list[int]) -> None:
    plan = plan_segments("鸿" * n_chars, reserve=reserve)
    assert [len(segment.text) for segment in plan.segments] == lengths


@pytest.mark.parametrize(
    "reserve",
    [Reserve(every_segment=66), Reserve(last_segment=66), Reserve(header_octets=140), Reserve(last_segment=-1),
     Reserve(reference_bits=12)],
)  # fmt: skip
def test_a_reserve_that_leaves_no_room_is_refused(reserve: Reserve) -> None:
    with pytest.raises(EncodeError, match="reserve"):
        plan_segments("鸿", reserve=reserve)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a\ud83d", "a\ufffd"),
        ("\ude00a", "\ufffda"),
        ("\ud83dx\ude00", "\ufffdx\ufffd"),
        ("\ud83d\ude00", "😀"),  # two halves that stand side by side, as some JSON writers leave them
        ("\ude00\ud83d", "\ufffd\ufffd"),
    ],
)
def test_halves_of_surrogate_pairs(text: str, sent: str) -> None:
    plan = plan_segments(text)
    assert plan.segments[0].text == sent
    assert decode_payload(plan.encoding, plan.segments[0].payload) == sent


def test_at_most_255_segments() -> None:
    assert len(plan_segments("a" * 153 * 255).segments) == 255
    assert len(plan_segments("中" * 67 * 255).segments) == 255
    for text in ("a" * (153 * 255 + 1), "中" * (67 * 255 + 1)):
        with pytest.raises(EncodeError, match="needs 256 segments, 255 are possible"):
            plan_segments(text)


@pytest.mark.parametrize(
    ("encoding", "payload", "text"),
    [
        (Encoding.GSM7, b"\x00\x1be", "@€"),
        (Encoding.UCS2, bytes.fromhex("d83dde00"), "😀"),
        (Encoding.UCS2, bytes.fromhex("d83d"), "\ufffd"),
        (Encoding.UCS2, bytes.fromhex("d83d0041"), "\ufffdA"),
        (Encoding.UCS2, bytes.fromhex("004100"), "A"),
        (Encoding.UCS2, b"\x00", ""),
        (Encoding.BINARY, b"\x00\xff", "\x00ÿ"),
    ],
)
def test_payloads_read_back(encoding: Encoding, payload: bytes, text: str) -> None:
    assert decode_payload(encoding, payload) == text
