"""The tables of a message's life."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.model.lifecycle import (
    CANCELABLE,
    MOVES,
    PART_MOVES,
    RESENDABLE,
    TERMINAL,
    TRANSITIONS,
    VERDICT_CAUSES,
    Cause,
    PartCause,
    after,
    decide_verdict,
    part_after,
)
from gateway.model.message import MessageStatus as M
from gateway.model.message import SegmentStatus as S

pytestmark = pytest.mark.unit


def test_every_status_has_its_row():
    assert set(TRANSITIONS) == set(M)
    assert set(MOVES) == set(Cause)
    assert set(PART_MOVES) == set(PartCause)
    assert set(VERDICT_CAUSES) == set(M) & {decide_verdict([status]) for status in S} - {M.SENDING}


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
    assert after(M.QUEUED, Cause.CLAIMED) is M.SENDING
    with pytest.raises(StateError) as refusal:
        after(M.DELIVERED, Cause.ALL_OUT)
    assert (refusal.value.state, refusal.value.event) == ("delivered", "all_out")
    with pytest.raises(StateError):
        part_after(S.DELIVERED, PartCause.RESENT)


def test_only_a_resend_leaves_an_end():
    left = {cause for cause, moves in MOVES.items() if TERMINAL & moves.keys()}
    assert left == {Cause.RESENT}
    ends = {S.DELIVERED, S.UNDELIVERED, S.FAILED}
    assert {cause for cause, moves in PART_MOVES.items() if ends & moves.keys()} == {PartCause.RESENT}


def test_each_verdict_leads_to_the_status_that_it_is():
    for verdict, cause in VERDICT_CAUSES.items():
        assert set(MOVES[cause].values()) == {verdict}


def test_the_manual_shows_the_table():
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text("utf-8")
    rows = "".join(
        f"| {cause} | {', '.join(s for s, t in moves.items() if t is target)} | {target} |\n"
        for cause, moves in MOVES.items()
        for target in dict.fromkeys(moves.values())
    )
    assert rows in page, f"docs/architecture.md should have:\n{rows}"


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
