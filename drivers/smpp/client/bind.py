"""One bind that keeps itself up: connect, log in, serve, and again, from host to host, until it is cancelled.

It knows PDUs and connections, no segments: what comes in goes to the `Deliveries`, what goes out is the driver's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from drivers.base import Fault, FaultKind
from drivers.errors import EncodeError, SmppStatusError, WireError, WireLost, WireTimeout
from drivers.pacing import Backoff
from drivers.smpp.client.config import BINDS, VERSIONS, Peer, SmppConfig
from drivers.smpp.client.deliveries import Deliveries
from drivers.smpp.client.dial import connect
from drivers.smpp.client.faults import fault_for_bind
from drivers.smpp.connection import OnLate, SmppConnection
from drivers.smpp.incidents import Incidents
from drivers.smpp.session.machine import RequestReceived, ResponseReceived, SessionTimers
from drivers.smpp.wire.constants import Tag
from drivers.smpp.wire.fields import find_int_tlv
from drivers.smpp.wire.pdus import Body, DataSm, DeliverSm, Unbind, UnbindResp

Facts = dict[str, str | int | float | bool | None]
OnUp = Callable[[SmppConnection, Facts], Awaitable[None]]
OnDown = Callable[[Fault], Awaitable[None]]

_UNBIND_S: Final = 1.0
"""Least time for the answer to unbind, and for the socket to close."""
RENEWING: Final = "renewing"
"""Code of the fault with which a bind goes down because a new session was asked for."""
_UNBOUND: Final = Fault(
    kind=FaultKind.CHANNEL, code="unbound", detail="the SMSC has ended the session (unbind)"
)
_STABLE_S: Final = 10.0
"""A session that lived this long was a good one: the next try is soon again."""


class Bind:
    """See the module.

    Args:
        config: the channel's.
        kind: one of `drivers.smpp.client.config.BINDS`.
        deliveries: where what the SMSC sends goes.
        incidents: counters of the channel.
        on_late: see `SmppConnection`.
    """

    def __init__(
        self, config: SmppConfig, kind: str, deliveries: Deliveries, incidents: Incidents, on_late: OnLate
    ) -> None:
        self._config = config
        self._kind = kind
        self._deliveries = deliveries
        self._incidents = incidents
        self._on_late = on_late
        self._worn: asyncio.Future[Fault] | None = None
        self._worn_peer: Peer | None = None
        self._served: SmppConnection | None = None
        self._reported: str | None = None

    def renew(self, fault: Fault) -> None:
        """End the session, though its link is well, and bind anew; at another host first if there is one.

        Nothing happens while there is no session.
        """
        detail = (
            f"Everything that is submitted fails, the last time with {fault.code}. A new session is opened."
        )
        self._wear_out(Fault(kind=FaultKind.CHANNEL, code=RENEWING, detail=detail))

    def _wear_out(self, fault: Fault) -> None:
        if self._worn is None or self._worn.done():
            return
        if self._served is None or not self._served.lost.done():  # else what ended the link is to be told
            self._worn.set_result(fault)

    async def run(self, on_up: OnUp, on_down: OnDown) -> None:
        """Bind, serve, and bind again; returns only after a fault that a person must mend.

        Args:
            on_up: told of each session once it is bound.
            on_down: told once of each fault that goes on.

        Cancel: takes nothing new, gives what is in flight `SmppConfig.stop_grace_s`, unbinds and closes.
        """
        loop = asyncio.get_running_loop()
        backoff = Backoff(*self._config.backoff_s)
        self._reported = None
        while True:
            try:
                connection, facts = await self._open()
            except SmppStatusError as error:
                fault = fault_for_bind(error.command_status)
            except EncodeError as error:
                fault = Fault(kind=FaultKind.CONFIG, code="smpp_encode", detail=str(error))
            except WireError as error:
                fault = _fault_of_wire(error)
            else:
                self._reported = None
                bound_at = loop.time()
                fault = await self._serve(connection, facts, on_up, on_down)
                if loop.time() - bound_at >= _STABLE_S:
                    backoff.reset()
            await self._tell(fault, on_down)
            if fault.kind is FaultKind.CONFIG:
                return
            await asyncio.sleep(backoff.next_s())

    async def _open(self) -> tuple[SmppConnection, Facts]:
        """A session with the first peer that grants one.

        A refusal that a person must mend is final: a wrong password at each host would only lock the account.
        """
        *others, last = sorted(self._config.peers, key=lambda peer: peer == self._worn_peer)
        self._worn_peer = None
        for peer in others:
            try:
                return await self._open_at(peer)
            except WireError:
                continue
            except SmppStatusError as error:
                if fault_for_bind(error.command_status).kind is FaultKind.CONFIG:
                    raise
        return await self._open_at(last)

    async def _open_at(self, peer: Peer) -> tuple[SmppConnection, Facts]:
        """Connect and bind; nothing stays open when it fails."""
        config = self._config
        connection = await connect(
            self._new_connection,
            host=peer.host,
            port=peer.port,
            tls=config.tls,
            tls_name=config.tls_name,
            timeout_s=config.bind_timeout_s,
        )
        try:
            answer = await connection.ask(self._request(), config.bind_timeout_s)
            if answer.refusal:
                raise SmppStatusError(answer.refusal)
        except WireLost as error:
            connection.close("not bound")
            if not error.by_peer:
                raise
            wants = "" if config.tls is not None else "; if that is a TLS port, write tls = true"
            asks = f"before it answered the bind; ask the carrier whether it knows this machine{wants}"
            raise WireLost(f"{peer}: {error}, {asks}", by_peer=True) from error
        except BaseException:
            connection.close("not bound")
            raise
        return connection, self._facts(peer, answer)

    async def _serve(self, connection: SmppConnection, facts: Facts, on_up: OnUp, on_down: OnDown) -> Fault:
        """Keep the session until the link is gone, or a new one is asked for."""
        loop = asyncio.get_running_loop()
        worn: asyncio.Future[Fault] = loop.create_future()
        self._worn, self._served = worn, connection

        try:
            await on_up(connection, facts)
            either: list[asyncio.Future[Any]] = [connection.lost, worn]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not connection.lost.done():
                # Told first: while it waits for answers that may never come, others take what is queued. It waits as
                # long as ever, because what is cut off would be of unknown fate.
                await self._tell(worn.result(), on_down)
                if worn.result().code == RENEWING:
                    self._worn_peer = next((p for p in self._config.peers if str(p) == facts["peer"]), None)
                connection.stop_accepting()
                await connection.wait_idle(loop.time() + self._config.response_timeout_s)
        finally:
            self._worn = self._served = None
            await self._part(connection)
        return worn.result() if worn.done() else _fault_of_wire(connection.lost.result())

    async def _tell(self, fault: Fault, on_down: OnDown) -> None:
        if fault.code != self._reported:
            self._reported = fault.code
            await on_down(fault)

    async def _part(self, connection: SmppConnection) -> None:
        """Finish what is in flight, unbind, and close; nothing to do when the link is gone already."""
        connection.stop_accepting()
        if connection.lost.done():
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._config.stop_grace_s
        try:
            await connection.wait_idle(deadline)
            await self._deliveries.finish(deadline)
            await connection.ask(Unbind(), max(deadline - loop.time(), _UNBIND_S))
        except WireError:
            pass
        finally:
            connection.close("stopped")
        await asyncio.wait([connection.lost], timeout=_UNBIND_S)
        connection.abort("stopped")

    def _new_connection(self) -> SmppConnection:
        config = self._config

        def on_request(connection: SmppConnection, request: RequestReceived) -> None:
            match request.body:
                case DeliverSm() | DataSm() as body:
                    self._deliveries.start(connection, request, body)
                case Unbind():
                    connection.stop_accepting()
                    self._wear_out(_UNBOUND)
                    parting = asyncio.create_task(self._let_go(connection, request))
                    connection.lost.add_done_callback(lambda _: parting.cancel())
                case _:
                    pass  # the session lets an SMSC ask nothing else

        return SmppConnection(
            capacity=config.window,
            response_timeout_s=config.response_timeout_s,
            timers=SessionTimers(enquire_link_s=config.enquire_link_s, response_s=config.response_timeout_s),
            on_request=on_request,
            incidents=self._incidents,
            on_late=self._on_late,
        )

    async def _let_go(self, connection: SmppConnection, request: RequestReceived) -> None:
        """The SMSC unbinds us: its answers to what is in flight come first, if they come."""
        await connection.wait_idle(asyncio.get_running_loop().time() + self._config.stop_grace_s)
        connection.respond(request, UnbindResp())
        connection.close("unbound by the SMSC")

    def _request(self) -> Body:
        config = self._config
        return BINDS[self._kind](
            system_id=config.system_id,
            password=config.password,
            system_type=config.system_type,
            interface_version=VERSIONS[config.interface_version],
            addr_ton=config.address_range_ton,
            addr_npi=config.address_range_npi,
            address_range=config.address_range,
        )

    def _facts(self, peer: Peer, answer: ResponseReceived) -> Facts:
        config = self._config
        version = find_int_tlv(getattr(answer.body, "tlvs", ()), Tag.SC_INTERFACE_VERSION)
        if version is not None and version > 0xFF:
            version = None  # wider than an octet it is no version, and may be too long a number to write
        return {
            "peer": str(peer),
            "system_id": config.system_id,
            "smsc_system_id": getattr(answer.body, "system_id", "") or None,
            "bind": config.bind,
            "window": config.window,
            "interface_version": None if version is None else f"{version >> 4}.{version & 0xF}",
            "tls": config.tls is not None,
        }


def _fault_of_wire(error: WireError) -> Fault:
    code = "link_timeout" if isinstance(error, WireTimeout) else "link_lost"
    return Fault(kind=FaultKind.CHANNEL, code=code, detail=str(error))
