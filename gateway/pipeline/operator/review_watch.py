"""Review watch: an alarm where messages wait long for a person's decision, until none does."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from gateway.clock import Clock
from gateway.model.alarm import AlarmKind
from gateway.pipeline.alarms import clear_alarm, raise_alarm
from gateway.store.alarms import find_subjects
from gateway.store.ports import Store, Tx
from gateway.store.reviews import find_oldest

ALARM_AFTER_S: Final = 14_400.0
"""Where no other time is set."""
_SUBJECT: Final = "reviews"


class ReviewWatch:
    """Looks when it is told to.

    Args:
        alarm_after_s: how long a message may wait before somebody is told.
    """

    def __init__(self, store: Store, clock: Clock, alarm_after_s: float) -> None:
        self._store = store
        self._clock = clock
        self._alarm_after_s = alarm_after_s

    def adopt(self, alarm_after_s: float) -> None:
        """Go by another time from now on: so long may a message wait before somebody is told."""
        self._alarm_after_s = alarm_after_s

    async def look(self) -> None:
        """Raise the alarm, or clear it."""
        now = self._clock.now()

        async def find(tx: Tx) -> tuple[datetime | None, bool]:
            return await find_oldest(tx), _SUBJECT in await find_subjects(tx, AlarmKind.REVIEW)

        oldest, is_raised = await self._store.read(find)
        waits_s = 0.0 if oldest is None else (now - oldest).total_seconds()
        if (waits_s >= self._alarm_after_s) == is_raised:
            return
        detail = (
            f"Messages have been waiting for a person's decision for {waits_s / 3600:.1f} hours; `hongyan reviews list`"
            " shows them. A message whose time ends meanwhile expires."
        )

        async def tell(tx: Tx) -> None:
            if is_raised:
                await clear_alarm(tx, self._clock, AlarmKind.REVIEW, _SUBJECT)
            else:
                await raise_alarm(tx, self._clock, AlarmKind.REVIEW, _SUBJECT, detail)

        await self._store.write(tell)
