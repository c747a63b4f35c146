"""The SMSC's side of SMPP: applications connect, log in, and ask; deliveries go the other way.

It owns the listening socket and the binds. Who may log in, what becomes of a request and what is delivered
is decided by its `ServerHost`.

Spec: SMPP 3.4 2.2, 4.1, 4.2.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from drivers.errors import DriverError
from drivers.origins import origin_of
from drivers.paced_log import PacedLog
from drivers.smpp.connection import Answer, SmppConnection
from drivers.smpp.incidents import Incidents
from drivers.smpp.server.guests import Guests
from drivers.smpp.session.machine import RequestReceived, SessionTimers
from drivers.smpp.session.rules import Role
from drivers.smpp.wire.constants import INTERFACE_VERSION_34, CommandStatus, Tag
from drivers.smpp.wire.pdus import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    Body,
    Unbind,
    UnbindResp,
)

if TYPE_CHECKING:
    from drivers.smpp.wire.pdus import DeliverSm

_DELIVERIES_AT_ONCE: Final = 10_000
"""More than any host has on its way; it keeps the windows."""
_TIMERS: Final = SessionTimers(session_init_s=10.0)
_HANDSHAKE_S: Final = 10.0
_FINISH_S: Final = 5.0
"""For what an application has asked and we have not answered at the end; a carrier's word may take longer."""
_UNBIND_S: Final = 2.0
"""What an application gets to answer our unbind at the end."""
_CLOSING_S: Final = 1.0


class BindKind(StrEnum):
    """What a bind is for."""

    TRANSMITTER = "transmitter"
    RECEIVER = "receiver"
    TRANSCEIVER = "transceiver"


class BindRequest(NamedTuple):
    """Somebody wants to log in; the password is not part of its repr."""

    kind: BindKind
    system_id: str
    password: str
    peer: str

    def __repr__(self) -> str:
        return f"BindRequest(kind={self.kind!r}, system_id={self.system_id!r}, peer={self.peer!r})"


class ServerBind:
    """One bind that was granted, until its connection is gone.

    Attributes:
        kind, system_id, peer: as in `BindRequest`.
        interface_version: the application's, as on the wire; below 0x34 it knows no optional parameters.
    """

    def __init__(self, connection: SmppConnection, request: BindRequest, interface_version: int) -> None:
        self._connection = connection
        self.kind = request.kind
        self.system_id = request.system_id
        self.peer = request.peer
        self.interface_version = interface_version

    @property
    def receives(self) -> bool:
        """Whether deliveries may go this way."""
        return self.kind is not BindKind.TRANSMITTER

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self._connection.lost.done()

    def respond(self, request: RequestReceived, body: Body, command_status: int = 0) -> None:
        """Answer a request; nothing happens when the connection is gone.

        Raises:
            EncodeError: a field of the answer breaks its bound.
        """
        self._connection.respond(request, body, command_status)

    def refuse(self, request: RequestReceived, body: Body, command_status: int) -> None:
        """Answer a request that came too early; who goes on like that is heard less often."""
        self.respond(request, body, command_status)
        self._connection.note_refused()

    async def deliver(self, body: DeliverSm) -> Answer:
        """Send a delivery and wait for its answer.

        Raises:
            EncodeError: a field breaks its bound; nothing was sent.

        Cancel: it is out; its answer is logged and dropped.
        """
        return await self._connection.exchange(body)


