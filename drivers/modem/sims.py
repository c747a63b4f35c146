"""Which SIM each channel had last, so that a swapped one is noticed; kept for the next process."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)


class SimLedger:
    """ICCIDs by channel.

    Args:
        path: where they are kept; None for this process only. A file that can't be read counts as empty: then
            the next swap is not noticed, and nothing else happens.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._iccids: dict[str, str] = {}
        if path is not None and path.exists():
            try:
                self._iccids = dict(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError) as error:
                logger.warning("the SIMs of before can't be read: %s", error)

    def note(self, channel: str, iccid: str) -> str | None:
        """The SIM that a channel has now.

        Returns:
            The one it had before, when that was another; None otherwise.
        """
        before = self._iccids.get(channel)
        if before == iccid:
            return None
        self._iccids[channel] = iccid
        if self._path is not None:
            fresh = self._path.with_name(self._path.name + ".new")
            try:
                fresh.touch(mode=0o640)
                fresh.write_text(json.dumps(self._iccids, indent=1), encoding="utf-8")
                fresh.replace(self._path)
            except OSError as error:
                logger.warning("%s: its SIM can't be remembered: %s", channel, error.strerror)
        return before
