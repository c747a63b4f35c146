"""A session against a model: both sides, any order of requests, answers, time-outs and cuts; each request ends once."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drivers.smpp.session.machine import (
    PduRejected,
    RequestReceived,
    ResponseReceived,
    Session,
    SessionEvent,
    SessionFailed,
    UnknownResponse,
)
from drivers.smpp.session.rules import Role
from drivers.smpp.wire.codec import encode_pdu
from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import (
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    DeliverSmResp,
    GenericNack,
    QuerySmResp,
    SubmitSm,
    SubmitSmResp,
)

pytestmark = pytest.mark.property

STATUSES = st.sampled_from([0, 0, 0, CommandStatus.RTHROTTLED, CommandStatus.RSYSERR, 0x400])


class SessionMachine(RuleBasedStateMachine):
    """An ESME and an SMSC joined by two pipes; the model is which requests of whom wait for an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.sides = {role: Session(role, now=0.0) for role in Role}
        self.pipe = dict.fromkeys(Role, b"")
        """Octets on their way to a side."""
        self.waiting: dict[Role, set[int]] = {role: set() for role in Role}
        self.late: dict[Role, set[int]] = {role: set() for role in Role}
        self.requests: list[tuple[Role, RequestReceived]] = []
        self.bind()

    def bind(self) -> None:
        esme, smsc = self.sides[Role.ESME], self.sides[Role.SMSC]
        esme.request(BindTransceiver(), self.now)
        [asked] = smsc.receive_data(esme.data_to_send(), self.now)
        assert isinstance(asked, RequestReceived)
        smsc.respond(asked, BindTransceiverResp(system_id="smsc"))
        [answered] = esme.receive_data(smsc.data_to_send(), self.now)
        assert isinstance(answered, ResponseReceived)

    @rule(role=st.sampled_from(list(Role)))
    def ask(self, role: Role) -> None:
        """A side asks what is its own to ask."""
        body = SubmitSm(short_message=b"hi") if role is Role.ESME else DeliverSm(short_message=b"hi")
        sequence_number = self.sides[role].request(body, self.now)
        assert sequence_number not in self.waiting[role]
        self.waiting[role].add(sequence_number)
        self.late[role].discard(sequence_number)
        self.flush(role)

    @precondition(lambda self: self.requests)
    @rule(data=st.data(), status=STATUSES, nack=st.booleans())
    def answer(self, data: st.DataObject, status: int, nack: bool) -> None:
        """Any request is answered, in any order."""
        index = data.draw(st.integers(0, len(self.requests) - 1))
        role, request = self.requests.pop(index)
        body = SubmitSmResp(message_id="m") if role is Role.SMSC else DeliverSmResp()
        self.sides[role].respond(request, GenericNack() if nack else body, status)
        self.flush(role)

    @rule(role=st.sampled_from(list(Role)), n=st.integers(1, 200))
    def carry(self, role: Role, n: int) -> None:
        """Some octets arrive, cut anywhere."""
        octets, self.pipe[role] = self.pipe[role][:n], self.pipe[role][n:]
        for event in self.sides[role].receive_data(octets, self.now):
            self.take(role, event)

    @rule(role=st.sampled_from(list(Role)), data=st.data())
    def give_up(self, role: Role, data: st.DataObject) -> None:
        """The owner waits no longer for one of its requests."""
        if self.waiting[role]:
            sequence_number = data.draw(st.sampled_from(sorted(self.waiting[role])))
            self.sides[role].give_up(sequence_number)
            self.waiting[role].discard(sequence_number)
            self.late[role].add(sequence_number)

    @rule(role=st.sampled_from(list(Role)), sequence_number=st.integers(50_000, 2**31 - 1))
    def forge(self, role: Role, sequence_number: int) -> None:
        """An answer to nothing, and one of a kind that was not asked for."""
        for body in (SubmitSmResp(message_id="x"), QuerySmResp(message_id="x")):
            self.pipe[role] += encode_pdu(body, sequence_number)

    @rule(role=st.sampled_from(list(Role)))
    def misbehave(self, role: Role) -> None:
        """A request that the other side may not make now."""
        self.pipe[role] += encode_pdu(BindTransceiver(), 77)

    @rule(seconds=st.floats(0.1, 20))
    def wait(self, seconds: float) -> None:
        """Time passes; an enquire_link may leave, and is answered by the session itself."""
        self.now += seconds
        for role in Role:
            for event in self.sides[role].tick(self.now):
                self.take(role, event)
            self.flush(role)

    def flush(self, role: Role) -> None:
        self.pipe[role.peer] += self.sides[role].data_to_send()

    def take(self, role: Role, event: SessionEvent) -> None:
        match event:
            case RequestReceived():
                self.requests.append((role, event))
            case ResponseReceived(sequence_number=sequence_number, late=late):
                expected = self.late if late else self.waiting
                assert sequence_number in expected[role], "an answer that nobody waits for, or the second one"
                expected[role].discard(sequence_number)
            case UnknownResponse(sequence_number=sequence_number):
                assert sequence_number not in self.waiting[role]
            case PduRejected(command_status=command_status):
                assert command_status in {CommandStatus.RALYBND, CommandStatus.RINVBNDSTS}
            case SessionFailed(code=code):
                assert code == "enquire_link_timeout"
                self.start_over()
            case _:
                raise AssertionError(event)
        self.flush(role)

    def start_over(self) -> None:
        """The link is gone with everything on it."""
        self.__init__()  # type: ignore[misc]

    @invariant()
    def the_session_waits_for_what_the_model_waits_for(self) -> None:
        """Besides its own enquire_link."""
        for role in Role:
            if not self.sides[role].closed:
                assert 0 <= self.sides[role].waiting - len(self.waiting[role]) <= 1


SessionMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSessionAgainstAModel = SessionMachine.TestCase
