"""One SMPP session without I/O: octets and the time in, events and octets out; both roles.

The owner of the socket hands every chunk to `Session.feed`, pulls events one by one, acts on them, and writes what
`Session.data_to_send` holds. enquire_link is answered and sent here; every other request of the peer is an event that
the owner answers with `Session.respond`. The session knows which of its requests wait for an answer, not who waits:
that is the window's business.

Spec: SMPP 3.4 2.2 (states), 2.3 (operations by state), 2.7-2.9 (sequence, timers, errors).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import msgspec

from drivers.errors import DecodeError, LocalProtocolError, RemoteProtocolError
from drivers.smpp.session.rules import (
    BOUND_STATE_BY_BIND,
    RESPONSE_BODY,
    UNANSWERED_COMMANDS,
    Role,
    SessionState,
    may_send,
    status_for_decode_error,
)
from drivers.smpp.wire.codec import (
    Header,
    decode_body,
    decode_header,
    encode_pdu,
    next_sequence_number,
)
from drivers.smpp.wire.constants import (
    HEADER_OCTETS,
    RESPONSE_BIT,
    CommandId,
    CommandStatus,
    command_name,
)
from drivers.smpp.wire.pdus import Body, EnquireLink, EnquireLinkResp, GenericNack
from drivers.smpp.wire.strangers import name_protocol

_LATE_REMEMBERED: Final = 4096
"""Given-up requests whose answers are still told from answers to nothing."""
MOST_BEFORE_BIND: Final = 16
"""PDUs of a peer that is not bound; an honest one needs few, and whoever sends more is shown out."""


class RequestReceived(msgspec.Struct, frozen=True, gc=False):
    """The peer asks; answer with `Session.respond`."""

    sequence_number: int
    body: Body


class NotificationReceived(msgspec.Struct, frozen=True, gc=False):
    """alert_notification or outbind: there is no answer to it."""

    body: Body


class ResponseReceived(msgspec.Struct, frozen=True, gc=False):
    """The answer to a request of ours.

    Args:
        sequence_number: of the request.
        request_command_id: what we had asked.
        command_status: 0 for success.
        body: of the kind that belongs to the request, or `GenericNack`.
        late: the owner had given the request up (`Session.give_up`).
        unread: why the body has only defaults; None when it was read.
    """

    sequence_number: int
    request_command_id: int
    command_status: int
    body: Body
    late: bool = False
    unread: str | None = None

    @property
    def refusal(self) -> int:
        """The status with which it says no, 0 for a yes; generic_nack is none, whatever its status."""
        is_nack = isinstance(self.body, GenericNack)
        return self.command_status or (CommandStatus.RUNKNOWNERR if is_nack else CommandStatus.ROK)


class UnknownResponse(msgspec.Struct, frozen=True, gc=False):
    """An answer to nothing we asked, or of the wrong kind; the request, if any, goes on waiting."""

    sequence_number: int
    command_id: int
    command_status: int


class PduRejected(msgspec.Struct, frozen=True, gc=False):
    """A PDU that could not be read or is not allowed now; it has been answered with ``command_status``."""

    sequence_number: int
    command_id: int
    command_status: int
    reason: str


class SessionFailed(msgspec.Struct, frozen=True, gc=False):
    """Framing is lost or the peer is silent: close the link. Nothing comes after this event."""

    code: str
    reason: str


SessionEvent = (
    RequestReceived | NotificationReceived | ResponseReceived | UnknownResponse | PduRejected | SessionFailed
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTimers:
    """Seconds; infinity switches a timer off. Spec: SMPP 3.4 2.9.

    Args:
        enquire_link_s: silence of the peer after which it is asked whether it lives.
        response_s: how long an enquire_link may go unanswered, with nothing else heard either.
        inactivity_s: time without any PDU besides enquire_link after which the session ends.
        session_init_s: time from connect to a bind.
    """

    enquire_link_s: float = 30.0
    response_s: float = 60.0
    inactivity_s: float = math.inf
    session_init_s: float = math.inf


class Session:
    """One session, from connect to close.

    Args:
        role: which side we are.
        now: monotonic seconds, on the same clock as all later calls.
        timers: see `SessionTimers`.
    """

    __slots__ = (
        "_active_at",
        "_buffer",
        "_given_up",
        "_heard_at",
        "_last_sequence_number",
        "_n_unbound",
        "_offset",
        "_opened_at",
        "_outgoing",
        "_probe_number",
        "_probe_sent_at",
        "_role",
        "_state",
        "_timers",
        "_waiting",
    )

    def __init__(self, role: Role, *, now: float, timers: SessionTimers | None = None) -> None:
        self._role = role
        self._timers = timers if timers is not None else SessionTimers()
        self._state = SessionState.OPEN
        self._opened_at = self._heard_at = self._active_at = now
        self._probe_sent_at: float | None = None
        self._probe_number = 0
        self._buffer = b""
        self._offset = 0
        self._n_unbound = 0
        self._outgoing: list[bytes] = []
        self._last_sequence_number = 0
        self._waiting: dict[int, int] = {}
        self._given_up: OrderedDict[int, int] = OrderedDict()

    @property
    def state(self) -> SessionState:
        """Where the session is."""
        return self._state

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent or taken."""
        return self._state is SessionState.CLOSED

    @property
    def waiting(self) -> int:
        """Requests of ours that wait for an answer, enquire_link included."""
        return len(self._waiting)

    def data_to_send(self) -> bytes:
        """Octets to write now, in order; each is handed out once."""
        octets = b"".join(self._outgoing)
        self._outgoing.clear()
        return octets

    def request(self, body: Body, now: float) -> int:
        """Queue a request and wait for its answer from now on.

        Returns:
            The sequence number that its `ResponseReceived` will carry.

        Raises:
            LocalProtocolError: the operation is not ours to ask in this state.
            EncodeError: a field breaks its bound; nothing is queued.
        """
        command_id = body.command_id
        if command_id & RESPONSE_BIT:
            raise LocalProtocolError(f"{command_name(command_id)} is not a request")
        if not may_send(self._role, self._state, command_id):
            raise LocalProtocolError(f"{command_name(command_id)} is not possible in state {self._state}")
        sequence_number = next_sequence_number(self._last_sequence_number)
        while sequence_number in self._waiting:
            sequence_number = next_sequence_number(sequence_number)
        self._outgoing.append(encode_pdu(body, sequence_number))
        self._last_sequence_number = sequence_number
        if command_id not in UNANSWERED_COMMANDS:
            self._waiting[sequence_number] = command_id
            self._given_up.pop(sequence_number, None)
        if command_id != CommandId.ENQUIRE_LINK:
            self._active_at = now
        return sequence_number

    def respond(self, request: RequestReceived, body: Body, command_status: int = 0) -> None:
        """Queue the answer to a request of the peer.

        A bind or unbind answered with status 0 changes the state.

        Raises:
            LocalProtocolError: ``body`` does not answer this kind of request, or the session is closed.
            EncodeError: a field breaks its bound.
        """
        command_id = request.body.command_id
        if body.command_id not in {command_id | RESPONSE_BIT, CommandId.GENERIC_NACK}:
            raise LocalProtocolError(
                f"{command_name(body.command_id)} does not answer {command_name(command_id)}"
            )
        if self._state is SessionState.CLOSED:
            raise LocalProtocolError("the session is closed")
        self._outgoing.append(encode_pdu(body, request.sequence_number, command_status))
        if command_status == 0 and body.command_id != CommandId.GENERIC_NACK:
            self._follow(command_id)

    def give_up(self, sequence_number: int) -> None:
        """Wait no longer for this answer; should it come, the event says ``late``."""
        command_id = self._waiting.pop(sequence_number, None)
        if command_id is not None:
            self._given_up[sequence_number] = command_id
            if len(self._given_up) > _LATE_REMEMBERED:
                self._given_up.popitem(last=False)

    def postpone(self, by_s: float) -> None:
        """Move every timer: for a time the peer could not be heard, and that was our doing."""
        self._heard_at += by_s
        self._active_at += by_s
        if self._probe_sent_at is not None:
            self._probe_sent_at += by_s

    def close(self) -> None:
        """The link is gone: nothing is sent or taken any more."""
        self._state = SessionState.CLOSED
        self._outgoing.clear()
        self._buffer = b""

    def receive_data(self, data: bytes, now: float) -> list[SessionEvent]:
        """Take octets from the peer, cut anywhere; total; what they mean, in order, and nothing once closed."""
        self.feed(data)
        return list(iter(lambda: self.next_event(now), None))

    def feed(self, data: bytes) -> None:
        """Add octets from the peer, cut anywhere; then pull events until there are none."""
        if not self.closed:
            rest = self._buffer[self._offset :] if self._offset else self._buffer
            self._buffer, self._offset = rest + data if rest else data, 0

    def next_event(self, now: float) -> SessionEvent | None:
        """What the next PDU of the peer means; None when more octets are needed, or the session is closed."""
        buffer = self._buffer
        while len(buffer) - self._offset >= HEADER_OCTETS and not self.closed:
            start = self._offset
            try:
                header = decode_header(buffer, start)
            except RemoteProtocolError as error:
                return self._lose_framing(error, buffer[start:])
            end = start + header.command_length
            if end > len(buffer):
                return None
            self._offset = end
            self._heard_at = now
            self._probe_sent_at = None
            if self._state is SessionState.OPEN:
                self._n_unbound += 1
                if self._n_unbound > MOST_BEFORE_BIND:
                    return self._fail("too_much_before_bind", f"{self._n_unbound} PDUs and no bind")
            event = self._take(header, buffer[start:end], now)
            if event is not None:
                return event
        return None

    def tick(self, now: float) -> list[SessionEvent]:
        """Let time pass: may queue an enquire_link, or end the session. Call it about every second."""
        if self.closed:
            return []
        timers = self._timers
        if self._state is SessionState.OPEN:
            if now - self._opened_at >= timers.session_init_s:
                return [self._fail("session_init_timeout", f"no bind within {timers.session_init_s:g} s")]
            return []
        if now - self._active_at >= timers.inactivity_s:
            return [self._fail("inactive", f"nothing to do for {timers.inactivity_s:g} s")]
        if self._probe_sent_at is not None:
            if now - self._probe_sent_at >= timers.response_s:
                return [self._fail("enquire_link_timeout", f"peer silent for {now - self._heard_at:.0f} s")]
        elif now - self._heard_at >= timers.enquire_link_s:
            self.give_up(self._probe_number)  # of a peer that speaks, and does not answer that
            self._probe_number = self.request(EnquireLink(), now)
            self._probe_sent_at = now
        return []

    def _take(self, header: Header, octets: bytes, now: float) -> SessionEvent | None:
        if header.command_id & RESPONSE_BIT:
            return self._take_response(header, octets, now)
        command_id = header.command_id
        try:
            body = decode_body(command_id, octets)
        except RemoteProtocolError as error:
            return self._reject(header, CommandStatus.RINVCMDID, str(error))
        except DecodeError as error:
            return self._reject(header, status_for_decode_error(error), str(error))
        if command_id == CommandId.ENQUIRE_LINK:
            self._outgoing.append(encode_pdu(EnquireLinkResp(), header.sequence_number))
            return None
        if not may_send(self._role.peer, self._state, command_id):
            rebind = self._state is not SessionState.OPEN and command_id in BOUND_STATE_BY_BIND
            status = CommandStatus.RALYBND if rebind else CommandStatus.RINVBNDSTS
            return self._reject(header, status, f"{command_name(command_id)} in state {self._state}")
        self._active_at = now
        if command_id in UNANSWERED_COMMANDS:
            return NotificationReceived(body)
        return RequestReceived(header.sequence_number, body)

    def _take_response(self, header: Header, octets: bytes, now: float) -> SessionEvent | None:
        sequence_number, command_id = header.sequence_number, header.command_id
        is_refusal = header.command_status != 0 or command_id == CommandId.GENERIC_NACK
        if is_refusal and sequence_number not in self._waiting:
            sequence_number = self._meant_by_refusal(command_id, sequence_number)
        late = sequence_number not in self._waiting
        asked = (self._given_up if late else self._waiting).get(sequence_number)
        if asked is None or command_id not in (asked | RESPONSE_BIT, CommandId.GENERIC_NACK):
            return UnknownResponse(sequence_number, command_id, header.command_status)
        del (self._given_up if late else self._waiting)[sequence_number]
        if asked == CommandId.ENQUIRE_LINK:
            return None
        self._active_at = now
        unread = None
        try:
            body = decode_body(command_id, octets)
        except DecodeError as error:
            body, unread = RESPONSE_BODY[command_id](), str(error)
        if header.command_status == 0 and command_id != CommandId.GENERIC_NACK:
            self._follow(asked)
        return ResponseReceived(sequence_number, asked, header.command_status, body, late, unread)

    def _meant_by_refusal(self, command_id: int, sequence_number: int) -> int:
        """A peer that could not read a PDU does not know its number, and says 0 (SMPP 3.4 4.3.1).

        Before we are bound it can only mean our bind. Later it may mean an answer of ours as well as a request.
        """
        binds = [number for number, asked in self._waiting.items() if asked in BOUND_STATE_BY_BIND]
        mine = [n for n in binds if command_id in (self._waiting[n] | RESPONSE_BIT, CommandId.GENERIC_NACK)]
        return mine[0] if self._state is SessionState.OPEN and len(mine) == 1 else sequence_number

    def _follow(self, command_id: int) -> None:
        """A request of either side was granted: change the state if it is one that does."""
        if command_id == CommandId.UNBIND:
            self._state = SessionState.CLOSED
        elif self._state is SessionState.OPEN:
            self._state = BOUND_STATE_BY_BIND.get(command_id, self._state)

    def _reject(self, header: Header, command_status: int, reason: str) -> PduRejected:
        kind = RESPONSE_BODY.get(header.command_id | RESPONSE_BIT, GenericNack)
        if header.command_id not in UNANSWERED_COMMANDS:
            self._outgoing.append(encode_pdu(kind(), header.sequence_number, command_status))
        return PduRejected(header.sequence_number, header.command_id, command_status, reason)

    def _lose_framing(self, error: RemoteProtocolError, octets: bytes) -> SessionFailed:
        # The sequence number can't be trusted either, so the nack carries none (SMPP 3.4 4.3.1).
        self._outgoing.append(encode_pdu(GenericNack(), 0, CommandStatus.RINVCMDLEN))
        if protocol := name_protocol(octets):
            return self._fail("not_smpp", f"the other side speaks {protocol}, not SMPP; check host and port")
        return self._fail("framing_lost", str(error))

    def _fail(self, code: str, reason: str) -> SessionFailed:
        self._state = SessionState.CLOSED
        return SessionFailed(code, reason)
