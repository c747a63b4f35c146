"""What a USSD answer says: from the line ``+CUSD:`` to a text, whichever way the stick spelled it. Pure and total.

Sticks give the text as it is, or in hex digits of UCS-2, of eight-bit characters or of packed septets, and many
name a data coding scheme that has nothing to do with it. So all readings are tried, and the one whose characters
look most like a text counts; what was asked for decides between equals.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from drivers.at.responses import parse_int
from drivers.codec.gsm7 import decode_gsm7
from drivers.codec.septets import unpack_ussd

PREFIX = "+CUSD:"
_FIELDS = re.compile(r"\s*([0-9]*)\s*(?:,(.*))?", re.DOTALL)
_SCHEME = re.compile(r",\s*(?:[0-9]{1,3})?\s*$")
"""Behind the text; the text may hold quotes and commas of its own."""
_HEX = re.compile(r"[0-9A-Fa-f]{4,}")
_LANGUAGE = re.compile(r"[a-z]{2}\r")
_WITH_LANGUAGE = 0x10
"""The text begins with its language (3GPP TS 23.038 5)."""
_ORDINARY = frozenset(" \r\n.,:;!?'\"()-+/*#%&=_<>$€")
_OTHER_ORDINARY = frozenset({"Po", "Ps", "Pe", "Pd", "Zs", "Nd", "Sc"})
_PLAUSIBLE = 0.75
"""Share of ordinary characters in a reading that counts; octets that are none have some 0.6."""
_MIN_OCTETS = 4
"""What is shorter is more likely a short number."""
_SURELY_ASCII = 8
"""So many octets that all are ASCII by chance are rare."""
_BYTE_ORDER = {b"\xfe\xff": "utf-16-be", b"\xff\xfe": "utf-16-le"}
"""A byte order mark says outright what the rest is."""
_SAME_SCRIPT = {"HIRAGANA": "CJK", "KATAKANA": "CJK"}


@dataclass(frozen=True, slots=True)
class Said:
    """One ``+CUSD:`` line.

    Args:
        status: <m> (3GPP TS 27.007 7.15); None when it is no number.
        text: as the stick spelled it.
        dcs: None when the stick gave none.
    """

    status: int | None
    text: str
    dcs: int | None


def parse_cusd(line: str) -> Said:
    """Take a line apart; line breaks within the text stay."""
    match = _FIELDS.fullmatch(line.removeprefix(PREFIX))
    if match is None:
        return Said(None, "", None)
    text = (match[2] or "").strip()
    scheme = _SCHEME.search(text)
    if scheme is not None:
        text = text[: scheme.start()].rstrip()
    if text.startswith('"'):
        text = text[1:].removesuffix('"')
    return Said(parse_int(match[1]), text, parse_int(scheme[0].strip(" ,")) if scheme else None)


def read_text(text: str, dcs: int | None, *, asked_ucs2: bool = False, packs: bool = False) -> str:
    """An answer's text.

    Args:
        text: between the quotes.
        dcs: data coding scheme; 3GPP TS 23.038 5.
        asked_ucs2: the stick was told to spell texts in UCS2, and obeyed.
        packs: this maker's sticks give packed septets.
    """
    digits = text.replace("\n", "")  # a stick may break a long line of them
    if digits != text and _HEX.fullmatch(digits) and not digits.isdigit():
        text = digits
    if not _HEX.fullmatch(text):
        return _from_gsm_codes(text)
    octets = bytes.fromhex(text[: len(text) // 2 * 2])  # a text that was cut short may end within an octet
    if (order := _BYTE_ORDER.get(octets[:2])) is not None:
        return octets[2 : len(octets) // 2 * 2].decode(order, "replace")
    # Latin text in UCS2 has a zero at every other place, packed septets hardly any.
    if (dcs is not None and (dcs & 0xCC == 0x48 or dcs == 0x11)) or octets[::2].count(0) * 4 > len(octets):
        return _ucs2(octets)
    if text.isdigit() and not _is_number_in_hex(octets):
        return text
    if len(octets) < _MIN_OCTETS and not (asked_ucs2 or packs):
        return text
    ucs2 = _ucs2(octets) if len(octets) % 2 == 0 else ""
    # Careless senders count spare bits as one more character, or pad where there is no need to.
    septets = decode_gsm7(unpack_ussd(octets)).rstrip("\r@")
    readings = [septets, ucs2] if packs else [ucs2, septets]
    is_ascii = octets.isdigit() or (len(octets) >= _SURELY_ASCII and _is_printable(octets))
    readings.insert(0 if is_ascii and not asked_ucs2 else 2, octets.decode("latin-1"))
    best = max(readings, key=_plausibility)  # the first of equals
    if _plausibility(best) < _PLAUSIBLE:
        return text
    return _LANGUAGE.sub("", best, count=1) if dcs == _WITH_LANGUAGE else best


def _ucs2(octets: bytes) -> str:
    return octets[: len(octets) // 2 * 2].decode("utf-16-be", "replace")


def _is_printable(octets: bytes) -> bool:
    return octets.isascii() and octets.decode("ascii").isprintable()


def _is_number_in_hex(octets: bytes) -> bool:
    """Whether these octets, all of decimal digits, spell a number rather than are one."""
    return len(octets) >= _MIN_OCTETS and octets.isdigit()


def _from_gsm_codes(text: str) -> str:
    """The text, of which a stick in its own alphabet may have sent the codes: control characters tell."""
    has_codes = any(char < " " and char not in "\r\n" for char in text)
    return decode_gsm7(text.encode()) if has_codes and text.isascii() else text


def _plausibility(text: str) -> float:
    """How much like a text this looks, 0..1: the share of ordinary characters, and of those of its main script."""
    if not text:
        return 0.0
    scripts: Counter[str] = Counter()
    n_ordinary = 0.0
    for char in text:
        category = unicodedata.category(char)
        if (char.isascii() and char.isalnum()) or char in _ORDINARY:
            n_ordinary += 1
        elif category[0] in "LM":
            scripts[_script(char)] += 1
        elif category in _OTHER_ORDINARY and char not in "@£¥¡¿§":
            n_ordinary += 1
    n_ordinary += scripts.pop("LATIN", 0) / 2  # letters with accents: a few at most
    scripts.pop("", None)
    return (n_ordinary + max(scripts.values(), default=0)) / len(text)


def _script(char: str) -> str:
    """The script of a letter; empty for what hardly anybody writes."""
    name = unicodedata.name(char, "").partition(" ")[0].partition("-")[0]
    return "" if name == "CJK" and not "一" <= char <= "鿿" else _SAME_SCRIPT.get(name, name)
