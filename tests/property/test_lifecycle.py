"""Lives of messages: whatever happens in whatever order, the end is the end."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import StateError
from gateway.model.lifecycle import (
    SEGMENT_TRANSITIONS,
    TERMINAL,
    TRANSITIONS,
    check_transition,
    decide_verdict,
)
from gateway.model.message import MessageStatus as M
from gateway.model.message import SegmentStatus as S

pytestmark = pytest.mark.property

SEGMENTS = st.lists(st.sampled_from(S), min_size=1, max_size=8)


@given(st.sampled_from(M), st.lists(st.sampled_from(M), max_size=30))
def test_no_sequence_of_events_leaves_a_final_status(start: M, wished: list[M]):
    status = start
    for wish in wished:
        before = status
        try:
            status = check_transition(status, wish)
        except StateError:
            assert wish not in TRANSITIONS[before]
        if before in TERMINAL:
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
    segments[part] = data.draw(st.sampled_from(sorted(SEGMENT_TRANSITIONS[S.SENT])))
    after = decide_verdict(segments)
    assert after is before or after in TRANSITIONS[before]
