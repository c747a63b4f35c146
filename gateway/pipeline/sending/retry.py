"""What is to be done about a segment that was not accepted. Pure.

A refusal for the channel's own reasons (down, throttled, misconfigured) is not the message's fault and uses up
none of its attempts; only its expiry bounds how long it waits for a fit channel. The same holds for a refusal that may
be either's, while the channel fails for several recipients: a SIM without credit is refused with a recipient's codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from drivers.base import Blame, FaultKind, Refused, Uncertain
from gateway.routing.troubles import Setback


class OnUncertain(StrEnum):
    """``queue.on_uncertain`` (INTERFACE section 5)."""

    HOLD = "hold"
    RETRY = "retry"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How hard we try.

    Args:
        on_uncertain: what becomes of a segment of unknown fate.
        max_attempts: attempts of one segment that the network answered.
        first_s: pause after the first; doubles.
        cap_s: the longest pause.
    """

    on_uncertain: OnUncertain = OnUncertain.HOLD
    max_attempts: int = 5
    first_s: float = 15.0
    cap_s: float = 1_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """Back to the queue.

    Args:
        after_s: pause before it may be claimed; 0 for at once.
        counted: the attempt counts.
    """

    after_s: float
    counted: bool


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
    channel_suspected: bool = False,
) -> Decision:
    """Decide on one segment that was not accepted.

    Args:
        policy: the operator's settings.
        result: what the driver said.
        attempts: of this segment, this one included.
        jitter: 0..1; spreads retries so that a failed batch does not come back as one.
        channel_suspected: messages to several recipients have failed there in a row.
    """
    if isinstance(result, Uncertain):
        match policy.on_uncertain:
            case OnUncertain.HOLD:
                return Hold()
            case OnUncertain.FAIL:
                return GiveUp()
            case OnUncertain.RETRY:
                return _next_attempt(policy, attempts, jitter)
    fault = result.fault
    match fault.kind:
        case FaultKind.PERMANENT | FaultKind.TEMPORARY if channel_suspected and fault.whose is Blame.UNCLEAR:
            return TryAgain(after_s=_pause_s(policy, attempts, jitter, fault.retry_after_s), counted=False)
        case FaultKind.PERMANENT:
            return GiveUp()
        case FaultKind.TEMPORARY:
            return _next_attempt(policy, attempts, jitter, fault.retry_after_s)
        case FaultKind.THROTTLED | FaultKind.CHANNEL | FaultKind.CONFIG:
            return TryAgain(after_s=0.0, counted=False)


def decide_setback(result: Refused | Uncertain) -> Setback | None:
    """What a failure says of its recipient; None for nothing."""
    if isinstance(result, Uncertain):
        return Setback.REFUSED if result.blame is not Blame.CHANNEL else None
    fault = result.fault
    match fault.kind:
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


def _next_attempt(
    policy: RetryPolicy,
    attempts: int,
    jitter: float,
    asked_s: float | None = None,
) -> TryAgain | GiveUp:
    if attempts >= policy.max_attempts:
        return GiveUp()
    return TryAgain(after_s=_pause_s(policy, attempts, jitter, asked_s), counted=True)


def _pause_s(policy: RetryPolicy, attempts: int, jitter: float, asked_s: float | None) -> float:
    pause_s = min(policy.cap_s, policy.first_s * 2.0 ** min(attempts - 1, 30))
    return max(asked_s or 0.0, pause_s * (0.75 + 0.5 * jitter))
