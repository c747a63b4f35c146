"""What operators do with webhooks: make, change, delete, give a new secret, try, look at deliveries and repeat them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from gateway.clock import Clock, truncate_ms
from gateway.errors import Conflict, FieldError, InvalidRequest, NotFound
from gateway.ids import make_id
from gateway.model.actor import Actor
from gateway.model.alarm import AlarmKind
from gateway.model.audit import Details
from gateway.model.events import make_event
from gateway.model.webhook import TEST_TYPE, Webhook, find_type_fault
from gateway.outbox.call import host_of
from gateway.pipeline.alarms import clear_alarm
from gateway.store.audit import record_audit
from gateway.store.outbox_gone import (
    Kept,
    count_of_owners,
    find_kept_of,
    list_of_owner,
    make_due,
    move_owner,
    replay,
)
from gateway.store.ports import Store, Tx
from gateway.store.webhook_deliveries import Heard, find_heard, list_heard
from gateway.store.webhook_secrets import add_secret, forget_secrets, owner_of_webhook
from gateway.store.webhooks import delete_webhook, find_webhook, load_webhooks, save_webhook
from gateway.webhooks.bodies import Parcel, event_id, make_body
from gateway.webhooks.caller import Caller, Trial
from gateway.webhooks.directory import Directory
from gateway.webhooks.follow import DOOR, Follower
from gateway.webhooks.signing import show_secret

_CHANGED_BY_HAND = ("name", "url", "types", "tags", "channels", "batch", "enabled")


class Shown(NamedTuple):
    """A webhook with what belongs to it.

    Args:
        pending: events that it is owed.
        secret: a new one, which is shown this once.
    """

    webhook: Webhook
    pending: int = 0
    secret: str | None = None


class WebhookDesk:
    """Where operators change webhooks. Its operations run in the caller's transaction; see `changing`.

    Args:
        find_url_fault: what is wrong with an address, or empty.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        directory: Directory,
        follower: Follower,
        caller: Caller,
        find_url_fault: Callable[[str], str],
    ) -> None:
        self._store = store
        self._clock = clock
        self._directory = directory
        self._follower = follower
        self._caller = caller
        self._find_url_fault = find_url_fault

    def changing(self) -> AbstractContextManager[None]:
        """Around each transaction that changes a webhook, and `changed` after it."""
        return self._directory.changing()

    async def changed(self, webhook_id: str) -> None:
        """A change is committed: go by it."""
        self._directory.forget_secrets(owner_of_webhook(webhook_id))
        await self._directory.reload(webhook_id)
        self._follower.want()
        self._caller.wake()

    def check(self, webhook: Webhook) -> None:
        """Let pass what will do.

        Raises:
            InvalidRequest: each fault with its pointer.
        """
        errors = []
        if fault := self._find_url_fault(webhook.url):
            errors.append(FieldError("/url", "bad_url", fault))
        for n, pattern in enumerate(webhook.types):
            if fault := find_type_fault(pattern):
                errors.append(FieldError(f"/types/{n}", "unknown_type", fault))
        if errors:
            raise InvalidRequest(*errors)

    # ---- operations ----

    def draft(self, **fields: object) -> Webhook:
        """A new webhook, checked.

        Raises:
            InvalidRequest: see `check`.
        """
        now = truncate_ms(self._clock.now())
        wanted = {**fields, "id": make_id(), "created_at": now, "updated_at": now}
        webhook = msgspec.convert(wanted, Webhook)
        self.check(webhook)
        return webhook

    async def create(self, tx: Tx, webhook: Webhook, secret: bytes | None, by: Actor) -> Shown:
        """Keep a drafted one, with a secret of its own.

        Raises:
            Conflict: another has its name, or there are too many.
        """
        await save_webhook(tx, webhook)
        made = await add_secret(tx, owner_of_webhook(webhook.id), webhook.created_at, secret=secret)
        await _record(tx, "webhook.made", webhook, webhook.created_at, by)
        return Shown(webhook, 0, show_secret(made))

    async def change(self, tx: Tx, webhook_id: str, changes: dict[str, object], by: Actor) -> Shown:
        """Change some fields. What it is owed goes to its new address, at once.

        Raises:
            NotFound: there is none with this id.
            Conflict, InvalidRequest: see `create` and `check`.
        """
        before = await _find(tx, webhook_id)
        now = truncate_ms(self._clock.now())
        fields = {name: value for name, value in changes.items() if name in _CHANGED_BY_HAND}
        after = msgspec.structs.replace(before, **fields, updated_at=now)
        if after.enabled and not before.enabled:
            after = msgspec.structs.replace(after, reason=None, disabled_at=None, failing_since=None)
            await clear_alarm(tx, self._clock, AlarmKind.WEBHOOK, webhook_id, by=by)
        elif before.enabled and not after.enabled:
            after = msgspec.structs.replace(after, reason=f"disabled by {by}", disabled_at=now)
        self.check(after)
        await save_webhook(tx, after)
        if after.url != before.url or after.enabled != before.enabled:
            await move_owner(tx, DOOR, owner_of_webhook(webhook_id), host_of(after.url))
        await _record(tx, "webhook.changed", after, now, by)
        return await self.show(tx, webhook_id)

    async def delete(self, tx: Tx, webhook_id: str, by: Actor) -> None:
        """Delete it. What it is owed is dropped bit by bit.

        Raises:
            NotFound: there is none with this id.
        """
        webhook = await _find(tx, webhook_id)
        await delete_webhook(tx, webhook_id)
        await clear_alarm(tx, self._clock, AlarmKind.WEBHOOK, webhook_id, by=by)
        owner = owner_of_webhook(webhook_id)
        await forget_secrets(tx, owner)
        await move_owner(tx, DOOR, owner, host_of(webhook.url))
        await _record(tx, "webhook.deleted", webhook, truncate_ms(self._clock.now()), by)

    async def rotate(self, tx: Tx, webhook_id: str, overlap: timedelta, by: Actor) -> Shown:
        """Give it a new secret; the old one signs, too, for a while.

        Raises:
            NotFound: there is none with this id.
        """
        now = truncate_ms(self._clock.now())
        webhook = await _find(tx, webhook_id)
        secret = await add_secret(tx, owner_of_webhook(webhook_id), now, old_until=now + overlap)
        await _record(tx, "webhook.secret_rotated", webhook, now, by)
        return (await self.show(tx, webhook_id))._replace(secret=show_secret(secret))

    async def show(self, tx: Tx, webhook_id: str) -> Shown:
        """One.

        Raises:
            NotFound: there is none with this id.
        """
        owed = await count_of_owners(tx, DOOR, owner_of_webhook(webhook_id))
        return Shown(await _find(tx, webhook_id), sum(owed.values()))

    async def list_all(self, tx: Tx) -> list[Shown]:
        """All, in the order in which they were made."""
        owed = await count_of_owners(tx, DOOR)
        return [Shown(w, owed.get(owner_of_webhook(w.id), 0)) for w in await load_webhooks(tx)]

    # ---- deliveries ----

    async def list_deliveries(
        self, tx: Tx, owner: str, *, status: str | None, limit: int, before: str | None
    ) -> list[Kept | Heard]:
        """What an owner was told or is owed, the newest first.

        Args:
            status: ``pending``, ``dead`` or ``delivered``; None for all.
            before: the id behind which to go on.
        """
        found: list[Kept | Heard] = []
        if status != "delivered":
            dead = None if status is None else status == "dead"
            found += await list_of_owner(tx, DOOR, owner, dead=dead, limit=limit, before=before)
        if status in {None, "delivered"}:
            found += await list_heard(tx, owner, limit=limit, before=before)
        return sorted(found, key=_id_of, reverse=True)[:limit]

    async def retry(self, tx: Tx, owner: str, delivery_id: str, by: Actor) -> Kept:
        """Try a delivery again, now: one that was given up, or one that waits for its next attempt.

        Raises:
            NotFound: the owner has none with this id.
            Conflict: it was delivered, or waits for one before it.
        """
        now = truncate_ms(self._clock.now())
        kept = await find_kept_of(tx, DOOR, owner, delivery_id)
        if kept is None:
            heard = await find_heard(tx, delivery_id)
            if heard is not None and heard.owner == owner:
                raise Conflict("this event was delivered")
            raise NotFound("there is no delivery with this id")
        if kept.dead_at is not None:
            await replay(tx, delivery_id, now + self._caller.terms.retry_for)
        elif not await make_due(tx, kept.owed, now):
            raise Conflict("this event waits for an earlier one of the same message; retry that one")
        await record_audit(tx, by, "webhook.delivery_retried", delivery_id, {"owner": owner}, at=now)
        found = await find_kept_of(tx, DOOR, owner, delivery_id)
        assert found is not None
        return found

    def wake(self) -> None:
        """Something is due."""
        self._caller.wake()

    # ---- trial ----

    async def find(self, webhook_id: str) -> Webhook:
        """One, as it is in the store.

        Raises:
            NotFound: there is none with this id.
        """
        return await self._store.read(lambda tx: _find(tx, webhook_id))

    async def test(self, webhook: Webhook, by: Actor) -> Trial:
        """Call it now with an event of type ``webhook.test``; nothing is kept, and nothing repeated."""
        now = truncate_ms(self._clock.now())
        event = make_event(
            TEST_TYPE, now, webhook.id, {"id": webhook.id, "name": webhook.name, "by": str(by)}
        )
        await self._store.write(lambda tx: record_audit(tx, by, "webhook.tested", webhook.id, at=now))
        owner = owner_of_webhook(webhook.id)
        parcel = Parcel(now, TEST_TYPE, webhook.id, make_body(event, {}))
        return await self._caller.test(owner, webhook, event_id(event, owner), parcel)


async def _find(tx: Tx, webhook_id: str) -> Webhook:
    webhook = await find_webhook(tx, webhook_id)
    if webhook is None:
        raise NotFound("there is no webhook with this id")
    return webhook


def _id_of(one: Kept | Heard) -> str:
    return one.owed.id if isinstance(one, Kept) else one.id


async def _record(tx: Tx, kind: str, webhook: Webhook, at: datetime, by: Actor) -> None:
    told: dict[str, str | Sequence[str] | bool] = {
        "id": webhook.id,
        "name": webhook.name,
        "types": webhook.types,
        "enabled": webhook.enabled,
        "by": str(by),
    }
    tx.record(make_event(kind, at, webhook.id, told))
    details: Details = {
        "name": webhook.name,
        "host": host_of(webhook.url),
        "types": webhook.types,
        "enabled": webhook.enabled,
    }
    await record_audit(tx, by, kind, webhook.id, details, at=at)
