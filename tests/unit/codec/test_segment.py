"""The segment plan: what a text costs, and where it is cut."""

from __future__ import annotations

import pytest

from drivers.base import Encoding
from drivers.codec.segment import decode_payload, plan_segments
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
    for encoding, text in ((Encoding.GSM7, "鸿雁"), (Encoding.BINARY, "abc")):
        with pytest.raises(EncodeError) as caught:
            plan_segments(text, encoding)
        assert text not in str(caught.value)


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
        with pytest.raises(EncodeError):
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
