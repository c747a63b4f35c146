"""One TCP connection of an ESME: the sans-IO session in the SMSC's role, and what answers its requests.

Requests are answered by one task per connection, in their order, so that thousands a second cost neither a
task nor a timer each; what is answered together is written together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from drivers.smpp.session.machine import (
    RequestReceived,
    ResponseReceived,
    Session,
    SessionEvent,
    SessionFailed,
)
from drivers.smpp.session.rules import Role, SessionState
from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    CancelSm,
    DeliverSm,
    GenericNack,
    QuerySm,
    ReplaceSm,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from simulators.smsc.behaviour import BindRequest, SmscBehaviour, answer_bind, answer_refusal
from simulators.smsc.misbehaviour import Mood, Outlet
from simulators.smsc.translate import Unacceptable, read_submit
from simulators.traffic import NetworkRefusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.network import Network
    from simulators.smsc.account import Account

_TICK_S: Final = 0.25
_MAX_UNANSWERED: Final = 10_000
"""Requests taken from an ESME and not answered; with more, nothing is read from it."""


class _Delivery(NamedTuple):
    body: DeliverSm
    sent_at: float


class SmscSession(asyncio.Protocol):
    """See the module.

    Args:
        sessions: where the session is while it is connected.
        accounts: who may bind, by system_id.
        mood: what goes wrong.
    """

    def __init__(
        self,
        *,
        behaviour: SmscBehaviour,
        network: Network,
        accounts: Mapping[str, Account],
        sessions: set[SmscSession],
        mood: Mood,
    ) -> None:
        self._mood = mood
        self._outlet = Outlet(mood, self._write)
        self._behaviour = behaviour
        self._network = network
        self._accounts = accounts
        self._sessions = sessions
        self._loop = asyncio.get_running_loop()
        self._session = Session(Role.SMSC, now=self._loop.time(), timers=behaviour.timers)
        self._account: Account | None = None
        self._receives = False
        self._writable = True
        self._flushing = False
        self._deliveries: dict[int, _Delivery] = {}
        self._requests: deque[tuple[float, RequestReceived]] = deque()
        self._request_waits = asyncio.Event()

    @property
    def bound(self) -> bool:
        """Whether an ESME is logged in here."""
        return self._account is not None

    @property
    def n_unanswered(self) -> int:
        """Requests of the ESME that wait for their answer."""
        return len(self._requests)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: an ESME has connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._sessions.add(self)
        self._answering = self._loop.create_task(self._answer_requests())
        self._tick()

    def data_received(self, data: bytes) -> None:
        """asyncio: octets came."""
        if self._mood.half_open:
            return
        now = self._loop.time()
        for event in self._session.receive_data(data, now):
            self._act(event, now)
        if len(self._requests) > _MAX_UNANSWERED:
            self._transport.pause_reading()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone, by either side; what was not acknowledged is still owed."""
        self._session.close()
        self._answering.cancel()
        self._ticking.cancel()
        self._sessions.discard(self)
        if self._account is not None and self._receives:
            self._account.remove_bind(self, [delivery.body for delivery in self._deliveries.values()])
        self._account = None
        self._network.notice()

    def pause_writing(self) -> None:
        """asyncio: the ESME does not read."""
        self._writable = False

    def resume_writing(self) -> None:
        """asyncio: the ESME reads again."""
        self._writable = True
        if self._account is not None:
            self._account.pump()

    def close(self) -> None:
        """End the connection after what is queued has been written."""
        self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def unbind(self) -> None:
        """Ask the ESME to go; it is closed when that answers."""
        if self.bound and not self._session.closed:
            self._session.request(Unbind(), self._loop.time())
            self._flush()

    def offer(self, body: DeliverSm) -> bool:
        """Send a deliver_sm, unless the window is full or the ESME does not read."""
        window_full = len(self._deliveries) >= self._behaviour.deliver_window
        if window_full or not self._writable or self._session.closed:
            return False
        now = self._loop.time()
        self._deliveries[self._session.request(body, now)] = _Delivery(body, now)
        if not self._flushing:
            # Many are offered in one turn of the loop; they go out in one write at its end.
            self._flushing = True
            self._loop.call_soon(self._flush)
        return True

    def _act(self, event: SessionEvent, now: float) -> None:
        match event:
            case RequestReceived(body=SubmitSm()) if self._mood.window_exceeded(len(self._requests)):
                self._session.respond(event, SubmitSmResp(), CommandStatus.RTHROTTLED)
            case RequestReceived(body=SubmitSm()):
                self._take_request(now + self._behaviour.latency_s, event)
            case RequestReceived():
                self._take_request(now, event)
            case ResponseReceived(body=body) if event.sequence_number in self._deliveries:
                taken = event.command_status == 0 and not isinstance(body, GenericNack)
                self._settle(event.sequence_number, taken=taken)
            case ResponseReceived(body=UnbindResp()) | SessionFailed():
                self._flush()
                self.close()
            case _:
                pass  # the session has answered it, or nobody needs to

    def _take_request(self, due: float, request: RequestReceived) -> None:
        self._requests.append((due, request))
        self._request_waits.set()

    async def _answer_requests(self) -> None:
        while not self._session.closed:
            if not self._requests:
                self._request_waits.clear()
                await self._request_waits.wait()
            due = self._requests[0][0]
            if due > (now := self._loop.time()):
                await asyncio.sleep(due - now)
            while self._requests and self._requests[0][0] <= due and not self._session.closed:
                await self._answer(self._requests.popleft()[1])
            self._flush()
            if not self._transport.is_reading() and not self._transport.is_closing():
                self._transport.resume_reading()

    async def _answer(self, request: RequestReceived) -> None:
        match request.body:
            case SubmitSm() as body:
                await self._answer_submit(request, body)
            case QuerySm() | CancelSm() | ReplaceSm() as body:
                assert self._account is not None, "the session takes these only when bound"
                self._session.respond(request, *self._account.submissions.answer(body))
            case BindTransmitter() | BindReceiver() | BindTransceiver() as body:
                self._answer_bind(request, body)
            case Unbind():
                self._session.respond(request, UnbindResp())
                self._flush()
                self.close()
            case _:
                self._session.respond(request, GenericNack(), CommandStatus.RINVCMDID)

    async def _answer_submit(self, request: RequestReceived, body: SubmitSm) -> None:
        account = self._account
        assert account is not None, "the session takes submit_sm only when bound"
        status = self._mood.refuse_submit(body.destination_addr)
        if status is not None:
            self._session.respond(request, SubmitSmResp(), status)
            return
        try:
            message = read_submit(body, number=account.number, via=account.system_id)
            reference = await self._network.submit(message, account)
        except Unacceptable as refusal:
            self._session.respond(request, SubmitSmResp(), refusal.command_status)
        except NetworkRefusal as refusal:
            self._session.respond(request, SubmitSmResp(), answer_refusal(refusal.code))
        else:
            message_id = self._behaviour.message_ids.in_response(reference)
            account.submissions.add(message_id, reference, body)
            self._session.respond(request, SubmitSmResp(message_id=message_id))

    def _answer_bind(self, request: RequestReceived, body: BindRequest) -> None:
        response, command_status, account = answer_bind(body, self._accounts, bound=self.bound)
        refusal = self._mood.refuse_bind(body.system_id)
        if refusal is not None:
            self._session.respond(request, type(response)(), refusal)
            return
        self._session.respond(request, response, command_status)
        if account is None:
            return
        self._account = account
        self._receives = self._session.state is not SessionState.BOUND_TX
        self._flush()
        if self._receives:
            account.add_bind(self)
        self._network.notice()

    def _settle(self, sequence_number: int, *, taken: bool) -> None:
        delivery = self._deliveries.pop(sequence_number)
        assert self._account is not None, "only a bound session delivers"
        self._account.settle(delivery.body, taken=taken)

    def _tick(self) -> None:
        now = self._loop.time()
        for event in self._session.tick(now):
            self._act(event, now)
        overdue = now - self._behaviour.timers.response_s
        for sequence_number in [
            number for number, sent in self._deliveries.items() if sent.sent_at <= overdue
        ]:
            self._session.give_up(sequence_number)
            self._settle(sequence_number, taken=False)
        self._flush()
        self._ticking = self._loop.call_later(_TICK_S, self._tick)

    def _flush(self) -> None:
        self._flushing = False
        octets = self._session.data_to_send()
        if octets:
            self._outlet.send(octets)

    def _write(self, octets: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(octets)
