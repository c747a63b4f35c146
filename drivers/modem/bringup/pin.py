"""The PIN rule: a PIN that did not open the SIM is never entered again, not by this process and not by the next.

Three wrong PINs lock a SIM, and a service manager restarts a daemon more often than that: what is known of a PIN
must outlive ports, sessions, drivers and the process.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)

_REFUSED = "refused:"
"""Before a digest that is there by itself as well."""


class PinLedger:
    """Remembers PINs whose entry did not succeed, by channel; keeps digests only.

    A PIN counts as spent from before it is written until the stick says OK: an entry without an answer
    may have been a wrong one. A refused one stays spent when the SIM is open, too: a person opened it with another.

    Args:
        path: where it is kept for the next process, readable by our user alone: PINs are so few that a digest does
            not hide them. None for this process only.

    Raises:
        OSError: the file is there and can't be read.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._spent: set[str] = set()
        if path is not None and path.exists():
            self._spent.update(path.read_text(encoding="ascii", errors="replace").split())

    def may_enter(self, channel: str, pin: str) -> bool:
        """Whether this PIN has not failed on this channel."""
        return _digest(channel, pin) not in self._spent

    def spend(self, channel: str, pin: str) -> None:
        """The PIN is about to be entered; it is on disk when this returns.

        Raises:
            OSError: it could not be recorded, and must not be entered.
        """
        spent = self._spent | {_digest(channel, pin)}
        self._save(spent)
        self._spent = spent

    def refuse(self, channel: str, pin: str) -> None:
        """The SIM said that this PIN, which was spent, is a wrong one."""
        self._spent = self._spent | {_REFUSED + _digest(channel, pin)}
        try:
            self._save(self._spent)
        except OSError as error:  # as spent it is on disk; a person who opens the SIM makes it count as good
            logger.warning("%s: that the PIN was wrong can't be recorded: %s", channel, error.strerror)

    def accept(self, channel: str, pin: str) -> None:
        """The SIM is open; when the stick starts anew the PIN may be entered again, unless it was refused."""
        digest = _digest(channel, pin)
        if digest not in self._spent or _REFUSED + digest in self._spent:
            return
        self._spent = self._spent - {digest}
        try:
            self._save(self._spent)
        except OSError as error:  # the next process will not enter it, unless it finds the SIM open
            logger.warning("%s: the PIN was good, and that can't be recorded: %s", channel, error.strerror)

    def _save(self, spent: set[str]) -> None:
        if self._path is None:
            return
        fresh = self._path.with_name(self._path.name + ".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.writelines(f"{digest}\n" for digest in sorted(spent))
            file.flush()
            os.fsync(handle)
        fresh.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


PROCESS_LEDGER = PinLedger()
"""The one of drivers that are given no other."""


def _digest(channel: str, pin: str) -> str:
    return hashlib.sha256(f"{channel}\0{pin}".encode()).hexdigest()
