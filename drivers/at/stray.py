"""Lines that belong to nothing, as a log may show them: the words, without numbers and texts, and not too many."""

from __future__ import annotations

import re

from drivers.at.trace import Mask, mask_words
from drivers.paced_log import PacedLog

_NEWS = re.compile(r"[+^*$%#_][A-Za-z]+")


class StrayLog:
    """Writes down the stray lines of one port.

    Args:
        name: of the port, for the log.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._mask = Mask()
        self._log = PacedLog(__name__)

    def note_others(self, *lines: str) -> None:
        """Take lines that are no strays: a message's text may follow them."""
        for line in lines:
            self._mask.hide(line)

    def note(self, line: str) -> None:
        """Take a stray line."""
        shown = mask_words(self._mask.hide(line))
        n_chars = "" if _NEWS.match(line) else f" ({len(line)} characters)"
        self._log.info("%s: stray line: %s%s", self._name, shown, n_chars)