class ServerHost(Protocol):
    """What the server asks of the product."""

    async def admit(self, request: BindRequest) -> CommandStatus:
        """Whether somebody may log in: ROK, or the error; may take its time over a wrong password."""
        ...

    def bound(self, bind: ServerBind) -> None:
        """A bind was granted and told so; deliveries may begin."""
        ...

    def take(self, bind: ServerBind, request: RequestReceived) -> None:
        """A request other than bind, unbind and enquire_link; answer it by `ServerBind.respond`, in any order."""
        ...

    async def finish(self, bind: ServerBind) -> None:
        """The application unbinds: return when all that it has asked is answered."""
        ...

    def unbound(self, bind: ServerBind) -> None:
        """The connection is gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SmppServerConfig:
    """Where and how to listen.

    Args:
        host: address to listen on.
        port: 0 for any free one.
        system_id: how we call ourselves in bind responses.
        tls: of TLS; None for plain TCP.
        max_connections: at once, bound or not; for more, those that are not bound make room (`guests`).
        max_per_address: the same, of one address; of IPv6, of one network.
        timers: see `SessionTimers`.
        response_timeout_s: how long an application may take to answer a delivery.
    """

    host: str
    port: int
    system_id: str = "hongyan"
    tls: ssl.SSLContext | None = None
    max_connections: int = 1_000
    max_per_address: int = 200
    timers: SessionTimers = _TIMERS
    response_timeout_s: float = 60.0


_KIND: Final = {
    BindTransmitter: BindKind.TRANSMITTER,
    BindReceiver: BindKind.RECEIVER,
    BindTransceiver: BindKind.TRANSCEIVER,
}
_RESPONSE: Final = {
    BindTransmitter: BindTransmitterResp,
    BindReceiver: BindReceiverResp,
    BindTransceiver: BindTransceiverResp,
}
_BindBody = BindTransmitter | BindReceiver | BindTransceiver


class SmppServer:
    """Listens until stopped.

    Args:
        config: see `SmppServerConfig`.
        host: asked and told about every bind.

    Attributes:
        port: where it listens, once started.
    """

    def __init__(self, config: SmppServerConfig, host: ServerHost) -> None:
        self.port = config.port
        self._config = config
        self._host = host
        self._incidents = Incidents(f"smpp server {config.host}")
        self._server: asyncio.Server | None = None
        self._connections: Guests[_Accepted] = Guests(config.max_connections, config.max_per_address)
        self._log = PacedLog(__name__)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return f"{self._config.host}:{self.port}"

    @property
    def n_connections(self) -> int:
        """Open connections, bound or not."""
        return len(self._connections)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address is taken, or not ours.
        """
        config = self._config
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._accept,
            config.host,
            self.port,
            ssl=config.tls,
            ssl_handshake_timeout=_HANDSHAKE_S if config.tls else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, unbind from everybody, close.

        Cancel: the connections that are left are cut.
        """
        if self._server is None:
            return
        self._server.close()
        self._server = None
        try:
            await asyncio.gather(*(self._leave(connection) for connection in self._connections))
            async with asyncio.timeout(_CLOSING_S):
                await asyncio.gather(*(asyncio.shield(connection.lost) for connection in self._connections))
        except TimeoutError:
            pass  # they are cut below
        finally:
            for connection in self._connections:
                connection.abort("the server stops")
            for task in list(self._tasks):
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def dismiss(self, system_id: str) -> None:
        """Unbind from one application: it may not be here any more."""
        for connection in list(self._connections):
            if connection.bind is not None and connection.bind.system_id == system_id:
                self._keep(asyncio.create_task(self._leave(connection)))

    # ---- for the connections ----

    def opened(self, connection: _Accepted) -> None:
        """A connection was accepted."""
        crowded_out = self._connections.enter(connection)
        if crowded_out is not None:
            self._log.warning(
                "smpp server: too many connections (%d); one from %s that was not bound was closed",
                len(self._connections),
                crowded_out.peer,
            )
            self._connections.leave(crowded_out)
            crowded_out.abort("too many connections")
        if self._server is None:
            connection.abort("the server stops")

    def closed(self, connection: _Accepted) -> None:
        """A connection is gone."""
        self._connections.leave(connection)
        if connection.bind is not None:
            self._host.unbound(connection.bind)
        elif connection.login is not None:
            connection.login.cancel()  # nobody waits for the decision any more

    # ---- inside ----

    def _accept(self) -> _Accepted:
        return _Accepted(self, self._config, self._take, self._incidents)

    def _take(self, connection: SmppConnection, request: RequestReceived) -> None:
        assert isinstance(connection, _Accepted)
        match request.body:
            case BindTransmitter() | BindReceiver() | BindTransceiver() as body:
                connection.hold_for_login()
                connection.login = asyncio.create_task(self._log_in(connection, request, body))
                self._keep(connection.login)
            case Unbind():
                self._keep(asyncio.create_task(self._unbind(connection, request)))
            case _:
                assert connection.bind is not None  # the session takes such requests from bound ones only
                self._host.take(connection.bind, request)

    async def _log_in(self, connection: _Accepted, request: RequestReceived, body: _BindBody) -> None:
        wanted = BindRequest(_KIND[type(body)], body.system_id, body.password, connection.peer)
        status = await self._host.admit(wanted)
        response = _RESPONSE[type(body)]
        if connection.lost.done():
            return
        if status is not CommandStatus.ROK:
            connection.respond(request, response(), status)
            connection.close(f"bind refused with {status.name}")
            return
        knows_tlvs = body.interface_version >= INTERFACE_VERSION_34
        tlvs = ((Tag.SC_INTERFACE_VERSION, bytes((INTERFACE_VERSION_34,))),) if knows_tlvs else ()
        connection.bind = ServerBind(connection, wanted, body.interface_version)
        self._connections.bind(connection)
        connection.respond(request, response(system_id=self._config.system_id, tlvs=tlvs))
        self._host.bound(connection.bind)
        connection.end_login()

    async def _unbind(self, connection: _Accepted, request: RequestReceived) -> None:
        if connection.bind is not None:
            await self._host.finish(connection.bind)
        connection.respond(request, UnbindResp())
        connection.close("the application unbound")

    async def _leave(self, connection: _Accepted) -> None:
        """Say goodbye to one application."""
        connection.stop_accepting()
        if connection.bind is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FINISH_S):
                    await self._host.finish(connection.bind)
            with suppress(DriverError):  # it is gone, or silent: closed all the same
                await connection.ask(Unbind(), _UNBIND_S)
        connection.close("we unbound")

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Accepted(SmppConnection):
    """A connection that an application opened."""

    def __init__(
        self,
        server: SmppServer,
        config: SmppServerConfig,
        on_request: Callable[[SmppConnection, RequestReceived], None],
        incidents: Incidents,
    ) -> None:
        super().__init__(
            capacity=_DELIVERIES_AT_ONCE,
            response_timeout_s=config.response_timeout_s,
            timers=config.timers,
            on_request=on_request,
            incidents=incidents,
            role=Role.SMSC,
        )
        self._server = server
        self.peer = self.origin = ""
        self.login: asyncio.Task[None] | None = None
        self.bind: ServerBind | None = None

    def hold_for_login(self) -> None:
        """Take no PDU until it is decided who the peer is; its going is noticed all the same."""
        self._inflow.hold("login", listening=True)

    def end_login(self) -> None:
        """Undo `hold_for_login`; what the peer sent behind its bind is taken now."""
        self._inflow.release("login")

    @property
    def waits_for_login(self) -> bool:
        """It has sent its bind, and that is being looked at."""
        return self.login is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: an application has connected."""
        super().connection_made(transport)
        name = transport.get_extra_info("peername")
        self.peer = name[0] if name else ""
        self.origin = origin_of(self.peer)
        self._server.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        super().connection_lost(exc)
        self._server.closed(self)
