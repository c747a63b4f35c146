"""National tables in plans: only where they are allowed and where they save segments."""

from __future__ import annotations

import pytest

from drivers.base import Concat, Encoding
from drivers.codec.national_tables import Language
from drivers.codec.segment import Reserve, plan_segments
from drivers.codec.text import decode_text
from drivers.codec.udh import concat_element, encode_udh
from drivers.errors import EncodeError

pytestmark = pytest.mark.unit

TURKISH = "Şu anda iğne ışık "


def read_back(text: str, *languages: Language) -> str:
    plan = plan_segments(text, national=languages)
    n = len(plan.segments)
    headers = [
        encode_udh(
            (*plan.elements, *([concat_element(Concat(reference=1, total=n, part=part))] if n > 1 else []))
        )
        for part in range(1, n + 1)
    ]
    for header, segment in zip(headers, plan.segments, strict=True):
        assert 8 * len(header) + 7 * len(segment.payload) <= 1120
    return "".join(
        decode_text(plan.encoding, segment.payload, header)
        for header, segment in zip(headers, plan.segments, strict=True)
    )


def test_tables_are_used_where_they_are_allowed() -> None:
    text = TURKISH * 8
    assert (plan_segments(text).encoding, len(plan_segments(text).segments)) == (Encoding.UCS2, 3)
    plan = plan_segments(text, national=(Language.TURKISH,))
    assert (plan.encoding, len(plan.segments), plan.elements) == (Encoding.GSM7, 1, ((0x25, b"\x01"),))
    assert read_back(text, Language.TURKISH) == text


@pytest.mark.parametrize("text", [TURKISH * 30, "नमस्ते दुनिया क्षि " * 30, "ção à “" * 3 + "ção é " * 60])
def test_long_texts_read_back_with_their_headers(text: str) -> None:
    assert read_back(text, *Language) == text


@pytest.mark.parametrize("text", [TURKISH, "鸿雁" * 50, "x" * 200, "ş" + "鸿" * 100])
def test_tables_that_save_nothing_are_not_used(text: str) -> None:
    assert plan_segments(text, national=tuple(Language)) == plan_segments(text)


def test_one_segment_holds_155_septets_behind_one_table() -> None:
    for n_chars, n_segments in ((155, 1), (156, 2), (2 * 149, 2), (2 * 149 + 1, 3)):
        assert len(plan_segments("ı" * n_chars, national=(Language.TURKISH,)).segments) == n_segments


def test_syllables_of_indic_scripts_stay_whole() -> None:
    plan = plan_segments("a" * 148 + "क्षि" + "ab" * 100, national=(Language.HINDI,))
    assert plan.segments[0].text == "a" * 148
    assert plan.segments[1].text.startswith("क्षि")


def test_insisting_on_gsm7_takes_tables_that_are_allowed() -> None:
    assert plan_segments("ışık", Encoding.GSM7, national=(Language.TURKISH,)).elements
    assert not plan_segments("ışık", Encoding.UCS2, national=(Language.TURKISH,)).elements
    with pytest.raises(EncodeError, match=r"U\+9E3F"):
        plan_segments("鸿", Encoding.GSM7, national=(Language.TURKISH,))


def test_reserved_room_counts_beside_the_tables() -> None:
    reserve = Reserve(every_segment=5, reference_bits=16)
    plan = plan_segments("ı" * 300, national=(Language.TURKISH,), reserve=reserve)
    assert len(plan.segments[0].payload) == 148 - 5
