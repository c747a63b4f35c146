"""What is fuzzed of SMPP: the decoder, the session of either side, receipts and what comes in.

The promises: any octets give a PDU or one of two errors; what a decoder gave can be encoded, if at all, into what
decodes to the same; a session gives the same events however its octets are cut, and ends no later than they do.
"""

from __future__ import annotations

from datetime import UTC

from drivers.errors import DecodeError, EncodeError, RemoteProtocolError
from drivers.smpp.client.inbound import decode_delivery, decode_part, decode_receipts
from drivers.smpp.session.machine import RequestReceived, Session, SessionEvent
from drivers.smpp.session.rules import Role
from drivers.smpp.wire.codec import decode_body, decode_by_layout, decode_pdu, encode_pdu
from drivers.smpp.wire.pdus import (
    BindTransceiver,
    BindTransceiverResp,
    DataSm,
    DeliverSm,
    Pdu,
    SubmitSm,
)
from drivers.smpp.wire.receipt import parse_receipt, parse_receipt_by_keys, parse_receipt_date, state_of
from drivers.smpp.wire.spellings import given_references, spell_references


def fuzz_smpp_pdu(octets: bytes) -> None:
    """A whole PDU; its length is made true, so that the body is reached."""
    if len(octets) < 16:
        return
    whole = len(octets).to_bytes(4, "big") + octets[4:]
    pdu = _decoded(whole)
    if pdu is None:
        return
    assert decode_body(pdu.body.command_id, whole) == decode_by_layout(pdu.body.command_id, whole)
    try:
        again = encode_pdu(pdu.body, pdu.sequence_number, pdu.command_status)
    except EncodeError:  # texts or numbers longer than we would write
        return
    assert decode_pdu(again) == Pdu(pdu.body, pdu.sequence_number, pdu.command_status)
    if isinstance(pdu.body, DeliverSm | DataSm):
        _read_delivery(pdu.body)


def _decoded(whole: bytes) -> Pdu | None:
    try:
        return decode_pdu(whole)
    except RemoteProtocolError:
        return None
    except DecodeError as error:
        fault = error
    assert fault.field
    assert 0 <= fault.offset <= len(whole), fault
    return None


def _read_delivery(body: DeliverSm | DataSm) -> None:
    assert decode_delivery(body)
    for receipt in decode_receipts(body):
        assert len(receipt.references) == len(receipt.dialects)
    part = decode_part(body)
    assert part.concat is None or 1 <= part.concat.part <= part.concat.total


def fuzz_smpp_session(octets: bytes) -> None:
    """A stream of octets to both sides, whole and cut as its first octet says."""
    if not octets:
        return
    step, stream = octets[0] + 1, octets[1:]
    for role in Role:
        whole, cut = _bound_session(role), _bound_session(role)
        events = whole.receive_data(stream, 1.0)
        pieces: list[SessionEvent] = []
        for start in range(0, len(stream), step):
            pieces += cut.receive_data(stream[start : start + step], 1.0)
        assert pieces == events
        assert (whole.state, whole.data_to_send()) == (cut.state, cut.data_to_send())
        assert len(events) <= len(stream) // 16 + 1


def _bound_session(role: Role) -> Session:
    session = Session(role, now=0.0)
    if role is Role.ESME:
        sequence_number = session.request(BindTransceiver(), 0.0)
        session.receive_data(encode_pdu(BindTransceiverResp(), sequence_number), 0.0)
        session.request(SubmitSm(), 0.0)
        session.give_up(session.request(SubmitSm(), 0.0))
    else:
        [asked] = session.receive_data(encode_pdu(BindTransceiver(), 1), 0.0)
        assert isinstance(asked, RequestReceived)
        session.respond(asked, BindTransceiverResp())
        session.request(DeliverSm(), 0.0)
    session.data_to_send()
    return session


def fuzz_smpp_receipt(octets: bytes) -> None:
    """The text of a receipt, its dates and its ids."""
    receipt = parse_receipt(octets)
    thorough = parse_receipt_by_keys(octets)
    assert (receipt.message_id, receipt.stat) == (thorough.message_id, thorough.stat)
    parse_receipt_date(receipt.done_date, UTC)
    state_of(receipt, ())
    assert len(spell_references(given_references(receipt, ()))) <= 40
