"""The first admin: whoever has the one-time link that `hongyan serve` prints while there is no user."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from gateway.access.people import add_first_admin
from gateway.clock import Clock
from gateway.model.actor import Actor
from gateway.model.user import User
from gateway.store.ports import Store
from gateway.store.users import count_users

HOLDS_S: Final = 24 * 3_600.0


class Welcome:
    """Offers the link, and takes it once. What is kept is a hash, in this process alone: the next start offers anew."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._offered: tuple[bytes, float] | None = None

    async def offer(self) -> str | None:
        """A token that makes the first admin; None when there is a user. The one offered before holds no more."""
        if await self._store.read(count_users):
            return None
        token = secrets.token_urlsafe(32)
        self._offered = _hash(token), self._clock.monotonic() + HOLDS_S
        return token

    def holds(self, token: str) -> bool:
        """Whether that is the token that was offered, and neither used nor too old."""
        if self._offered is None or self._clock.monotonic() >= self._offered[1]:
            return False
        return hmac.compare_digest(_hash(token), self._offered[0])

    async def take(self, name: str, password: str, by: Actor) -> User:
        """Make the first admin, after `holds`; no token holds any more.

        Args:
            password: its hash.

        Raises:
            Conflict: there is a user by now.
        """
        now, self._offered = self._clock.now(), None
        return await self._store.write(lambda tx: add_first_admin(tx, name, password, by, now))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
