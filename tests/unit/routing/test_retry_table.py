"""The tables of retries as a person reads them: each trouble, each category, no gap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Blame, FaultKind, Refused, Uncertain
from drivers.broken import refuse_broken
from gateway.model.message import Category
from gateway.routing.retry import (
    REACTIONS,
    GiveUp,
    Hold,
    OnUncertain,
    Plan,
    RetryPolicy,
    Trouble,
    TryAgain,
    decide_retry,
    decide_setback,
    jitter_of,
)
from tests.support.fake_driver import refused, uncertain

pytestmark = pytest.mark.unit

POLICY = RetryPolicy(max_attempts=5, first_s=16.0, cap_s=1_600.0)
TEMPORARY = refused(FaultKind.TEMPORARY)


def pauses(category: Category, result: Refused | Uncertain = TEMPORARY, **options: bool) -> list[object]:
    """What each attempt leads to: seconds, ``elsewhere``, or ``failed``."""
    found: list[object] = []
    for attempt in range(1, 8):
        decision = decide_retry(POLICY, result, attempt, 0.5, category=category, **options)
        if not isinstance(decision, TryAgain):
            return [*found, "failed" if isinstance(decision, GiveUp) else "held"]
        found.append("elsewhere" if decision.not_here_s else decision.after_s)
    return found


def test_every_trouble_has_a_reaction() -> None:
    assert set(REACTIONS) == set(Trouble)


def test_how_a_category_is_tried() -> None:
    assert pauses(Category.TRANSACTIONAL) == [16.0, 32.0, 64.0, 128.0, "failed"]
    assert pauses(Category.MARKETING) == [64.0, 128.0, 256.0, 512.0, "failed"]
    assert pauses(Category.OTP) == [5.0, 10.0, "failed"]
    assert pauses(Category.EMERGENCY) == [5.0, 10.0, 20.0, 40.0, "failed"]


def test_a_code_tries_other_channels_at_once_and_marketing_does_not() -> None:
    assert pauses(Category.OTP, has_others=True) == ["elsewhere", "elsewhere", "failed"]
    assert pauses(Category.MARKETING, has_others=True) == [64.0, 128.0, 256.0, 512.0, "failed"]
    broken = refuse_broken(KeyError("x"))
    assert pauses(Category.OTP, broken, has_others=True) == [5.0, 10.0, "failed"], "no channel is to blame"
    assert decide_setback(broken) is None


def test_a_table_of_ones_own() -> None:
    plan = Plan(attempts=2, first_s=1.0, cap_s=1.0, elsewhere=False)
    policy = RetryPolicy(special={Category.OTP: plan})
    assert decide_retry(policy, TEMPORARY, 1, 0.5, category=Category.OTP, has_others=True) == TryAgain(
        after_s=1.0, counted=True
    )
    assert policy.plans[Category.MARKETING] == RetryPolicy().plans[Category.MARKETING]


def test_never_harder_than_the_queue_says() -> None:
    eager = RetryPolicy(max_attempts=1, first_s=1.0, cap_s=2.0)
    for category in (Category.OTP, Category.EMERGENCY):
        assert (eager.plans[category].attempts, eager.plans[category].first_s) == (1, 1.0)


results = st.one_of(
    st.builds(
        refused,
        st.sampled_from(FaultKind),
        retry_after_s=st.none() | st.floats(0, 100),
        blame=st.none() | st.sampled_from(Blame),
    ),
    st.just(uncertain()),
)


@given(
    results,
    st.integers(1, 200),
    st.floats(0, 1),
    st.sampled_from(Category),
    st.booleans(),
    st.booleans(),
    st.sampled_from(OnUncertain),
)
def test_whatever_comes_there_is_an_answer_and_it_ends(
    result, attempts, jitter, category, suspected, others, on_uncertain
) -> None:
    policy = RetryPolicy(on_uncertain=on_uncertain)
    decision = decide_retry(
        policy, result, attempts, jitter, category=category, channel_suspected=suspected, has_others=others
    )
    if isinstance(decision, TryAgain):
        longest = max(policy.plans[category].cap_s * 1.25, 100.0)
        assert 0 <= decision.after_s <= longest
        assert 0 <= decision.not_here_s <= longest
        assert not (decision.after_s and decision.not_here_s)
        assert not (decision.counted and attempts >= policy.plans[category].attempts)
        assert not isinstance(result, Uncertain) or on_uncertain is OnUncertain.RETRY, (
            "never sent twice unasked"
        )
    else:
        assert isinstance(decision, GiveUp | Hold)


def test_the_spread_is_even_and_repeats() -> None:
    found = sorted(jitter_of(f"01k{n:04}", 1) for n in range(1_000))
    assert all(abs(found[n] - n / 1_000) < 0.06 for n in range(1_000))
    assert found == sorted(jitter_of(f"01k{n:04}", 1) for n in range(1_000))
