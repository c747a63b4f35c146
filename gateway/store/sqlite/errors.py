"""What SQLite complains of, as errors of ours; and what of it says that the file is damaged."""

from __future__ import annotations

import sqlite3
from typing import Final

from gateway.errors import StoreBusy, StoreError, StoreFull, StoreUnavailable

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def translate(exc: BaseException) -> BaseException:
    """A driver's error as one of ours; anything else as it is."""
    if not isinstance(exc, sqlite3.Error):
        return exc
    code = _code_of(exc)
    if code == sqlite3.SQLITE_FULL:
        return StoreFull("no room left where the store is; nothing was taken, try again when there is room")
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreBusy("another process holds the store; try again")
    return StoreUnavailable(f"the store failed: {exc}")


class Condition:
    """What the errors of an open store say of its file.

    Attributes:
        damage: that the file is damaged, once that was seen: it does not heal by itself.
    """

    def __init__(self) -> None:
        self.damage: StoreError | None = None

    def note(self, exc: BaseException) -> BaseException:
        """`translate`, and remember damage."""
        error = translate(exc)
        if isinstance(exc, sqlite3.Error) and isinstance(error, StoreError) and _code_of(exc) in _DAMAGE:
            self.damage = error
        return error


def _code_of(exc: sqlite3.Error) -> int:
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF
