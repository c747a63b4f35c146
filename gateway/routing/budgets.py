"""What a channel may send in each day and month, and when: values with `now` passed in. Pure.

A budget exists to stay within what the contract of a SIM allows. What went out counts, and what may have gone
out; what the network refused does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import NamedTuple

import msgspec

from gateway.model.message import Category
from gateway.routing.periods import ActiveHours, Period, period_end, period_start

URGENT = frozenset({Category.OTP, Category.EMERGENCY})
"""What a reserve is kept for."""


class Need(NamedTuple):
    """What one message takes of a budget.

    Args:
        recipient: as stored.
        n_segments: that are still to be sent.
        urgent: it may use the reserve.
    """

    recipient: str
    n_segments: int = 1
    urgent: bool = False


class Block(NamedTuple):
    """Why a budget does not let a message go.

    Args:
        code: ``quota``, ``recipients`` or ``active_hours``.
        detail: one sentence.
        until: when it ends by time alone; None when it never does.
    """

    code: str
    detail: str
    until: datetime | None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One limit of a budget, for people.

    Args:
        what: ``segments`` or ``recipients``.
        period: ``day``, ``month`` ...
        limit: in one period.
        used: in the current period.
        reserve: how many of the limit are kept for urgent messages.
        until: when the period ends; null while nothing was used.
    """

    what: str
    period: Period
    limit: int
    used: int
    reserve: int = 0
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Segments allowed in each period, such as 200 a day.

    Args:
        limit: segments in one period.
        period: see `Period`.
        reserve: the last ones of each period, which only urgent messages may take.
        used: segments taken in the period that ends at ``ends_at``.
        ends_at: None before the first.
    """

    limit: int
    period: Period
    reserve: int = 0
    used: int = 0
    ends_at: datetime | None = None

    def left(self, now: datetime, *, urgent: bool = True) -> int:
        """Segments that may still go in the current period; below 0 never."""
        used = self.used if self.ends_at is not None and now < self.ends_at else 0
        return max(0, self.limit - used - (0 if urgent else self.reserve))

    def take(self, n: int, now: datetime, zone: tzinfo | None) -> Quota:
        """The quota after ``n`` segments more."""
        if self.ends_at is not None and now < self.ends_at:
            return replace(self, used=self.used + n)
        return replace(self, used=n, ends_at=period_end(self.period, now, zone))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientCap:
    """Different recipients allowed in each period.

    Args:
        limit: recipients in one period.
        period: see `Period`.
        seen: those of the period that ends at ``ends_at``.
        ends_at: None before the first.
    """

    limit: int
    period: Period
    seen: frozenset[str] = frozenset()
    ends_at: datetime | None = None

    def known(self, now: datetime) -> frozenset[str]:
        """Who was sent something in the current period."""
        return self.seen if self.ends_at is not None and now < self.ends_at else frozenset()

    def admits(self, recipient: str, now: datetime) -> bool:
        """Whether this recipient may be sent something: known ones always."""
        known = self.known(now)
        return len(known) < self.limit or recipient in known

    def take(self, recipients: Iterable[str], now: datetime, zone: tzinfo | None) -> RecipientCap:
        """The cap after these recipients, known or not."""
        known = self.known(now)
        if known.issuperset(recipients):
            return self
        return replace(self, seen=known.union(recipients), ends_at=period_end(self.period, now, zone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """All that one channel may spend.

    Args:
        quotas: segments per period; each must have room.
        caps: different recipients per period; each must have room.
        hours: when it may send at all; None for always.
        zone: whose midnight counts; None for this machine's.
    """

    quotas: tuple[Quota, ...] = ()
    caps: tuple[RecipientCap, ...] = ()
    hours: ActiveHours | None = None
    zone: tzinfo | None = None

    def left(self, now: datetime, *, urgent: bool = True) -> int | None:
        """Segments that may go now, whoever they are for; None without a limit."""
        if self.hours is not None and not self.hours.holds(now, self.zone):
            return 0
        return min((quota.left(now, urgent=urgent) for quota in self.quotas), default=None)

    def admits(self, need: Need, now: datetime) -> bool:
        """Whether a message may go now; the hours were asked before, by `left`."""
        return all(q.left(now, urgent=need.urgent) >= need.n_segments for q in self.quotas) and all(
            cap.admits(need.recipient, now) for cap in self.caps
        )

    def take(self, need: Need, now: datetime) -> Budget:
        """The budget after a message."""
        return replace(
            self,
            quotas=tuple(quota.take(need.n_segments, now, self.zone) for quota in self.quotas),
            caps=tuple(cap.take((need.recipient,), now, self.zone) for cap in self.caps),
        )

    def ready_at(self, now: datetime) -> datetime | None:
        """When time alone next gives it room: hours that begin, or a period that ends; None when it has no limit."""
        if self.hours is not None and (opens := self.hours.opens_at(now, self.zone)) > now:
            return opens
        ends = [*(quota.ends_at for quota in self.quotas), *(cap.ends_at for cap in self.caps)]
        return min((end for end in ends if end is not None and end > now), default=None)

    def blocks(self, need: Need, now: datetime) -> list[Block]:
        """Everything that holds a message back now; empty when it is admitted."""
        found = []
        if self.hours is not None and not self.hours.holds(now, self.zone):
            detail = f"It sends only in its active hours, {self.hours}."
            found.append(Block("active_hours", detail, self.hours.opens_at(now, self.zone)))
        found += [
            _quota_block(quota, need)
            for quota in self.quotas
            if quota.left(now, urgent=need.urgent) < need.n_segments
        ]
        for cap in self.caps:
            if not cap.admits(need.recipient, now):
                detail = f"Its {cap.limit} different recipients of this {cap.period} are used up."
                found.append(Block("recipients", detail, cap.ends_at))
        return found

    def accounts(self, now: datetime) -> tuple[Account, ...]:
        """Every limit and its use."""
        quotas = (
            Account(
                what="segments",
                period=q.period,
                limit=q.limit,
                used=q.limit - q.left(now),
                reserve=q.reserve,
                until=_current(q.ends_at, now),
            )
            for q in self.quotas
        )
        caps = (
            Account(
                what="recipients",
                period=c.period,
                limit=c.limit,
                used=len(c.known(now)),
                until=_current(c.ends_at, now),
            )
            for c in self.caps
        )
        return (*quotas, *caps)

    def periods(self) -> frozenset[Period]:
        """Those whose use must be known at the start."""
        return frozenset([*(quota.period for quota in self.quotas), *(cap.period for cap in self.caps)])

    def starts_at(self, period: Period, now: datetime) -> datetime:
        """When the current period began: what went out since then counts."""
        return period_start(period, now, self.zone)

    def restored(self, period: Period, n_segments: int, recipients: Iterable[str], now: datetime) -> Budget:
        """The budget when it is known what went out since `starts_at`.

        Args:
            period: whose use this is.
            n_segments: that went out, or may have.
            recipients: to whom.
            now: the instant of the count.
        """
        whom = tuple(recipients)
        return replace(
            self,
            quotas=tuple(
                replace(q, ends_at=None).take(n_segments, now, self.zone) if q.period is period else q
                for q in self.quotas
            ),
            caps=tuple(
                replace(c, ends_at=None).take(whom, now, self.zone) if c.period is period else c
                for c in self.caps
            ),
        )


def _current(ends_at: datetime | None, now: datetime) -> datetime | None:
    return ends_at if ends_at is not None and ends_at > now else None


def _quota_block(quota: Quota, need: Need) -> Block:
    allowed = quota.limit if need.urgent else quota.limit - quota.reserve
    if need.n_segments > allowed:
        detail = f"It needs {need.n_segments} segments, and {allowed} a {quota.period} are all that may go."
        return Block("quota", detail, None)
    kept = f", {quota.reserve} of them kept for urgent messages" if quota.reserve and not need.urgent else ""
    detail = f"{quota.used} of its {quota.limit} segments of this {quota.period} are used{kept}."
    return Block("quota", detail, quota.ends_at)
