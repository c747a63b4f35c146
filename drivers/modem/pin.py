"""The PIN rule: a PIN that did not open the SIM is never entered again by this process.

Three wrong PINs lock a SIM, so what is known of a PIN must outlive ports, sessions and drivers.
"""

from __future__ import annotations

import hashlib


class PinLedger:
    """Remembers PINs whose entry did not succeed, by channel; keeps digests only.

    A PIN counts as spent from before it is written until the stick says OK: an entry without an answer
    may have been a wrong one.
    """

    def __init__(self) -> None:
        self._spent: set[bytes] = set()

    def may_enter(self, channel: str, pin: str) -> bool:
        """Whether this PIN has not failed on this channel."""
        return _digest(channel, pin) not in self._spent

    def spend(self, channel: str, pin: str) -> None:
        """The PIN is about to be entered."""
        self._spent.add(_digest(channel, pin))

    def accept(self, channel: str, pin: str) -> None:
        """It opened the SIM; when the stick starts anew it may be entered again."""
        self._spent.discard(_digest(channel, pin))


PROCESS_LEDGER = PinLedger()
"""The one that all drivers of this process share."""


def _digest(channel: str, pin: str) -> bytes:
    return hashlib.sha256(f"{channel}\0{pin}".encode()).digest()
