"""Why a message is not sent yet: one list of reasons from what its channels say of themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from gateway.model.message import MessageStatus
from gateway.routing.budgets import Need
from gateway.routing.channel import ChannelSnapshot, ChannelState, Standing
from gateway.routing.limits import BreakerState
from gateway.routing.ways import describe_queue


class WaitKind(StrEnum):
    """What a message waits for, in few words; each code of a `Reason` is of one kind. The lighter come first."""

    ORDER = "order"
    """Others go first, or it goes in a moment."""
    THROTTLE = "throttle"
    """A rate, a pace, a pause of the channel's."""
    HOURS = "hours"
    BUDGET = "budget"
    CHANNEL_DOWN = "channel_down"
    RETRY = "retry"
    REVIEW = "review"
    """A person decides."""
    SCHEDULE = "schedule"
    ROUTE = "route"
    """No channel can take it as the config is."""


KINDS: Mapping[str, WaitKind] = {
    "scheduled": WaitKind.SCHEDULE,
    "retry_pause": WaitKind.RETRY,
    "elsewhere": WaitKind.RETRY,
    "review": WaitKind.REVIEW,
    "outside_hours": WaitKind.HOURS,
    "frequency_capped": WaitKind.THROTTLE,
    "sequence": WaitKind.ORDER,
    "turn": WaitKind.ORDER,
    "busy": WaitKind.ORDER,
    "rate": WaitKind.THROTTLE,
    "ramp": WaitKind.THROTTLE,
    "cooldown": WaitKind.THROTTLE,
    "active_hours": WaitKind.HOURS,
    "quota": WaitKind.BUDGET,
    "recipients": WaitKind.BUDGET,
    "starting": WaitKind.CHANNEL_DOWN,
    "down": WaitKind.CHANNEL_DOWN,
    "stopped": WaitKind.CHANNEL_DOWN,
    "paused": WaitKind.CHANNEL_DOWN,
    "draining": WaitKind.CHANNEL_DOWN,
    "no_channel": WaitKind.ROUTE,
    "no_parameters": WaitKind.ROUTE,
}
_WEIGHTS = {kind: weight for weight, kind in enumerate(WaitKind)}
_NEVER = 9_000
"""The year from which on a pause has no end of its own (`gateway.store.sequences`)."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a message waits for.

    Args:
        code: ``scheduled``, ``review``, ``outside_hours``, ``frequency_capped``, ``retry_pause``, ``no_channel``,
            ``paused``, ``draining``, ``starting``, ``down``, ``stopped``, ``cooldown``, ``rate``, ``quota``,
            ``recipients``, ``active_hours``, ``busy``, ``no_parameters``, ``sequence``, ``elsewhere``, ``ramp`` or
            ``turn``.
        detail: one sentence.
        kind: what that is in few words: ``schedule``, ``review``, ``hours``, ``budget``, ``channel_down``,
            ``throttle``, ``order``, ``retry`` or ``route``.
        channel: whose reason it is; null for a reason of the message's own.
        until: when it is expected to end by itself; null when nobody knows.
    """

    code: str
    detail: str
    channel: str | None = None
    until: datetime | None = None
    kind: WaitKind = WaitKind.ORDER

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "kind", KINDS.get(self.code, WaitKind.ROUTE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message that may be waiting.

    Args:
        status: when it neither waits nor is scheduled there are no reasons.
        queue: where it waits.
        need: what it takes of a budget.
        hidden_until: nobody may claim it before; None for at once.
        last_error: why it was not sent the last time; None when it was not tried.
        held: what a rule said, with its code, of a message that it holds back; None where none does.
        in_review: a person decides.
        has_options: see `gateway.routing.balancer.Candidate`.
    """

    status: MessageStatus
    queue: str
    need: Need
    hidden_until: datetime | None = None
    last_error: str | None = None
    held: tuple[str, str] | None = None
    in_review: bool = False
    has_options: bool = False


def explain_wait(waiting: Waiting, standings: Iterable[Standing], now: datetime) -> list[Reason]:
    """Everything that holds a message back.

    Args:
        waiting: the message.
        standings: all channels.
        now: aware.

    Returns:
        The message's own reason if it has one, else those of each channel that serves its queue, in the order of
        the config; a channel with none says ``turn``. Empty when the message does not wait.
    """
    if waiting.in_review:
        detail = _ended(
            f"A person must look at it: {waiting.held[1] if waiting.held else 'a rule asks for it'}"
        )
        return [Reason(code="review", detail=detail)]
    if waiting.status is MessageStatus.SCHEDULED and waiting.held is not None:
        code, detail = waiting.held  # its own time is over before the end of that
        return [Reason(code=code, detail=detail, until=waiting.hidden_until)]
    if waiting.status is MessageStatus.SCHEDULED:
        detail = "It is scheduled for later."
        return [Reason(code="scheduled", detail=detail, until=waiting.hidden_until)]
    if waiting.status is not MessageStatus.QUEUED:
        return []
    if waiting.hidden_until is not None and waiting.hidden_until.year >= _NEVER:
        detail = "An earlier message of its sequence to the same number is not with the network yet."
        return [Reason(code="sequence", detail=detail)]
    if waiting.hidden_until is not None and waiting.hidden_until > now and waiting.held is not None:
        code, detail = waiting.held
        return [Reason(code=code, detail=detail, until=waiting.hidden_until)]
    if waiting.hidden_until is not None and waiting.hidden_until > now:
        detail = "Messages to its number failed; the number is left alone for a while."
        if waiting.last_error is not None:
            detail = _ended(f"It is tried again after a pause; the last time: {waiting.last_error}")
        return [Reason(code="retry_pause", detail=detail, until=waiting.hidden_until)]
    # A receiver has no capacity, and can do nothing about it.
    serving = [s for s in standings if waiting.queue in s.queues and s.snapshot.capacity]
    if not serving:
        detail = f"No channel of the config serves the {describe_queue(waiting.queue)}."
        return [Reason(code="no_channel", detail=detail)]
    return [reason for standing in serving for reason in _explain_channel(standing, waiting, now)]


def weigh(reasons: Sequence[Reason]) -> WaitKind | None:
    """What a message waits for above all: the worst of its easiest channel; None for one that does not wait.

    Args:
        reasons: from `explain_wait`.
    """
    worst: dict[str | None, int] = {}
    for reason in reasons:
        worst[reason.channel] = max(worst.get(reason.channel, 0), _WEIGHTS[reason.kind])
    return list(WaitKind)[min(worst.values())] if worst else None


def explain_queue(queue: str, standings: Iterable[Standing], now: datetime) -> WaitKind:
    """What the messages of a queue that may be claimed wait for, most of them."""
    waiting = Waiting(status=MessageStatus.QUEUED, queue=queue, need=Need("", 1))
    return weigh(explain_wait(waiting, standings, now)) or WaitKind.ORDER


def _explain_channel(standing: Standing, waiting: Waiting, now: datetime) -> list[Reason]:
    name = standing.snapshot.name
    found = [
        Reason(code=code, detail=detail, channel=name, until=until)
        for code, detail, until in _holds(standing, waiting, now)
    ]
    return found or [Reason(code="turn", detail=_turn_detail(standing.snapshot), channel=name)]


def _holds(standing: Standing, waiting: Waiting, now: datetime) -> Iterator[tuple[str, str, datetime | None]]:
    snapshot = standing.snapshot
    if waiting.has_options and not standing.takes_options:
        yield "no_parameters", "It can't carry the message's smpp_tlvs: SMPP 3.3 has no parameters.", None
    if standing.leaving is not None:
        yield snapshot.state.value, _ended(standing.leaving), None
    elif snapshot.state is not ChannelState.UP:
        yield snapshot.state.value, _state_detail(snapshot), None
    if snapshot.cooldown_s > 0:
        detail = (
            _ended(f"It failed in series and rests: {snapshot.error}") if _is_broken(snapshot) else _SLOW_DOWN
        )
        yield "cooldown", detail, now + timedelta(seconds=snapshot.cooldown_s)
    bar = standing.bars.get(waiting.need.recipient)
    if bar is not None and bar > now:
        yield "elsewhere", "It has just refused it, so that another channel is to try first.", bar
    if standing.budget is not None:
        yield from standing.budget.blocks(waiting.need, now)
    if standing.paced_until is not None:
        pace = "It was asked to slow down, and finds its pace."
        if snapshot.rate and not standing.slowed_down:
            pace = f"Its rate is {snapshot.rate}."
        yield "rate", pace, standing.paced_until
    if standing.ramp_per_s is not None and not waiting.need.urgent:
        detail = f"It was out for long, and is given what waited slowly: {standing.ramp_per_s:.1f} a second just now."
        yield "ramp", detail, None
    capacity = 1 if _is_broken(snapshot) else snapshot.capacity
    if snapshot.state is ChannelState.UP and snapshot.in_flight >= capacity:
        yield "busy", f"It is sending {snapshot.in_flight} of {capacity} at once.", None


_SLOW_DOWN = "It was asked to slow down."


def _turn_detail(snapshot: ChannelSnapshot) -> str:
    if snapshot.error is not None:
        return _ended(f"The channel is free, and it does not move: {snapshot.error}")
    return "The channel is free and takes it in its turn."


def _is_broken(snapshot: ChannelSnapshot) -> bool:
    return snapshot.breaker is not BreakerState.CLOSED


def _state_detail(snapshot: ChannelSnapshot) -> str:
    match snapshot.state:
        case ChannelState.PAUSED | ChannelState.DRAINING:
            return "An operator paused it; `hongyan channel NAME resume` lets it go on."
        case ChannelState.STOPPED:
            return _ended(f"It stopped, and a person must mend it: {snapshot.error or 'see its log'}")
        case ChannelState.DOWN:
            return _ended(f"It is down and tries again by itself: {snapshot.error or 'see its log'}")
        case ChannelState.STARTING | ChannelState.UP:
            return "It is starting."


def _ended(text: str) -> str:
    """A sentence with its full stop; the errors that it ends with have one, or have none."""
    return text.removesuffix(".") + "."
