"""Ids that sort by time: 48 bits of milliseconds and 80 random bits in Crockford's base 32 (the ULID form)."""

from __future__ import annotations

import os
import time
from typing import NewType

MessageId = NewType("MessageId", str)
InboundId = NewType("InboundId", str)
BatchId = NewType("BatchId", str)
KeyId = NewType("KeyId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_RANDOM_BITS = 80


class _Source:
    """Keeps ids of one process increasing, also within one millisecond and when the clock steps back."""

    def __init__(self) -> None:
        self._last = 0
        self._random = b""
        self._at = 0

    def take(self) -> int:
        if self._at == len(self._random):  # one system call for many ids
            self._random, self._at = os.urandom(10 * 256), 0
        octets = self._random[self._at : self._at + 10]
        self._at += 10
        fresh = (time.time_ns() // 1_000_000 << _RANDOM_BITS) | int.from_bytes(octets, "big") >> 1
        self._last = fresh if fresh > self._last else self._last + 1
        return self._last


_source = _Source()


def make_id() -> str:
    """A new id: 26 lower-case characters, greater than every id this process made before."""
    value = _source.take()
    return (
        _ALPHABET[value >> 125 & 31]
        + _ALPHABET[value >> 120 & 31]
        + "".join(_PAIRS[value >> shift & 1023] for shift in range(110, -1, -10))
    )


def is_id(text: str) -> bool:
    """Whether ``text`` has the form of an id."""
    return len(text) == 26 and all(c in _ALPHABET for c in text)
