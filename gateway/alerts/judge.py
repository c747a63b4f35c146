"""Whether an alarm is news, and whether its text may go now or is held back. Pure: the time is passed in."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from gateway.alerts.payload import Alarm
from gateway.alerts.receivers import Receiver
from gateway.store.alerts import Heard, Window


class News(Enum):
    """What an alarm is to those who get it."""

    TELL = "tell"
    """They are told, now or later."""
    KNOWN = "known"
    """They know it: a tool repeats itself."""
    SILENT = "silent"
    """It has changed, and they are not told of that: nobody heard of it before, or they want no such text."""


def judge(alarm: Alarm, heard: Heard | None, receiver: Receiver, now: datetime) -> News:
    """What an alarm is, by what was heard of it before."""
    if not alarm.is_firing:
        return _judge_end(alarm, heard, receiver)
    if heard is None or not heard.is_firing or alarm.starts_ms > heard.starts_ms:
        return News.TELL
    if heard.held:
        return News.KNOWN
    again = heard.told_at is None or now - heard.told_at >= timedelta(seconds=receiver.repeat_after_s)
    return News.TELL if again else News.KNOWN


def _judge_end(alarm: Alarm, heard: Heard | None, receiver: Receiver) -> News:
    if heard is None:
        return News.SILENT
    if not heard.is_firing or 0 < alarm.starts_ms < heard.starts_ms:
        return News.KNOWN
    was_told = heard.told_at is not None or heard.held
    return News.TELL if was_told and receiver.tells_resolved else News.SILENT


def let_pass(receiver: Receiver, window: Window, now: datetime) -> tuple[bool, Window]:
    """Whether a text may go now, and the storm guard with it counted; without, when what is held is told."""
    if receiver.active_hours is not None and not receiver.active_hours.holds(now):
        opens_at = receiver.active_hours.opens_at(now)
        return False, window._replace(due_at=max(window.due_at or opens_at, opens_at))
    if window.due_at is not None:
        return False, window
    ends_at = window.began_at + timedelta(seconds=receiver.per_s)
    if now >= ends_at or now < window.began_at:
        window = window._replace(began_at=now, n_texts=0)
    elif window.n_texts >= receiver.most_texts:
        return False, window._replace(due_at=ends_at)
    return True, window._replace(n_texts=window.n_texts + 1)
