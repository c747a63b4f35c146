"""Calls receivers: signed, in order for each message, until they have heard or it is too late."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Final, NamedTuple

from gateway.clock import Clock
from gateway.model.alarm import AlarmKind
from gateway.model.events import make_event
from gateway.model.webhook import Webhook
from gateway.outbox.call import Answer, Sessions
from gateway.outbox.deliver import AtOnce, Deliverer, Missed, Patience, Taken
from gateway.outbox.outcall import OutCall
from gateway.pipeline.alarms import raise_alarm
from gateway.store.outbox import Lane, Owed
from gateway.store.outbox_gone import bury_some, drop_some
from gateway.store.ports import Store, Tx
from gateway.store.webhook_deliveries import Heard, save_heard
from gateway.store.webhook_secrets import webhook_of
from gateway.store.webhooks import disable_webhook, mark_failing
from gateway.telemetry.metrics import Metrics, labeled
from gateway.webhooks.bodies import JSON, Parcel, batch_id, make_batch, unpack
from gateway.webhooks.directory import Directory
from gateway.webhooks.follow import DOOR
from gateway.webhooks.signing import sign
from gateway.webhooks.terms import Terms

AT_ONCE: Final = AtOnce(all=128, of_owner=16, of_host=16)
PATIENCE: Final = Patience(
    first_s=5.0,
    longest_s=4 * 3_600.0,
    spread=(1.0, 1.1),
    rest_after=10,
    rest_first_s=15.0,
    rest_longest_s=600.0,
)
"""5 s, 10 s, 20 s ... 4 hours, until it is given up."""
_REMEDY: Final = (
    "Mend its receiver, then `hongyan webhooks update NAME --enable` and `hongyan webhooks retry NAME`."
)
_log = logging.getLogger(__name__)


class _Target(NamedTuple):
    """Where a call goes.

    Args:
        webhook: whose it is; None for a message's own callback URL.
    """

    url: str
    webhook: Webhook | None = None


class Trial(NamedTuple):
    """What came of a call that was made to see whether it is heard.

    Args:
        status: of HTTP; 0 where there was no answer.
        fault: why it was not heard; empty when it was.
    """

    status: int
    fault: str
    seconds: float


class Caller:
    """Makes the calls that the outbox holds.

    Args:
        directory: who is called.
        sessions: owned by the caller of this.
        rng: spreads repeats.

    Attributes:
        terms: how long each thing may take, as last adopted.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        directory: Directory,
        sessions: Sessions,
        metrics: Metrics,
        terms: Terms,
        rng: random.Random | None = None,
    ) -> None:
        self._clock = clock
        self._directory = directory
        self._sessions = sessions
        self._metrics = metrics
        self.terms = terms
        self._deliverer = Deliverer(
            store, clock, DOOR, self._make, most=self._most, at_once=AT_ONCE, patience=PATIENCE, rng=rng
        )

    def wake(self) -> None:
        """There are new calls, or time has passed."""
        self._deliverer.wake()

    def adopt(self, terms: Terms) -> None:
        """Go by these from the next call on."""
        self.terms = terms

    async def run(self) -> None:
        """Call for ever. Cancel: calls under way are made again at the next start."""
        await self._deliverer.run()

    def _most(self, lane: Lane) -> int:
        webhook = self._directory.find(webhook_of(lane.owner) or "")
        return 1 if webhook is None else webhook.batch

    async def _make(self, together: Sequence[Owed]) -> Taken | Missed:
        lane = together[0].lane
        parcels = [unpack(owed.payload) for owed in together]
        target = _Target(parcels[0].url)
        if (webhook_id := webhook_of(lane.owner)) is not None:
            webhook = self._directory.find(webhook_id)
            if webhook is None:
                return Taken(lambda tx: drop_some(tx, lane))
            if not webhook.enabled:
                return self._give_up(lane, f"the webhook is disabled: {webhook.reason}")
            target = _Target(webhook.url, webhook)
        call = await self.prepare(lane.owner, target.url, target.webhook, [o.id for o in together], parcels)
        began = self._clock.monotonic()
        answer = await self._sessions.ask(call, wants_body=False, timeout_s=self.terms.timeout_s)
        self._metrics.webhook_call_seconds.observe(self._clock.monotonic() - began)
        labeled(self._metrics.webhook_calls, _outcome(answer)).inc()
        if answer.fault:
            return self._missed(lane, target, answer)
        self._metrics.webhook_events.inc(len(together))
        return self._heard(target, together, parcels)

    async def prepare(
        self, owner: str, url: str, webhook: Webhook | None, ids: Sequence[str], parcels: Sequence[Parcel]
    ) -> OutCall:
        """A call, signed now.

        Args:
            owner: whose secrets sign it.
            webhook: decides the form; None for the plain one.
            ids: of the events.
        """
        at = self._clock.now()
        call_id, body = ids[0], parcels[0].body
        if webhook is not None and webhook.batch > 1:
            call_id, body = batch_id(ids), make_batch(ids, parcels)
        at_s = int(at.timestamp())
        headers = {
            "Content-Type": JSON,
            "webhook-id": call_id,
            "webhook-timestamp": str(at_s),
            "webhook-signature": sign(await self._directory.secrets(owner), call_id, at_s, body),
        }
        return OutCall(method="POST", url=url, headers=headers, body=body)

    async def test(self, owner: str, webhook: Webhook, call_id: str, parcel: Parcel) -> Trial:
        """Call a webhook with one event, whatever its state."""
        call = await self.prepare(owner, webhook.url, webhook, [call_id], [parcel])
        began = self._clock.monotonic()
        answer = await self._sessions.ask(call, wants_body=False, timeout_s=self.terms.timeout_s)
        return Trial(answer.status, answer.fault, self._clock.monotonic() - began)

    def _heard(self, target: _Target, together: Sequence[Owed], parcels: Sequence[Parcel]) -> Taken:
        now = self._clock.now()
        heard = [
            Heard(
                owed.id, owed.lane.owner, parcel.kind, parcel.about, owed.attempts + 1, owed.created_at, now
            )
            for owed, parcel in zip(together, parcels, strict=True)
        ]
        webhook = target.webhook
        was_failing = webhook is not None and webhook.failing_since is not None

        async def save(tx: Tx) -> None:
            await save_heard(tx, heard)
            if webhook is not None and was_failing:
                await mark_failing(tx, webhook.id, None)

        def then() -> None:
            if webhook is not None and was_failing:
                self._directory.note_failing(webhook.id, None)

        return Taken(save, then)

    def _missed(self, lane: Lane, target: _Target, answer: Answer) -> Missed:
        webhook, now = target.webhook, self._clock.now()
        is_gone = answer.status == HTTPStatus.GONE
        if webhook is None:
            return Missed(answer.fault, answer.asked_s, is_final=is_gone)
        since = webhook.failing_since or now
        if is_gone:
            return self._disable(lane, webhook, "it answered 410 Gone", answer, now)
        if now - since >= self.terms.disable_after:
            days = (now - since).total_seconds() / 86_400
            return self._disable(lane, webhook, f"no call was heard for {days:.1f} days", answer, now)
        if webhook.failing_since is not None:
            return Missed(answer.fault, answer.asked_s)
        return Missed(
            answer.fault,
            answer.asked_s,
            save=lambda tx: mark_failing(tx, webhook.id, since),
            then=lambda: self._directory.note_failing(webhook.id, since),
        )

    def _disable(self, lane: Lane, webhook: Webhook, why: str, answer: Answer, now: datetime) -> Missed:
        reason, is_news = f"{why}; the last fault: {answer.fault}", False

        async def save(tx: Tx) -> None:
            nonlocal is_news  # other calls may be under way that are missed, too
            if is_news := await disable_webhook(tx, webhook.id, reason, now):
                told = {"id": webhook.id, "name": webhook.name, "reason": reason}
                tx.record(make_event("webhook.disabled", now, webhook.id, told))
                detail = f"The webhook {webhook.name} is not called any more: {reason}. {_REMEDY}"
                await raise_alarm(tx, self._clock, AlarmKind.WEBHOOK, webhook.id, detail)
            await bury_some(tx, lane, f"the webhook is disabled: {reason}", now)

        def then() -> None:
            self._directory.note_disabled(webhook.id, reason, now)
            if not is_news:
                return
            self._metrics.webhooks_disabled.inc()
            _log.error("webhook %s is disabled and not called any more: %s", webhook.name, reason)

        return Missed(answer.fault, is_final=True, save=save, then=then)

    def _give_up(self, lane: Lane, fault: str) -> Missed:
        now = self._clock.now()
        return Missed(fault, is_final=True, save=lambda tx: bury_some(tx, lane, fault, now))


def _outcome(answer: Answer) -> str:
    """How a call ended, as a label of few values."""
    if not answer.fault:
        return "heard"
    return f"status_{answer.status // 100}xx" if answer.status else "no_answer"
