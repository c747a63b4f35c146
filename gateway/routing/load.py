"""How much waits for the network, in all and by who sent it: counted as it comes and goes. Pure.

A message waits from when it is accepted until the network has it, or it has ended. Ages are known to `PERIOD_S`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from gateway.model.message import Message, MessageStatus

WAITING: Final = frozenset({MessageStatus.SCHEDULED, MessageStatus.QUEUED, MessageStatus.SENDING})
PERIOD_S: Final = 60
_MESSAGE_OCTETS: Final = 700
_SEGMENT_OCTETS: Final = 300
ALL: Final = "all"
"""Whose bounds are meant: everybody's together."""


class Bounds(NamedTuple):
    """How much may wait; None for any.

    Args:
        messages: how many.
        octets: about how much room they take in the store.
        age_s: how long the one that has waited longest may have waited.
    """

    messages: int | None = None
    octets: int | None = None
    age_s: float | None = None


class Excess(NamedTuple):
    """A bound that is reached.

    Args:
        limit: its name: ``messages``, ``octets`` or ``age``.
        is_now, most: in the limit's unit.
    """

    limit: str
    is_now: float
    most: float


class Coming(NamedTuple):
    """A message that begins or ends to wait, as far as it is counted.

    Args:
        owner: see `gateway.model.message.Message.key_id`; empty for the gateway itself.
        sign: 1 when it begins, -1 when it ends.
        began_at: when it was accepted, or its time.
        valid_for_s: None for the default.
    """

    owner: str
    sign: int
    octets: int
    began_at: datetime
    expires_at: datetime | None
    valid_for_s: int | None


def weigh(n_segments: int, text: str | None, data: bytes | None, callback_url: str | None) -> int:
    """About how many octets a message takes in the store while it waits."""
    said = 2 * len(text) if text else len(data or b"")
    return _MESSAGE_OCTETS + _SEGMENT_OCTETS * (n_segments - 1) + said + len(callback_url or "")


def weigh_message(message: Message) -> int:
    """`weigh`."""
    return weigh(message.n_segments, message.text, message.data, message.callback_url)


def coming(message: Message, sign: int) -> Coming:
    """A message as it is counted."""
    return Coming(
        message.key_id or "",
        sign,
        weigh_message(message),
        message.schedule_at or message.created_at,
        message.expires_at,
        message.valid_for_s,
    )


class Fill:
    """What waits of one owner, or of all.

    Attributes:
        messages, octets: as in `Bounds`.
        since: number of a period -> how many wait since then.
    """

    __slots__ = ("messages", "octets", "since")

    def __init__(self) -> None:
        self.messages = 0
        self.octets = 0
        self.since: dict[int, int] = {}

    def add(self, period: int, sign: int, octets: int) -> None:
        """Count one that begins to wait or ends to."""
        self.messages += sign
        self.octets += sign * octets
        if n := self.since.get(period, 0) + sign:
            self.since[period] = n
        else:
            self.since.pop(period, None)

    def age_s(self, now_s: float) -> float:
        """How long the one that has waited longest has waited; 0 when none waits."""
        return max(0.0, now_s - min(self.since) * PERIOD_S) if self.since else 0.0

    def excess(self, bounds: Bounds, n: int = 0, octets: int = 0) -> Excess | None:
        """The first bound, but for that of age, that would be exceeded by so much more."""
        messages, most_octets, _ = bounds
        if messages is not None and self.messages + n > messages:
            return Excess("messages", self.messages, messages)
        if most_octets is not None and self.octets + octets > most_octets:
            return Excess("octets", self.octets, most_octets)
        return None

    def excess_of_age(self, age_s: float, at: datetime) -> Excess | None:
        """The bound of age, where it is exceeded for sure."""
        is_now = self.age_s(at.timestamp())
        return Excess("age", is_now, age_s) if is_now > age_s + PERIOD_S else None


class Load:
    """What waits.

    Args:
        valid_for_s: of messages that do not say; it stays the same as long as this lives.

    Attributes:
        all: of everybody.
    """

    def __init__(self, valid_for_s: float) -> None:
        self._valid_for_s = valid_for_s
        self.all = Fill()
        self._of: dict[str, Fill] = {}

    def of(self, owner: str) -> Fill:
        """What waits of one; not to be changed."""
        return self._of.get(owner, _EMPTY)

    @property
    def owners(self) -> Iterable[str]:
        """Those of whom something waits."""
        return self._of.keys()

    def note(self, changes: Iterable[Coming]) -> None:
        """Count what came and went."""
        for owner, sign, octets, began_at, expires_at, valid_for_s in changes:
            since_s = began_at.timestamp()
            if expires_at is not None:  # a message that is sent again has a new end: it waits since then
                since_s = max(since_s, expires_at.timestamp() - (valid_for_s or self._valid_for_s))
            period = int(since_s // PERIOD_S)
            fill = self._of.get(owner)
            if fill is None:
                fill = self._of[owner] = Fill()
            fill.add(period, sign, octets)
            self.all.add(period, sign, octets)
            if not fill.messages and not fill.since:
                del self._of[owner]


_EMPTY: Final = Fill()
