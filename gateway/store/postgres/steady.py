"""A connection that looks at what is committed and keeps it so for a moment: who stops something waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from gateway.store.ports import Operation
from gateway.store.postgres.errors import translate
from gateway.store.postgres.session import Session, open_session
from gateway.store.postgres.transaction import STOPS, PostgresTx
from gateway.store.sealing.terms import Dress
from gateway.store.target import Target

T = TypeVar("T")

ANSWER_S: Final = 10.0
"""How long a look may take; what waits for it goes back to the queue then."""
_BEGIN: Final = (
    f"BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY; SELECT pg_advisory_xact_lock_shared({STOPS})"
)


class SteadyReader:
    """One connection, opened when it is needed first; one look at a time.

    READ COMMITTED: the look sees what was committed before it had the lock.

    Args:
        target: the database.

    Attributes:
        dress: for the transactions that operations get, of an encrypted store.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self.dress: Dress | None = None
        self._turn = asyncio.Lock()
        self._session: Session | None = None

    async def run(self, op: Operation[T], use: Callable[[T], Awaitable[None]]) -> None:
        """See `gateway.store.ports.Store.read_steady`.

        Raises:
            StoreUnavailable: the server can't be reached, or it says no.
        """
        async with self._turn:
            session = await self._open()
            try:
                async with asyncio.timeout(ANSWER_S):
                    await session.run(_BEGIN)
                    tx = PostgresTx(session)
                    await use(await op(tx if self.dress is None else self.dress(tx)))
                    await session.run("COMMIT")
            except BaseException as exc:
                session.cut()
                if isinstance(exc, Exception):
                    raise translate(exc, self._target.shown) from exc
                raise

    async def _open(self) -> Session:
        if self._session is None or not self._session.is_open:
            self._session = await open_session(self._target)
        return self._session

    async def close(self) -> None:
        """Close it, once it is not at work."""
        async with self._turn:
            if self._session is not None:
                await self._session.close()
