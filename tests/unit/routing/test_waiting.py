"""Why a message is not sent yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from gateway.model.message import MessageStatus
from gateway.routing.budgets import Budget, Need, Quota, RecipientCap
from gateway.routing.channel import ChannelSnapshot, ChannelState, Standing
from gateway.routing.limits import BreakerState
from gateway.routing.periods import ActiveHours, Period
from gateway.routing.waiting import Reason, Waiting, explain_wait

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
MIDNIGHT = datetime(2026, 3, 15, tzinfo=UTC)


def channel(name: str = "sim-1", **fields: object) -> ChannelSnapshot:
    up = ChannelSnapshot(name=name, kind="modem", state=ChannelState.UP, since=NOW)
    return msgspec.structs.replace(up, **fields)


def standing(snapshot: ChannelSnapshot, **fields: object) -> Standing:
    return Standing(snapshot=snapshot, queues=("group:default", f"channel:{snapshot.name}"), **fields)  # type: ignore[arg-type]


def waiting(**fields: object) -> Waiting:
    plain = {"status": MessageStatus.QUEUED, "queue": "group:default", "need": Need("+8613800138000")}
    return Waiting(**plain | fields)  # type: ignore[arg-type]


def reasons(*standings: Standing, **fields: object) -> list[tuple[str | None, str, datetime | None]]:
    return [(r.channel, r.code, r.until) for r in explain_wait(waiting(**fields), standings, NOW)]


def test_a_message_that_does_not_wait_has_no_reasons():
    for status in MessageStatus:
        if status not in {MessageStatus.QUEUED, MessageStatus.SCHEDULED}:
            assert reasons(standing(channel()), status=status) == []


def test_a_reason_of_its_own_goes_before_those_of_the_channels():
    down = standing(channel(state=ChannelState.DOWN))
    assert reasons(down, status=MessageStatus.SCHEDULED, hidden_until=LATER) == [(None, "scheduled", LATER)]
    [reason] = explain_wait(
        waiting(hidden_until=LATER, last_error="cms_38: Network out of order."), [down], NOW
    )
    assert (reason.channel, reason.code, reason.until) == (None, "retry_pause", LATER)
    assert "cms_38" in reason.detail
    assert reasons(standing(channel()), hidden_until=NOW) == [("sim-1", "turn", None)], "the pause is over"


def test_a_queue_that_no_channel_serves():
    assert explain_wait(waiting(queue="channel:gone"), [standing(channel())], NOW) == [
        Reason(code="no_channel", detail="No channel of the config serves the channel gone.")
    ]


def test_a_receiver_has_no_say_in_it():
    receiver = standing(channel("rx", kind="smpp", capacity=0))
    assert reasons(receiver, standing(channel("tx"))) == [("tx", "turn", None)]
    assert reasons(receiver) == [(None, "no_channel", None)]


def test_each_channel_that_could_take_it_says_why_not():
    found = reasons(
        standing(channel("a", state=ChannelState.DOWN, error="no_network: No network.")),
        standing(channel("b", state=ChannelState.PAUSED)),
        standing(channel("c", in_flight=1)),
        standing(channel("d")),
    )
    assert found == [("a", "down", None), ("b", "paused", None), ("c", "busy", None), ("d", "turn", None)]
    pinned = reasons(standing(channel("a")), standing(channel("b", in_flight=1)), queue="channel:b")
    assert pinned == [("b", "busy", None)]


@pytest.mark.parametrize("state", [s for s in ChannelState if s is not ChannelState.UP])
def test_a_channel_that_is_not_up_says_so_and_names_its_error(state: ChannelState):
    [reason] = explain_wait(waiting(), [standing(channel(state=state, error="pin: The PIN is wrong."))], NOW)
    assert reason.code == state.value
    assert ("The PIN is wrong" in reason.detail) == (state in {ChannelState.DOWN, ChannelState.STOPPED})


def test_all_that_holds_it_back_is_listed_with_its_expected_end():
    budget = Budget(
        quotas=(Quota(limit=2, period=Period.DAY),),
        caps=(RecipientCap(limit=1, period=Period.MONTH),),
        hours=ActiveHours(13 * 60, 22 * 60),
        zone=UTC,
    ).take(Need("10010", 2), NOW)
    resting = standing(
        channel(cooldown_s=30.0, breaker=BreakerState.OPEN, rate="20/min", in_flight=1),
        budget=budget,
        paced_until=LATER,
    )
    assert reasons(resting) == [
        ("sim-1", "cooldown", NOW + timedelta(seconds=30)),
        ("sim-1", "active_hours", datetime(2026, 3, 14, 13, tzinfo=UTC)),
        ("sim-1", "quota", MIDNIGHT),
        ("sim-1", "recipients", datetime(2026, 4, 1, tzinfo=UTC)),
        ("sim-1", "rate", LATER),
        ("sim-1", "busy", None),
    ]


def test_whether_the_contract_or_the_network_sets_the_pace_is_told():
    def detail(**fields) -> str:
        [reason] = explain_wait(waiting(), [standing(channel(rate="20/s"), paced_until=LATER, **fields)], NOW)
        assert reason.code == "rate"
        return reason.detail

    assert "20/s" in detail()
    assert "slow down" in detail(slowed_down=True)


def test_a_window_is_as_narrow_as_one_while_the_channel_is_tried():
    bind = channel(capacity=10, in_flight=1)
    assert reasons(standing(bind)) == [("sim-1", "turn", None)]
    tried = msgspec.structs.replace(bind, breaker=BreakerState.HALF_OPEN)
    assert reasons(standing(tried)) == [("sim-1", "busy", None)]


def test_a_bind_without_parameters_says_so_to_a_message_that_brings_some():
    old = standing(channel("old"), takes_options=False)
    assert reasons(old, standing(channel("new")), has_options=True) == [
        ("old", "no_parameters", None),
        ("new", "turn", None),
    ]
    assert reasons(old) == [("old", "turn", None)]


@pytest.mark.parametrize("error", ["no_network: No network.", "link_lost: connect: connection refused"])
def test_a_sentence_ends_with_one_full_stop_whether_the_error_in_it_has_one_or_not(error: str):
    channels = [
        standing(channel(state=ChannelState.DOWN, error=error)),
        standing(channel(state=ChannelState.STOPPED, error=error)),
        standing(channel(error=error)),
    ]
    found = explain_wait(waiting(), channels, NOW)
    found += explain_wait(waiting(hidden_until=LATER, last_error=error), channels, NOW)
    assert len(found) == 4
    for reason in found:
        assert reason.detail.endswith(error.removesuffix(".") + ".")
        assert ".." not in reason.detail
