"""Days, months and hours of the day in local time: pure functions of an instant and a zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

_DAY_MIN = 24 * 60


class Period(StrEnum):
    """What a limit counts in; days and months begin at local midnight."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


_FIXED = {
    Period.SECOND: timedelta(seconds=1),
    Period.MINUTE: timedelta(minutes=1),
    Period.HOUR: timedelta(hours=1),
}


def period_start(period: Period, at: datetime, zone: tzinfo | None = None) -> datetime:
    """When the period that holds an instant began.

    Args:
        period: its length.
        at: aware.
        zone: whose midnight counts; None for this machine's.

    Returns:
        Aware, in UTC, not after ``at``.
    """
    if (length := _FIXED.get(period)) is not None:
        # By the offset of this moment: hours that a change of the clocks repeats are two hours.
        local = at.astimezone(zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        return at.astimezone(UTC) - (local.replace(tzinfo=None) - midnight.replace(tzinfo=None)) % length
    return _instant(_floor(period, at.astimezone(zone)), zone)


def period_end(period: Period, at: datetime, zone: tzinfo | None = None) -> datetime:
    """When the period that holds an instant ends and the next begins; aware, in UTC, after ``at``."""
    if (length := _FIXED.get(period)) is not None:
        return period_start(period, at, zone) + length
    begun = _floor(period, at.astimezone(zone))
    # The 32nd of a month is in the next one.
    following = (
        begun + timedelta(days=1) if period is Period.DAY else (begun + timedelta(days=31)).replace(day=1)
    )
    return _instant(following, zone)


def _floor(period: Period, local: datetime) -> datetime:
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return midnight if period is Period.DAY else midnight.replace(day=1)


def _instant(wall_clock: datetime, zone: tzinfo | None) -> datetime:
    return (wall_clock.replace(tzinfo=zone) if zone is not None else wall_clock).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class ActiveHours:
    """A part of each day, such as 08:00 to 22:00; it may reach over midnight.

    Args:
        start_min: minutes after local midnight, 0..1439.
        end_min: 1..1440; the first minute that is no longer in it.
    """

    start_min: int
    end_min: int

    def __str__(self) -> str:
        return "-".join(f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (self.start_min, self.end_min))

    def holds(self, at: datetime, zone: tzinfo | None = None) -> bool:
        """Whether an instant lies in it."""
        local = at.astimezone(zone)
        return self.holds_minute(local.hour * 60 + local.minute)

    def holds_minute(self, minute: int) -> bool:
        """Whether a minute after local midnight lies in it."""
        if self.start_min < self.end_min:
            return self.start_min <= minute < self.end_min
        return minute >= self.start_min or minute < self.end_min

    def opens_at(self, at: datetime, zone: tzinfo | None = None) -> datetime:
        """When it next begins: ``at`` itself while it lasts; aware, in UTC."""
        if self.holds(at, zone):
            return at.astimezone(UTC)
        local = at.astimezone(zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        begins = midnight + timedelta(minutes=self.start_min)
        if begins <= local.replace(tzinfo=None):
            begins += timedelta(minutes=_DAY_MIN)
        return _instant(begins, zone)
