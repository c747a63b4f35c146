"""Connections that read, each operation on a snapshot of its own, beside the writer."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

from gateway.store.ports import Operation
from gateway.store.postgres.errors import is_lost, translate
from gateway.store.postgres.session import Session, open_session
from gateway.store.postgres.transaction import PostgresTx
from gateway.store.sealing.terms import Dress
from gateway.store.target import Target

T = TypeVar("T")

READERS: Final = 3
ANSWER_S = 60.0
"""How long a reader may take."""
_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"


class Readers:
    """A few connections, opened when they are needed first.

    Args:
        target: the database.

    Attributes:
        dress: for the transactions that operations get, of an encrypted store.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self.dress: Dress | None = None
        self._free = asyncio.Semaphore(READERS)
        self._idle: list[Session] = []

    async def run(self, op: Operation[T]) -> T:
        """Run an operation; again on a new connection where the old one was lost.

        Raises:
            StoreUnavailable: the server can't be reached, or it says no.
        """
        async with self._free:
            if self._idle:
                try:
                    return await self._run(self._idle.pop(), op)
                except Exception as exc:
                    if not is_lost(exc) or isinstance(exc, TimeoutError):
                        raise translate(exc, self._target.shown) from exc
                    self._drop_idle()  # what ended this one has ended the others, too
            session = await open_session(self._target)
            try:
                return await self._run(session, op)
            except Exception as exc:
                raise translate(exc, self._target.shown) from exc

    async def _run(self, session: Session, op: Operation[T]) -> T:
        try:
            async with asyncio.timeout(ANSWER_S):
                await session.run(_BEGIN)
                try:
                    tx = PostgresTx(session)
                    return await op(tx if self.dress is None else self.dress(tx))
                finally:
                    await session.run("ROLLBACK")
        except BaseException as exc:
            if isinstance(exc, (asyncio.CancelledError, TimeoutError)) or is_lost(exc):
                session.cut()
            raise
        finally:
            if session.is_open:
                self._idle.append(session)

    def _drop_idle(self) -> None:
        for session in self._idle:
            session.cut()
        self._idle.clear()

    async def close(self) -> None:
        """Close them, once those at work are done."""
        for _ in range(READERS):
            await self._free.acquire()
        while self._idle:
            await self._idle.pop().close()
        for _ in range(READERS):
            self._free.release()
