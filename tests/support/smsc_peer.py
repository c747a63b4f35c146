"""A small SMSC on a real socket that a test drives by hand: it answers what it is told to, when it is told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from drivers.smpp.session.machine import RequestReceived, ResponseReceived, Session, SessionEvent
from drivers.smpp.session.rules import BOUND_STATE_BY_BIND, RESPONSE_BODY, Role
from drivers.smpp.wire.constants import RESPONSE_BIT, CommandStatus
from drivers.smpp.wire.pdus import Body, SubmitSm, SubmitSmResp, Unbind

if TYPE_CHECKING:
    from typing import Self

DEADLINE_S = 60.0


class SmscLink:
    """One ESME's connection as the SMSC sees it."""

    def __init__(self, peer: SmscPeer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._peer = peer
        self._reader = reader
        self._writer = writer
        self._session = Session(Role.SMSC, now=0.0)
        self.bind: Body | None = None
        self.submits: list[RequestReceived] = []
        self.responses: list[ResponseReceived] = []
        self.events: list[SessionEvent] = []
        self.n_octets = 0
        self.closed = False

    def send(self, body: Body) -> int:
        """Ask the ESME something."""
        sequence_number = self._session.request(body, 0.0)
        self.flush()
        return sequence_number

    def answer(self, request: RequestReceived, body: Body | None = None, status: int = 0) -> None:
        """Answer a request, by default with the empty body of its kind."""
        kind = RESPONSE_BODY[request.body.command_id | RESPONSE_BIT]
        self._session.respond(request, body if body is not None else kind(), status)
        self.flush()

    def accept(self, request: RequestReceived) -> str:
        """Take a submit_sm; the message id names its sequence number."""
        message_id = f"m{request.sequence_number}"
        self.answer(request, SubmitSmResp(message_id=message_id))
        return message_id

    def write(self, octets: bytes) -> None:
        """Octets as they are, whatever they are."""
        self._writer.write(octets)

    def flush(self) -> None:
        """What the session has to say."""
        self._writer.write(self._session.data_to_send())

    @property
    def n_unsent(self) -> int:
        """Octets that the ESME's side has no room for."""
        return self._writer.transport.get_write_buffer_size()

    def cut(self) -> None:
        """Drop the connection without a word."""
        if not self.closed:  # Python 3.11.2 can't abort a TLS transport that was closed
            self._writer.transport.abort()

    async def serve(self) -> None:
        """Read until the end."""
        try:
            while data := await self._reader.read(65536):
                self.n_octets += len(data)
                for event in self._session.receive_data(data, 0.0):
                    self._take(event)
                self.flush()
                self._peer.changed()
        except ConnectionError:
            pass
        finally:
            self.closed = True
            self._writer.close()
            self._peer.changed()

    def _take(self, event: SessionEvent) -> None:
        self.events.append(event)
        if isinstance(event, ResponseReceived):
            self.responses.append(event)
        elif isinstance(event, RequestReceived):
            if event.body.command_id in BOUND_STATE_BY_BIND:
                self.bind = event.body
                if self._peer.bind_status is not None:
                    self.answer(event, status=self._peer.bind_status)
            elif isinstance(event.body, SubmitSm):
                self.submits.append(event)
                self._peer.on_submit(self, event)
            elif isinstance(event.body, Unbind):
                self.answer(event)
            else:
                self._peer.on_request(self, event)


class SmscPeer:
    """Listens on a free port of the loopback interface.

    Attributes:
        links: every connection so far.
        bind_status: answer to binds; None for no answer.
        on_submit: called with each submit_sm; accepts it unless a test says otherwise.
        on_request: called with every other request; it is left alone unless a test says otherwise.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.links: list[SmscLink] = []
        self.bind_status: int | None = CommandStatus.ROK
        self.on_submit: Callable[[SmscLink, RequestReceived], object] = SmscLink.accept
        self.on_request: Callable[[SmscLink, RequestReceived], object] = lambda _link, _request: None
        self.port = 0
        self._server: asyncio.Server | None = None
        self._condition = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def listen(self) -> None:
        """Open the port; the same one again after `stop`."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        for link in self.links:
            link.cut()
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    @property
    def link(self) -> SmscLink:
        """The latest connection."""
        return self.links[-1]

    def keep_submits(self) -> None:
        """Answer no submit_sm from now on; they gather in ``link.submits``."""
        self.on_submit = lambda _link, _request: None

    def changed(self) -> None:
        """Let those who wait look again."""
        task = asyncio.ensure_future(self._notify())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds; looked at after each chunk of octets and each link."""
        async with asyncio.timeout(DEADLINE_S), self._condition:
            await self._condition.wait_for(condition)

    async def wait_bound(self, n_links: int = 1) -> SmscLink:
        """The n-th connection, once it has asked to be bound."""
        await self.wait_for(lambda: len(self.links) >= n_links and self.links[n_links - 1].bind is not None)
        return self.links[n_links - 1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = SmscLink(self, reader, writer)
        self.links.append(link)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await link.serve()
        finally:
            self._tasks.discard(task)

    async def _notify(self) -> None:
        async with self._condition:
            self._condition.notify_all()
