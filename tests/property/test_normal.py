"""Folding is stable, and dressing a text changes nothing of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.hanzi import SIMPLIFIED
from gateway.policy.normal import AS_LETTERS, Folding, fold, fold_text

pytestmark = pytest.mark.property

FOLDINGS = (Folding(), Folding(AS_LETTERS))
TRADITIONAL = {simple: old for old, simple in SIMPLIFIED.items()}
BETWEEN = st.text(alphabet="\u200b\u200d\u2060\ufeff\u00ad\u3164\ufe0f .-_*·|～【】、，😀\u0335", max_size=3)
LETTERS = "abcxyzABCXYZ最佳国家级退订优惠红包免费09"
JOINING = "ㄱㅏ각\u1100\u1161\u11a8か\u3099ｶﾞe\u0301\u0308ऑ\u093c\u0bc6\u0bbe\u1025\u102e İßΐᾳ㎡"


def full_width(char: str) -> str:
    return chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char


DRESSES = (str, str.upper, str.lower, full_width, lambda c: TRADITIONAL.get(c, c))


@given(st.text() | st.text(alphabet=JOINING))
def test_folding_again_changes_nothing(text: str) -> None:
    for folding in FOLDINGS:
        once = folding.fold(text)
        assert folding.fold(once) == once


@given(st.text() | st.text(alphabet=JOINING))
def test_both_ways_to_fold_agree_and_offsets_never_run_back(text: str) -> None:
    folded, offsets = fold_text(text)
    assert folded == fold(text)
    assert len(offsets) == len(folded)
    assert offsets == sorted(offsets)
    assert all(0 <= i < len(text) for i in offsets)


@given(st.text(alphabet=LETTERS, min_size=1), st.data())
def test_a_dressed_text_folds_to_the_plain_one(text: str, data: st.DataObject) -> None:
    dressed = "".join(data.draw(st.sampled_from(DRESSES))(char) + data.draw(BETWEEN) for char in text)
    for folding in FOLDINGS[:1]:
        assert folding.fold(dressed) == folding.fold(text)
