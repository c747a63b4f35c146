"""Content codings undone (RFC 9110 8.4), in pieces: never on behalf of a stranger, and never more than was agreed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from gateway.http.problem import Malformed, UnsupportedCoding

CODINGS: Final = ("gzip", "deflate")
_NAMES: Final = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
_FED_OCTETS: Final = 16 << 10
_PIECE_OCTETS: Final = 64 << 10
_MOST_MEMBERS: Final = 16
MOST_RATIO: Final = 200
"""Ten thousand messages with one text come to less than a hundred."""
_FREE_OCTETS: Final = 1 << 20
"""The ratio is not looked at before."""


def choose_inflater(coding: str) -> Inflater | None:
    """What undoes a content coding; None where nothing was done.

    Raises:
        UnsupportedCoding: it is none that we know, or several.
    """
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return None
    if coding not in _NAMES:
        raise UnsupportedCoding(CODINGS)
    return Inflater(_NAMES[coding])


class Inflater:
    """One body in a content coding.

    Args:
        coding: ``gzip``, of one member or a few, or ``deflate``, with zlib's header or, as some write it, without.
    """

    def __init__(self, coding: str) -> None:
        self._window: int | None = 16 + zlib.MAX_WBITS if coding == "gzip" else None
        self._stream: zlib._Decompress | None = None
        self._n_members = 0
        self._n_in = 0
        self._n_out = 0

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """What the next octets of the body come to, in pieces of bounded size.

        Raises:
            Malformed: they are not in this coding, or so dense that only an attacker would send them.
        """
        for at in range(0, len(octets), _FED_OCTETS):
            left = octets[at : at + _FED_OCTETS]
            self._n_in += len(left)
            while left:
                piece, left = self._inflate(left)
                self._n_out += len(piece)
                if self._n_out > _FREE_OCTETS and self._n_out > MOST_RATIO * self._n_in:
                    raise Malformed(f"the body is packed more than {MOST_RATIO} times; send it as it is")
                if piece:
                    yield piece

    def _inflate(self, octets: bytes) -> tuple[bytes, bytes]:
        """One piece, and the octets that are still to be looked at."""
        if self._stream is None or self._stream.eof:
            self._stream = self._open(octets)
        try:
            piece = self._stream.decompress(octets, _PIECE_OCTETS)
        except zlib.error as error:
            raise Malformed("the body is not in the coding that its header Content-Encoding names") from error
        if self._stream.eof:
            return piece, self._stream.unused_data
        if self._stream.unconsumed_tail or len(piece) < _PIECE_OCTETS:
            return piece, self._stream.unconsumed_tail
        # All is read, and there may be more to write: what is in the window comes with the next octets, or at the end.
        return piece + self._stream.decompress(b"", _PIECE_OCTETS), b""

    def _open(self, octets: bytes) -> zlib._Decompress:
        self._n_members += 1
        if self._n_members > _MOST_MEMBERS or (self._n_members > 1 and self._window != 16 + zlib.MAX_WBITS):
            raise Malformed("the body goes on behind the end of what is packed")
        if self._window is None:
            self._window = zlib.MAX_WBITS if octets[0] & 0x0F == 8 else -zlib.MAX_WBITS
        return zlib.decompressobj(self._window)

    def finish(self) -> None:
        """There is no more.

        Raises:
            Malformed: there should be.
        """
        if self._stream is not None and not self._stream.eof:
            raise Malformed("the body ended early: what is packed in it has no end")
