"""Parts of texts that were joined a moment ago: the same part again is a repeat, and is told the same id."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from drivers.smpp.server.submit import Submitted

_MOST: Final = 10_000
"""Texts that are remembered; of more, the oldest are forgotten early."""


class JoinedPart(NamedTuple):
    """One part of a text that was joined.

    Args:
        told_id: what the application was told.
    """

    number: int
    submitted: Submitted
    told_id: str


class _Text(NamedTuple):
    """A text: when it is forgotten, and its parts' ids by number and content."""

    until: float
    told: dict[tuple[int, bytes], str]


class JoinedTexts:
    """Remembers them; lost at a restart.

    Args:
        remember: how long.
    """

    def __init__(self, remember: timedelta) -> None:
        self._remember_s = remember.total_seconds()
        self._texts: OrderedDict[str, _Text] = OrderedDict()

    def note(self, concat_key: str, parts: Iterable[JoinedPart], now: float) -> None:
        """A text was joined, and that is committed."""
        told: dict[tuple[int, bytes], str] = {}
        for part in parts:
            told.setdefault((part.number, _digest(part.submitted)), part.told_id)
        self._texts.pop(concat_key, None)
        self._texts[concat_key] = _Text(now + self._remember_s, told)
        if len(self._texts) > _MOST:
            self._texts.popitem(last=False)

    def find(self, concat_key: str, number: int, submitted: Submitted, now: float) -> str | None:
        """The id that was told of this very part; None when it is none of a text that was joined lately."""
        while self._texts and next(iter(self._texts.values())).until <= now:
            self._texts.popitem(last=False)
        text = self._texts.get(concat_key)
        return text.told.get((number, _digest(submitted))) if text else None


def _digest(submitted: Submitted) -> bytes:
    return sha256(submitted.encoding.value.encode() + b"\0" + submitted.payload).digest()
