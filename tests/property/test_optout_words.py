"""Folding a word is stable, and dressing a word up never hides it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.message import Keyword
from gateway.policy.folding import fold_word
from gateway.policy.optout import Keywords, find_keyword

pytestmark = pytest.mark.property

WORDS = Keywords.of(["TD", "退订", "STOP"], ["START"])
ORNAMENTS = st.text(
    st.sampled_from(" \t\r\n\u3000\u00a0\u200b\ufeff\ufe0f.,!?;:'\"“”‘’「」()()【】。,!?、…-~*🙏"), max_size=4
)
# Joiners and marks that stand next to letters are where Unicode normalisation surprises.
TRICKY = st.text(st.sampled_from("eéE\u0301\u0345\u0323\u200bｅſﬀİıßㅏᅡ가ᄀ退 ."), max_size=8)


@given(st.one_of(st.text(), TRICKY))
def test_folding_twice_is_folding_once(text: str):
    assert fold_word(fold_word(text)) == fold_word(text)


@given(st.sampled_from(["TD", "td", "ＴＤ", "退订", "StOp"]), ORNAMENTS, ORNAMENTS)
def test_ornaments_do_not_hide_a_word(word: str, before: str, after: str):
    found = find_keyword(before + word + after, WORDS)
    assert found is not None
    assert found[0] is Keyword.OPT_OUT


@given(st.text())
def test_any_text_has_an_answer(text: str):
    found = find_keyword(text, WORDS)
    assert found is None or len(text) <= 32
