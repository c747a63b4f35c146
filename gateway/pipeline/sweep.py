"""Sweep: what time alone does. Schedules and pauses that end, messages that expire, owners that died.

What is over and old is deleted by `gateway.pipeline.retention`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from drivers.base import Uncertain
from drivers.broken import where_broke
from gateway.clock import STEP_S, Clock, ahead_s, truncate_ms
from gateway.errors import StoreError
from gateway.model.events import message_event
from gateway.model.lifecycle import VERDICT_CAUSES, Cause, decide_verdict, moved
from gateway.model.message import Message, MessageStatus, SegmentStatus
from gateway.pipeline.inbound import Inbox
from gateway.pipeline.operator.review_watch import ALARM_AFTER_S, ReviewWatch
from gateway.pipeline.sending.ending import EXPIRED, UNDECIDED, end_messages
from gateway.pipeline.sending.outcomes import record_refused
from gateway.pipeline.sending.poison import SetAside
from gateway.routing.order import band_of, make_rank
from gateway.routing.retry import RetryPolicy, decide_retry, jitter_of
from gateway.routing.shares import Shares
from gateway.store.changes import Change, save_change
from gateway.store.leases import beat, forget_instances, release_others
from gateway.store.messages import Whole, load_whole
from gateway.store.ports import Store, Tx
from gateway.store.queue import (
    AT_ONCE,
    end_misdated_pauses,
    find_expired,
    find_hidden_due,
    find_orphans,
    unhide,
)
from gateway.store.reviews import find_in_review
from gateway.store.shares import set_ranks

_log = logging.getLogger(__name__)

TICK_S = 0.5
"""How late a schedule or the end of a pause may be noticed."""
SLOW_TICK_S = 10.0
"""Heartbeat, expiry and dead owners."""
OWNER_TIMEOUT = timedelta(seconds=60)
"""An instance without a heartbeat for so long is dead."""
BATCH = 200
"""Messages that are changed in one transaction."""
PROGRESS_S = 5.0
"""How often a long start says how far it is."""

_DIED = Uncertain(
    code="interrupted",
    detail="The gateway stopped or broke while this segment was on the wire; it may or may not have gone out.",
)


class Sweeper:
    """Does the work of time.

    Args:
        instance: this daemon's id.
        review_alarm_s: how long a message may wait for a person before somebody is told.
        policy: what becomes of segments whose owner died.
        shares: the lines that scheduled messages join when their time comes.

    Attributes:
        reviews: looks after messages that wait long for a person.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        inbox: Inbox,
        review_alarm_s: float = ALARM_AFTER_S,
        *,
        instance: str,
        policy: RetryPolicy,
        shares: Shares,
    ) -> None:
        self._shares = shares
        self._store = store
        self._clock = clock
        self._inbox = inbox
        self._instance = instance
        self._policy = policy
        self.reviews = ReviewWatch(store, clock, review_alarm_s)
        self._set_aside = SetAside(store, clock, policy)
        self._ahead_s = math.inf

    def adopt(self, policy: RetryPolicy) -> None:
        """Go by another policy from now on."""
        self._policy = self._set_aside.policy = policy

    async def recover(self) -> int:
        """At start: settle what the dead left; how many messages.

        On a store that is ours alone all others are dead; elsewhere those without a heartbeat.
        """
        await self._store.write(self._take_over if self._store.is_exclusive else self._live)
        total = 0
        told_at = self._clock.monotonic()
        while n := await self._adopt_orphans():
            total += n
            if self._clock.monotonic() - told_at >= PROGRESS_S:
                told_at = self._clock.monotonic()
                _log.info("%d messages that were being sent are settled so far", total)
        if total:
            _log.warning(
                "%d messages were being sent when the gateway stopped; their fate is on record", total
            )
        return total

    async def _take_over(self, tx: Tx) -> None:
        await forget_instances(tx, keep=self._instance)
        await release_others(tx, self._instance)
        await beat(tx, self._instance, self._clock.now())

    async def _live(self, tx: Tx) -> None:
        """Say that this instance lives, and forget the dead; their messages are found all the same."""
        now = self._clock.now()
        await forget_instances(tx, keep=self._instance, before=now - OWNER_TIMEOUT)
        await beat(tx, self._instance, now)

    async def run(self) -> None:
        """Sweep until cancelled. Cancel: nothing is left half done."""
        slow_at = self._clock.monotonic()
        while True:
            try:
                while await self.promote_due() == BATCH and self._clock.monotonic() < slow_at:
                    pass  # a campaign comes due at once; others must hear all the same that we live
                if self._clock.monotonic() >= slow_at:
                    slow_at = self._clock.monotonic() + SLOW_TICK_S
                    await self._store.write(self._live)
                    await self._end_misdated_pauses()
                    while await self.expire() == BATCH and self._clock.monotonic() < slow_at:
                        pass
                    await self._adopt_orphans()
                    await self._inbox.give_out_stale()
                    await self.reviews.look()
            except StoreError as exc:
                _log.warning("sweep skipped: %s", exc)
            except Exception as exc:  # noqa: BLE001 - a supervisor: what time does must go on
                _log.error("sweep broke, and goes on: %s", where_broke(exc))
            await asyncio.sleep(TICK_S)

    async def _end_misdated_pauses(self) -> None:
        """If the clock was put back since the last look; the first one looks at earlier runs, of which nobody knows."""
        now_ahead_s = ahead_s(self._clock)
        if now_ahead_s < self._ahead_s - STEP_S:
            margin = timedelta(seconds=STEP_S)
            while (
                await self._store.write(lambda tx: end_misdated_pauses(tx, self._clock.now(), margin))
                == AT_ONCE
            ):
                pass
        self._ahead_s = now_ahead_s

    async def promote_due(self) -> int:
        """Make scheduled messages queued, and paused ones claimable, when their time has come; how many."""
        now = self._clock.now()

        due = await self._store.read(lambda tx: find_hidden_due(tx, now, BATCH))
        paused = [message_id for message_id, status in due if status == MessageStatus.QUEUED]
        scheduled = await self._load_scheduled([i for i, status in due if status == MessageStatus.SCHEDULED])
        # A message that was scheduled long ago joins its owner's line now; by its age it would go before all others.
        ranks: dict[str, int] = {message.id: self._rank_now(message) for message in scheduled}

        async def promote(tx: Tx, message_ids: Sequence[str]) -> None:
            for message, _ in await load_whole(tx, message_ids, to_change=True):
                if message.status is MessageStatus.SCHEDULED:
                    await _requeue(tx, message, truncate_ms(now))
            await set_ranks(tx, [(ranks[message_id], message_id) for message_id in message_ids])

        if paused:
            await self._store.write(lambda tx: unhide(tx, paused, now))
        await self._for_all(dict.fromkeys(ranks), promote, "schedule")
        return len(due)

    async def _load_scheduled(self, message_ids: Sequence[str]) -> list[Message]:
        """Messages whose time has come; those that can't be read are set aside."""
        try:
            return [w.message for w in await self._store.read(lambda tx: load_whole(tx, message_ids))]
        except StoreError:
            raise
        except Exception as exc:  # noqa: BLE001 - a supervisor: one message must not stop the others
            _log.error("a scheduled message can't be read: %s", where_broke(exc))
        await self._set_aside.do_apart(
            dict.fromkeys(message_ids),
            lambda one: self._store.read(lambda tx: load_whole(tx, [one])),
            "schedule",
        )
        return []

    def _rank_now(self, message: Message) -> int:
        band = band_of(message.category, message.priority)
        tag = self._shares.join(message.queue, band, message.key_id or "", message.n_segments)
        return make_rank(message.category, message.priority, tag)

    async def expire(self) -> int:
        """End waiting messages whose time is over; how many."""

        async def end(tx: Tx, message_ids: Sequence[str]) -> None:
            undecided = await find_in_review(tx, message_ids)
            for ids, error in (
                ([one for one in message_ids if one not in undecided], EXPIRED),
                (sorted(undecided), UNDECIDED),
            ):
                await end_messages(tx, ids, Cause.EXPIRED, error, self._clock)

        expired = await self._store.read(lambda tx: find_expired(tx, self._clock.now(), BATCH))
        await self._for_all(dict.fromkeys(expired), end, "expiry")
        return len(expired)

    async def _for_all(
        self, owners: Mapping[str, str | None], op: Callable[[Tx, Sequence[str]], Awaitable[None]], place: str
    ) -> None:
        """Do something for some messages in one transaction, or for each apart where that breaks.

        Args:
            owners: message id -> who was sending it, if anybody.
        """
        if not owners:
            return
        try:
            await self._store.write(lambda tx: op(tx, list(owners)))
        except StoreError:
            raise
        except Exception as exc:  # noqa: BLE001 - a supervisor: one message must not stop the others
            _log.error(
                "%s of %d messages broke; each is done apart: %s", place, len(owners), where_broke(exc)
            )
            await self._set_aside.do_apart(
                owners, lambda one: self._store.write(lambda tx: op(tx, [one])), place
            )

    async def _adopt_orphans(self) -> int:
        alive_since = self._clock.now() - OWNER_TIMEOUT

        found = await self._store.read(
            lambda tx: find_orphans(tx, alive_since, BATCH, instance=self._instance)
        )

        async def adopt(tx: Tx, message_ids: Sequence[str]) -> None:
            now = truncate_ms(self._clock.now())
            for whole in await load_whole(tx, message_ids, to_change=True):
                if whole.message.owner == found[whole.message.id]:
                    await self._adopt(tx, whole, now)

        await self._for_all(found, adopt, "recovery")
        return len(found)

    async def _adopt(self, tx: Tx, orphan: Whole, now: datetime) -> None:
        message, segments = orphan
        on_wire = next((s for s in segments if s.status is SegmentStatus.SENDING), None)
        if on_wire is None:
            # Nothing of it can be on a wire: its owner died between two writes.
            cause = VERDICT_CAUSES[decide_verdict([s.status for s in segments])]
            state = moved(message, cause, updated_at=now)
            await save_change(tx, Change(message, state))
            tx.record(message_event(state, now))
        else:
            decision = decide_retry(
                self._policy,
                _DIED,
                on_wire.attempts,
                jitter_of(message.id, on_wire.attempts),
                category=message.category,
            )
            await record_refused(tx, message, on_wire, _DIED, decision, now)


async def _requeue(tx: Tx, message: Message, now: datetime) -> None:
    queued = moved(message, Cause.DUE, updated_at=now)
    await save_change(tx, Change(message, queued))
    tx.record(message_event(queued, now))
