"""Who calls, and what they may do: bearer keys, looked up by the hash of their secret.

No secret is ever compared: what the store is asked for is a SHA-256, so timing tells nothing about a key.
"""

from __future__ import annotations

from base64 import b64decode
from functools import partial

from aiohttp import hdrs, web

from gateway.clock import Clock
from gateway.http.problem import Forbidden, Unauthorized
from gateway.model.message import ApiKey, Scope
from gateway.store.keys import find_key, hash_secret
from gateway.store.ports import Store

REMEMBERED_S = 5.0
"""How long an answer of the store is trusted: a key that another process made or revoked counts by then."""
_MAX_REMEMBERED = 1_024
_MAX_SECRET_CHARS = 200


class KeyRing:
    """Finds keys, and remembers for a moment what it found; also what it did not find."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[bytes, tuple[float, ApiKey]] = {}
        self._unknown: dict[bytes, float] = {}

    async def authorize(self, request: web.Request, scope: Scope, *, basic: bool = False) -> ApiKey:
        """The key that came with the request, if it may do what needs ``scope``.

        Args:
            basic: it may come as the password of basic authentication, for tools that know no other.

        Raises:
            Unauthorized: no key came, or one that is unknown or revoked.
            Forbidden: the key has other scopes.
        """
        key = await self._find(_read_secret(request.headers.get(hdrs.AUTHORIZATION, ""), basic=basic))
        if not key.allows(scope):
            raise Forbidden(scope)
        return key

    async def _find(self, secret: str) -> ApiKey:
        secret_hash = hash_secret(secret)
        now = self._clock.monotonic()
        if (known := self._known.get(secret_hash)) is not None and known[0] > now:
            return known[1]
        if self._unknown.get(secret_hash, now) <= now:
            key = await self._store.read(partial(find_key, secret_hash=secret_hash))
            self._forget(secret_hash)
            if key is not None and key.revoked_at is None:
                self._known[secret_hash] = (now + REMEMBERED_S, key)
                return key
            self._unknown[secret_hash] = now + REMEMBERED_S
        raise Unauthorized(
            "this key is not known, or was revoked; `hongyan keys list` shows those that are good"
        )

    def _forget(self, secret_hash: bytes) -> None:
        """Drop what was remembered of a key, and the oldest entries when there are too many."""
        # Two dictionaries: guessing may not push out the keys that are in use.
        for remembered in (self._known, self._unknown):
            remembered.pop(secret_hash, None)
            while len(remembered) >= _MAX_REMEMBERED:
                del remembered[next(iter(remembered))]


def _read_secret(authorization: str, *, basic: bool) -> str:
    scheme, _, secret = authorization.partition(" ")
    secret = secret.strip()
    if basic and scheme.lower() == "basic":
        scheme, secret = "bearer", _read_password(secret)
    if scheme.lower() != "bearer" or not secret:
        raise Unauthorized("this call needs a key: send the header `Authorization: Bearer KEY`")
    if len(secret) > _MAX_SECRET_CHARS or not secret.isascii():
        raise Unauthorized("this is no key of this gateway")
    return secret


def _read_password(credentials: str) -> str:
    """The password of RFC 7617; empty where there is none. Whatever name stands before it is as good as another."""
    try:
        return b64decode(credentials[: 4 * _MAX_SECRET_CHARS], validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
