"""Listening: connections are taken a few at a time, so that a flood of them leaves turns for those that are served.

Under TLS a connection counts from its beginning on, not from the end of its handshake.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from contextlib import suppress
from typing import Final

from aiohttp import web

from drivers.origins import origin_of
from gateway.http.connections import Connection, Guard

AT_ONCE: Final = 32
"""Connections that are taken between two turns of the loop."""
_BACKLOG: Final = 4_096
"""As many as the system allows: who finds no place there tries again only after a second, or three."""
_REST_S: Final = 0.25
"""After the system had no descriptor for us."""
_NO_ROOM: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

_log = logging.getLogger(__name__)


class _Arriving:
    """A connection before its first octet of HTTP: it may have to greet by TLS yet."""

    def __init__(self, origin: str, since: float) -> None:
        self.origin = origin
        self._since = since
        self.task: asyncio.Task[None] | None = None

    def patience_rank(self) -> tuple[int, float] | None:
        """See `gateway.http.connections.Guest`."""
        return 0, self._since

    def drop(self) -> None:
        """See `gateway.http.connections.Guest`."""
        if self.task is not None:
            self.task.cancel()


class Listener:
    """The sockets that one API listens at.

    Args:
        runner: set up; what serves the connections.
        guard: that of its application.
        tls: for HTTPS.
    """

    def __init__(self, runner: web.AppRunner, guard: Guard, tls: ssl.SSLContext | None = None) -> None:
        assert runner.server is not None
        self._make = runner.server
        self._guard = guard
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._complained = False

    async def open(self, host: str, port: int) -> int:
        """Listen at every address of a host; the port.

        Raises:
            OSError: one of them is taken, or not ours.
        """
        places = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, kind, protocol, _, place in dict.fromkeys(places):
                listening = socket.socket(family, kind, protocol)
                self._sockets.append(listening)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listening.setblocking(False)
                listening.bind(place)
                listening.listen(_BACKLOG)
        except BaseException:
            self.close()
            raise
        for listening in self._sockets:
            self._loop.add_reader(listening, self._take_some, listening)
        return int(self._sockets[0].getsockname()[1])

    def close(self) -> None:
        """Take no more."""
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()
        self._sockets.clear()
        for task in self._tasks:
            task.cancel()

    def _take_some(self, listening: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                accepted, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                self._rest(listening, error)
                return
            self._take(accepted, origin_of(peer[0]))

    def _take(self, accepted: socket.socket, origin: str) -> None:
        arriving = _Arriving(origin, self._loop.time())
        if not self._guard.admit(arriving):
            self._guard.forget(arriving)
            accepted.close()
            return
        task = self._loop.create_task(self._greet(accepted, arriving), name="http arrival")
        arriving.task = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _greet(self, accepted: socket.socket, arriving: _Arriving) -> None:
        """Hand a connection to the server, which counts it itself from then on."""
        connection = self._make()
        if isinstance(connection, Connection):
            connection.arriving = arriving
        timeout_s = self._guard.limits.head_s if self._tls is not None else None
        accepted.setblocking(False)
        try:
            # A client that is no client, or leaves: nobody's fault here.
            with suppress(OSError, TimeoutError):
                await self._loop.connect_accepted_socket(
                    lambda: connection, accepted, ssl=self._tls, ssl_handshake_timeout=timeout_s
                )
        finally:
            self._guard.forget(arriving)
            if not connection.connected:
                accepted.close()

    def _rest(self, listening: socket.socket, error: OSError) -> None:
        """No descriptor is left: make one free, and look again a little later."""
        if not self._complained:
            self._complained = True
            _log.error("a connection could not be taken: %s; raise the limit of open files", error.strerror)
        self._guard.make_room()
        self._loop.remove_reader(listening)
        self._loop.call_later(_REST_S, self._look_again, listening)

    def _look_again(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self._loop.add_reader(listening, self._take_some, listening)
