"""How a value looks in an encrypted database.

Two forms. What is looked up is sealed with AES-SIV (RFC 5297), without a nonce: equal values give equal octets, so
that the sealed value is its own index, and joins, ``GROUP BY`` and unique keys hold as before. All else is sealed with
AES-GCM under a random nonce. Both tell by themselves what they are and under which key of the store:

    text    ``~hy1=`` (SIV) or ``~hy1~`` (GCM), and base64
    octets  ``c1 68 79``, ``3d`` (SIV) or ``7e`` (GCM), two octets for the key's number, and the rest

A value that is not ours, or that was damaged, is given back as it is: who reads it says what is wrong with it. A text
that only looks like one of ours is sealed, too, wherever it stands: nobody gets a stolen value opened by handing it in.
"""

from __future__ import annotations

import os
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

TEXT_MARK: Final = "~hy"
OCTETS_MARK: Final = b"\xc1hy"
"""No msgpack begins with c1, no JSON, no PDU of SMPP (whose length would be three thousand millions), no deflate."""
_SIV: Final = ord("=")
_GCM: Final = ord("~")
_NONCE: Final = 12
_HEAD: Final = len(OCTETS_MARK) + 3
_KEPT: Final = 20_000
"""Numbers whose sealed form is remembered: one message asks for its recipient's several times."""


class _Ciphers:
    """What one key of the store does.

    Args:
        number: of the key, 1 to 65535.
        key: its octets.
    """

    def __init__(self, number: int, key: bytes) -> None:
        self.siv = AESSIV(_derive(key, b"hongyan: equal stays equal", 64))
        self.gcm = AESGCM(_derive(key, b"hongyan: contents", 32))
        self.head_siv = OCTETS_MARK + bytes((_SIV, *number.to_bytes(2, "big")))
        self.head_gcm = OCTETS_MARK + bytes((_GCM, *number.to_bytes(2, "big")))
        self.text_siv = f"{TEXT_MARK}{number}="
        self.text_gcm = f"{TEXT_MARK}{number}~"


class Seals:
    """Seals with the newest key of a store, and opens what was sealed with any. May be used on any thread.

    Args:
        keys: of the store, by their numbers.
        newest: the one that seals; 0 for none: then values are given back as they are.
    """

    def __init__(self, keys: Mapping[int, bytes], newest: int) -> None:
        self.newest = newest
        self._ciphers = {number: _Ciphers(number, key) for number, key in keys.items()}
        self._now = self._ciphers.get(newest)
        self._sealed: dict[str, str] = {}
        self._opened: dict[str, str] = {}

    def seal_equal(self, text: str) -> str:
        """A text that is looked up."""
        if self._now is None or not text:
            return text
        sealed = self._sealed.get(text)
        if sealed is None:
            octets = self._now.siv.encrypt(text.encode("utf-8", "surrogatepass"), None)
            sealed = self._now.text_siv + _to_text(octets)
            self._remember(text, sealed)
        return sealed

    def _remember(self, text: str, sealed: str) -> None:
        if len(self._sealed) >= _KEPT:
            self._sealed.clear()
        if len(self._opened) >= _KEPT:
            self._opened.clear()
        self._sealed[text] = sealed
        self._opened[sealed] = text

    def seal_text(self, text: str) -> str:
        """A text that is read only; '' stays ''."""
        if self._now is None or not text:
            return text
        nonce = os.urandom(_NONCE)
        sealed = self._now.gcm.encrypt(nonce, text.encode("utf-8", "surrogatepass"), None)
        return self._now.text_gcm + _to_text(nonce + sealed)

    def seal_octets(self, octets: bytes) -> bytes:
        """Octets that are read only; none stay none."""
        if self._now is None or not octets:
            return octets
        nonce = os.urandom(_NONCE)
        return self._now.head_gcm + nonce + self._now.gcm.encrypt(nonce, octets, None)

    def seal_equal_octets(self, octets: bytes) -> bytes:
        """Octets that are looked up."""
        if self._now is None or not octets:
            return octets
        return self._now.head_siv + self._now.siv.encrypt(octets, None)

    def open_text(self, text: str) -> str:
        """A text that begins with `TEXT_MARK`."""
        known = self._opened.get(text)
        if known is not None:
            return known
        opened = self._open_text(text)
        if opened is not text and self._now is not None and text.startswith(self._now.text_siv):
            self._remember(opened, text)
        return opened

    def _open_text(self, text: str) -> str:
        read = _parse_text(text)
        opened = None if read is None else self._open(*read)
        return text if opened is None else opened.decode("utf-8", "surrogatepass")

    def open_octets(self, octets: bytes) -> bytes:
        """Octets that begin with `OCTETS_MARK`."""
        if len(octets) < _HEAD:
            return octets
        number = int.from_bytes(octets[_HEAD - 2 : _HEAD], "big")
        opened = self._open(octets[len(OCTETS_MARK)], number, octets[_HEAD:])
        return octets if opened is None else opened

    def open(self, value: Any) -> Any:
        """A value of any type."""
        if isinstance(value, str):
            return self.open_text(value) if value.startswith(TEXT_MARK) else value
        if isinstance(value, bytes):
            return self.open_octets(value) if value.startswith(OCTETS_MARK) else value
        return value

    def every_form(self, text: str) -> list[str]:
        """How a text that is looked up stands in this store: in clear, or under any of its keys."""
        octets = text.encode("utf-8", "surrogatepass")
        return [
            text,
            *(one.text_siv + _to_text(one.siv.encrypt(octets, None)) for one in self._ciphers.values()),
        ]

    def is_newest(self, value: str | bytes) -> bool:
        """Whether a value is sealed with the key that seals now."""
        if isinstance(value, str):
            read = _parse_text(value)
            return read is not None and read[1] == self.newest and self._open(*read) is not None
        if not value.startswith(OCTETS_MARK) or len(value) < _HEAD:
            return False
        number = int.from_bytes(value[_HEAD - 2 : _HEAD], "big")
        return number == self.newest and self.open_octets(value) is not value

    def _open(self, form: int, number: int, sealed: bytes) -> bytes | None:
        ciphers = self._ciphers.get(number)
        if ciphers is None:
            return None
        try:
            if form == _SIV:
                return ciphers.siv.decrypt(sealed, None)
            if form == _GCM:
                return ciphers.gcm.decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except (InvalidTag, ValueError):
            pass
        return None


def _parse_text(text: str) -> tuple[int, int, bytes] | None:
    """Form, number of the key and octets of a sealed text; None for any other."""
    if not text.startswith(TEXT_MARK):
        return None
    end = len(TEXT_MARK)
    while end < len(text) and end < len(TEXT_MARK) + 5 and text[end] in "0123456789":
        end += 1
    if end == len(TEXT_MARK) or end == len(text):
        return None
    try:
        sealed = a2b_base64(text[end + 1 :].encode("ascii"), strict_mode=True)
    except (Error, UnicodeEncodeError):
        return None
    return ord(text[end]), int(text[len(TEXT_MARK) : end]), sealed


def _to_text(octets: bytes) -> str:
    return b2a_base64(octets, newline=False).decode("ascii")


def _derive(key: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=purpose).derive(key)
