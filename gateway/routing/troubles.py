"""Numbers whose messages fail wait on a clock of their own, so that they hold up nobody else. Pure: time is passed in.

A phone that is off, a full mailbox, a number that a carrier does not serve: the refusal often carries the same code as
trouble of the channel. Whoever is to blame, a number that fails twice is left alone for a while that grows with each
failure, and one message at a time tries it again. The first success ends that for all its messages.

What is learned in one queue holds there: a number that one SIM does not reach may be well for another.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from gateway.routing.limits import doubled_s

REMEMBERED = 10_000
"""Numbers in trouble; the oldest are forgotten first, and learned again."""
THROTTLED_CAP_S = 16.0
STRIKES = 2
"""Failures in a row from which on a number is in trouble; once is no news."""
FORGOTTEN_S = 3_600.0
"""A number that was left alone for so much longer than its pause begins anew."""
URGENT_SHARE = 0.5
"""Of its pause, after which something urgent may try a number."""


class Setback(Enum):
    """What a number's message came to, by the pause that follows."""

    REFUSED = "refused"
    """Later, perhaps; or nobody knows."""
    THROTTLED = "throttled"
    """The channel was asked to slow down. That may be about this number alone."""
    MISPLACED = "misplaced"
    """Another channel may take it now. When that does not help, it must wait."""


class Number(NamedTuple):
    """A number as one queue knows it."""

    queue: str
    recipient: str


class Held(NamedTuple):
    """A message that waits for its number.

    Args:
        besides: another one to the same number, which goes.
    """

    message_id: str
    number: Number
    urgent: bool
    besides: str | None
    for_s: float


class _Trouble(NamedTuple):
    failures: int
    until: float
    urgent_until: float


class Troubles:
    """The numbers in trouble. What only asks may do so from any thread.

    Args:
        first_s: the first pause after a refusal; doubles.
        cap_s: the longest.
    """

    def __init__(self, first_s: float, cap_s: float) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._known: dict[Number, _Trouble] = {}

    def adopt(self, first_s: float, cap_s: float) -> None:
        """Other pauses, from the next failure on."""
        self._first_s, self._cap_s = first_s, cap_s

    def __bool__(self) -> bool:
        """Whether any number is in trouble."""
        return bool(self._known)

    def note_setback(
        self, number: Number, setback: Setback, now: float, asked_s: float | None = None
    ) -> None:
        """A message to a number failed; several that were on the wire together count once.

        Args:
            number: whose.
            setback: what became of the message.
            now: monotonic seconds.
            asked_s: the pause that the network asked for.
        """
        known = self._known.get(number)
        if known is not None and now < known.urgent_until:
            return
        n_before = known.failures if known is not None and now < known.until + FORGOTTEN_S else 0
        pause_s = 0.0
        if n_before + 1 >= STRIKES:
            pause_s = max(self._pause_s(setback, n_before + 1 - STRIKES), asked_s or 0.0)
        # Nothing is urgent enough to have a channel throttled again and again.
        urgent_s = pause_s * (1.0 if setback is Setback.THROTTLED else URGENT_SHARE)
        self._known.pop(number, None)
        self._known[number] = _Trouble(n_before + 1, now + pause_s, now + urgent_s)
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    def note_success(self, number: Number) -> bool:
        """The network took a message to a number; whether that ends some trouble."""
        known = self._known.pop(number, None)
        return known is not None and known.failures >= STRIKES

    def left_s(self, number: Number, now: float, *, urgent: bool) -> float | None:
        """Seconds until one message to a number may try it, 0 when it may; None for a number that is well."""
        known = self._known.get(number)
        if known is None or known.failures < STRIKES or now >= known.until + FORGOTTEN_S:
            return None
        return max(0.0, (known.urgent_until if urgent else known.until) - now)

    def _pause_s(self, setback: Setback, n_before: int) -> float:
        match setback:
            case Setback.REFUSED:
                return doubled_s(n_before, self._first_s, self._cap_s)
            case Setback.THROTTLED:
                # Longer than the channel's own pause, so that others come first when that is over; and not by much, as
                # it mostly is about the channel.
                return doubled_s(n_before, 4.0, THROTTLED_CAP_S)
            case Setback.MISPLACED:
                return doubled_s(n_before, 1.0)
