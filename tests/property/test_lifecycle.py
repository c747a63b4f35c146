"""Lives of messages: whatever happens in whatever order, the end is the end."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import StateError
from gateway.model.lifecycle import (
    PART_MOVES,
    TERMINAL,
    TRANSITIONS,
    Cause,
    PartCause,
    after,
    decide_verdict,
    may,
    part_after,
)
from gateway.model.message import MessageStatus as M
from gateway.model.message import SegmentStatus as S

pytestmark = pytest.mark.property

SEGMENTS = st.lists(st.sampled_from(S), min_size=1, max_size=8)


@given(st.sampled_from(M), st.lists(st.sampled_from(Cause), max_size=30))
def test_no_sequence_of_causes_leaves_a_final_status_but_by_a_resend(start: M, causes: list[Cause]):
    status = start
    for cause in causes:
        before = status
        try:
            status = after(status, cause)
        except StateError:
            assert not may(before, cause)
        if before in TERMINAL and cause is not Cause.RESENT:
            assert status is before


@given(st.sampled_from(S), st.lists(st.sampled_from(PartCause), max_size=30))
def test_no_sequence_of_causes_takes_back_what_arrived(start: S, causes: list[PartCause]):
    status = start
    for cause in causes:
        before = status
        try:
            status = part_after(status, cause)
        except StateError:
            assert before not in PART_MOVES[cause]
        if before is S.DELIVERED:
            assert status is before


@given(SEGMENTS, st.randoms())
def test_the_verdict_does_not_depend_on_the_order(segments: list[S], rng: random.Random):
    shuffled = segments[:]
    rng.shuffle(shuffled)
    assert decide_verdict(shuffled) is decide_verdict(segments)


@given(SEGMENTS)
def test_saying_it_twice_changes_no_verdict(segments: list[S]):
    assert decide_verdict(segments + segments) is decide_verdict(segments)


@given(SEGMENTS)
def test_delivered_means_every_segment(segments: list[S]):
    assert (decide_verdict(segments) is M.DELIVERED) == (set(segments) == {S.DELIVERED})


@given(SEGMENTS, st.data())
def test_a_receipt_never_takes_a_message_back_in_its_life(segments: list[S], data: st.DataObject):
    """From sent, a receipt on any open segment leads only where the table allows, or nowhere."""
    segments = [S.SENT if s in {S.QUEUED, S.SENDING, S.FAILED, S.UNCERTAIN} else s for s in segments]
    before = decide_verdict(segments)
    open_parts = [i for i, s in enumerate(segments) if s is S.SENT]
    if not open_parts:
        return
    part = data.draw(st.sampled_from(open_parts))
    segments[part] = data.draw(st.sampled_from([S.DELIVERED, S.UNDELIVERED]))
    then = decide_verdict(segments)
    assert then is before or then in TRANSITIONS[before]
