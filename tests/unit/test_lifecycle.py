"""The tables of a message's life."""

from __future__ import annotations

import pytest

from gateway.errors import StateError
from gateway.model.lifecycle import (
    CANCELABLE,
    RESENDABLE,
    SEGMENT_TRANSITIONS,
    TERMINAL,
    TRANSITIONS,
    check_transition,
    decide_verdict,
)
from gateway.model.message import MessageStatus as M
from gateway.model.message import SegmentStatus as S

pytestmark = pytest.mark.unit


def test_every_status_has_its_row():
    assert set(TRANSITIONS) == set(M)
    assert set(SEGMENT_TRANSITIONS) == set(S)


def test_every_status_can_be_reached_and_every_life_can_end():
    reached = {M.SCHEDULED}
    while fresh := {new for old in reached for new in TRANSITIONS[old]} - reached:
        reached |= fresh
    assert reached == set(M)
    for status in set(M) - TERMINAL:
        assert _ends(status) & TERMINAL, f"{status} never ends"


def _ends(status: M) -> set[M]:
    seen = {status}
    while fresh := {new for old in seen for new in TRANSITIONS[old]} - seen:
        seen |= fresh
    return seen


def test_the_verbs_fit_the_table():
    for status in CANCELABLE:
        assert M.CANCELED in TRANSITIONS[status]
    for status in set(M) - CANCELABLE - {M.SENT}:  # that one only if the network forgets it
        assert M.CANCELED not in TRANSITIONS[status]
    assert not RESENDABLE & {M.DELIVERED, M.SENT, M.SENDING, M.CANCELED, M.BLOCKED}


def test_what_is_not_in_the_table_is_refused():
    assert check_transition(M.QUEUED, M.SENDING) is M.SENDING
    with pytest.raises(StateError) as refusal:
        check_transition(M.DELIVERED, M.SENT)
    assert (refusal.value.state, refusal.value.event) == ("delivered", "sent")


@pytest.mark.parametrize(
    ("segments", "verdict"),
    [
        ([S.QUEUED], M.QUEUED),
        ([S.SENT, S.QUEUED], M.QUEUED),
        ([S.SENT, S.SENDING, S.QUEUED], M.SENDING),
        ([S.SENT, S.SENT], M.SENT),
        ([S.DELIVERED, S.SENT], M.SENT),
        ([S.DELIVERED, S.DELIVERED], M.DELIVERED),
        ([S.DELIVERED, S.UNDELIVERED], M.UNDELIVERED),
        ([S.UNDELIVERED, S.SENT], M.UNDELIVERED),
        ([S.SENT, S.UNCERTAIN, S.QUEUED], M.UNCERTAIN),
        ([S.UNDELIVERED, S.UNCERTAIN], M.UNCERTAIN),
        ([S.DELIVERED, S.FAILED, S.QUEUED], M.FAILED),
    ],
)
def test_the_verdict_follows_from_the_segments(segments: list[S], verdict: M):
    assert decide_verdict(segments) is verdict
