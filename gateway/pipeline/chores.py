"""The chores of `gateway.pipeline.retention`: which rows of the gateway's own tables go, and when."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple, Protocol

from gateway.pipeline.replies import REPLY_AGAIN
from gateway.pipeline.retention import Chore, Step
from gateway.store.alerts import forget_alerts
from gateway.store.audit import forget_audit
from gateway.store.consents import forget_consents
from gateway.store.costs import KEEP as KEEP_SUMS
from gateway.store.costs import forget_sums
from gateway.store.esme import forget_submits
from gateway.store.events import forget_events
from gateway.store.holds import forget_holds
from gateway.store.inbound import forget_inbound, forget_parts
from gateway.store.kannel import forget_wishes
from gateway.store.keys import forget_answers
from gateway.store.keyword_replies import forget_replies
from gateway.store.numbers import KEEP_FAILURES, forget_counts, forget_old_failures
from gateway.store.old_messages import Ages, OldMessage, drop_messages, empty_texts, list_by_age
from gateway.store.outbox_gone import KEEP_DEAD, forget_dead
from gateway.store.poison import forget_aside
from gateway.store.ports import Store, Tx
from gateway.store.readers import KEPT_UNSEEN, drop_readers, lowest_place
from gateway.store.receipts import forget_early
from gateway.store.retention import RECEIPT_MAY_COME
from gateway.store.reviews import forget_reviews
from gateway.store.routes import forget_sticky
from gateway.store.touches import forget_touches
from gateway.store.users import forget_sessions
from gateway.store.webhook_deliveries import forget_heard
from gateway.store.webhooks import forget_callbacks

_log = logging.getLogger(__name__)

AT_ONCE: Final = 200
"""Rows that a step removes, or looks at: some milliseconds of the store's time."""
MESSAGES_AT_ONCE: Final = 100
"""Messages that a step deletes: each has rows in several tables."""
LOOKED_AT: Final = 300
"""Messages that a step looks at beside the writers."""

KEEP_ANSWERS: Final = timedelta(hours=24)
"""How long an Idempotency-Key is remembered."""
KEEP_PARTS: Final = timedelta(days=7)
"""How long the network may repeat an inbound part that we have."""
KEEP_ALERTS: Final = timedelta(days=30)
"""How long an alarm of a monitoring tool may be looked at after the tool last spoke of it."""
KEEP_SUBMITS: Final = timedelta(days=35)
"""After the last change of a message: longer than a network tries, so that its receipt finds who is to be told."""
KEEP_ASIDE: Final = timedelta(days=90)
"""What our own code failed on, for who mends it."""
KEEP_WISHES: Final = timedelta(days=7)
"""How long a wish for reports outlives its message's end: an operator may send it again."""

_HEARD_S: Final = 7 * 86_400.0


class Keeping(NamedTuple):
    """How long each kind is kept, in seconds; 0 is for ever. See `gateway.settings.retention`.

    Args:
        heard: which events receivers have heard of (`gateway.settings.webhooks.WebhookSettings`); 0 for a week.
        touches: what went to a number, while it counts; 0 where nothing is counted.
        consents: what once held, after something else took its place.
    """

    texts: float = 0.0
    messages: float = 0.0
    events: float = 0.0
    inbound: float = 0.0
    receipts: float = 0.0
    heard: float = 0.0
    audit: float = 0.0
    touches: float = 0.0
    consents: float = 0.0


Forget = Callable[[Tx, datetime, int], Awaitable[int]]
"""Deletes the oldest rows from before an instant, at most so many; how many it deleted."""


def make_chores(keeping: Keeping) -> list[Chore]:
    """All there is to do; kinds that are kept for ever have no chore."""
    events = min((s for s in (keeping.events, keeping.messages) if s), default=0.0)
    by_setting = (
        (keeping.receipts, Chore("receipts", _by_age(_seconds(keeping.receipts), forget_early))),
        (events, Chore("events", partial(_once_read, _seconds(events), forget_events))),
        (keeping.inbound, Chore("inbound", partial(_once_read, _seconds(keeping.inbound), forget_inbound))),
        (keeping.texts, Chore("texts", partial(_empty, _seconds(keeping.texts)), goes_on=True)),
        (keeping.audit, Chore("audit", _by_age(_seconds(keeping.audit), forget_audit))),
        (keeping.consents, Chore("consents", partial(_along, _seconds(keeping.consents), forget_consents))),
        (keeping.messages, Chore("messages", partial(_drop, _seconds(keeping.messages)))),
    )
    return [
        Chore("timeline_readers", _drop_readers),
        Chore("answers", _by_age(KEEP_ANSWERS, forget_answers)),
        Chore("keyword_replies", _by_age(REPLY_AGAIN, forget_replies)),
        Chore("outbox_dead", _by_age(KEEP_DEAD, forget_dead)),
        Chore("alerts", _by_age(KEEP_ALERTS, forget_alerts)),
        Chore("set_aside", _by_age(KEEP_ASIDE, forget_aside)),
        Chore("touches", _by_age(_seconds(keeping.touches), forget_touches)),
        Chore("sessions", _by_age(timedelta(0), forget_sessions)),
        Chore("sticky_channels", _by_age(timedelta(0), forget_sticky)),
        Chore("inbound_parts", _by_age(KEEP_PARTS, forget_parts)),
        Chore("smpp_submits", partial(_along, KEEP_SUBMITS, forget_submits)),
        Chore("dead_numbers", _by_age(KEEP_FAILURES, forget_old_failures)),
        Chore("number_counts", _by_age(timedelta(0), forget_counts)),
        Chore("cost_sums", _by_age(KEEP_SUMS, forget_sums)),
        Chore("kannel_wishes", partial(_along, KEEP_WISHES, forget_wishes)),
        Chore("holds", partial(_along, timedelta(), forget_holds)),
        Chore("reviews", partial(_along, timedelta(), forget_reviews)),
        Chore("webhook_callbacks", partial(_along, KEEP_WISHES, forget_callbacks)),
        Chore("webhook_deliveries", _by_age(_seconds(keeping.heard or _HEARD_S), forget_heard)),
        *(chore for seconds, chore in by_setting if seconds),
    ]


