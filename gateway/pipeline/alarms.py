"""Alarms: raise one where something needs a person, clear it when that is over. Raising the same again does nothing.

Both are parts of an operation of the store, and told in the timeline with it (`alarm.raised`, `alarm.cleared`), where
streams and webhooks find them. The log and the counter follow the commit, by `tell_alarm`.
"""

from __future__ import annotations

import logging

from gateway.clock import Clock, truncate_ms
from gateway.errors import NotFound
from gateway.ids import make_id
from gateway.model.actor import SYSTEM, Actor
from gateway.model.alarm import (
    CLEARED,
    MAX_DETAIL,
    MAX_SUBJECT,
    RAISED,
    Alarm,
    AlarmKind,
    alarm_event,
    read_alarm,
)
from gateway.model.events import Event
from gateway.store.alarms import delete_alarm, find_alarm, save_alarm
from gateway.store.audit import record_audit
from gateway.store.ports import Tx
from gateway.telemetry.metrics import Metrics, labeled

_log = logging.getLogger(__name__)


async def raise_alarm(
    tx: Tx, clock: Clock, kind: AlarmKind, subject: str, detail: str, *, by: Actor = SYSTEM
) -> bool:
    """Raise an alarm; whether it is news.

    When one of this kind and subject is open it gets the new detail, and nothing is told.

    Args:
        subject: what it is about; with the kind it is the alarm's name.
        detail: a sentence or two: what is wrong, what to do. No text, no whole number.
        by: who saw it.
    """
    at = truncate_ms(clock.now())
    alarm = Alarm(
        id=make_id(), kind=kind, subject=subject[:MAX_SUBJECT], detail=detail[:MAX_DETAIL], raised_at=at
    )
    if not await save_alarm(tx, alarm):
        return False
    tx.record(alarm_event(RAISED, alarm, at, by))
    return True


async def clear_alarm(
    tx: Tx, clock: Clock, kind: AlarmKind, subject: str, *, by: Actor = SYSTEM
) -> Alarm | None:
    """What an alarm was about is over; the alarm, or None when it was not open."""
    alarm = await delete_alarm(tx, kind, subject[:MAX_SUBJECT])
    if alarm is not None:
        tx.record(alarm_event(CLEARED, alarm, truncate_ms(clock.now()), by))
    return alarm


async def clear_by_id(tx: Tx, clock: Clock, alarm_id: str, *, by: Actor) -> Alarm:
    """A person has seen to it.

    Raises:
        NotFound: no alarm with this id is open.
    """
    alarm = await find_alarm(tx, alarm_id)
    if alarm is None or await clear_alarm(tx, clock, alarm.kind, alarm.subject, by=by) is None:
        raise NotFound("no alarm with this id is open; GET /v1/alarms lists those that are")
    details = {"kind": alarm.kind.value, "about": alarm.subject}
    await record_audit(tx, by, "alarm.cleared", alarm_id, details, at=clock.now())
    return alarm


def tell_alarm(event: Event, metrics: Metrics) -> None:
    """An event was committed: where it is an alarm's, log and count it."""
    alarm = read_alarm(event)
    if alarm is None:
        return
    if event.type == RAISED:
        labeled(metrics.alarms_raised, alarm.kind).inc()
        _log.error("alarm %s: %s: %s", alarm.kind, alarm.subject, alarm.detail)
    else:
        _log.warning("alarm %s of %s is over, says %s", alarm.kind, alarm.subject, alarm.by)
