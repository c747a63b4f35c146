"""Alarms: what a person must look at, from when it is seen until it is over. Pure.

An alarm is known by its kind and its subject: the same thing seen again is the same alarm. Each kind is a stable word
that monitoring may rely on.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from gateway.model.actor import SYSTEM, Actor
from gateway.model.events import Event, make_event

RAISED = "alarm.raised"
CLEARED = "alarm.cleared"
MAX_SUBJECT = 200
MAX_DETAIL = 1_000


class AlarmKind(StrEnum):
    """What is wrong; the subject says of what."""

    STANDSTILL = "standstill"
    """A channel has room, messages wait for it, and nothing moves. Subject: the channel."""
    MASS_FAILURE = "mass_failure"
    """Many messages fail in one way, and have something in common. Subject: the code, and what they have in common."""
    PROBE = "probe"
    """A probe of a channel did not arrive in time. Subject: the channel."""
    WEBHOOK = "webhook"
    """A webhook is not called any more, because nobody heard. Subject: its id."""
    REVIEW = "review"
    """Messages wait long for a person's decision. Subject: ``reviews``."""
    INTERNAL_ERROR = "internal_error"
    """Our own code failed on something, which was set aside. Subject: where."""


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """An open alarm.

    Args:
        kind: a stable word, see `GET /v1/alarms`.
        subject: what it is about: a channel, a webhook, a place in the code; 200 characters at most.
        detail: what is wrong and what to do about it; never a text or a whole number.
        raised_at: when it was first seen.
    """

    id: str
    kind: AlarmKind
    subject: str
    detail: str
    raised_at: datetime


class AlarmData(msgspec.Struct, frozen=True, kw_only=True):
    """The data of `alarm.raised` and `alarm.cleared`.

    Args:
        by: who raised or cleared it (`gateway.model.actor.Actor`).
    """

    id: str
    kind: str
    subject: str
    detail: str
    by: str


def alarm_event(kind: str, alarm: Alarm, at: datetime, by: Actor = SYSTEM) -> Event:
    """The event that an alarm was raised or cleared; its subject is the alarm's.

    Args:
        kind: `RAISED` or `CLEARED`.
    """
    data = AlarmData(
        id=alarm.id, kind=alarm.kind.value, subject=alarm.subject, detail=alarm.detail, by=str(by)
    )
    return make_event(kind, at, alarm.subject, data)


_decode = msgspec.json.Decoder(AlarmData).decode


def read_alarm(event: Event) -> AlarmData | None:
    """What an event says of an alarm; None when it is about something else."""
    return _decode(event.data) if event.type in {RAISED, CLEARED} else None
