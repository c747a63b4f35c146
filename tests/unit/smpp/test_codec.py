"""PDUs against golden vectors, smpplib's encoder, and the rules of the specification."""

from __future__ import annotations

from typing import Any

import pytest
import smpplib.smpp
from msgspec.structs import astuple

from drivers.errors import DecodeError, EncodeError, RemoteProtocolError
from drivers.smpp.wire import pdus
from drivers.smpp.wire.codec import (
    decode_body,
    decode_by_layout,
    decode_header,
    decode_pdu,
    encode_by_layout,
    encode_pdu,
    next_sequence_number,
)
from drivers.smpp.wire.constants import CommandId, command_name, status_name
from drivers.smpp.wire.fields import DistributionList, SmeAddress, UnsuccessSme, find_int_tlv, find_text_tlv
from drivers.smpp.wire.layouts import MANDATORY_FIELDS
from drivers.smpp.wire.pdus import (
    BindTransceiver,
    DataSm,
    DeliverSm,
    EnquireLink,
    Outbind,
    Pdu,
    ReplaceSm,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
)
from tests.support.vectors import load_vectors

pytestmark = pytest.mark.unit


def expected(vector) -> Pdu:
    octets = {name: bytes.fromhex(value) for name, value in vector.get("octets", {}).items()}
    fields = vector.get("fields", {}) | octets
    if "tlvs" in vector:
        fields["tlvs"] = tuple((tag, bytes.fromhex(value)) for tag, value in vector["tlvs"])
    body = getattr(pdus, vector["kind"])(**fields)
    return Pdu(body, vector["sequence_number"], vector.get("command_status", 0))


@pytest.mark.parametrize("vector", load_vectors("smpp", "pdu"), ids=lambda v: v["source"])
def test_golden_pdus_are_read_and_written(vector):
    octets = bytes.fromhex(vector["pdu"])
    pdu = expected(vector)
    assert decode_pdu(octets) == pdu
    if vector.get("exact", True):
        assert encode_pdu(*astuple(pdu)) == octets


SUBMIT: dict[str, Any] = {
    "service_type": "CMT",
    "source_addr_ton": 5,
    "source_addr": "Hongyan",
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": "8613800138000",
    "esm_class": 0x40,
    "protocol_id": 1,
    "priority_flag": 1,
    "validity_period": "000001000000000R",
    "registered_delivery": 1,
    "data_coding": 8,
    "short_message": bytes.fromhex("050003cc0201") + "退订".encode("utf-16-be"),
}


def smpplib_octets(name: str, sequence_number: int, **fields: Any) -> bytes:
    pdu = smpplib.smpp.make_pdu(name, need_sequence=False, **fields)
    pdu.sequence = sequence_number
    return pdu.generate()


@pytest.mark.parametrize(("name", "kind"), [("submit_sm", SubmitSm), ("deliver_sm", DeliverSm)])
def test_smpplib_writes_the_same_short_messages(name, kind):
    assert smpplib_octets(name, 7, **SUBMIT) == encode_pdu(kind(**SUBMIT), 7)


@pytest.mark.parametrize(("name", "kind"), [("submit_sm", SubmitSm), ("deliver_sm", DeliverSm)])
def test_smpplib_reads_what_we_write(name, kind):
    body = kind(**SUBMIT, tlvs=((0x0204, b"\0\7"), (0x0424, b"long")))
    theirs = smpplib.smpp.parse_pdu(encode_pdu(body, 7), need_sequence=False)
    assert theirs.command == name
    assert theirs.sequence == 7
    for field, value in SUBMIT.items():
        read = getattr(theirs, field)
        assert (read.decode() if isinstance(value, str) else read) == value
    assert (theirs.user_message_reference, theirs.message_payload) == (7, b"long")


@pytest.mark.parametrize("kind", ["bind_transmitter", "bind_receiver", "bind_transceiver"])
def test_smpplib_writes_the_same_binds(kind):
    values: dict[str, Any] = {
        "system_id": "hongyan",
        "password": "secret",
        "system_type": "SMPP",
        "addr_ton": 1,
    }
    theirs = smpplib_octets(kind, 1, interface_version=0x34, address_range="106", **values)
    body: Any = decode_pdu(theirs).body
    assert command_name(body.command_id) == kind
    assert body == type(body)(**values, address_range="106")
    assert encode_pdu(body, 1) == theirs