def _seconds(keep: float) -> timedelta:
    return timedelta(seconds=keep)


def _by_age(keep: timedelta, forget: Forget) -> Callable[[Store, datetime, str], Awaitable[Step]]:
    """The chore of a table that is in the order of its age."""

    async def step(store: Store, now: datetime, _after: str) -> Step:
        n_rows = await store.write(lambda tx: forget(tx, now - keep, AT_ONCE))
        return Step(n_rows, "" if n_rows >= AT_ONCE else None)

    return step


Along = Callable[[Tx, datetime, str, int], Awaitable[tuple[int, str | None]]]
"""Looks at some rows behind one; how many it deleted, and the last it looked at, or None at the end."""


async def _along(keep: timedelta, forget: Along, store: Store, now: datetime, after: str) -> Step:
    """The chore of a table of which some stay in the midst of others that go."""
    n_rows, last = await store.write(lambda tx: forget(tx, now - keep, after, AT_ONCE))
    return Step(n_rows, last)


async def _drop_readers(store: Store, now: datetime, _after: str) -> Step:
    """Who has gone for good holds no events back."""
    names = await store.write(lambda tx: drop_readers(tx, now - KEPT_UNSEEN))
    for name in names:
        _log.warning("retention: %s has not read the timeline for days and is not waited for any more", name)
    return Step(len(names))


class ForgetRead(Protocol):
    """Deletes the oldest rows from before an instant, out of so many, that nobody has still to read of."""

    async def __call__(self, tx: Tx, before: datetime, limit: int, *, read_to: int) -> int:
        """How many it deleted."""
        ...


async def _once_read(keep: timedelta, forget: ForgetRead, store: Store, now: datetime, _after: str) -> Step:
    """The chore of a table that followers of the timeline look into."""

    async def op(tx: Tx) -> int:
        return await forget(tx, now - keep, AT_ONCE, read_to=await lowest_place(tx))

    n_rows = await store.write(op)
    return Step(n_rows, "" if n_rows >= AT_ONCE else None)


Remove = Callable[[Tx, Sequence[str], Ages], Awaitable[int]]


async def _empty(keep: timedelta, store: Store, now: datetime, after: str) -> Step:
    return await _walk(
        store, now, after, keep, empty_texts, lambda message: message.is_over and not message.is_empty
    )


async def _drop(keep: timedelta, store: Store, now: datetime, after: str) -> Step:
    return await _walk(store, now, after, keep, drop_messages, lambda message: message.is_over)


async def _walk(
    store: Store,
    now: datetime,
    after: str,
    keep: timedelta,
    remove: Remove,
    is_due: Callable[[OldMessage], bool],
) -> Step:
    """Messages, in the order in which they came: looked at beside the writers, and those that are due are removed."""

    async def look(tx: Tx) -> tuple[Ages, list[OldMessage]]:
        ages = Ages(now - keep, now - RECEIPT_MAY_COME, await lowest_place(tx))
        return ages, await list_by_age(tx, after, ages, LOOKED_AT)

    ages, found = await store.read(look)
    old = [message for message in found if message.changed_at < ages.before]
    due = [message for message in old if is_due(message)][:MESSAGES_AT_ONCE]
    if not old:
        return Step(0)
    last = due[-1] if len(due) == MESSAGES_AT_ONCE else old[-1]
    n_rows = await store.write(lambda tx: remove(tx, [message.id for message in due], ages)) if due else 0
    overdue_s = max(((ages.before - message.changed_at).total_seconds() for message in due), default=0.0)
    return Step(n_rows, last.id, overdue_s)
