"""Sessions of people who signed in: opened, found by the token in their cookie, and ended.

A token has 256 random bits and is kept as a hash only, so no secret is ever compared. What forms must bring along
(against forged requests) is derived from the token: who has the cookie of a session has it, another site has not.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple

from gateway.clock import Clock
from gateway.ids import make_id
from gateway.model.user import Session, User
from gateway.store.ports import Store, Tx
from gateway.store.users import (
    end_session,
    find_session,
    keep_newest_sessions,
    save_session,
    touch_session,
)

REMEMBERED_S: Final = 5.0
"""How long an answer of the store is trusted: a session that another process ended is over by then."""
MOST_OF_USER: Final = 100
"""Sessions of one user; another one ends the oldest."""
_SEEN_EVERY_S: Final = 60.0
_MOST_REMEMBERED: Final = 1_024
_MOST_AGENT_CHARS: Final = 200
_MOST_TOKEN_CHARS: Final = 100


class SessionLimits(NamedTuple):
    """How long a session holds.

    Args:
        idle_s: without being used.
        absolute_s: at most.
    """

    idle_s: float = 2 * 3_600.0
    absolute_s: float = 12 * 3_600.0


class SignedIn(NamedTuple):
    """Somebody with a session.

    Args:
        csrf: what their forms bring along.
    """

    user: User
    session: Session
    csrf: str


class Sessions:
    """Opens, finds and ends sessions.

    Attributes:
        limits: hold for every session from now on, those that are open included.
    """

    def __init__(self, store: Store, clock: Clock, limits: SessionLimits | None = None) -> None:
        self._store = store
        self._clock = clock
        self.limits = limits or SessionLimits()
        self._known: dict[bytes, tuple[float, Session, User]] = {}

    async def open(self, user: User, origin: str, agent: str) -> tuple[str, Session]:
        """A new session, and the token of its cookie.

        Args:
            origin: the address that the person comes from.
            agent: what their browser says that it is.
        """
        token, now = secrets.token_urlsafe(32), self._clock.now()
        ends_at = now + timedelta(seconds=self.limits.absolute_s)
        session = Session(make_id(), user.id, now, now, ends_at, origin, agent[:_MOST_AGENT_CHARS])

        async def op(tx: Tx) -> None:
            await save_session(tx, session, _hash(token))
            await keep_newest_sessions(tx, user.id, MOST_OF_USER)

        await self._store.write(op)
        return token, session

    async def find(self, token: str, *, quiet: bool = False) -> SignedIn | None:
        """Whose token that is; None for nobody's, one that is over, or one whose user may not come in any more.

        Args:
            quiet: a page asks by itself, which keeps no session alive.
        """
        if not token or len(token) > _MOST_TOKEN_CHARS or not token.isascii():
            return None
        key, now = _hash(token), self._clock.monotonic()
        known = self._known.get(key)
        if known is None or known[0] <= now:
            found = await self._store.read(partial(find_session, token_hash=key))
            self._known.pop(key, None)
            if found is None:
                return None
            while len(self._known) >= _MOST_REMEMBERED:
                del self._known[next(iter(self._known))]
            known = self._known[key] = (now + REMEMBERED_S, *found)
        _, session, user = known
        if user.disabled_at is not None or self._is_over(session):
            return None
        if not quiet:
            await self._note_use(key, session)
        return SignedIn(user, session, make_csrf(token))

    async def end(self, session_id: str) -> bool:
        """End a session; False when it was over."""
        self.forget()
        return await self._store.write(lambda tx: end_session(tx, session_id))

    def forget(self) -> None:
        """Ask the store anew for everybody: something of users or sessions has changed."""
        self._known.clear()

    def _is_over(self, session: Session) -> bool:
        now = self._clock.now()
        idle_ends_at = session.seen_at + timedelta(seconds=self.limits.idle_s + _SEEN_EVERY_S)
        most = session.created_at + timedelta(seconds=self.limits.absolute_s)
        return now >= min(session.ends_at, most, idle_ends_at)

    async def _note_use(self, key: bytes, session: Session) -> None:
        now = self._clock.now()
        if (now - session.seen_at).total_seconds() < _SEEN_EVERY_S:
            return

        async def touch(tx: Tx) -> None:
            await touch_session(tx, session.id, now)

        if (known := self._known.get(key)) is not None:
            self._known[key] = (known[0], session._replace(seen_at=now), known[2])
        await self._store.write(touch)


def make_csrf(token: str) -> str:
    """What forms of the session with this token bring along."""
    return hmac.new(token.encode(), b"hongyan console form", hashlib.sha256).hexdigest()


def is_csrf(token: str, given: str) -> bool:
    """Whether a form brought along what it must."""
    return hmac.compare_digest(make_csrf(token).encode(), given.encode("utf-8", "replace"))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
