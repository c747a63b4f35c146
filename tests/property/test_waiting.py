"""A message that waits is never without a reason, whatever it is and however the channels are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.model.message import MessageStatus
from gateway.routing.budgets import Budget, Need, Quota, RecipientCap
from gateway.routing.channel import ChannelSnapshot, ChannelState, Standing
from gateway.routing.limits import BreakerState
from gateway.routing.periods import ActiveHours, Period
from gateway.routing.waiting import KINDS, Waiting, WaitKind, explain_queue, explain_wait, weigh

pytestmark = pytest.mark.property

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
PHONE = "+8613800138000"
HELD = datetime(9999, 1, 1, tzinfo=UTC)
moments = st.one_of(
    st.none(), st.just(HELD), st.integers(-3_600, 3_600).map(lambda s: NOW + timedelta(seconds=s))
)
errors = st.sampled_from([None, "no_network: No network.", "cms_38"])


@st.composite
def standings(draw: st.DrawFn, name: str) -> Standing:
    snapshot = ChannelSnapshot(
        name=name,
        kind="modem",
        state=draw(st.sampled_from(ChannelState)),
        capacity=draw(st.integers(0, 3)),
        in_flight=draw(st.integers(0, 3)),
        cooldown_s=draw(st.sampled_from([0.0, 7.5])),
        breaker=draw(st.sampled_from(BreakerState)),
        rate=draw(st.sampled_from([None, "20/min"])),
        error=draw(errors),
        since=NOW,
    )
    budgets = [
        None,
        Budget(quotas=(Quota(limit=2, period=Period.DAY),), zone=UTC).take(Need(PHONE, 2), NOW),
        Budget(caps=(RecipientCap(limit=1, period=Period.MONTH),), zone=UTC).take(Need("1", 1), NOW),
        Budget(hours=ActiveHours(13 * 60, 22 * 60), zone=UTC),
    ]
    return Standing(
        snapshot=snapshot,
        queues=draw(st.sampled_from([(), ("group:default",), ("group:default", f"channel:{name}")])),
        budget=draw(st.sampled_from(budgets)),
        paced_until=draw(st.sampled_from([None, NOW + timedelta(seconds=3)])),
        slowed_down=draw(st.booleans()),
        takes_options=draw(st.booleans()),
        bars=draw(st.sampled_from([{}, {PHONE: NOW + timedelta(seconds=4)}, {PHONE: NOW}])),
    )


messages = st.builds(
    Waiting,
    status=st.sampled_from([MessageStatus.QUEUED, MessageStatus.SCHEDULED]),
    queue=st.sampled_from(["group:default", "channel:a", "channel:gone"]),
    need=st.builds(Need, st.just(PHONE), st.integers(0, 4), st.booleans()),
    hidden_until=moments,
    last_error=errors,
    has_options=st.booleans(),
)


FREE = Standing(
    snapshot=ChannelSnapshot(name="a", kind="modem", state=ChannelState.UP, since=NOW),
    queues=("group:default",),
)
PLAIN = Waiting(status=MessageStatus.QUEUED, queue="group:default", need=Need(PHONE))


@given(messages, st.tuples(standings("a"), standings("b")))
@example(PLAIN, (FREE,))
@example(PLAIN, ())
def test_a_message_that_waits_is_never_without_a_reason(message: Waiting, channels: tuple[Standing, ...]):
    reasons = explain_wait(message, channels, NOW)
    assert reasons
    for reason in reasons:
        assert reason.kind is KINDS[reason.code]
        assert len(reason.detail) > 10
        assert reason.detail.endswith(".")
        assert reason.until is None or reason.until > NOW or reason.code == "scheduled"
    assert weigh(reasons) is not None
    assert explain_queue(message.queue, channels, NOW) in WaitKind
    # Where a channel is named each one that could take it has its say.
    if reasons[0].channel is not None:
        serving = {s.snapshot.name for s in channels if message.queue in s.queues and s.snapshot.capacity}
        assert {reason.channel for reason in reasons} == serving


def test_what_does_not_wait_has_none():
    assert explain_wait(Waiting(status=MessageStatus.SENT, queue="channel:a", need=Need("")), (), NOW) == []
    assert weigh([]) is None
