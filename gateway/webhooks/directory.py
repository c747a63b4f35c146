"""Who is called: standing webhooks and secrets, as they were last read, so that a call costs no look into the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import msgspec

from gateway.clock import Clock
from gateway.model.webhook import Webhook
from gateway.store.ports import Store, Tx
from gateway.store.webhook_secrets import load_secrets, need_secrets
from gateway.store.webhooks import find_webhook, load_webhooks

SECRETS_S = 5.0
"""How long secrets are believed: another process may give an API key a new one."""
_MOST_SECRETS = 10_000


class Directory:
    """All webhooks.

    Attributes:
        has_callbacks: whether any message may have a callback URL of its own.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._webhooks: dict[str, Webhook] = {}
        self._n_changing = 0
        self._secrets: dict[str, tuple[float, Sequence[bytes]]] = {}
        self.has_callbacks = False

    async def load(self) -> None:
        """Read all webhooks anew."""
        self._webhooks = {webhook.id: webhook for webhook in await self._store.read(load_webhooks)}

    @contextmanager
    def changing(self) -> Iterator[None]:
        """While something is changed in the store: who must not miss it looks there. `load` it before this ends."""
        self._n_changing += 1
        try:
            yield
        finally:
            self._n_changing -= 1

    def find(self, webhook_id: str) -> Webhook | None:
        """One, as last read."""
        return self._webhooks.get(webhook_id)

    async def find_enabled(self, tx: Tx) -> list[Webhook]:
        """Those that are called for events that ``tx`` can see."""
        webhooks = await load_webhooks(tx) if self._n_changing else self._webhooks.values()
        return [webhook for webhook in webhooks if webhook.enabled]

    def count(self) -> dict[str, int]:
        """How many there are, by state."""
        n_enabled = sum(webhook.enabled for webhook in self._webhooks.values())
        return {"enabled": n_enabled, "disabled": len(self._webhooks) - n_enabled}

    def note_failing(self, webhook_id: str, since: datetime | None) -> None:
        """Its calls fail since an instant, or don't any more, and that is committed."""
        self._replace(webhook_id, failing_since=since)

    def note_disabled(self, webhook_id: str, reason: str, at: datetime) -> None:
        """It is not called any more, and that is committed."""
        self._replace(webhook_id, enabled=False, reason=reason, disabled_at=at, updated_at=at)

    def _replace(self, webhook_id: str, **changes: object) -> None:
        if (webhook := self._webhooks.get(webhook_id)) is not None:
            self._webhooks[webhook_id] = msgspec.structs.replace(webhook, **changes)

    async def reload(self, webhook_id: str) -> None:
        """Read one anew."""
        webhook = await self._store.read(lambda tx: find_webhook(tx, webhook_id))
        if webhook is None:
            self._webhooks.pop(webhook_id, None)
        else:
            self._webhooks[webhook_id] = webhook

    async def secrets(self, owner: str) -> Sequence[bytes]:
        """What an owner's calls are signed with; made where there is nothing yet."""
        now = self._clock.monotonic()
        known = self._secrets.get(owner)
        if known is not None and now - known[0] < SECRETS_S:
            return known[1]
        at = self._clock.now()
        found: Sequence[bytes] = await self._store.read(lambda tx: load_secrets(tx, owner, at))
        if not found:
            found = await self._store.write(lambda tx: need_secrets(tx, owner, at))
        if len(self._secrets) >= _MOST_SECRETS:
            self._secrets.clear()
        self._secrets[owner] = now, found
        return found

    def forget_secrets(self, owner: str) -> None:
        """They were changed."""
        self._secrets.pop(owner, None)
