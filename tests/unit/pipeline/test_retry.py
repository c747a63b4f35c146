"""What is to be done about a segment that was not accepted: the whole table."""

from __future__ import annotations

import pytest

from drivers.base import Blame, FaultKind
from gateway.routing.retry import GiveUp, Hold, OnUncertain, RetryPolicy, TryAgain, decide_retry
from tests.support.fake_driver import refused, uncertain

pytestmark = pytest.mark.unit

POLICY = RetryPolicy(max_attempts=5, first_s=10.0, cap_s=100.0)
HALF = 0.5
"""The jitter that leaves a pause as it is."""


@pytest.mark.parametrize("attempts", [1, 5, 99])
@pytest.mark.parametrize("kind", [FaultKind.CHANNEL, FaultKind.THROTTLED, FaultKind.CONFIG])
def test_the_channels_own_fault_costs_no_attempt(kind: FaultKind, attempts: int):
    assert decide_retry(POLICY, refused(kind), attempts, HALF) == TryAgain(after_s=0.0, counted=False)


def test_a_permanent_fault_ends_it():
    assert decide_retry(POLICY, refused(FaultKind.PERMANENT), 1, HALF) == GiveUp()


@pytest.mark.parametrize(
    ("attempts", "pause_s"), [(1, 10.0), (2, 20.0), (3, 40.0), (4, 80.0), (5, None), (6, None)]
)
def test_pauses_double_until_the_attempts_are_used_up(attempts: int, pause_s: float | None):
    expected = GiveUp() if pause_s is None else TryAgain(after_s=pause_s, counted=True)
    assert decide_retry(POLICY, refused(FaultKind.TEMPORARY), attempts, HALF) == expected


def test_a_pause_has_a_longest_and_a_spread():
    patient = RetryPolicy(max_attempts=10_000, first_s=10.0, cap_s=100.0)
    pauses = [decide_retry(patient, refused(FaultKind.TEMPORARY), 5_000, j) for j in (0.0, 0.5, 1.0)]
    assert pauses == [TryAgain(after_s=s, counted=True) for s in (75.0, 100.0, 125.0)]


def test_the_network_may_ask_for_a_longer_pause():
    asked = refused(FaultKind.TEMPORARY, retry_after_s=60.0)
    assert decide_retry(POLICY, asked, 1, HALF) == TryAgain(after_s=60.0, counted=True)
    assert decide_retry(POLICY, asked, 4, HALF) == TryAgain(after_s=80.0, counted=True)


@pytest.mark.parametrize(
    ("on_uncertain", "attempts", "expected"),
    [
        (OnUncertain.HOLD, 1, Hold()),
        (OnUncertain.HOLD, 99, Hold()),
        (OnUncertain.FAIL, 1, GiveUp()),
        (OnUncertain.RETRY, 1, TryAgain(after_s=15.0, counted=True)),
        (OnUncertain.RETRY, 5, GiveUp()),
    ],
)
def test_what_is_uncertain_is_the_operators_choice(
    on_uncertain: OnUncertain, attempts: int, expected: object
):
    assert decide_retry(RetryPolicy(on_uncertain=on_uncertain), uncertain(), attempts, HALF) == expected


@pytest.mark.parametrize("kind", [FaultKind.PERMANENT, FaultKind.TEMPORARY])
def test_what_may_be_the_channels_fault_costs_no_attempt_while_several_recipients_fail(kind):
    unclear = refused(kind, blame=Blame.UNCLEAR)
    assert decide_retry(POLICY, unclear, 99, HALF, channel_suspected=True) == TryAgain(
        after_s=POLICY.cap_s, counted=False
    )
    own = refused(kind, blame=Blame.SEGMENT)
    assert decide_retry(POLICY, own, 99, HALF, channel_suspected=True) == GiveUp()
