"""The session without I/O: states, sequence numbers, timers; time is plain numbers."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import astuple

from drivers.errors import LocalProtocolError
from drivers.smpp.session.machine import (
    MOST_BEFORE_BIND,
    NotificationReceived,
    PduRejected,
    RequestReceived,
    ResponseReceived,
    Session,
    SessionFailed,
    SessionTimers,
    UnknownResponse,
)
from drivers.smpp.session.rules import Role, SessionState, may_send
from drivers.smpp.wire.codec import decode_pdu, encode_pdu
from drivers.smpp.wire.constants import CommandId, CommandStatus
from drivers.smpp.wire.pdus import (
    AlertNotification,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    CancelSmResp,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)

pytestmark = pytest.mark.unit

BINDS = {
    SessionState.BOUND_TX: (BindTransmitter, BindTransmitterResp),
    SessionState.BOUND_RX: (BindReceiver, BindReceiverResp),
    SessionState.BOUND_TRX: (BindTransceiver, BindTransceiverResp),
}


def bound_pair(
    state: SessionState = SessionState.BOUND_TRX, timers: SessionTimers | None = None
) -> tuple[Session, Session]:
    esme, smsc = Session(Role.ESME, now=0.0, timers=timers), Session(Role.SMSC, now=0.0)
    request, response = BINDS[state]
    esme.request(request(system_id="hongyan"), 0.0)
    [asked] = smsc.receive_data(esme.data_to_send(), 0.0)
    assert isinstance(asked, RequestReceived)
    smsc.respond(asked, response())
    esme.receive_data(smsc.data_to_send(), 0.0)
    assert esme.state is smsc.state is state
    return esme, smsc


def sent(session: Session) -> list[Any]:
    """What the session wants written: body, sequence number, status of each PDU."""
    octets, found = session.data_to_send(), []
    while octets:
        length = int.from_bytes(octets[:4], "big")
        found.append(astuple(decode_pdu(octets[:length])))
        octets = octets[length:]
    return found


def test_a_refused_bind_leaves_the_session_open():
    esme = Session(Role.ESME, now=0.0)
    number = esme.request(BindTransceiver(), 0.0)
    [event] = esme.receive_data(encode_pdu(BindTransceiverResp(), number, CommandStatus.RINVPASWD), 0.0)
    assert isinstance(event, ResponseReceived)
    assert event.command_status == CommandStatus.RINVPASWD
    assert esme.state is SessionState.OPEN


def test_the_first_pdu_that_comes_is_not_taken_for_the_answer_to_the_bind():
    esme = Session(Role.ESME, now=0.0)
    number = esme.request(BindTransceiver(), 0.0)
    events = esme.receive_data(encode_pdu(BindTransmitterResp(), number), 0.0)
    events += esme.receive_data(encode_pdu(BindTransceiverResp(), number + 1), 0.0)
    assert [type(event) for event in events] == [UnknownResponse, UnknownResponse]
    assert esme.state is SessionState.OPEN
    assert esme.waiting == 1


# Table 2-1 of the specification, spelled once more by hand: (may the ESME ask, may the SMSC ask).
TABLE = {
    SessionState.OPEN: {
        CommandId.BIND_TRANSMITTER: "esme",
        CommandId.BIND_RECEIVER: "esme",
        CommandId.BIND_TRANSCEIVER: "esme",
        CommandId.OUTBIND: "smsc",
        CommandId.ENQUIRE_LINK: "both",
    },
    SessionState.BOUND_TX: {
        CommandId.UNBIND: "both",
        CommandId.SUBMIT_SM: "esme",
        CommandId.SUBMIT_MULTI: "esme",
        CommandId.DATA_SM: "both",
        CommandId.QUERY_SM: "esme",
        CommandId.CANCEL_SM: "esme",
        CommandId.REPLACE_SM: "esme",
        CommandId.ENQUIRE_LINK: "both",
    },
    SessionState.BOUND_RX: {
        CommandId.UNBIND: "both",
        CommandId.DATA_SM: "both",
        CommandId.DELIVER_SM: "smsc",
        CommandId.ENQUIRE_LINK: "both",
        CommandId.ALERT_NOTIFICATION: "smsc",
    },
    SessionState.CLOSED: {},
}
TABLE[SessionState.BOUND_TRX] = TABLE[SessionState.BOUND_TX] | TABLE[SessionState.BOUND_RX]


@pytest.mark.parametrize("state", list(SessionState))
@pytest.mark.parametrize("role", list(Role))
def test_operations_are_allowed_as_the_specification_says(role, state):
    allowed = {command for command in CommandId if may_send(role, state, command)}
    assert allowed == {command for command, who in TABLE[state].items() if who in {role, "both"}}


def test_asking_what_the_state_forbids_is_our_bug():
    esme, smsc = bound_pair(SessionState.BOUND_RX)
    for session, body in ((esme, SubmitSm()), (smsc, SubmitSm()), (esme, SubmitSmResp())):
        with pytest.raises(LocalProtocolError):
            session.request(body, 0.0)
        assert session.data_to_send() == b""


def test_being_asked_what_the_state_forbids_is_refused():
    esme, smsc = bound_pair(SessionState.BOUND_RX)
    [event] = smsc.receive_data(encode_pdu(SubmitSm(), 9), 0.0)
    assert isinstance(event, PduRejected)
    assert sent(smsc) == [(SubmitSmResp(), 9, CommandStatus.RINVBNDSTS)]
    [event] = smsc.receive_data(encode_pdu(BindReceiver(), 10), 0.0)
    assert isinstance(event, PduRejected)
    assert sent(smsc) == [(BindReceiverResp(), 10, CommandStatus.RALYBND)]
    assert esme.state is smsc.state is SessionState.BOUND_RX


def test_answers_reach_their_requests_in_any_order():
    esme, smsc = bound_pair()
    numbers = [esme.request(SubmitSm(short_message=bytes((i,))), 0.0) for i in range(3)]
    requests = smsc.receive_data(esme.data_to_send(), 0.0)
    for request in reversed(requests):
        assert isinstance(request, RequestReceived)
        smsc.respond(request, SubmitSmResp(message_id=str(request.sequence_number)))
    events: list[Any] = esme.receive_data(smsc.data_to_send(), 0.0)
    assert [event.sequence_number for event in events] == numbers[::-1]
    assert [event.body.message_id for event in events] == [str(number) for number in numbers[::-1]]
    assert esme.waiting == 0


def test_a_second_answer_to_the_same_request_is_unknown():
    esme, _ = bound_pair()
    number = esme.request(SubmitSm(), 0.0)
    answer = encode_pdu(SubmitSmResp(message_id="1"), number)
    events = esme.receive_data(answer + answer, 0.0)
    assert [type(event) for event in events] == [ResponseReceived, UnknownResponse]


def test_an_answer_after_its_request_was_given_up_is_late():
    esme, _ = bound_pair()
    number = esme.request(SubmitSm(), 0.0)
    esme.give_up(number)
    [event] = esme.receive_data(encode_pdu(SubmitSmResp(message_id="1"), number), 0.0)
    assert isinstance(event, ResponseReceived)
    assert event.late
    assert event.body == SubmitSmResp(message_id="1")


def test_an_answer_whose_body_cannot_be_read_still_answers():
    fresh = Session(Role.ESME, now=0.0)
    number = fresh.request(BindTransceiver(), 0.0)
    octets = bytes.fromhex("00000013 80000009 00000000") + number.to_bytes(4, "big") + b"abc"
    [event] = fresh.receive_data(octets, 0.0)
    assert isinstance(event, ResponseReceived)
    assert event.unread is not None
    assert fresh.state is SessionState.BOUND_TRX


def test_a_generic_nack_answers_the_request_it_names():
    esme, _ = bound_pair()
    number = esme.request(SubmitSm(), 0.0)
    [event] = esme.receive_data(encode_pdu(GenericNack(), number, CommandStatus.RINVCMDLEN), 0.0)
    assert event == ResponseReceived(number, CommandId.SUBMIT_SM, CommandStatus.RINVCMDLEN, GenericNack())


def test_sequence_numbers_wrap_and_pass_over_those_still_waiting():
    esme, _ = bound_pair()
    first = esme.request(SubmitSm(), 0.0)
    esme._last_sequence_number = 0x7FFFFFFE
    assert esme.request(SubmitSm(), 0.0) == 0x7FFFFFFF
    assert esme.request(SubmitSm(), 0.0) == 1
    esme._last_sequence_number = first - 1
    assert esme.request(SubmitSm(), 0.0) == first + 1


def test_each_direction_counts_for_itself():
    esme, smsc = bound_pair()
    assert smsc.request(DeliverSm(), 0.0) == 1
    assert esme.request(SubmitSm(), 0.0) == 2


def test_enquire_link_is_answered_without_troubling_anyone():
    for session in (*bound_pair(), Session(Role.SMSC, now=0.0)):
        assert session.receive_data(encode_pdu(EnquireLink(), 77), 0.0) == []
        assert sent(session) == [(EnquireLinkResp(), 77, 0)]


def test_a_body_that_cannot_be_read_is_refused_and_the_session_goes_on():
    esme, _ = bound_pair()
    octets = bytes.fromhex("00000014 00000005 00000000 00000007 ffffffff") + encode_pdu(DeliverSm(), 8)
    rejected, request = esme.receive_data(octets, 0.0)
    assert isinstance(rejected, PduRejected)
    assert isinstance(request, RequestReceived)
    [(body, number, status)] = sent(esme)
    assert (type(body).__name__, number, status) == ("DeliverSmResp", 7, CommandStatus.RINVCMDLEN)


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        ("00 0000 00 0000 00 000000 00 00 00000000 05 616263", CommandStatus.RINVMSGLEN),
        ("00 0000 00 0000 00 000000 00 00 00000000 00 0424", CommandStatus.RINVOPTPARSTREAM),
        ("00 0000 00 0000 00 000000 00 00 00000000 00 04240005 61", CommandStatus.RINVOPTPARSTREAM),
        ("00 00", CommandStatus.RINVCMDLEN),
    ],
)
def test_the_refusal_says_what_was_wrong(octets, status):
    _, smsc = bound_pair()
    body = bytes.fromhex(octets)
    smsc.receive_data((16 + len(body)).to_bytes(4, "big") + bytes((0, 0, 0, 4)) + bytes(8) + body, 0.0)
    [(_, _, answered)] = sent(smsc)
    assert answered == status


def test_an_unknown_command_is_answered_with_generic_nack():
    esme, _ = bound_pair()
    [event] = esme.receive_data(bytes.fromhex("00000010 00000999 00000000 00000007"), 0.0)
    assert isinstance(event, PduRejected)
    assert sent(esme) == [(GenericNack(), 7, CommandStatus.RINVCMDID)]


def test_lost_framing_ends_the_session_after_one_nack():
    esme, _ = bound_pair()
    [event] = esme.receive_data(bytes.fromhex("7fffffff 00000004 00000000 00000001"), 0.0)
    assert isinstance(event, SessionFailed)
    assert (event.code, event.reason) == ("framing_lost", "command_length 0x7fffffff")
    assert sent(esme) == [(GenericNack(), 0, CommandStatus.RINVCMDLEN)]
    assert esme.receive_data(encode_pdu(EnquireLink(), 1), 0.0) == []


def test_notifications_have_no_answer():
    esme, _ = bound_pair()
    [event] = esme.receive_data(encode_pdu(AlertNotification(source_addr="1"), 7), 0.0)
    assert isinstance(event, NotificationReceived)
    assert esme.data_to_send() == b""


def test_unbind_from_either_side_closes_both():
    for swap in (False, True):
        asking, answering = bound_pair()[:: -1 if swap else 1]
        asking.request(Unbind(), 0.0)
        [request] = answering.receive_data(asking.data_to_send(), 0.0)
        assert isinstance(request, RequestReceived)
        answering.respond(request, UnbindResp())
        asking.receive_data(answering.data_to_send(), 0.0)
        assert asking.closed
        assert answering.closed
        with pytest.raises(LocalProtocolError):
            asking.request(EnquireLink(), 0.0)


def test_an_answer_must_be_of_the_kind_of_its_request():
    esme, _ = bound_pair()
    [request] = esme.receive_data(encode_pdu(DeliverSm(), 7), 0.0)
    assert isinstance(request, RequestReceived)
    with pytest.raises(LocalProtocolError):
        esme.respond(request, CancelSmResp())


def test_a_silent_peer_is_asked_then_given_up():
    esme, _ = bound_pair(timers=SessionTimers(enquire_link_s=30, response_s=10))
    assert esme.tick(29.9) == []
    assert sent(esme) == []
    assert esme.tick(30.0) == []
    [(body, _, _)] = sent(esme)
    assert body == EnquireLink()
    assert esme.tick(39.9) == []
    [event] = esme.tick(40.0)
    assert isinstance(event, SessionFailed)
    assert event.code == "enquire_link_timeout"


def test_a_peer_that_we_did_not_listen_to_is_not_called_silent():
    esme, _ = bound_pair(timers=SessionTimers(enquire_link_s=30, response_s=10))
    esme.tick(30.0)
    esme.postpone(100.0)
    assert esme.tick(139.9) == []
    assert len(esme.tick(140.0)) == 1


def test_any_pdu_of_the_peer_is_a_sign_of_life():
    esme, _ = bound_pair(timers=SessionTimers(enquire_link_s=30, response_s=10))
    esme.tick(30.0)
    esme.receive_data(encode_pdu(DeliverSm(), 7), 35.0)
    assert esme.tick(45.0) == []
    esme.data_to_send()
    esme.tick(65.0)
    assert [type(body) for body, _, _ in sent(esme)] == [EnquireLink]


def test_an_answered_enquire_link_is_no_event_and_the_next_follows_later():
    esme, _ = bound_pair(timers=SessionTimers(enquire_link_s=30, response_s=10))
    esme.tick(30.0)
    [(_, number, _)] = sent(esme)
    assert esme.receive_data(encode_pdu(EnquireLinkResp(), number), 31.0) == []
    assert esme.tick(60.9) == []
    assert sent(esme) == []
    esme.tick(61.0)
    assert len(sent(esme)) == 1


def test_a_session_without_work_ends_when_so_asked():
    smsc = Session(Role.SMSC, now=0.0, timers=SessionTimers(session_init_s=5))
    assert smsc.tick(4.9) == []
    [event] = smsc.tick(5.0)
    assert isinstance(event, SessionFailed)
    esme, _ = bound_pair(timers=SessionTimers(enquire_link_s=10, inactivity_s=60))
    number = esme.request(SubmitSm(), 30.0)
    esme.receive_data(encode_pdu(SubmitSmResp(), number), 40.0)
    esme.receive_data(encode_pdu(EnquireLink(), 1), 90.0)
    assert esme.tick(99.9) == []
    [event] = esme.tick(100.0)
    assert isinstance(event, SessionFailed)
    assert event.code == "inactive"


# ---- peers that mean something else


def test_a_nack_without_a_number_answers_the_bind_that_waits():
    esme = Session(Role.ESME, now=0.0)
    number = esme.request(BindTransceiver(), 0.0)
    [event] = esme.receive_data(encode_pdu(GenericNack(), 0, CommandStatus.RINVBNDSTS), 0.0)
    assert event == ResponseReceived(
        number, CommandId.BIND_TRANSCEIVER, CommandStatus.RINVBNDSTS, GenericNack()
    )


@pytest.mark.parametrize("number", [0, 77])
def test_a_refusal_of_the_bind_under_another_number_is_its_answer(number):
    esme = Session(Role.ESME, now=0.0)
    asked = esme.request(BindTransceiver(), 0.0)
    [event] = esme.receive_data(encode_pdu(BindTransceiverResp(), number, CommandStatus.RINVPASWD), 0.0)
    assert isinstance(event, ResponseReceived)
    assert (event.sequence_number, event.refusal) == (asked, CommandStatus.RINVPASWD)


def test_a_nack_without_a_number_means_no_request_in_particular_once_bound():
    esme, _ = bound_pair()
    number = esme.request(SubmitSm(), 0.0)
    [event] = esme.receive_data(encode_pdu(GenericNack(), 0, CommandStatus.RINVCMDLEN), 0.0)
    assert event == UnknownResponse(0, CommandId.GENERIC_NACK, CommandStatus.RINVCMDLEN)
    [event] = esme.receive_data(encode_pdu(SubmitSmResp(message_id="1"), number), 0.0)
    assert isinstance(event, ResponseReceived)


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP"),
        (b"POST /v1/messages HTTP/1.1\r\n", "HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
        (b"220 mail.example.com ESMTP\r\n", "SMTP"),
        (bytes.fromhex("160301020001000001fc0303") + bytes(8), "TLS"),
        (b"Please log in first:\r\n", "plain text"),
    ],
)
@pytest.mark.parametrize("role", list(Role))
def test_who_speaks_another_protocol_is_told_by_its_name(role, octets, name):
    session = Session(role, now=0.0)
    [event] = session.receive_data(octets, 0.0)
    assert isinstance(event, SessionFailed)
    assert name in event.reason


def test_what_follows_a_bind_in_one_segment_is_taken_as_from_a_bound_peer():
    esme = Session(Role.ESME, now=0.0)
    number = esme.request(BindTransceiver(), 0.0)
    octets = encode_pdu(BindTransceiverResp(), number) + encode_pdu(DeliverSm(), 7)
    granted, delivery = esme.receive_data(octets, 0.0)
    assert isinstance(granted, ResponseReceived)
    assert delivery == RequestReceived(7, DeliverSm())


@pytest.mark.parametrize("role", list(Role))
def test_who_says_much_and_does_not_bind_is_shown_out(role):
    session = Session(role, now=0.0)
    octets = encode_pdu(EnquireLink(), 1)
    assert session.receive_data(octets * MOST_BEFORE_BIND, 0.0) == []
    [event] = session.receive_data(octets * 1_000, 0.0)
    assert isinstance(event, SessionFailed)
    assert event.code == "too_much_before_bind"


def test_who_is_bound_may_say_as_much_as_he_likes():
    esme, _ = bound_pair()
    assert esme.receive_data(encode_pdu(EnquireLink(), 1) * 1_000, 0.0) == []
