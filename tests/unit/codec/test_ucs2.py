"""UCS-2 as it comes in: marks, the other order, padding, odd octets."""

from __future__ import annotations

import pytest

from drivers.base import Encoding
from drivers.codec.segment import decode_payload
from drivers.codec.ucs2 import find_plain_ascii, is_common, tidy_ucs2
from drivers.modem.messages.received import event_of
from drivers.smpp.text import decode_content

pytestmark = pytest.mark.unit

TEXTS = [
    "退订",
    "你好，世界",
    "TD",
    "Hello, world",
    "1",
    "一",
    "一一",
    "Ünïcödé",
    "Привет",
    "مرحبا",
    "😀",
    "a😀b",
    "\ue001你",
]


@pytest.mark.parametrize("text", TEXTS)
def test_marks_say_the_order_and_are_no_text(text):
    assert tidy_ucs2(b"\xfe\xff" + text.encode("utf-16-be")).decode("utf-16-be") == text
    assert tidy_ucs2(b"\xff\xfe" + text.encode("utf-16-le")).decode("utf-16-be") == text


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("padding", [b"", b"\0\0", b"\0\0\0\0"])
def test_what_is_right_stays_as_it_is(text, padding):
    assert tidy_ucs2(text.encode("utf-16-be") + padding).decode("utf-16-be") == text


@pytest.mark.parametrize("text", ["TD", "Hello, world", "STOP", "退订"])
def test_the_other_order_is_seen_without_a_mark_where_only_it_makes_a_text(text):
    assert tidy_ucs2(text.encode("utf-16-le")).decode("utf-16-be") == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("9e3f96", "鸿\ufffd"),  # half a character is missing, and is seen to be
        ("9e3f00", "鸿"),
        ("9e3f0d", "鸿"),
        ("96", "\ufffd"),
        ("00", ""),
    ],
)
def test_an_odd_octet_is_padding_or_shown(octets, text):
    assert decode_payload(Encoding.UCS2, bytes.fromhex(octets)) == text


@pytest.mark.parametrize("text", ["T", "YES", "STOP SMS", "Hello, world", "hello", "Where are you? 42"])
def test_ascii_under_the_number_of_ucs2_is_ascii(text):
    assert decode_content(8, text.encode())[1].decode("utf-16-be") == text


def test_common_words_that_are_ascii_by_chance_stay_what_they_are():
    """Of each two, three and four characters that are letters and digits by chance, at two octets a character."""
    common = [c for c in map(chr, range(0x4E00, 0x9FA6)) if is_common(c)]
    by_chance = [
        c for c in common if all(chr(o).isascii() and chr(o).isalnum() for o in c.encode("utf-16-be"))
    ]
    assert len(by_chance) > 100
    for n in (1, 2, 3, 4, 7):
        for start in range(0, len(by_chance) - n, n):
            octets = "".join(by_chance[start : start + n]).encode("utf-16-be")
            if is_common(octets.decode("utf-16-be")):
                assert find_plain_ascii(octets) is None


def test_both_wires_read_marks():
    marked = b"\xff\xfe" + "退订".encode("utf-16-le")
    assert decode_content(8, marked) == (Encoding.UCS2, "退订".encode("utf-16-be"), False)
    tpdu = bytes.fromhex("040B914497887321F600086211921430000006") + marked
    assert event_of(tpdu).payload.decode("utf-16-be") == "退订"  # type: ignore[union-attr]
