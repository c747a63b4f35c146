"""What people see as one character is never cut, unless it is larger than a segment."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
import regex

from drivers.base import Encoding
from drivers.codec.graphemes import _PLAIN, find_torn
from drivers.codec.segment import Reserve, plan_segments

pytestmark = pytest.mark.unit

CLUSTERS = {
    "flag": "🇨🇳",
    "skin tone": "👍🏽",
    "family": "👩\u200d👩\u200d👧\u200d👦",
    "keycap": "1\ufe0f\u20e3",
    "subdivision flag": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "combining mark": "g\u0308",
    "stacked marks": "ệ\u0323\u0301",
    "Hangul jamo": "\u1112\u1161\u11ab",
    "Devanagari conjunct": "क्षि",
    "Tamil": "நி",
    "Thai": "กำ",
    "line end": "\r\n",
}


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS.keys())
def test_a_cluster_on_the_boundary_moves_as_a_whole(cluster: str) -> None:
    n_units = len(cluster.encode("utf-16-be")) // 2
    for n_before in range(67 - n_units + 1, 67):
        plan = plan_segments("鸿" * n_before + cluster + "雁" * 20)
        assert [segment.text for segment in plan.segments] == ["鸿" * n_before, cluster + "雁" * 20]
    plan = plan_segments("鸿" * (67 - n_units) + cluster + "雁" * 20)
    assert plan.segments[0].text == "鸿" * (67 - n_units) + cluster


def test_a_line_end_is_kept_together_in_gsm7_too() -> None:
    plan = plan_segments("a" * 152 + "\r\n" + "{" * 20)
    assert [segment.text for segment in plan.segments] == ["a" * 152, "\r\n" + "{" * 20]


def test_flags_in_a_row_are_paired_from_their_beginning() -> None:
    plan = plan_segments("🇨🇳" * 40)
    assert all(len(segment.text) % 2 == 0 for segment in plan.segments)


def test_a_cluster_larger_than_a_segment_is_cut_and_the_next_one_is_whole_again() -> None:
    zalgo = "e" + "\u0301" * 100
    plan = plan_segments("鸿" * 60 + zalgo + "🇨🇳🇨🇳" + "雁" * 20)
    assert "".join(segment.text for segment in plan.segments) == "鸿" * 60 + zalgo + "🇨🇳🇨🇳" + "雁" * 20
    assert [len(segment.payload) for segment in plan.segments[:2]] == [134, 134]
    assert all(
        segment.text.count("\U0001f1e8") == segment.text.count("\U0001f1f3") for segment in plan.segments
    )


def test_a_cluster_stays_whole_when_only_the_last_segment_is_too_small_for_it() -> None:
    plan = plan_segments(
        "鸿" * 67 + "👩\u200d👩\u200d👧\u200d👦" + "雁" * 54, reserve=Reserve(last_segment=5)
    )
    assert any("👩\u200d👩\u200d👧\u200d👦" in segment.text for segment in plan.segments)
    assert len(plan.segments[-1].payload) <= 124


def test_no_two_plain_characters_make_a_cluster() -> None:
    """The set that spares the look-up must hold nothing that joins its neighbour, on either side."""
    plain = re.compile(f"[{_PLAIN}]")
    joins = regex.compile(
        r"[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}\p{GCB=Prepend}\p{GCB=L}\p{GCB=V}\p{GCB=T}\p{GCB=CR}"
        r"\p{GCB=Regional_Indicator}]"
    )
    chars = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    wrong = [char for char in chars if plain.match(char) and joins.match(char)]
    assert wrong == []
    clusters = regex.compile(r"\X")
    for char in filter(plain.match, chars):
        assert len(clusters.findall(char + char)) == 2, unicodedata.name(char, repr(char))


def test_plain_text_never_loads_the_segmentation_library() -> None:
    chinese = "您的验证码是1234，5分钟内有效。【鸿雁】😀"
    assert all(find_torn(chinese, at) is None for at in range(1, len(chinese)))
    assert plan_segments(chinese * 10).encoding is Encoding.UCS2
