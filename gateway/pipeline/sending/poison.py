"""Poison: a message that makes our own code fail is tried again by itself, later, and set aside after its attempts.

It never stops a queue. What is said of it is where our code failed (`drivers.broken.where_broke`), never what it holds.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

import msgspec

from drivers.broken import INTERNAL_ERROR, where_broke
from gateway.clock import Clock, truncate_ms
from gateway.errors import StoreError
from gateway.model.alarm import AlarmKind
from gateway.model.events import MessageEvent, make_event, message_event
from gateway.model.lifecycle import Cause, may, moved
from gateway.model.message import MessageError, Segment, SegmentStatus
from gateway.pipeline.alarms import raise_alarm
from gateway.routing.retry import RetryPolicy, TryAgain, decide_broken
from gateway.store.changes import Change, save_change
from gateway.store.messages import find_to_change
from gateway.store.poison import Ended, end_unread
from gateway.store.ports import Store, Tx

_log = logging.getLogger(__name__)


class SetAside:
    """Takes messages that our own code fails on.

    Args:
        policy: how often one is tried, and when.
    """

    def __init__(self, store: Store, clock: Clock, policy: RetryPolicy) -> None:
        self._store = store
        self._clock = clock
        self.policy = policy

    async def do_apart(
        self, owners: Mapping[str, str | None], do: Callable[[str], Awaitable[object]], place: str
    ) -> int:
        """Do for one message after the other what broke when it was done for all; those that break are set aside.

        Args:
            owners: message id -> who was sending it, if anybody.
            do: the work for one message.
            place: what was being done, for people.

        Returns:
            How many broke.

        Raises:
            StoreError: some are not done.
        """
        n_broken = 0
        for message_id, owner in owners.items():
            try:
                await do(message_id)
            except StoreError:
                raise
            except Exception as exc:  # noqa: BLE001 - a supervisor: one message must not stop the others
                n_broken += 1
                await self.take(message_id, exc, place, owner=owner)
        return n_broken

    async def take(self, message_id: str, broke: Exception, place: str, *, owner: str | None = None) -> None:
        """Put a message off that waits, or end it after its last attempt; one that may be on a wire is uncertain then.

        Raises:
            StoreError: nothing was written.
        """
        _log.error("hongyan failed on message %s (%s): %s", message_id, place, where_broke(broke))
        detail = f"hongyan itself failed on it ({place}): {where_broke(broke)}."
        error = MessageError(code=INTERNAL_ERROR, detail=detail)
        try:
            await self._store.write(partial(self._put_off, message_id=message_id, error=error, place=place))
        except StoreError:
            raise
        except Exception as exc:  # noqa: BLE001 - it can't even be read
            _log.error("message %s is ended unread: %s", message_id, where_broke(exc))
            await self._store.write(
                partial(self._end_unread, message_id=message_id, owner=owner, error=error, place=place)
            )

    async def _put_off(self, tx: Tx, message_id: str, error: MessageError, place: str) -> None:
        whole = await find_to_change(tx, message_id)
        if whole is None:
            return
        message, segments = whole
        if not may(message.status, Cause.BROKE):
            raise _OnWire
        now = truncate_ms(self._clock.now())
        waiting = next((s for s in segments if s.status is SegmentStatus.QUEUED), segments[0])
        tried: Segment = msgspec.structs.replace(waiting, attempts=waiting.attempts + 1)
        decision = decide_broken(self.policy, message.category, message_id, tried.attempts)
        if isinstance(decision, TryAgain):
            until = now + timedelta(seconds=decision.after_s)
            after = msgspec.structs.replace(message, error=error, updated_at=now)
            await save_change(tx, Change(message, after, [(waiting, tried)], until))
        else:
            failed = moved(message, Cause.BROKE, error=error, updated_at=now)
            failed = await save_change(tx, Change(message, failed, [(waiting, tried)]))
            tx.record(message_event(failed, now, part=tried.part, attempt=tried.attempts))
        await raise_internal(tx, self._clock, place, message_id, error)

    async def _end_unread(
        self, tx: Tx, message_id: str, owner: str | None, error: MessageError, place: str
    ) -> None:
        now = truncate_ms(self._clock.now())
        ended = await end_unread(tx, message_id, owner, f"{error.code}: {error.detail}", now)
        if ended is not None:
            tx.record(make_event(f"message.{ended.status}", now, message_id, _told(message_id, ended, error)))
            await raise_internal(tx, self._clock, place, message_id, error)


class _OnWire(Exception):
    """It does not wait: only its owner's statement, or `end_unread`, may settle it."""


def _told(message_id: str, ended: Ended, error: MessageError) -> MessageEvent:
    return MessageEvent(
        id=message_id,
        to=ended.recipient,
        status=ended.status,
        category="transactional",
        error=f"{error.code}: {error.detail}",
    )


async def raise_internal(tx: Tx, clock: Clock, place: str, what: str, error: MessageError) -> None:
    """Tell a person that our own code failed.

    Args:
        place: what was being done; the alarm's subject.
        what: the message, or whatever it failed on.
    """
    detail = f"It failed on {what}, which does not stop the others. {error.detail} Please report this with the log."
    await raise_alarm(tx, clock, AlarmKind.INTERNAL_ERROR, place, detail)
