"""What a slow start tells while the store is migrated: the log, and the service manager that must not end it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from gateway.runtime.notify import notify
from gateway.store.migration import Pace, Progress

LOG_EVERY_S: Final = 5.0
PATIENCE_S: Final = 600
"""How long one step may take before the service manager gives up: an index over millions of rows takes minutes."""
_FIRST: Final = "0001_"
"""How the name of the migration begins that makes an empty store; all others of it follow in the same transaction."""

_log = logging.getLogger(__name__)


class MigrationNotes:
    """Tells of a migration that is on; used on one thread.

    Args:
        monotonic: seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._pace = Pace(monotonic())
        self._told_at: float | None = None

    def take(self, progress: Progress) -> None:
        """One transaction of it is done."""
        if progress.ran and progress.ran[0].startswith(_FIRST):
            _log.info("a new store was made")
        else:
            for name in progress.ran:
                _log.info("the store was migrated: %s", name)
        if not progress.title:
            return
        now = self._monotonic()
        line = self._pace.describe(progress, now)
        notify(f"EXTEND_TIMEOUT_USEC={PATIENCE_S * 1_000_000}", f"STATUS={line}")
        if self._told_at is None or now - self._told_at >= LOG_EVERY_S:
            self._told_at = now
            _log.info("%s", line)
