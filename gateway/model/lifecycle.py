"""How a message lives: what may happen to it, and to which status that leads.

Everything that decides on a status is in this file. What happens is a *cause*; the two tables say where it leads from
each status, and `moved` and `part_moved` are the only ways to write one.

Terminal states are left by one cause only: an operator's *resend*.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from functools import cache
from typing import Any

import msgspec

from gateway.errors import StateError
from gateway.model.message import Message, Segment
from gateway.model.message import MessageStatus as M
from gateway.model.message import SegmentStatus as S

TERMINAL: frozenset[M] = frozenset(
    {M.DELIVERED, M.UNDELIVERED, M.FAILED, M.EXPIRED, M.CANCELED, M.BLOCKED},
)


class Cause(StrEnum):
    """What happens to a message; the values are for people."""

    DUE = "its time has come"
    CLAIMED = "a channel takes it"
    ALL_OUT = "the network has all of it"
    PUT_OFF = "it was refused for now, or the rest of it may go now"
    REFUSED = "it was refused for good"
    LOST = "nobody knows whether it went out"
    ARRIVED = "all of it arrived"
    NOT_ARRIVED = "a part did not arrive"
    ANSWERED_LATE = "the network took it after all, and it need not go again"
    CANCELED = "somebody takes it back"
    FORGOTTEN = "the network was asked to forget it, and has"
    FORGOTTEN_IN_PART = "the network has forgotten some of its parts"
    EXPIRED = "its time is over"
    BROKE = "the gateway itself fails on it"
    BLOCKED = "a rule or a person refuses it"
    RESENT = "an operator sends it again"


_WAITING = (M.SCHEDULED, M.QUEUED)

MOVES: Mapping[Cause, Mapping[M, M]] = {
    Cause.DUE: {M.SCHEDULED: M.QUEUED},
    Cause.CLAIMED: {M.QUEUED: M.SENDING},
    Cause.ALL_OUT: {M.SENDING: M.SENT, M.UNCERTAIN: M.SENT},
    # From sending also when its owner died or stopped between two segments.
    Cause.PUT_OFF: {M.SENDING: M.QUEUED, M.UNCERTAIN: M.QUEUED},
    Cause.REFUSED: {M.SENDING: M.FAILED, M.UNCERTAIN: M.FAILED},
    # From sent when the late answer to one segment came, and another one's is still missing.
    Cause.LOST: {M.SENDING: M.UNCERTAIN, M.SENT: M.UNCERTAIN},
    Cause.ARRIVED: {M.SENT: M.DELIVERED, M.UNCERTAIN: M.DELIVERED},
    # From sending when its owner died, and a receipt of an early part had come before.
    Cause.NOT_ARRIVED: {M.SENT: M.UNDELIVERED, M.UNCERTAIN: M.UNDELIVERED, M.SENDING: M.UNDELIVERED},
    Cause.ANSWERED_LATE: {M.QUEUED: M.SENDING},
    Cause.CANCELED: dict.fromkeys(_WAITING, M.CANCELED),
    Cause.FORGOTTEN: {M.SENT: M.CANCELED},
    Cause.FORGOTTEN_IN_PART: {M.SENT: M.UNDELIVERED},
    Cause.EXPIRED: dict.fromkeys(_WAITING, M.EXPIRED),
    Cause.BROKE: dict.fromkeys(_WAITING, M.FAILED),
    Cause.BLOCKED: dict.fromkeys(_WAITING, M.BLOCKED),
    Cause.RESENT: dict.fromkeys((M.UNCERTAIN, M.UNDELIVERED, M.FAILED, M.EXPIRED), M.QUEUED),
}
"""Where each cause leads, from each status in which it can happen."""

VERDICT_CAUSES: Mapping[M, Cause] = {
    M.SENT: Cause.ALL_OUT,
    M.QUEUED: Cause.PUT_OFF,
    M.FAILED: Cause.REFUSED,
    M.UNCERTAIN: Cause.LOST,
    M.DELIVERED: Cause.ARRIVED,
    M.UNDELIVERED: Cause.NOT_ARRIVED,
}
"""What has happened to a message when this is the verdict over its segments; nothing while one is being sent."""


class PartCause(StrEnum):
    """What happens to a segment; the values are for people."""

    SUBMITTED = "it is given to its channel"
    TAKEN = "the network took it"
    PUT_OFF = "it was refused for now"
    REFUSED = "it was refused for good"
    LOST = "nobody knows whether it went out"
    ARRIVED = "it arrived"
    NOT_ARRIVED = "it did not arrive"
    FORGOTTEN = "the network was asked to forget it, and has"
    RESENT = "an operator sends it again"


PART_MOVES: Mapping[PartCause, Mapping[S, S]] = {
    PartCause.SUBMITTED: {S.QUEUED: S.SENDING},
    # From queued and uncertain when the network's answer came after all, late.
    PartCause.TAKEN: dict.fromkeys((S.SENDING, S.UNCERTAIN, S.QUEUED), S.SENT),
    PartCause.PUT_OFF: {S.SENDING: S.QUEUED, S.UNCERTAIN: S.QUEUED},
    PartCause.REFUSED: {S.SENDING: S.FAILED, S.UNCERTAIN: S.FAILED},
    PartCause.LOST: {S.SENDING: S.UNCERTAIN},
    PartCause.ARRIVED: {S.SENT: S.DELIVERED, S.UNCERTAIN: S.DELIVERED},
    PartCause.NOT_ARRIVED: {S.SENT: S.UNDELIVERED, S.UNCERTAIN: S.UNDELIVERED},
    PartCause.FORGOTTEN: {S.SENT: S.UNDELIVERED},
    PartCause.RESENT: dict.fromkeys((S.QUEUED, S.UNCERTAIN, S.FAILED, S.UNDELIVERED), S.QUEUED),
}

RESENDABLE: frozenset[M] = frozenset(MOVES[Cause.RESENT])
CANCELABLE: frozenset[M] = frozenset(MOVES[Cause.CANCELED])

TRANSITIONS: Mapping[M, frozenset[M]] = {
    status: frozenset(
        moves[status] for cause, moves in MOVES.items() if status in moves and cause is not Cause.RESENT
    )
    for status in M
}
"""What may follow a status of itself; a resend is above that."""


def may(status: M, cause: Cause) -> bool:
    """Whether it can happen in this status."""
    return status in MOVES[cause]


def after(status: M, cause: Cause) -> M:
    """Where a cause leads.

    Raises:
        StateError: it can't happen in this status; nothing should be written.
    """
    try:
        return MOVES[cause][status]
    except KeyError:
        raise StateError(status, cause.name.lower()) from None


def part_after(status: S, cause: PartCause) -> S:
    """`after` for a segment."""
    try:
        return PART_MOVES[cause][status]
    except KeyError:
        raise StateError(status, cause.name.lower()) from None


def moved(message: Message, cause: Cause, **changes: Any) -> Message:
    """A message to which something has happened.

    Args:
        changes: what else of it is not as before.

    Raises:
        StateError: see `after`.
    """
    return msgspec.structs.replace(message, status=after(message.status, cause), **changes)


def part_moved(segment: Segment, cause: PartCause, **changes: Any) -> Segment:
    """`moved` for a segment."""
    return msgspec.structs.replace(segment, status=part_after(segment.status, cause), **changes)


def decide_verdict(segments: Collection[S]) -> M:
    """The status that a message has by its segments alone.

    Args:
        segments: status of every segment, at least one, in any order.

    Returns:
        ``sending`` while one is on the wire; ``uncertain`` while the fate of one is unknown; ``failed`` when
        one was refused for good; ``undelivered`` as soon as one did not arrive (the handset can't show the
        whole, so the rest need not go); ``queued`` while one waits; ``sent`` until all arrived.
    """
    return _decide_verdict(frozenset(segments))


@cache
def _decide_verdict(present: frozenset[S]) -> M:
    for status, verdict in _PRECEDENCE:
        if status in present:
            return verdict
    return M.DELIVERED


_PRECEDENCE = (
    (S.SENDING, M.SENDING),
    (S.UNCERTAIN, M.UNCERTAIN),
    (S.FAILED, M.FAILED),
    (S.UNDELIVERED, M.UNDELIVERED),
    (S.QUEUED, M.QUEUED),
    (S.SENT, M.SENT),
)
