"""What other processes commit: heard by LISTEN, and looked for now and then besides."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from gateway.store.events import last_seq
from gateway.store.postgres.errors import explain_open
from gateway.store.postgres.notices import CHANNEL, Notice, read_notice
from gateway.store.postgres.session import Session, connect
from gateway.store.postgres.transaction import PostgresTx
from gateway.store.target import Target

_log = logging.getLogger(__name__)

POLL_S = 1.0
"""How often it is looked for what no word was heard of."""
_AGAIN_S: Final = 0.5
_ANSWER_S: Final = 10.0


class Listener:
    """Tells what others committed.

    Args:
        target: the database.
        store: our own name: what we committed ourselves is no news.
        tell: given each notice; one without queues where it is not known what was missed.
    """

    def __init__(self, target: Target, store: str, tell: Callable[[Notice], None]) -> None:
        self._target = target
        self._store = store
        self._tell = tell
        self._seq = 0

    async def run(self) -> None:
        """Until cancelled; through losses of the connection. Cancel: the connection is closed."""
        n_failed = 0
        while True:
            session: Session | None = None
            try:
                session = await connect(self._target)
                await self._listen(session)
            except Exception as exc:  # noqa: BLE001 - the server is away; it is tried again
                n_failed += 1
                if n_failed == 1:
                    _log.warning(
                        "nobody hears what other processes write: %s", explain_open(exc, self._target.shown)
                    )
            else:
                n_failed = 0
            finally:
                if session is not None:
                    session.cut()
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self, session: Session) -> None:
        await session.listen(CHANNEL, self._hear)
        while session.is_open:
            async with asyncio.timeout(_ANSWER_S):
                newest = await last_seq(PostgresTx(session))
            if newest > self._seq:
                self._seq = newest
                self._tell(Notice("", newest, None))
            await asyncio.sleep(POLL_S)

    def _hear(self, text: str) -> None:
        notice = read_notice(text)
        if notice is not None:
            self._seq = max(self._seq, notice.last_seq)
            if notice.store != self._store:
                self._tell(notice)
