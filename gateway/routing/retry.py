"""Retry: what is to be done about a segment that was not accepted, as two tables. Pure.

`REACTIONS` says what each kind of trouble leads to; a `Plan` for each category says how often something is tried, how
long the pauses are, and whether another channel is tried before any pause. `decide_retry` only looks them up.

A refusal for the channel's own reasons (down, throttled, misconfigured) is not the message's fault and uses up
none of its attempts; only its expiry bounds how long it waits for a fit channel. The same holds for a refusal that may
be either's, while the channel fails for several recipients: a SIM without credit is refused with a recipient's codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from types import MappingProxyType
from zlib import crc32

from drivers.base import Blame, FaultKind, Refused, Uncertain
from drivers.broken import INTERNAL_ERROR
from gateway.model.message import Category
from gateway.routing.limits import doubled_s
from gateway.routing.troubles import Setback


class OnUncertain(StrEnum):
    """``queue.on_uncertain`` (INTERFACE section 5)."""

    HOLD = "hold"
    RETRY = "retry"
    FAIL = "fail"


class Trouble(Enum):
    """Why a segment was not accepted."""

    TEMPORARY = "refused for now"
    BROKEN = "our own code failed on it"
    SUSPECT = "refused, while the channel fails for several recipients"
    THROTTLED = "the channel was asked to slow down"
    CHANNEL = "the channel can't"
    CONFIG = "the channel must be mended"
    PERMANENT = "refused for good"
    HELD = "nobody knows, and it is to be held"
    LOST = "nobody knows, and it is to be sent again"
    LEFT = "nobody knows, and it is to be given up"


class Reaction(Enum):
    """What that leads to."""

    RETRY = "again after a pause, by another channel at once where the plan says so; uses up an attempt"
    SAME = "again after a pause; uses up an attempt"
    WAIT = "again after a pause; costs no attempt"
    NEXT = "at once, as soon as a channel is fit: the channel itself rests; costs no attempt"
    FAIL = "it has failed"
    HOLD = "kept for a receipt or an operator"


REACTIONS: Mapping[Trouble, Reaction] = {
    Trouble.TEMPORARY: Reaction.RETRY,
    Trouble.BROKEN: Reaction.SAME,
    Trouble.SUSPECT: Reaction.WAIT,
    Trouble.THROTTLED: Reaction.NEXT,
    Trouble.CHANNEL: Reaction.NEXT,
    Trouble.CONFIG: Reaction.NEXT,
    Trouble.PERMANENT: Reaction.FAIL,
    Trouble.HELD: Reaction.HOLD,
    Trouble.LOST: Reaction.SAME,
    Trouble.LEFT: Reaction.FAIL,
}
_OF_KIND = {
    FaultKind.TEMPORARY: Trouble.TEMPORARY,
    FaultKind.THROTTLED: Trouble.THROTTLED,
    FaultKind.CHANNEL: Trouble.CHANNEL,
    FaultKind.CONFIG: Trouble.CONFIG,
    FaultKind.PERMANENT: Trouble.PERMANENT,
}
_OF_CHOICE = {
    OnUncertain.HOLD: Trouble.HELD,
    OnUncertain.RETRY: Trouble.LOST,
    OnUncertain.FAIL: Trouble.LEFT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How hard messages of a category are tried.

    Args:
        attempts: of one segment that the network answered.
        first_s: the pause after the first; doubles.
        cap_s: the longest pause.
        elsewhere: another channel that serves the queue is tried before any pause.
    """

    attempts: int = 5
    first_s: float = 15.0
    cap_s: float = 1_800.0
    elsewhere: bool = False


