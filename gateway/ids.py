"""Ids that sort by time: 48 bits of milliseconds and 80 random bits in Crockford's base 32 (the ULID form)."""

from __future__ import annotations

import os
import time
from typing import NewType

MessageId = NewType("MessageId", str)
InboundId = NewType("InboundId", str)
BatchId = NewType("BatchId", str)
KeyId = NewType("KeyId", str)
WebhookId = NewType("WebhookId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_CHARS = 10
_AS_BASE_32 = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_RANDOM_BITS = 80
_LOW_60 = (1 << 60) - 1


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
    high, low = value >> 60, value & _LOW_60
    return (
        f"{_PAIRS[high >> 60]}{_PAIRS[high >> 50 & 1023]}{_PAIRS[high >> 40 & 1023]}{_PAIRS[high >> 30 & 1023]}"
        f"{_PAIRS[high >> 20 & 1023]}{_PAIRS[high >> 10 & 1023]}{_PAIRS[high & 1023]}"
        f"{_PAIRS[low >> 50]}{_PAIRS[low >> 40 & 1023]}{_PAIRS[low >> 30 & 1023]}"
        f"{_PAIRS[low >> 20 & 1023]}{_PAIRS[low >> 10 & 1023]}{_PAIRS[low & 1023]}"
    )


def read_time(made: str) -> int:
    """Milliseconds since 1970 at which an id was made, by the clock of then.

    >>> read_time(make_id()) > 1_700_000_000_000
    True
    """
    return int(made[:_TIME_CHARS].translate(_AS_BASE_32), 32)


def first_id(ms: int) -> str:
    """The smallest id that is made at an instant, in milliseconds since 1970.

    >>> read_time(first_id(1_700_000_000_000))
    1700000000000
    """
    shifts = range(5 * _TIME_CHARS - 5, -1, -5)
    return "".join(_ALPHABET[ms >> shift & 31] for shift in shifts) + _ALPHABET[0] * (26 - _TIME_CHARS)


def is_id(text: str) -> bool:
    """Whether ``text`` has the form of an id."""
    return len(text) == 26 and all(c in _ALPHABET for c in text)
