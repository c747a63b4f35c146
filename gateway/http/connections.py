"""Connections: how many there may be, and how long each may keep us waiting.

Where there are too many, the one that keeps us waiting longest gives way to the newcomer: whoever only holds
connections open loses them, and an honest client beside him is served. aiohttp itself has no limit of connections and
no deadline for heads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

from aiohttp import web

from drivers.origins import origin_of

LOOK_EVERY_S: Final = 0.5
WRITE_S: Final = 60.0
"""A client that reads nothing for so long, while we have something to say, is gone or hostile."""

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Length: 25\r\n\r\nall connections are taken"
)


class Limits(NamedTuple):
    """What connections may take.

    Args:
        most: of all addresses together.
        most_of_address: of one address; of IPv6, of one network of 64 bits.
        head_s: for the head of a request, from its first octet or from the beginning of the connection.
        body_s: for a body, besides what its length allows.
        streams_of_key: event streams of one API key.
    """

    most: int = 1_000
    most_of_address: int = 200
    head_s: float = 10.0
    body_s: float = 30.0
    streams_of_key: int = 20


class Connection(web.RequestHandler):
    """One connection.

    Attributes:
        arriving: what it was counted as before; None where nobody counted it.
        known: it has brought a good key.
        reading_since: since when a body is awaited; None when none is.
    """

    __slots__ = (
        "_guard",
        "_n_begun",
        "_stalled_since",
        "_waiting_since",
        "arriving",
        "known",
        "origin",
        "reading_since",
    )

    def __init__(self, manager: web.Server, guard: Guard, **options: Any) -> None:
        super().__init__(manager, **options)
        self._guard = guard
        self._n_begun = 0
        self._waiting_since: tuple[float, bool] | None = None
        self._stalled_since: float | None = None
        self.reading_since: float | None = None
        self.arriving: Guest | None = None
        self.known = False
        self.origin = ""

    @property
    def limits(self) -> Limits:
        """That it is held to."""
        return self._guard.limits

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        peer = transport.get_extra_info("peername")
        self.origin = origin_of(peer[0]) if isinstance(peer, tuple) else ""
        self._waiting_since = self._loop.time(), True
        super().connection_made(transport)
        if self.arriving is not None:
            self._guard.replace(self.arriving, self)
        elif not self._guard.admit(self):
            assert isinstance(transport, asyncio.Transport)
            transport.write(_FULL)
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.Protocol`."""
        self._guard.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if data and not self._n_begun and (self._waiting_since is None or not self._waiting_since[1]):
            self._waiting_since = self._loop.time(), True
        super().data_received(data)

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._stalled_since = self._loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._stalled_since = None
        super().resume_writing()

    def begin(self) -> None:
        """The head of a request is whole."""
        self._n_begun += 1
        self._waiting_since = None

    def end(self) -> None:
        """Its answer is made."""
        self._n_begun -= 1
        self._waiting_since = self._loop.time(), False

    def patience_rank(self) -> tuple[int, float] | None:
        """How long it has kept us waiting: the smallest gives way first; None while it is at work."""
        if self._waiting_since is not None:
            return int(self.known), self._waiting_since[0]
        if self._stalled_since is not None:
            return int(self.known), self._stalled_since
        return None if self.reading_since is None else (2, self.reading_since)

    def is_late(self, now: float) -> bool:
        """Whether it keeps us waiting for the rest of a head, or does not read what we say."""
        if self._stalled_since is not None and now - self._stalled_since > WRITE_S:
            return True
        began = self._waiting_since
        return began is not None and began[1] and now - began[0] > self.limits.head_s

    def drop(self) -> None:
        """End it at once."""
        if self.transport is not None:
            self.transport.abort()
        self.force_close()

    def handle_error(self, *args: Any, **options: Any) -> web.StreamResponse:
        """The answer to what is no HTTP; like all others it names no versions."""
        response = super().handle_error(*args, **options)
        response.headers["Server"] = "hongyan"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class Guest(Protocol):
    """What is counted: a connection, or one that is about to be.

    Attributes:
        origin: whose it is.
    """

    origin: str

    def patience_rank(self) -> tuple[int, float] | None:
        """How long it has kept us waiting: the smallest gives way first; None while it is at work."""
        ...

    def drop(self) -> None:
        """End it at once."""
        ...


class Guard:
    """All connections of one application.

    Args:
        limits: see `Limits`.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._by_origin: dict[str, set[Guest]] = {}
        self._n_open = 0

    @property
    def n_open(self) -> int:
        """Connections that are open."""
        return self._n_open

    def admit(self, guest: Guest) -> bool:
        """Count a new one; whether there is room for it, perhaps because another gave way."""
        has_room = True
        if len(neighbours := self._by_origin.get(guest.origin, set())) >= self.limits.most_of_address:
            has_room = self._drop_longest(neighbours)
        elif self._n_open >= self.limits.most:
            has_room = self.make_room()
        self._count(guest)
        return has_room

    def replace(self, guest: Guest, by: Guest) -> None:
        """The same connection, further on."""
        self.forget(guest)
        self._count(by)

    def make_room(self) -> bool:
        """Let one of the address that has the most give way; whether one could."""
        return bool(self._by_origin) and self._drop_longest(max(self._by_origin.values(), key=len))

    def _drop_longest(self, crowd: set[Guest]) -> bool:
        ranked = [(rank, id(guest), guest) for guest in crowd if (rank := guest.patience_rank())]
        if not ranked:
            return False
        longest = min(ranked)[2]
        self.forget(longest)
        longest.drop()
        return True

    def _count(self, guest: Guest) -> None:
        self._by_origin.setdefault(guest.origin, set()).add(guest)
        self._n_open += 1

    def forget(self, guest: Guest) -> None:
        """It has ended, or is about to."""
        neighbours = self._by_origin.get(guest.origin, set())
        if guest in neighbours:
            neighbours.discard(guest)
            self._n_open -= 1
            if not neighbours:
                del self._by_origin[guest.origin]

    def drop_late(self, now: float) -> None:
        """End those that keep us waiting too long."""
        for guest in [guest for crowd in self._by_origin.values() for guest in crowd]:
            if isinstance(guest, Connection) and guest.is_late(now):
                guest.drop()

    async def watched(self, _app: web.Application) -> AsyncIterator[None]:
        """Look after them while the application lives."""

        async def look() -> None:
            loop = asyncio.get_running_loop()
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                self.drop_late(loop.time())

        looking = asyncio.create_task(look(), name="http connections")
        yield
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


class _Server(web.Server):
    """Makes a `Connection` for each client."""

    def __init__(self, inner: web.Server, guard: Guard, **options: Any) -> None:
        super().__init__(inner.request_handler, request_factory=inner.request_factory)
        self._guard = guard
        self._options = options

    def __call__(self) -> web.RequestHandler:
        return Connection(self, self._guard, loop=asyncio.get_running_loop(), **self._options)


class Runner(web.AppRunner):
    """Serves an application through its `Guard`."""

    def __init__(self, app: web.Application, *, shutdown_timeout: float, **options: Any) -> None:
        super().__init__(app, shutdown_timeout=shutdown_timeout)
        self._options = options

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), self.app[GUARD], **self._options)


GUARD = web.AppKey("guard", Guard)
