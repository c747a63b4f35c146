"""A listed word is found however it is dressed, and an exception holds however it is dressed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.hanzi import SIMPLIFIED
from gateway.policy.lexicon import EXCEPTION, Lexicon, compile_lexicons

pytestmark = pytest.mark.property

TRADITIONAL = {simple: old for old, simple in SIMPLIFIED.items()}
CHINESE = ("最佳", "国家级", "优惠券", "买一送一", "零风险")
LATIN = ("free", "best price", "coupon")
BETWEEN_CHINESE = st.text(alphabet="\u200b\u200d\u2060\ufeff\u00ad\ufe0f .-_*·|～、，", max_size=3)
BETWEEN_LATIN = st.text(alphabet="\u200b\u200d\u2060\ufeff\u00ad.-_*", max_size=2)
AROUND = st.text(alphabet="您好吗的了 ，。！我\u200b", max_size=6)


def full_width(char: str) -> str:
    return chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char


CYRILLIC = dict(zip("eopcx", "еорсх", strict=True))
DRESSES = (str, str.upper, full_width, lambda c: TRADITIONAL.get(c, c), lambda c: CYRILLIC.get(c, c))


def dress(word: str, between: st.SearchStrategy[str], data: st.DataObject) -> str:
    chars = [data.draw(st.sampled_from(DRESSES))(char) for char in word]
    return chars[0] + "".join(data.draw(between) + char for char in chars[1:])


@given(st.sampled_from(CHINESE), AROUND, AROUND, st.data())
def test_a_chinese_word_is_found_however_it_is_dressed(
    word: str, before: str, behind: str, data: st.DataObject
) -> None:
    finder = compile_lexicons((Lexicon("list", ((word, "review"),)),))
    assert finder.find(before + dress(word, BETWEEN_CHINESE, data) + behind)
    assert not finder.find(before + word[:-1] + behind)


@given(st.sampled_from(LATIN), AROUND, AROUND, st.data())
def test_a_latin_word_is_found_however_it_is_dressed(
    word: str, before: str, behind: str, data: st.DataObject
) -> None:
    finder = compile_lexicons((Lexicon("list", ((word, "review"),)),))
    dressed = dress(word, BETWEEN_LATIN, data)
    assert finder.find(before + dressed + behind)
    assert not finder.find(f"{before}x{dressed}{behind}")
    assert not finder.find(f"{before}{dressed}y{behind}")


@given(AROUND, AROUND, st.data())
def test_an_exception_holds_however_it_is_dressed(before: str, behind: str, data: st.DataObject) -> None:
    finder = compile_lexicons((Lexicon("list", (("最佳", "review"), ("最佳西方酒店", EXCEPTION))),))
    excused = dress("最佳西方酒店", BETWEEN_CHINESE, data)
    assert not finder.find(before + excused + behind)
    assert finder.find(before + excused + behind + "最佳")


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    words = tuple((word, "review") for word in (*CHINESE, *LATIN))
    lexicons = (Lexicon("plain", words), Lexicon("digits", words, digits_for_letters=True))
    for hit in compile_lexicons(lexicons).find(text):
        assert hit.kind == "review"
