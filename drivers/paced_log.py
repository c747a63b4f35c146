"""A log for what others cause: of many alike it says the first few a minute, and counts the rest."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

EVERY_S: Final = 60.0
MOST: Final = 20
"""Lines of one kind in that time."""
_MOST_KINDS: Final = 1_000


class LogQuota:
    """How many lines of each kind may still be said. Pure but for the clock that it is given.

    Args:
        most: of one kind within `EVERY_S`.
        clock: monotonic seconds.
    """

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._kinds: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def admit(self, kind: Hashable) -> int | None:
        """None to leave a line out; else say it, and how many of its kind were left out before it."""
        now = self._clock()
        since, n = self._kinds.get(kind, (now, 0))
        left_out = 0
        if now - since >= EVERY_S:
            left_out, since, n = max(0, n - self._most), now, 0
        self._kinds[kind] = since, n + 1
        if len(self._kinds) > _MOST_KINDS:
            self._kinds.popitem(last=False)
        return left_out if n < self._most else None


class PacedLog:
    """The lines of a module that a peer, a client or a stick can cause; a kind is the line without its arguments.

    Args:
        name: of the logger.
        most, clock: see `LogQuota`.
    """

    def __init__(self, name: str, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = logging.getLogger(name)
        self._quota = LogQuota(most, clock)

    def debug(self, message: str, *args: object) -> None:
        """As of a logger."""
        self._say(logging.DEBUG, message, args)

    def info(self, message: str, *args: object) -> None:
        """As of a logger."""
        self._say(logging.INFO, message, args)

    def warning(self, message: str, *args: object) -> None:
        """As of a logger."""
        self._say(logging.WARNING, message, args)

    def error(self, message: str, *args: object) -> None:
        """As of a logger."""
        self._say(logging.ERROR, message, args)

    def exception(self, message: str, *args: object) -> None:
        """As of a logger."""
        self._say(logging.ERROR, message, args, exc_info=True)

    def _say(self, level: int, message: str, args: tuple[object, ...], *, exc_info: bool = False) -> None:
        if not self._log.isEnabledFor(level):
            return
        left_out = self._quota.admit(message)
        if left_out is None:
            return
        if left_out:
            message += f" ({left_out} more like this were not logged)"
        self._log.log(level, message, *args, exc_info=exc_info, stacklevel=3)
