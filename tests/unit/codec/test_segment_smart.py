"""Smart mode: typography written plainly where that saves money, and an account of every change."""

from __future__ import annotations

import pytest

from drivers.base import Encoding
from drivers.codec.gsm7 import is_gsm7
from drivers.codec.segment import plan_segments
from drivers.codec.typography import _PLAIN, Foreign, Replacement, find_foreign, replace_typographic
from drivers.errors import EncodeError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("“It’s” – here…", '"It\'s" - here...'),
        ("a\xa0b\u202fc\td", "a b c d"),
        ("ﬁne\xad\u200b\ufeff", "fine"),
        ("cafe\u0301", "café"),  # decomposed, as some systems write it
        ("c\u0327a", "c\u0327a"),  # its composed form is not in the alphabet either
        ("ＯＫ１！", "ＯＫ１！"),
        ("👩\u200d👧", "👩\u200d👧"),  # the joiner of an emoji is not typography
        ("鸿雁，“你好”", '鸿雁，"你好"'),
    ],
)
def test_typography_has_plain_equals(text: str, plain: str) -> None:
    assert replace_typographic(text)[0] == plain


def test_full_width_is_replaced_only_where_asked() -> None:
    assert replace_typographic("ＯＫ，１￥\u3000！", full_width=True)[0] == "OK,1¥ !"


def test_every_replacement_can_be_sent_in_gsm7() -> None:
    everything = "".join(map(chr, range(0xFF01, 0xFF5F))) + "\uff40\u3000￡￥" + "".join(_PLAIN)
    assert is_gsm7(replace_typographic(everything, full_width=True)[0])


def test_smart_replaces_when_it_saves_segments_and_lists_what() -> None:
    text = "“" + "x" * 100 + "”"
    plan = plan_segments(text, smart=True)
    assert (plan.encoding, len(plan.segments)) == (Encoding.GSM7, 1)
    assert plan.text == '"' + "x" * 100 + '"'
    assert plan.replacements == (Replacement(0, "“", '"'), Replacement(101, "”", '"'))
    assert len(plan_segments(text).segments) == 2


@pytest.mark.parametrize(
    "text",
    [
        "“short”",  # one segment either way
        "“" + "鸿" * 80 + "”",  # stays UCS-2
        "x" * 200,  # nothing to replace
        "…" * 71,  # longer than before: 213 septets are two segments as well
    ],
)
def test_smart_leaves_alone_what_it_cannot_make_cheaper(text: str) -> None:
    plan = plan_segments(text, smart=True)
    assert plan == plan_segments(text)
    assert plan.replacements == ()


def test_invisible_characters_are_dropped_from_chinese_too_when_that_saves() -> None:
    plan = plan_segments("鸿" * 70 + "\ufeff", smart=True)
    assert (len(plan.segments), plan.text) == (1, "鸿" * 70)
    assert plan.replacements == (Replacement(70, "\ufeff", ""),)


def test_smart_makes_gsm7_possible_where_it_is_insisted_on() -> None:
    assert plan_segments("it’s", Encoding.GSM7, smart=True).text == "it's"
    with pytest.raises(EncodeError, match=r"character 5, .*U\+9E3F"):
        plan_segments("it’s 鸿", Encoding.GSM7, smart=True)


def test_smart_can_bring_a_text_under_the_limit() -> None:
    text = "“" + "x" * 20_000 + "”"
    with pytest.raises(EncodeError, match="255"):
        plan_segments(text)
    assert len(plan_segments(text, smart=True).segments) == 131


def test_what_forces_ucs2_is_named() -> None:
    assert list(find_foreign("a—b鸿")) == [Foreign(1, "—"), Foreign(3, "鸿")]
    assert list(find_foreign("{€}\f")) == []
