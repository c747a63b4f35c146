"""One TCP (or TLS) connection that carries a session: what touches its transport.

It moves octets between the socket and the session, keeps the window, and turns time into ticks. What comes is taken
in bites (`drivers.inflow`); writes of one turn of the event loop go out in few pieces. It knows no segments and no
receipts.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from drivers.errors import WireLost, WireTimeout
from drivers.inflow import BITE, Inflow
from drivers.smpp.incidents import Incidents
from drivers.smpp.session.machine import (
    NotificationReceived,
    PduRejected,
    RequestReceived,
    ResponseReceived,
    Session,
    SessionEvent,
    SessionFailed,
    SessionTimers,
    UnknownResponse,
)
from drivers.smpp.session.rules import Role
from drivers.smpp.session.window import Window
from drivers.smpp.wire.constants import command_name
from drivers.smpp.wire.pdus import Body

_LONGEST_TICK_S: Final = 1.0
_SHORTEST_TICK_S: Final = 0.01
_TICKS_PER_TIMER: Final = 8
_FIRST_FLUSH: Final = 2
_LONGEST_FLUSH: Final = 16
"""Requests of one turn of the event loop that go out without waiting for its end; each time twice as many."""
_LATE_REMEMBERED: Final = 4096
"""Tags of requests that were given up; as many as the session remembers."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A request that got no answer.

    Args:
        code: ``answer_timeout`` or ``link_lost``.
        detail: one sentence.
        written: whether octets of it may have left us.
    """

    code: str
    detail: str
    written: bool


Answer = ResponseReceived | Unanswered


OnLate = Callable[[object, ResponseReceived, bool], None]
"""Takes the tag of a request, its answer, and whether its asker was cancelled rather than told of a timeout."""


class _Waiter(NamedTuple):
    future: asyncio.Future[Answer]
    holds_slot: bool
    tag: object


class SmppConnection(asyncio.BufferedProtocol):
    """Our end of one connection, on either side.

    Attributes:
        lost: done when the link is gone, with the reason.

    Args:
        capacity: how many `exchange` calls may wait for their answers.
        response_timeout_s: after which a request is given up.
        timers: of the session.
        on_request: takes each request of the peer; answer with `respond`.
        incidents: told of what goes otherwise than asked.
        role: which side we are.
        on_late: takes answers that came after `exchange` had ended without them, if its caller gave a tag.
    """

    def __init__(
        self,
        *,
        capacity: int,
        response_timeout_s: float,
        timers: SessionTimers,
        on_request: Callable[[SmppConnection, RequestReceived], None],
        incidents: Incidents,
        role: Role = Role.ESME,
        on_late: OnLate | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._session = Session(role, now=self._loop.time(), timers=timers)
        self._window: Window[_Waiter] = Window()
        self._slots = asyncio.Semaphore(capacity)
        self._response_timeout_s = response_timeout_s
        self._on_request = on_request
        self._incidents = incidents
        self._on_late = on_late
        self._given_up: OrderedDict[int, object] = OrderedDict()
        self._transport: asyncio.Transport | None = None
        self._inflow = Inflow(self._hear)
        self._read_buffer = bytearray(BITE)
        self._unflushed: list[int] = []
        self._flush_scheduled = False
        self._flush_at = _FIRST_FLUSH
        self._accepting = True
        self._deaf_since: float | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._reason: WireLost | None = None
        self.lost: asyncio.Future[WireLost] = self._loop.create_future()
        shortest = min(timers.enquire_link_s, timers.response_s, timers.inactivity_s, response_timeout_s)
        self._tick_s = min(max(shortest / _TICKS_PER_TIMER, _SHORTEST_TICK_S), _LONGEST_TICK_S)
        self._ticker: asyncio.TimerHandle | None = None

    # ---- for the driver ----

    async def exchange(self, body: Body, tag: object = None) -> Answer:
        """Wait for a free slot of the window, send a request, and wait for its answer.

        Args:
            tag: what a late answer is reported with; None to have it only logged.

        Raises:
            EncodeError: a field breaks its bound; nothing was sent.

        Cancel: while waiting for a slot, nothing has happened. Later the request is out; its answer is
            still taken, counted and logged, and its slot is kept until then.
        """
        if not self._accepting:
            return _NOT_WRITTEN
        await self._slots.acquire()
        if not self._accepting:
            self._slots.release()
            return _NOT_WRITTEN
        try:
            future = self._send(body, self._response_timeout_s, holds_slot=True, tag=tag)
        except BaseException:
            self._slots.release()
            raise
        return await future

    async def ask(self, body: Body, timeout_s: float) -> ResponseReceived:
        """Send a request outside the window (bind, unbind) and wait for its answer.

        Raises:
            WireLost, WireTimeout: there is none.
            LocalProtocolError: the session does not allow it now.

        Cancel: the request is out; its answer is dropped.
        """
        answer = await self._send(body, timeout_s, holds_slot=False)
        if isinstance(answer, ResponseReceived):
            return answer
        if answer.code == "answer_timeout":
            raise WireTimeout(command_name(body.command_id), timeout_s)
        raise self._reason if self._reason is not None else WireLost(answer.detail, by_peer=True)

    def respond(self, request: RequestReceived, body: Body, command_status: int = 0) -> None:
        """Answer a request of the peer; nothing happens when the link is gone."""
        if not self._session.closed:
            self._session.respond(request, body, command_status)
            self._schedule_flush()

    def stop_accepting(self) -> None:
        """Take no new `exchange`; those on the wire go on."""
        self._accepting = False

    async def wait_idle(self, deadline: float) -> bool:
        """Wait until nothing is on the wire, or the loop's clock shows ``deadline``; whether it is idle.

        Cancel: changes nothing.
        """
        try:
            async with asyncio.timeout_at(deadline):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def hold_reading(self) -> None:
        """Read no more for now: the driver has more deliveries in hand than it can store.

        Time stands still for answers meanwhile, as they may lie unread.
        """
        if self._deaf_since is None:
            self._deaf_since = self._loop.time()
            self._inflow.hold("deliveries")

    def resume_reading(self) -> None:
        """Undo `hold_reading`."""
        if self._deaf_since is not None:
            deaf_s = self._loop.time() - self._deaf_since
            self._deaf_since = None
            self._window.postpone(deaf_s)
            self._session.postpone(deaf_s)
            self._inflow.release("deliveries")

    def note_refused(self) -> None:
        """A request could only be refused; a peer that goes on like that is heard less often."""
        self._inflow.note_nuisance()

    def close(self, reason: str) -> None:
        """Write what is queued and close; `lost` follows."""
        if self._reason is None:
            self._reason = WireLost(reason, by_peer=False)
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self, reason: str) -> None:
        """Close at once, unwritten octets dropped; `lost` follows."""
        if self._reason is None:
            self._reason = WireLost(reason, by_peer=False)
        if self._transport is not None:
            self._transport.abort()

    # ---- asyncio.Protocol ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._transport = cast("asyncio.Transport", transport)
        self._inflow.attach(self._transport)
        self._ticker = self._loop.call_later(self._tick_s, self._tick)

    def get_buffer(self, sizehint: int) -> bytearray:
        """Where the next octets go: no more than a bite, so that no more than that has to wait."""
        return self._read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Octets came."""
        self._inflow.received(bytes(self._read_buffer[:nbytes]))

    def pause_writing(self) -> None:
        """The peer does not read; then we read no more of it, or our answers would pile up."""
        self._inflow.hold("writing")

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._inflow.release("writing")

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed: everyone who waits learns what may have happened to his request."""
        if self._ticker is not None:
            self._ticker.cancel()
        self._accepting = False
        self._transport = None
        self._inflow.finish()  # the last answers may be in it
        self._session.close()
        reason = self._reason
        if reason is None:
            reason = self._reason = WireLost(_why_lost(exc), by_peer=True)
        unflushed = set(self._unflushed)
        for sequence_number, waiter in self._window.take_all():
            written = sequence_number not in unflushed
            self._settle(waiter, Unanswered("link_lost", str(reason), written))
        if not self.lost.done():
            self.lost.set_result(reason)

    # ---- inside ----

    def _hear(self, octets: bytes) -> None:
        """Act on a bite, one PDU after the other, until one of them makes us stop listening."""
        self._session.feed(octets)
        now = self._loop.time()
        while not self._inflow.held and (event := self._session.next_event(now)) is not None:
            self._take(event)
        self._flush()

    def _send(
        self, body: Body, timeout_s: float, *, holds_slot: bool, tag: object = None
    ) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = self._loop.create_future()
        if self._session.closed:
            if holds_slot:
                self._slots.release()
            future.set_result(_NOT_WRITTEN)
            return future
        now = self._loop.time()
        sequence_number = self._session.request(body, now)
        # The session has only queued it: the waiter is in the window before an octet leaves.
        self._window.add(sequence_number, _Waiter(future, holds_slot, tag), now + timeout_s)
        self._idle.clear()
        self._unflushed.append(sequence_number)
        self._schedule_flush()
        if len(self._unflushed) >= self._flush_at:
            # Not all of a turn at once: the peer would answer all at once, too, and the window stand empty meanwhile.
            self._flush()
            self._flush_at = min(2 * self._flush_at, _LONGEST_FLUSH)
        return future

    def _settle(self, waiter: _Waiter, answer: Answer) -> None:
        if waiter.holds_slot:
            self._slots.release()
        if not len(self._window):
            self._idle.set()
        if not waiter.future.done():
            waiter.future.set_result(answer)
        elif isinstance(answer, ResponseReceived):
            self._incidents.note_unclaimed(answer)
            self._report_late(waiter.tag, answer, abandoned=True)

    def _take(self, event: SessionEvent) -> None:
        match event:
            case ResponseReceived(sequence_number=sequence_number):
                waiter = self._window.take(sequence_number)
                if waiter is not None:
                    self._settle(waiter, event)
                else:
                    self._incidents.note_late(event)
                    self._report_late(self._given_up.pop(sequence_number, None), event, abandoned=False)
            case RequestReceived():
                self._on_request(self, event)
            case UnknownResponse() | PduRejected() | NotificationReceived():
                self._incidents.note(event)
                self._inflow.note_nuisance()
            case SessionFailed():
                self._fail(event)

    def _report_late(self, tag: object, answer: ResponseReceived, *, abandoned: bool) -> None:
        if tag is not None and self._on_late is not None:
            self._on_late(tag, answer, abandoned)

    def _fail(self, event: SessionFailed) -> None:
        self._incidents.note_failure(event)
        if self._reason is None:
            self._reason = WireLost(f"{event.code}: {event.reason}", by_peer=False)
        self._flush()
        if self._transport is None:
            return
        # A silent peer takes no more octets: waiting for them to leave could take for ever.
        if event.code in {"framing_lost", "not_smpp"}:
            self._transport.close()
        else:
            self._transport.abort()

    def _schedule_flush(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._flush_scheduled = False
        self._flush()
        self._flush_at = _FIRST_FLUSH

    def _flush(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        octets = self._session.data_to_send()
        if octets:
            transport.write(octets)
            self._unflushed.clear()

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(self._tick_s, self._tick)
        if self._deaf_since is not None:
            return
        now = self._loop.time()
        for sequence_number, waiter in self._window.take_expired(now):
            self._session.give_up(sequence_number)
            self._remember(sequence_number, waiter)
            self._settle(waiter, _TIMED_OUT)
        for event in self._session.tick(now):
            self._take(event)
        self._flush()

    def _remember(self, sequence_number: int, waiter: _Waiter) -> None:
        """Keep the tag of a request that is given up; once its asker is told, a late answer is news."""
        self._given_up.pop(sequence_number, None)  # of an earlier round of the numbers
        if waiter.tag is not None:
            self._given_up[sequence_number] = waiter.tag
            if len(self._given_up) > _LATE_REMEMBERED:
                self._given_up.popitem(last=False)


def _why_lost(exc: Exception | None) -> str:
    if isinstance(exc, ssl.SSLError) and exc.reason:
        # OpenSSL's name of it is the only part that a person can use: "tlsv13 alert certificate required".
        return f"TLS: {exc.reason.lower().replace('_', ' ')}"
    return (getattr(exc, "strerror", None) or str(exc)) if exc else "closed by the peer"


_NOT_WRITTEN: Final = Unanswered("link_down", "the link is not up", written=False)
_TIMED_OUT: Final = Unanswered("answer_timeout", "the peer did not answer in time", written=True)
