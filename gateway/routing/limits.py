"""Cool-down, breaker and renewals of one channel: values with monotonic `now` passed in. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

COOLDOWN_FIRST_S = 1.0
COOLDOWN_CAP_S = 60.0
LOST_CAP_S = 300.0
"""The longest pause where every trial may cost a message: it was not answered, and is never sent again."""
SERIES = 3
"""Different recipients whose messages failed in a row open a breaker."""
TOGETHER_S = 5.0
"""Messages to one recipient that were submitted so soon after a failure are part of it: nobody else had his turn."""
SUSPECTS = 50
"""Recipients of failed messages that are remembered; more tell nothing new."""
RENEW_AFTER = 2
"""Failures in a row after which a new session may help."""
RENEW_FIRST_S = 15.0
RENEW_CAP_S = 3_600.0
"""A new session is asked for again after the first pause at the earliest; each pause is twice the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooldown:
    """How long a channel that is throttled is left alone; doubles while it goes on.

    Args:
        until: monotonic seconds; 0 when fit.
        failures: in a row.
        suspects: recipients of the messages that were refused in a row, the newest last; see `Breaker`.
    """

    until: float = 0.0
    failures: int = 0
    suspects: tuple[str, ...] = ()

    def after_fault(self, now: float, recipient: str, asked_s: float | None = None) -> Cooldown:
        """After one more refusal; the peer's own wish counts when it gave one."""
        suspects = _with(self.suspects, recipient)
        pause_s = asked_s if asked_s is not None else doubled_s(self.failures, COOLDOWN_FIRST_S)
        if now < self.until:  # several segments of one window failed together: one failure
            return replace(self, until=max(self.until, now + pause_s), suspects=suspects)
        return Cooldown(until=now + pause_s, failures=self.failures + 1, suspects=suspects)

    def after_success(self) -> Cooldown:
        """Fit again."""
        return Cooldown()

    def left_s(self, now: float) -> float:
        """Seconds until it may be tried; 0 when fit."""
        return max(0.0, self.until - now)


class BreakerState(StrEnum):
    """Whether a channel is trusted with messages."""

    CLOSED = "closed"
    OPEN = "open"
    """Messages to several recipients failed in a row: nothing goes until a pause is over."""
    HALF_OPEN = "half_open"
    """One message goes; what becomes of it decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Takes a channel that fails out of work, and tries again with one message.

    One recipient whose messages fail is no reason to open it: the recipient may be the one in trouble.

    Args:
        suspects: recipients of the messages that failed in a row, the newest last. A trial is better made with
            another one.
        shunned: suspects of before the network last gave an answer that showed that the channel works, and to whom
            none was accepted since. They are in trouble: their failures are no sign of the channel's, and a trial is
            made with another one.
        failures: in a row; those of one recipient that came together count once.
        failed_at: monotonic seconds of the last of them.
        openings: in a row; each pause is longer than the one before.
        until: monotonic seconds at which the pause ends; None while closed.
    """

    suspects: tuple[str, ...] = ()
    shunned: tuple[str, ...] = ()
    failures: int = 0
    failed_at: float = 0.0
    openings: int = 0
    until: float | None = None

    @property
    def is_suspected(self) -> bool:
        """It is not closed, for messages to several recipients failed in a row: whatever fails may be the channel's."""
        return self.until is not None and len(self.suspects) >= SERIES

    def state(self, now: float) -> BreakerState:
        """What it lets through."""
        if self.until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.until else BreakerState.HALF_OPEN

    def after_failure(
        self,
        now: float,
        recipient: str,
        *,
        began: float | None = None,
        at_once: bool = False,
        lost: bool = False,
        asked_s: float | None = None,
    ) -> Breaker:
        """After one more submit that failed, and not certainly for the segment's own sake.

        Args:
            now: monotonic seconds.
            recipient: of the segment.
            began: when it was submitted; None for just now.
            at_once: it opens without a series: the channel said itself that it can't.
            lost: nobody knows what became of the segment, so that a trial costs a message: pauses grow faster.
            asked_s: the pause that the peer asked for.
        """
        if recipient in self.shunned and not (at_once or lost):
            return self
        is_new = recipient not in self.suspects
        suspects = _with(self.suspects, recipient)
        if self.until is not None and now < self.until:
            # Several segments of one window failed together: one failure.
            until = self.until if asked_s is None else max(self.until, now + asked_s)
            return replace(self, suspects=suspects, until=until)
        if not is_new and not at_once and (now if began is None else began) - self.failed_at < TOGETHER_S:
            return self
        failed = replace(self, suspects=suspects, failures=self.failures + 1, failed_at=now)
        closed = self.until is None
        # A trial that failed with a recipient known to be in trouble says nothing new: the next message is the trial.
        if not (at_once or (len(suspects) >= SERIES if closed else is_new)):
            return failed
        pause_s = asked_s
        if pause_s is None and lost:
            pause_s = min(LOST_CAP_S, COOLDOWN_FIRST_S * 4.0 ** min(self.openings, 10))
        elif pause_s is None:
            pause_s = doubled_s(self.openings, COOLDOWN_FIRST_S)
        return replace(failed, openings=self.openings + 1, until=now + pause_s)

    def after_answer(self, recipient: str = "") -> Breaker:
        """The network took a segment, or refused it for its own sake: the channel works.

        Args:
            recipient: of a segment that was taken.
        """
        if not (self.suspects or self.shunned):
            return Breaker()
        in_trouble = dict.fromkeys((*self.shunned, *self.suspects))
        in_trouble.pop(recipient, None)
        return Breaker(shunned=tuple(in_trouble)[-SUSPECTS:])

    def after_up(self) -> Breaker:
        """The link has come up again: a cure for what the channel said of itself, and none for a series.

        What failed stays on record until the network has answered: a link that comes up between the failures of
        several recipients does not make them any less.
        """
        return self if len(self.suspects) >= SERIES else replace(self, until=None)

    def on_trial(self, now: float) -> Breaker:
        """Nothing failed, and nothing shows that it works: one message goes first."""
        return self if self.until is not None else replace(self, until=now)

    def left_s(self, now: float) -> float:
        """Seconds until it may be tried; 0 when it may."""
        return max(0.0, self.until - now) if self.until is not None else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewals:
    """When a channel that fails, and is up all the same, is asked for a new session.

    Args:
        n: since the network last answered.
        until: monotonic seconds; not again before.
    """

    n: int = 0
    until: float = 0.0

    def is_due(self, breaker: Breaker, now: float) -> bool:
        """Whether one should be asked for now."""
        return breaker.failures >= RENEW_AFTER and now >= self.until

    def after_one(self, now: float) -> Renewals:
        """It was asked for."""
        return Renewals(n=self.n + 1, until=now + doubled_s(self.n, RENEW_FIRST_S, RENEW_CAP_S))


def _with(suspects: tuple[str, ...], recipient: str) -> tuple[str, ...]:
    return (*(s for s in suspects if s != recipient), recipient)[-SUSPECTS:]


def doubled_s(n_before: int, first_s: float, cap_s: float = COOLDOWN_CAP_S) -> float:
    """A pause that is twice as long each time, up to a cap."""
    return min(cap_s, first_s * 2.0 ** min(n_before, 30))
