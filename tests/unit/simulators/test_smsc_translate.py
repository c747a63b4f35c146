from __future__ import annotations

from typing import Any

import pytest

from drivers.base import Concat, Encoding
from drivers.smpp.wire.constants import CommandStatus, Npi, Tag, Ton
from drivers.smpp.wire.pdus import DeliverSm, SubmitSm
from simulators.smsc.translate import Unacceptable, read_submit, write_deliver
from simulators.traffic import NetworkMessage

pytestmark = pytest.mark.unit

HEADER = bytes.fromhex("050003070201")


def read(**fields: Any) -> NetworkMessage:
    values: dict[str, Any] = {"destination_addr": "8613800138000", "dest_addr_ton": Ton.INTERNATIONAL}
    return read_submit(SubmitSm(**(values | fields)), number="10690000", via="hongyan")


def test_a_plain_submit_becomes_a_gsm_segment_from_the_accounts_number():
    message = read(short_message=b"hello")
    assert (message.sender, message.recipient, message.text) == ("10690000", "+8613800138000", "hello")
    assert message.encoding is Encoding.GSM7
    assert not message.report
    assert message.via == "hongyan"


def test_a_source_address_is_kept_as_sender():
    assert read(source_addr="10691234").sender == "10691234"
    assert read(source_addr="8613900139000", source_addr_ton=Ton.INTERNATIONAL).sender == "+8613900139000"


@pytest.mark.parametrize(
    ("data_coding", "octets", "encoding", "text"),
    [
        (0x08, "你好".encode("utf-16-be"), Encoding.UCS2, "你好"),
        (0x01, b"a@b", Encoding.GSM7, "a@b"),
        (0x03, "é".encode("latin-1"), Encoding.GSM7, "é"),
        (0x03, "ÿ".encode("latin-1"), Encoding.UCS2, "ÿ"),
        (0x04, b"\xde\xad", Encoding.BINARY, "dead"),
        (0xF5, b"\xbe\xef", Encoding.BINARY, "beef"),
    ],
)
def test_data_coding_decides_how_octets_are_read(data_coding, octets, encoding, text):
    message = read(data_coding=data_coding, short_message=octets)
    assert (message.encoding, message.text) == (encoding, text)


@pytest.mark.parametrize(
    "fields", [{"data_coding": 0x10}, {"data_coding": 0xF0}, {"tlvs": ((Tag.DEST_ADDR_SUBUNIT, b"\1"),)}]
)
def test_each_way_to_ask_for_flash_is_understood(fields):
    assert read(short_message=b"now", **fields).flash


def test_the_user_data_header_is_taken_off_the_text():
    message = read(esm_class=0x40, short_message=HEADER + b"part")
    assert (message.udh, message.text) == (HEADER, "part")


def test_sar_parameters_become_a_header():
    tlvs = (
        (Tag.SAR_MSG_REF_NUM, b"\x01\x02"),
        (Tag.SAR_TOTAL_SEGMENTS, b"\3"),
        (Tag.SAR_SEGMENT_SEQNUM, b"\2"),
    )
    assert read(short_message=b"x", tlvs=tlvs).concat == Concat(reference=0x102, total=3, part=2, width=16)


def test_content_may_travel_in_message_payload():
    assert read(tlvs=((Tag.MESSAGE_PAYLOAD, b"in the parameter"),)).text == "in the parameter"


@pytest.mark.parametrize(
    ("fields", "command_status"),
    [
        ({"destination_addr": ""}, CommandStatus.RINVDSTADR),
        ({"data_coding": 0x0E}, CommandStatus.RX_P_APPN),
        ({"short_message": b"x" * 161}, CommandStatus.RINVMSGLEN),
        ({"short_message": b"x" * 141, "data_coding": 8}, CommandStatus.RINVMSGLEN),
        ({"short_message": HEADER + b"x" * 154, "esm_class": 0x40}, CommandStatus.RINVMSGLEN),
        ({"short_message": b"", "esm_class": 0x40}, CommandStatus.RINVMSGLEN),
        ({"short_message": b"\x09x", "esm_class": 0x40}, CommandStatus.RINVMSGLEN),
        (
            {"tlvs": ((Tag.SAR_TOTAL_SEGMENTS, b"\2"), (Tag.SAR_SEGMENT_SEQNUM, b"\3"))},
            CommandStatus.RINVOPTPARAMVAL,
        ),
    ],
)
def test_what_can_not_be_carried_is_answered_with_the_error_that_names_it(fields, command_status):
    with pytest.raises(Unacceptable) as refused:
        read(**fields)
    assert refused.value.command_status == command_status


@pytest.mark.parametrize("n_codes", [160, 153])
def test_the_longest_segments_fit(n_codes):
    if n_codes == 160:
        assert len(read(short_message=b"x" * 160).text) == 160
    else:
        assert len(read(short_message=HEADER + b"x" * 153, esm_class=0x40).text) == 153


def test_a_handsets_part_keeps_its_header_on_the_way_to_the_esme():
    body = write_deliver(
        NetworkMessage(
            sender="+8613800138000",
            recipient="10690000",
            encoding=Encoding.UCS2,
            payload="好".encode("utf-16-be"),
            udh=HEADER,
        )
    )
    assert body == DeliverSm(
        source_addr_ton=Ton.INTERNATIONAL,
        source_addr_npi=Npi.ISDN,
        source_addr="8613800138000",
        dest_addr_ton=Ton.UNKNOWN,
        dest_addr_npi=Npi.ISDN,
        destination_addr="10690000",
        esm_class=0x40,
        data_coding=8,
        short_message=HEADER + "好".encode("utf-16-be"),
    )


def test_an_alphanumeric_sender_and_flash_are_marked_as_such():
    body = write_deliver(
        NetworkMessage(sender="Bank", recipient="1", encoding=Encoding.GSM7, payload=b"x", flash=True)
    )
    assert (body.source_addr_ton, body.source_addr, body.data_coding) == (Ton.ALPHANUMERIC, "Bank", 0x10)