def plans_for(attempts: int, first_s: float, cap_s: float) -> dict[Category, Plan]:
    """The plans of all categories, from what ``[queue]`` says, which is the plan of ``transactional``.

    A code is of no use later: it gives up sooner, waits for seconds, and tries other channels first. An emergency does
    the same and gives up no sooner. Marketing has time: its pauses are four times as long.
    """
    quick_s, short_s = min(first_s, 5.0), min(cap_s, 60.0)
    return {
        Category.EMERGENCY: Plan(attempts=attempts, first_s=quick_s, cap_s=short_s, elsewhere=True),
        Category.OTP: Plan(attempts=min(attempts, 3), first_s=quick_s, cap_s=short_s, elsewhere=True),
        Category.TRANSACTIONAL: Plan(attempts=attempts, first_s=first_s, cap_s=cap_s),
        Category.MARKETING: Plan(attempts=attempts, first_s=4 * first_s, cap_s=4 * cap_s),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How hard we try.

    Args:
        on_uncertain: what becomes of a segment of unknown fate.
        max_attempts, first_s, cap_s: see `plans_for`.
        special: plans of categories that have one of their own (``[[retry]]``).
    """

    on_uncertain: OnUncertain = OnUncertain.HOLD
    max_attempts: int = 5
    first_s: float = 15.0
    cap_s: float = 1_800.0
    special: Mapping[Category, Plan] = field(default_factory=dict)
    plans: Mapping[Category, Plan] = field(init=False)

    def __post_init__(self) -> None:
        plans = plans_for(self.max_attempts, self.first_s, self.cap_s) | dict(self.special)
        object.__setattr__(self, "plans", MappingProxyType(plans))


DEFAULT_POLICY = RetryPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """Back to the queue.

    Args:
        after_s: pause before it may be claimed; 0 for at once.
        counted: the attempt counts.
        not_here_s: so long the channel that refused it is not to have it again: another one is tried.
    """

    after_s: float
    counted: bool
    not_here_s: float = 0.0


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It will never go: the segment and its message have failed."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Nobody knows: keep it for a receipt or an operator."""


Decision = TryAgain | GiveUp | Hold


def decide_retry(
    policy: RetryPolicy,
    result: Refused | Uncertain,
    attempts: int,
    jitter: float,
    *,
    category: Category = Category.TRANSACTIONAL,
    channel_suspected: bool = False,
    has_others: bool = False,
) -> Decision:
    """Decide on one segment that was not accepted.

    Args:
        policy: the operator's settings.
        result: what the driver said.
        attempts: of this segment, this one included.
        jitter: 0..1; spreads retries so that a failed batch does not come back as one. See `jitter_of`.
        category: of the message.
        channel_suspected: messages to several recipients have failed there in a row.
        has_others: another channel that is up might take it.
    """
    trouble = find_trouble(policy.on_uncertain, result, channel_suspected=channel_suspected)
    asked_s = result.fault.retry_after_s if isinstance(result, Refused) else None
    plan = policy.plans[category]
    reaction = REACTIONS[trouble]
    match reaction:
        case Reaction.FAIL:
            return GiveUp()
        case Reaction.HOLD:
            return Hold()
        case Reaction.NEXT:
            return TryAgain(after_s=0.0, counted=False)
        case Reaction.WAIT:
            return TryAgain(after_s=_pause_s(plan, attempts, jitter, asked_s), counted=False)
        case Reaction.RETRY | Reaction.SAME:
            if attempts >= plan.attempts:
                return GiveUp()
            pause_s = _pause_s(plan, attempts, jitter, asked_s)
            if reaction is Reaction.RETRY and plan.elsewhere and has_others:
                return TryAgain(after_s=0.0, counted=True, not_here_s=pause_s)
            return TryAgain(after_s=pause_s, counted=True)


def find_trouble(
    on_uncertain: OnUncertain, result: Refused | Uncertain, *, channel_suspected: bool = False
) -> Trouble:
    """The row of the table for what a driver said."""
    if isinstance(result, Uncertain):
        return _OF_CHOICE[on_uncertain]
    fault = result.fault
    if fault.code == INTERNAL_ERROR:
        return Trouble.BROKEN
    is_either = fault.whose is Blame.UNCLEAR and fault.kind in {FaultKind.PERMANENT, FaultKind.TEMPORARY}
    return Trouble.SUSPECT if channel_suspected and is_either else _OF_KIND[fault.kind]


def decide_broken(policy: RetryPolicy, category: Category, message_id: str, attempts: int) -> Decision:
    """Decide on a message on which our own code failed before any channel had it."""
    plan = policy.plans[category]
    if attempts >= plan.attempts:
        return GiveUp()
    return TryAgain(after_s=_pause_s(plan, attempts, jitter_of(message_id, attempts), None), counted=True)


def decide_setback(result: Refused | Uncertain) -> Setback | None:
    """What a failure says of its recipient; None for nothing."""
    if isinstance(result, Uncertain):
        return Setback.REFUSED if result.blame is not Blame.CHANNEL else None
    fault = result.fault
    match fault.kind:
        case _ if fault.code == INTERNAL_ERROR:
            return None
        case FaultKind.THROTTLED:
            return Setback.THROTTLED
        case _ if fault.whose is Blame.CHANNEL:
            return None
        case FaultKind.CHANNEL | FaultKind.CONFIG:
            return Setback.MISPLACED
        case FaultKind.PERMANENT if fault.whose is Blame.SEGMENT:
            return None
        case FaultKind.PERMANENT | FaultKind.TEMPORARY:
            return Setback.REFUSED


def jitter_of(message_id: str, attempts: int) -> float:
    """0..1, spread evenly over messages and attempts, and always the same for one of them.

    >>> jitter_of("a", 1) == jitter_of("a", 1) != jitter_of("a", 2)
    True
    """
    return crc32(f"{message_id}:{attempts}".encode()) / 0xFFFF_FFFF


def _pause_s(plan: Plan, attempts: int, jitter: float, asked_s: float | None) -> float:
    pause_s = doubled_s(attempts - 1, plan.first_s, plan.cap_s)
    return max(asked_s or 0.0, pause_s * (0.75 + 0.5 * jitter))
