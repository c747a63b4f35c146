"""Signing in by name and password: whoever guesses is slowed down, and nobody else with him.

The pace is that of the turnstile: by address, and never by name, so nobody can lock another one out. A browser that
somebody has signed in with has a mark of its own; its tries go past the line of strangers at the same address, as
behind one proxy. A name that nobody has costs as much time as one that somebody has.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from enum import StrEnum
from functools import cache, partial
from typing import Final, NamedTuple

from gateway.access.passwords import hash_login, verify_login
from gateway.access.people import MOST_PASSWORD_CHARS
from gateway.access.sessions import Sessions
from gateway.access.turnstile import Crowded, Turnstile
from gateway.clock import Clock
from gateway.model.actor import Actor, ActorKind
from gateway.model.user import User
from gateway.store.audit import record_audit
from gateway.store.ports import Store
from gateway.store.users import find_user

_MOST_NAME_CHARS: Final = 64
_MOST_DEVICE_CHARS: Final = 200
_TOLD_EVERY_S: Final = 60.0
_MOST_TOLD: Final = 1_000


class Refusal(StrEnum):
    """Why somebody did not get in."""

    WRONG = "wrong"
    """The name or the password; which one is not said."""
    CROWDED = "crowded"
    """Too many tries at once; this one was not looked at."""


class Admitted(NamedTuple):
    """Somebody who got in.

    Args:
        token: of the session, for its cookie.
        device: the mark of their browser, for a cookie that stays.
    """

    user: User
    token: str
    device: str


class SignIn:
    """Opens sessions for those who know a name and its password.

    Args:
        turnstile: sets the pace; one with a pause that does not wait is for tests.
    """

    def __init__(
        self, store: Store, clock: Clock, sessions: Sessions, turnstile: Turnstile | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._sessions = sessions
        self._turnstile = turnstile or Turnstile(clock)
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def attempt(
        self, name: str, password: str, *, address: str, origin: str = "", agent: str = "", device: str = ""
    ) -> Admitted | Refusal:
        """One try.

        Args:
            address: of the peer; tries are counted by it.
            origin: as the audit trail has it; the address, if empty.
            agent: what the browser says that it is.
            device: the mark that it brought along.
        """
        name = name.strip().lower()
        user = None
        if 0 < len(name) <= _MOST_NAME_CHARS and len(password) <= MOST_PASSWORD_CHARS:
            user = await self._store.read(partial(find_user, id_or_name=name))
        if user is not None and (user.disabled_at is not None or user.password is None or user.name != name):
            user = None
        is_known = user is not None and is_device_of(user, device)
        by = f"device {device}" if is_known else address
        try:
            found = await self._turnstile.admit(
                by, user.name if user else None, partial(self._look, user, password), expected=is_known
            )
        except Crowded:
            return Refusal.CROWDED
        origin = origin or address
        if found is None:
            await self._tell_failure(user, address, origin)
            return Refusal.WRONG
        token, session = await self._sessions.open(found, origin, agent)
        who, details = Actor(ActorKind.USER, found.name, f"console {origin}"), {"session": session.id}
        now = self._clock.now()
        await self._store.write(
            lambda tx: record_audit(tx, who, "user.signed_in", found.name, details, at=now)
        )
        return Admitted(found, token, device if is_known else make_device(found))

    async def confirm(self, user: User, password: str, *, address: str) -> bool:
        """Whether somebody who is signed in knows their password still; as slow for guessers as `attempt`."""
        if len(password) > MOST_PASSWORD_CHARS:
            return False
        try:
            look = partial(self._look, user, password)
            return await self._turnstile.admit(address, user.name, look) is not None
        except Crowded:
            return False

    async def _look(self, user: User | None, password: str) -> User | None:
        kept = None if user is None else user.password
        return user if await asyncio.to_thread(_is_right, kept, password) else None

    async def _tell_failure(self, user: User | None, address: str, origin: str) -> None:
        """Once a minute for a name and an address; a name that nobody has may be a password in the wrong field."""
        subject, at = user.name if user else "", self._clock.monotonic()
        told_at = self._told.get((address, subject))
        if told_at is not None and at - told_at < _TOLD_EVERY_S:
            return
        self._told[address, subject] = at
        self._told.move_to_end((address, subject))
        if len(self._told) > _MOST_TOLD:
            self._told.popitem(last=False)
        who, now = Actor(ActorKind.STRANGER, "", f"console {origin}"), self._clock.now()
        await self._store.write(lambda tx: record_audit(tx, who, "user.sign_in_failed", subject, at=now))


def _is_right(kept: str | None, password: str) -> bool:
    """Whether a password is the one that was hashed; as slow where there is none."""
    nobodys = _hash_of_nobody()  # also where it is not needed: the first try after a start is as slow for all
    return verify_login(kept or nobodys, password)


@cache
def _hash_of_nobody() -> str:
    """Of a password that nobody has; it takes a while, so not every start pays for it."""
    return hash_login(secrets.token_urlsafe(32))


def make_device(user: User) -> str:
    """A mark for a browser that a user has signed in with; it opens nothing, and ends with their password."""
    chance = secrets.token_urlsafe(16)
    return f"{chance}.{_seal(user, chance)}"


def is_device_of(user: User, device: str) -> bool:
    """Whether a browser's mark is of this user."""
    chance, _, seal = device[:_MOST_DEVICE_CHARS].partition(".")
    return hmac.compare_digest(_seal(user, chance).encode(), seal.encode("utf-8", "replace"))


def _seal(user: User, chance: str) -> str:
    key = f"{user.id}\n{user.password}".encode()
    return hmac.new(key, chance.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
