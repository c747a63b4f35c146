"""National language tables: cell by cell against another origin, their use, their cost."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from drivers.base import Encoding
from drivers.codec.gsm7 import alphabet, count_septets, decode_gsm7, encode_gsm7, is_gsm7
from drivers.codec.gsm7_tables import EXTENSION
from drivers.codec.national_tables import LOCKING, SINGLE_SHIFT, Language
from drivers.codec.shifts import ShiftOption, national_elements, shift_options
from drivers.codec.text import decode_text, to_plain
from drivers.codec.udh import encode_udh
from drivers.errors import EncodeError
from tests.support.vectors import load_vectors

pytestmark = pytest.mark.unit

Vector = dict[str, Any]
SHAKESPEARE = {
    Language.TURKISH: "Olmak ya da olmamak, işte bütün mesele bu",
    Language.PORTUGUESE: "Ser ou não ser, eis a questão",
    Language.BENGALI: "আমার সোনার বাংলা",
    Language.GUJARATI: "નમસ્તે ભારત",
    Language.HINDI: "सत्यमेव जयते",
    Language.KANNADA: "ನಮಸ್ಕಾರ",
    Language.MALAYALAM: "നമസ്കാരം",
    Language.ORIYA: "ନମସ୍କାର",
    Language.PUNJABI: "ਸਤ ਸ੍ਰੀ ਅਕਾਲ",
    Language.TAMIL: "வணக்கம்",
    Language.TELUGU: "నమస్కారం",
    Language.URDU: "السلام عليكم".replace("ي", "ی").replace("ك", "ک"),
}


def cells_of(vector: Vector) -> dict[int, str]:
    cells = vector["cells"].split()
    assert len(cells) == 128
    return {code: chr(int(cell, 16)) for code, cell in enumerate(cells) if cell != ".."}


@pytest.mark.parametrize("vector", load_vectors("national", "locking"), ids=lambda v: v["language"])
def test_locking_tables_are_those_of_another_origin(vector: Vector) -> None:
    table = LOCKING[Language[vector["language"]]]
    assert len(table) == 128
    ours = {code: char for code, char in enumerate(table) if code != 0x1B and (char != " " or code == 0x20)}
    assert ours == cells_of(vector)


@pytest.mark.parametrize("vector", load_vectors("national", "single_shift"), ids=lambda v: v["language"])
def test_single_shift_tables_are_those_of_another_origin(vector: Vector) -> None:
    assert SINGLE_SHIFT[Language[vector["language"]]] == cells_of(vector)


def test_every_language_has_its_tables() -> None:
    assert set(SINGLE_SHIFT) == set(Language)
    assert set(LOCKING) == set(Language) - {Language.SPANISH}
    assert [language.value for language in Language] == list(range(1, 14))


@pytest.mark.parametrize("single_shift", [None, *Language])
@pytest.mark.parametrize("locking", [None, *LOCKING])
def test_every_character_of_every_pair_of_tables_comes_back(
    locking: Language | None, single_shift: Language | None
) -> None:
    text = "".join(sorted(alphabet(locking, single_shift)))
    codes = encode_gsm7(text, locking=locking, single_shift=single_shift)
    assert decode_gsm7(codes, locking=locking, single_shift=single_shift) == text
    assert max(codes) < 0x80


@pytest.mark.parametrize(("language", "text"), SHAKESPEARE.items(), ids=lambda value: str(value)[:9])
def test_texts_that_needed_ucs2_cost_a_septet_a_character(language: Language, text: str) -> None:
    best, *_ = shift_options(text, [language])
    assert best.n_septets <= len(text) + 3
    udh = encode_udh(best.elements)
    assert len(udh) == best.n_header_octets + 1
    codes = encode_gsm7(text, locking=best.locking, single_shift=best.single_shift)
    assert len(codes) == best.n_septets
    assert decode_text(Encoding.GSM7, codes, udh) == text
    plain, payload = to_plain(Encoding.GSM7, codes, udh)
    assert (plain, payload.decode("utf-16-be")) == (Encoding.UCS2, text)


def test_all_ways_are_offered_the_cheapest_first() -> None:
    options = shift_options("Gule gule, şekerim!", [Language.TURKISH])
    assert options == [
        ShiftOption(locking=Language.TURKISH, single_shift=None, n_septets=19),
        ShiftOption(locking=None, single_shift=Language.TURKISH, n_septets=20),
        ShiftOption(locking=Language.TURKISH, single_shift=Language.TURKISH, n_septets=19),
    ]


def test_the_default_tables_come_first_when_they_will_do() -> None:
    best, *_ = shift_options("hello [world]", list(Language))
    assert best == ShiftOption(locking=None, single_shift=None, n_septets=15)
    assert (best.elements, best.n_header_octets) == ((), 0)


def test_languages_are_taken_in_order_of_preference() -> None:
    for languages in ([Language.SPANISH, Language.PORTUGUESE], [Language.PORTUGUESE, Language.SPANISH]):
        options = [option for option in shift_options("Í" * 9, languages) if option.locking is None]
        assert [option.single_shift for option in options] == languages


def test_headers_of_both_tables() -> None:
    elements = national_elements(Language.HINDI, Language.URDU)
    assert encode_udh(elements) == bytes.fromhex("0624010d250106")


def test_spanish_has_no_locking_table() -> None:
    for refuse in (alphabet, lambda language: count_septets("a", locking=language)):
        with pytest.raises(EncodeError, match="Spanish has no locking shift table"):
            refuse(Language.SPANISH)
    assert decode_gsm7(b"a\x00", locking=Language.SPANISH) == "a@"


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        (b"\x1bg\x1be\x1b", "ğ€ "),
        (b"\x1bz", "z"),  # not in the single shift table: as if there were no escape
        (b"\x1b\x04", "€"),  # but in the locking table
        (b"\x1b\x1bi", " i"),
    ],
)
def test_escapes_under_national_tables(codes: bytes, text: str) -> None:
    assert decode_gsm7(codes, locking=Language.TURKISH, single_shift=Language.TURKISH) == text


def test_empty_cells_are_spaces_and_only_the_true_one_is_written() -> None:
    assert decode_gsm7(b"\x00\x20\x0c", locking=Language.TAMIL) == "   "
    assert encode_gsm7(" ", locking=Language.TAMIL) == b"\x20"


def test_what_stands_twice_is_written_in_its_first_place() -> None:
    assert encode_gsm7("¡*", single_shift=Language.HINDI) == bytes.fromhex("40") + b"*"
    assert encode_gsm7("¡*", locking=Language.HINDI, single_shift=Language.HINDI) == bytes.fromhex("1b131b0b")


def test_what_does_not_fit_is_named_with_its_place() -> None:
    assert not is_gsm7("şö鸿", single_shift=Language.TURKISH)
    with pytest.raises(EncodeError) as caught:
        encode_gsm7("şö鸿", single_shift=Language.TURKISH)
    assert caught.value.reason == "character 2, U+9E3F CJK UNIFIED IDEOGRAPH-9E3F, is not in the alphabet"


def test_national_extensions_keep_what_the_default_one_has() -> None:
    for table in SINGLE_SHIFT.values():
        assert {code: table[code] for code in EXTENSION} == EXTENSION


def test_tables_take_less_than_two_megabytes() -> None:
    pairs = [(locking, single_shift) for locking in (None, *LOCKING) for single_shift in (None, *Language)]
    tracemalloc.start()
    try:
        for locking, single_shift in pairs:
            alphabet(locking, single_shift)
        n_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert n_bytes < 1_500_000  # the tables themselves, as data, are some 60 kilobytes
