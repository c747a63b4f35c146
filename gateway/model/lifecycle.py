"""How a message lives: which status may follow which, and how its verdict follows from its segments.

Everything that decides on a status is in this file. A message's status is never set from outside these
two tables and `decide_verdict`.

Terminal states are left by one event only: an operator's *resend*.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gateway.errors import StateError
from gateway.model.message import MessageStatus as M
from gateway.model.message import SegmentStatus as S

TERMINAL: frozenset[M] = frozenset(
    {M.DELIVERED, M.UNDELIVERED, M.FAILED, M.EXPIRED, M.CANCELED, M.BLOCKED},
)

TRANSITIONS: Mapping[M, frozenset[M]] = {
    M.SCHEDULED: frozenset({M.QUEUED, M.CANCELED, M.EXPIRED, M.BLOCKED}),
    M.QUEUED: frozenset({M.SENDING, M.CANCELED, M.EXPIRED, M.BLOCKED}),
    # Back to queued when it was refused for now, or when its owner died between two segments.
    M.SENDING: frozenset({M.SENT, M.QUEUED, M.FAILED, M.UNCERTAIN}),
    # Canceled: the network was asked to forget it, and has.
    M.SENT: frozenset({M.DELIVERED, M.UNDELIVERED, M.CANCELED}),
    # A receipt settles it (queued: the segments that were not sent yet may go now); the policy may end it.
    M.UNCERTAIN: frozenset({M.SENT, M.DELIVERED, M.UNDELIVERED, M.QUEUED, M.FAILED}),
    **{state: frozenset() for state in TERMINAL},
}

RESENDABLE: frozenset[M] = frozenset({M.UNCERTAIN, M.UNDELIVERED, M.FAILED, M.EXPIRED})
CANCELABLE: frozenset[M] = frozenset({M.SCHEDULED, M.QUEUED})

SEGMENT_TRANSITIONS: Mapping[S, frozenset[S]] = {
    S.QUEUED: frozenset({S.SENDING}),
    S.SENDING: frozenset({S.SENT, S.QUEUED, S.FAILED, S.UNCERTAIN}),
    S.SENT: frozenset({S.DELIVERED, S.UNDELIVERED}),
    # Sent: the network's answer came after all, late.
    S.UNCERTAIN: frozenset({S.SENT, S.DELIVERED, S.UNDELIVERED, S.QUEUED, S.FAILED}),
    S.DELIVERED: frozenset(),
    S.UNDELIVERED: frozenset(),
    S.FAILED: frozenset(),
}


def check_transition(old: M, new: M) -> M:
    """The new status, if it may follow the old one.

    Raises:
        StateError: it may not; nothing should be written.
    """
    if new not in TRANSITIONS[old]:
        raise StateError(old, new)
    return new


def decide_verdict(segments: Collection[S]) -> M:
    """The status that a message has by its segments alone.

    Args:
        segments: status of every segment, at least one, in any order.

    Returns:
        ``sending`` while one is on the wire; ``uncertain`` while the fate of one is unknown; ``failed`` when
        one was refused for good; ``undelivered`` as soon as one did not arrive (the handset can't show the
        whole, so the rest need not go); ``queued`` while one waits; ``sent`` until all arrived.
    """
    present = frozenset(segments)
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