def test_smpplib_parameters_are_read():
    theirs = smpplib_octets("deliver_sm", 1, short_message=b"x", receipted_message_id="abc", message_state=2)
    body = decode_pdu(theirs).body
    assert isinstance(body, DeliverSm)
    assert find_text_tlv(body.tlvs, 0x001E) == "abc"
    assert find_int_tlv(body.tlvs, 0x0427) == 2


def test_every_command_of_the_specification_has_a_layout():
    assert {int(kind.command_id) for kind in MANDATORY_FIELDS} == {int(command) for command in CommandId}


@pytest.mark.parametrize("kind", list(MANDATORY_FIELDS), ids=lambda kind: kind.__name__)
def test_the_fields_of_a_body_stand_in_the_order_of_the_wire(kind):
    in_wire_order = [field.name for field in MANDATORY_FIELDS[kind]]
    assert list(kind.__struct_fields__) == ([*in_wire_order, "tlvs"] if in_wire_order else [])


def test_a_body_cannot_be_changed():
    with pytest.raises(AttributeError):
        SubmitSmResp(message_id="1").message_id = "2"  # type: ignore[misc]


def test_the_password_is_in_no_repr():
    for body in (BindTransceiver(system_id="a", password="hunter2"), Outbind(password="hunter2")):
        assert "hunter2" not in repr(body)
        assert "hunter2" not in repr(Pdu(body, 1))


def test_numbers_and_texts_are_in_no_repr():
    shown = repr(SubmitSm(destination_addr="8613800138000", source_addr="106900", short_message=b"code 1234"))
    assert "138001" not in shown
    assert "1234" not in shown


def test_an_error_response_without_content_is_a_header():
    octets = encode_pdu(SubmitSmResp(), 5, 0x58)
    assert octets.hex() == "00000010800000040000005800000005"
    assert decode_pdu(octets) == Pdu(SubmitSmResp(), 5, 0x58)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (SubmitSm(service_type="CMT123"), "submit_sm.service_type"),
        (SubmitSm(destination_addr="1" * 21), "submit_sm.destination_addr"),
        (SubmitSm(source_addr="a\0b"), "submit_sm.source_addr"),
        (SubmitSm(source_addr="退订"), "submit_sm.source_addr"),
        (SubmitSm(validity_period="1 day"), "submit_sm.validity_period"),
        (SubmitSm(data_coding=256), "submit_sm.data_coding"),
        (SubmitSm(esm_class=-1), "submit_sm.esm_class"),
        (SubmitSm(short_message=bytes(255)), "submit_sm.short_message"),
        (SubmitSm(tlvs=((0x10000, b""),)), "tlv.0x10000"),
        (SubmitSmResp(message_id="1" * 65), "submit_sm_resp.message_id"),
        (BindTransceiver(password="123456789"), "bind_transceiver.password"),
        (SubmitMulti(dest_addresses=(DistributionList("x" * 21),)), "submit_multi.dest_addresses"),
        (SubmitMultiResp(unsuccess_sme=(UnsuccessSme(1, 1, "1", -1),)), "submit_multi_resp.unsuccess_sme"),
    ],
)
def test_what_breaks_a_bound_is_not_written(body, field):
    with pytest.raises(EncodeError) as caught:
        encode_pdu(body, 1)
    assert caught.value.field == field


def test_an_encode_error_quotes_no_value():
    with pytest.raises(EncodeError) as caught:
        encode_pdu(BindTransceiver(password="密码hunter2"), 1)
    assert "hunter2" not in str(caught.value)


def test_a_payload_longer_than_a_pdu_may_be_is_not_written():
    with pytest.raises(EncodeError) as caught:
        encode_pdu(DeliverSm(tlvs=((0x0424, bytes(65535)),)), 1)
    assert caught.value.field == "command_length"


def framed(command_id: int, body: str) -> bytes:
    octets = bytes.fromhex(body)
    return (16 + len(octets)).to_bytes(4, "big") + command_id.to_bytes(4, "big") + bytes(8) + octets


