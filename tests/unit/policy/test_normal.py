"""Folding: what counts when a text is compared with a list, and what does not."""

from __future__ import annotations

import pytest

from gateway.policy.normal import AS_LETTERS, Folding, fold, fold_text


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ＴＤ", "td"),
        ("退訂", "退订"),
        ("優惠大放送", "优惠大放送"),
        ("最\u200b佳", "最佳"),
        ("最.佳", "最佳"),
        ("【最 佳】", "最佳"),
        ("最😀佳", "最佳"),
        ("最️⃣佳", "最佳"),
        ("最\U000f0000佳", "最佳"),
        ("⼈氣", "人气"),
        ("㊣品", "正品"),
        ("F\u0332R\u0332E\u0332E\u0332", "free"),
        ("𝐅𝐫𝑒𝓮", "free"),
        ("ⓕⓡⓔⓔ", "free"),
        ("🅵🆁🅴🅴", "free"),
        ("🇫🇷🇪🇪", "free"),
        ("FRЕЕ", "free"),
        ("ΒΕSΤ", "best"),
        ("ｆｒｅｅ", "free"),
        ("f-r-e-e", "free"),
        ("ꜰʀᴇᴇ", "free"),
        ("ARRÊT", "arret"),
        ("Straße", "strasse"),
        ("ﬁne", "fine"),
        ("İSTANBUL", "istanbul"),
        ("㎡", "m2"),
        ("①②③", "123"),
        ("５折", "5折"),
        ("0", "0"),
        ("하\u11ab글", "한글"),
        ("ㅎㅏ", "하"),
        ("ｶﾞｲﾄﾞ", "ガイド"),
        ("か\u3099き", "がき"),
        ("हिन्दी", "हिन्दी"),
        ("ที่", "ที่"),
        ("，。！ \n\t", ""),
        ("", ""),
    ],
)
def test_a_text_has_one_form_however_it_is_dressed(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert fold_text(text)[0] == folded


def test_words_that_differ_stay_apart() -> None:
    apart = ["最佳", "最大", "가", "각", "がき", "かき", "free", "tree", "5折", "折", "दिन", "दान"]
    assert len({fold(word) for word in apart}) == len(apart)


def test_offsets_tell_where_a_folded_character_stood() -> None:
    text = "现在 Ｆ\u200br.é\u0301e！㎡か\u3099"
    folded, offsets = fold_text(text)
    assert folded == "现在freem2が"
    assert [text[i] for i in offsets] == ["现", "在", "Ｆ", "r", "é", "e", "㎡", "㎡", "か"]


def test_digits_stand_for_letters_only_where_that_is_asked_for() -> None:
    assert fold("FR33 C@5INO") == "fr33c5ino"
    letters = Folding(AS_LETTERS)
    assert letters.fold("FR33 C@51N0") == letters.fold("free casino")
