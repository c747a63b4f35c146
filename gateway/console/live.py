"""Pages that follow what happens: one reader of the timeline tells all open pages that something has changed.

A page is told no more than which topics moved, and fetches itself anew; so what a page shows is rendered in one place,
and a page may miss nothing. The more pages are open, the rarer each is told: together they cost a bounded share of a
core.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from gateway.errors import StoreError, StoreUnavailable
from gateway.http.problem import TooManyStreams
from gateway.store.events import last_seq, load_lines
from gateway.store.ports import Store
from gateway.timeline.follow import STORE_RETRY_S

MOST_PAGES: Final = 200
MOST_OF_SESSION: Final = 12
LEAST_S: Final = 3.0
"""Between two words to one page."""
EACH_S: Final = 0.4
"""For each page that is open, so many seconds between two words to one of them."""
QUIET_S: Final = 30.0
"""A page is told to look again after so long without an event: ages, signal and the like move by themselves."""
GATHER_S: Final = 1.0
MOST_LOOKED_AT: Final = 500
"""Events of one look; if there were more, every page is told."""
_TOPIC: Final = re.compile(rb'^\{"seq":\d+,"at":"[^"]*","type":"(\w+)', re.MULTILINE)


class Listener:
    """One open page.

    Args:
        topics: what it is about: the first words of types of events, such as ``message``; empty for all.
    """

    def __init__(self, topics: frozenset[str], closing: asyncio.Event) -> None:
        self._topics = topics
        self._closing = closing
        self._news = asyncio.Event()

    def hear(self, topics: frozenset[str] | None) -> None:
        """Something happened; None: anything may have."""
        if topics is None or not self._topics or self._topics & topics:
            self._news.set()

    async def wait(self, least_s: float) -> bool:
        """Until the page is to look again; False when the gateway stops."""
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(least_s):
                await self._closing.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, QUIET_S - least_s)):
                await self._news.wait()
        return not self._closing.is_set()


class Live:
    """The open pages, and who reads the timeline for them while there are any."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: set[Listener] = set()
        self._of_session: Counter[str] = Counter()
        self._reader: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def close(self) -> None:
        """The gateway stops: every page's stream ends."""
        self._closing.set()
        for listener in self._listeners:
            listener.hear(None)

    @property
    def pause_s(self) -> float:
        """Between two words to one page, as many as are open."""
        return max(LEAST_S, EACH_S * len(self._listeners))

    @contextmanager
    def listening(self, session_id: str, topics: frozenset[str]) -> Iterator[Listener]:
        """Count a page as open.

        Raises:
            TooManyStreams: there are as many as may be.
        """
        if len(self._listeners) >= MOST_PAGES or self._of_session[session_id] >= MOST_OF_SESSION:
            raise TooManyStreams("too many live pages are open; close some")
        listener = Listener(topics, self._closing)
        self._listeners.add(listener)
        self._of_session[session_id] += 1
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read(), name="console live")
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            self._of_session[session_id] -= 1
            if not self._of_session[session_id]:
                del self._of_session[session_id]
            if not self._listeners and self._reader is not None:
                self._reader.cancel()
                self._reader = None

    async def _read(self) -> None:
        after: int | None = None
        while True:
            try:
                after = await self._store.read(last_seq) if after is None else after
                await self._store.wait_events(after)
                await asyncio.sleep(GATHER_S)
                newest = await self._store.read(last_seq)
                topics = await self._topics(after, newest)
                after = newest
            except StoreUnavailable:
                return
            except StoreError:
                await asyncio.sleep(STORE_RETRY_S)
                continue
            for listener in self._listeners:
                listener.hear(topics)

    async def _topics(self, after: int, newest: int) -> frozenset[str] | None:
        """What happened between two places of the timeline was about; None for too much to look at."""
        if newest - after > MOST_LOOKED_AT:
            return None
        lines = await self._store.read(lambda tx: load_lines(tx, after, MOST_LOOKED_AT))
        return frozenset(word.decode() for word in _TOPIC.findall(lines.octets)) if lines else frozenset()