@pytest.mark.parametrize(
    ("octets", "field", "offset"),
    [
        (framed(4, "00 01 01 3132"), "submit_sm.source_addr", 19),
        (framed(4, "00 01"), "submit_sm.source_addr_npi", 18),
        (framed(4, "00 0000 00 0000 00 000000 00 00 00000000 05 616263"), "submit_sm.short_message", 32),
        (framed(4, "00 0000 00 0000 00 000000 00 00 00000000 00 0424"), "submit_sm.tlv", 33),
        (framed(4, "00 0000 00 0000 00 000000 00 00 00000000 00 04240005 61"), "submit_sm.tlv.0x0424", 37),
        (framed(0x21, "00 0000 00 01 03"), "submit_multi.dest_addresses", 20),
        (framed(0x80000021, "00 01 0101 3100 0000"), "submit_multi_resp.unsuccess_sme", 17),
        (framed(9, "6162"), "bind_transceiver.system_id", 16),
    ],
)
def test_a_decode_error_names_the_field_and_its_place(octets, field, offset):
    with pytest.raises(DecodeError) as caught:
        decode_pdu(octets)
    assert (caught.value.field, caught.value.offset) == (field, offset)


@pytest.mark.parametrize("length", [0, 15, 64 * 1024 + 1, 0xF0000011])
def test_a_length_that_cannot_be_true_loses_the_frame(length):
    with pytest.raises(RemoteProtocolError) as caught:
        decode_header(length.to_bytes(4, "big") + bytes(12))
    assert not caught.value.recoverable


def test_a_length_that_is_not_that_of_the_octets_loses_the_frame():
    for octets in (b"", bytes(15), encode_pdu(EnquireLink(), 1) + b"\0"):
        with pytest.raises(RemoteProtocolError) as caught:
            decode_pdu(octets)
        assert not caught.value.recoverable


@pytest.mark.parametrize("command_id", [0x00000110, 0x80000110])
def test_an_unknown_command_can_be_answered(command_id):
    with pytest.raises(RemoteProtocolError) as caught:
        decode_pdu(framed(command_id, ""))
    assert caught.value.recoverable


def test_octets_after_a_header_only_pdu_are_ignored():
    assert decode_body(0x15, framed(0x15, "ffff")) == EnquireLink()


def test_a_submit_multi_keeps_its_destinations_and_failures():
    body = SubmitMulti(
        source_addr="106900",
        dest_addresses=(SmeAddress(1, 1, "8613800138000"), DistributionList("friends")),
        short_message=b"hello",
    )
    assert decode_pdu(encode_pdu(body, 3)) == Pdu(body, 3)
    answer = SubmitMultiResp(message_id="7", unsuccess_sme=(UnsuccessSme(1, 1, "8613800138000", 0x0B),))
    assert decode_pdu(encode_pdu(answer, 3)) == Pdu(answer, 3)


def test_the_short_way_agrees_with_the_table():
    for body in (SubmitSm(**SUBMIT), DeliverSm(**SUBMIT, tlvs=((1, b"x"),)), SubmitSmResp(message_id="é")):
        octets = encode_pdu(body, 1)
        assert octets[16:] == encode_by_layout(body)
        assert decode_by_layout(body.command_id, octets) == body


def test_sequence_numbers_stay_within_31_bits_and_are_never_0():
    assert next_sequence_number(0) == 1
    assert next_sequence_number(0x7FFFFFFF) == 1


def test_names_are_the_specifications():
    assert status_name(0x58) == "ESME_RTHROTTLED"
    assert status_name(0x400) == "0x00000400"
    assert command_name(0x80000004) == "submit_sm_resp"
    assert command_name(0x99) == "0x00000099"


@pytest.mark.parametrize("n_nuls", [1, 2, 3])
@pytest.mark.parametrize(
    "body",
    [
        SubmitSm(short_message=b"hello"),
        SubmitSm(short_message=b"hello", tlvs=((0x0204, b"\0\1"),)),
        SubmitMulti(dest_addresses=(SmeAddress(1, 1, "1"),), short_message=b"hello"),
        DataSm(tlvs=((0x0424, b"hello"),)),
        ReplaceSm(short_message=b"hello"),
        DeliverSm(short_message=b"hello"),
    ],
)
def test_nuls_behind_the_last_field_are_none(body, n_nuls):
    octets = encode_pdu(body, 1)
    octets = (len(octets) + n_nuls).to_bytes(4, "big") + octets[4:] + bytes(n_nuls)
    assert decode_pdu(octets).body == body


def test_other_octets_behind_the_last_field_are_refused():
    octets = encode_pdu(SubmitSm(short_message=b"hello"), 1)
    with pytest.raises(DecodeError):
        decode_pdu((len(octets) + 2).to_bytes(4, "big") + octets[4:] + b"\0x")
