"""Wireshark reads every kind of PDU that we can write, and every kind that our client says on a wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from drivers.base import (
    Accepted,
    Concat,
    Encoding,
    InboundPart,
    OutboundSegment,
    Receipt,
    ReceiptState,
    SegmentId,
)
from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.udh import encode_concat_udh
from drivers.smpp.client.config import SmppConfig
from drivers.smpp.client.driver import SmppDriver
from drivers.smpp.client.submit_rules import LongText, SubmitRules
from drivers.smpp.wire import pdus as p
from drivers.smpp.wire.codec import encode_pdu
from drivers.smpp.wire.constants import RESPONSE_BIT, CommandId, CommandStatus, Tag
from drivers.smpp.wire.fields import DistributionList, SmeAddress, UnsuccessSme
from drivers.smpp.wire.layouts import BODY_BY_COMMAND
from tests.support.pcap import Chunk, Side, write_tcp_capture
from tests.support.peers import need_peer
from tests.support.recording_sink import RecordingSink
from tests.support.running import running_driver
from tests.support.smpp_capture import AS_SMPP, PORT, all_of, command_ids, n_pdus, read_pdus
from tests.support.smsc_peer import SmscLink, SmscPeer
from tests.support.tshark import find_complaints
from tests.support.wiretap import Wiretap, tapped

if TYPE_CHECKING:
    from pathlib import Path

    from drivers.smpp.session.machine import RequestReceived

pytestmark = pytest.mark.interop

HANDSET = "+8613800138000"


@pytest.fixture(autouse=True)
def _tshark():
    need_peer("tshark")


@pytest.fixture
def capture(tmp_path) -> Path:
    return tmp_path / "smpp.pcap"


# ---- what we can write

SOURCE: dict[str, Any] = {"source_addr_ton": 5, "source_addr_npi": 0, "source_addr": "Bank"}
DEST: dict[str, Any] = {"dest_addr_ton": 1, "dest_addr_npi": 1, "destination_addr": "8613800138000"}
REST: dict[str, Any] = {
    "schedule_delivery_time": "261121120000032+",
    "validity_period": "000001000000000R",
    "registered_delivery": 1,
}
LOGIN: dict[str, Any] = {
    "system_id": "hongyan",
    "password": "secret",
    "system_type": "VMA",
    "address_range": "1069",
}
WHOLE: dict[str, Any] = (
    SOURCE | DEST | REST | {"service_type": "CMT", "priority_flag": 2, "short_message": b"hello"}
)
TLVS = ((Tag.USER_MESSAGE_REFERENCE, b"\x00\x07"), (Tag.LANGUAGE_INDICATOR, b"\x01"))
CONGESTED = ((Tag.CONGESTION_STATE, bytes([95])),)  # SMPP 5.0
BODIES: list[p.Body] = [
    p.BindReceiver(**LOGIN, interface_version=0x33),
    p.BindReceiverResp(system_id="smsc"),
    p.BindTransmitter(**LOGIN, interface_version=0x34),
    p.BindTransmitterResp(system_id="smsc", tlvs=((Tag.SC_INTERFACE_VERSION, b"\x34"),)),
    p.BindTransceiver(**LOGIN, interface_version=0x50, addr_ton=1, addr_npi=1),
    p.BindTransceiverResp(system_id="smsc", tlvs=((Tag.SC_INTERFACE_VERSION, b"\x50"),)),
    p.Outbind(system_id="smsc", password="secret"),
    p.Unbind(),
    p.UnbindResp(),
    p.GenericNack(),
    p.EnquireLink(),
    p.EnquireLinkResp(),
    p.SubmitSm(**WHOLE, tlvs=TLVS),
    p.SubmitSmResp(message_id="4a5b", tlvs=CONGESTED),
    p.DeliverSm(**SOURCE, **DEST, short_message=b"STOP", tlvs=((Tag.NETWORK_ERROR_CODE, b"\x03\x00\x08"),)),
    p.DeliverSmResp(),
    p.SubmitMulti(
        **SOURCE, **REST, dest_addresses=(SmeAddress(1, 1, "8613800138000"), DistributionList("all")),
        short_message=b"hello", tlvs=TLVS,
    ),
    p.SubmitMultiResp(message_id="4a5b", unsuccess_sme=(UnsuccessSme(1, 1, "8613800138000", 0x0B),)),
    p.DataSm(**SOURCE, **DEST, registered_delivery=1, tlvs=((Tag.MESSAGE_PAYLOAD, b"hello"),)),
    p.DataSmResp(message_id="4a5b", tlvs=((Tag.DELIVERY_FAILURE_REASON, b"\x00"),)),
    p.QuerySm(message_id="4a5b", **SOURCE),
    p.QuerySmResp(message_id="4a5b", final_date="261121120000032+", message_state=5, error_code=8),
    p.CancelSm(message_id="4a5b", **SOURCE, **DEST),
    p.CancelSmResp(),
    p.ReplaceSm(message_id="4a5b", **SOURCE, **REST, short_message=b"other"),
    p.ReplaceSmResp(),
    p.AlertNotification(**SOURCE, esme_addr="10690000", tlvs=((Tag.MS_AVAILABILITY_STATUS, b"\x00"),)),
]  # fmt: skip


def test_every_kind_of_pdu_is_read_as_it_was_meant(capture):
    assert {body.command_id for body in BODIES} == BODY_BY_COMMAND.keys() == set(CommandId)
    chunks = [Chunk(Side.CLIENT, encode_pdu(body, number)) for number, body in enumerate(BODIES, 1)]
    # Errors, too: the same answers with a status and no body.
    answers = [type(body)() for body in BODIES if body.command_id & RESPONSE_BIT]
    chunks += [
        Chunk(Side.SERVER, encode_pdu(body, number, CommandStatus.RTHROTTLED))
        for number, body in enumerate(answers, 1)
    ]
    write_tcp_capture(capture, [chunks], PORT)
    assert find_complaints(capture, AS_SMPP) == []
    told = read_pdus(capture, "smpp.sequence_number", "smpp.congestion_state", "smpp.interface_version")
    assert [int(one, 0) for one in all_of(told, "smpp.command_id")] == [
        *(body.command_id for body in BODIES),
        *(body.command_id for body in answers),
    ]
    assert all_of(told, "smpp.congestion_state") == ["95"]
    assert all_of(told, "smpp.interface_version") == ["51", "52", "80"]


# ---- what our client says


def part(number: int, total: int = 2) -> OutboundSegment:
    return OutboundSegment(
        segment_id=SegmentId(f"m/{number}"),
        recipient=HANDSET,
        encoding=Encoding.GSM7,
        payload=encode_gsm7("a long text, in parts"),
        udh=encode_concat_udh(Concat(reference=7, total=total, part=number)),
        valid_for_s=3600.0,
    )


def config(port: int, **fields: Any) -> SmppConfig:
    return SmppConfig(
        name="c",
        host="127.0.0.1",
        port=port,
        system_id="hongyan",
        password="secret",
        source_address="10690000",
        **fields,
    )


def answer(link: SmscLink, request: RequestReceived) -> None:
    """Say something to all that an ESME asks."""
    if isinstance(request.body, p.QuerySm):
        link.answer(request, p.QuerySmResp(message_id=request.body.message_id, message_state=2))
    else:
        link.answer(request)


def said(tap: Wiretap) -> set[int]:
    """The kinds of PDU that our client has sent."""
    return {one for chunks in tap.conversations for one in command_ids(chunks, Side.CLIENT)}


async def test_a_pair_of_binds_of_smpp_5(capture):
    sink = RecordingSink()
    submit = SubmitRules(long_text=LongText.SAR, tlvs=((0x1400, b"1234567890"),))
    async with SmscPeer() as peer, tapped(peer.port) as tap:
        peer.on_request = answer
        peer.on_submit = lambda link, request: link.answer(
            request, p.SubmitSmResp(message_id=f"{request.sequence_number:x}", tlvs=CONGESTED)
        )
        settings = config(tap.port, bind="pair", interface_version="5.0", submit=submit, enquire_link_s=0.2)
        async with running_driver(SmppDriver(settings), sink) as driver:
            await sink.wait_until_up()
            await peer.wait_bound(2)
            receiver = next(link for link in peer.links if isinstance(link.bind, p.BindReceiver))
            assert isinstance(await driver.submit(part(1)), Accepted)
            assert isinstance(await driver.submit(part(2)), Accepted)
            assert (await driver.query("7", HANDSET)).state is ReceiptState.DELIVERED
            await driver.cancel("7", HANDSET)
            receiver.send(p.DeliverSm(**SOURCE, **DEST, short_message=b"STOP"))
            payload = ((Tag.MESSAGE_PAYLOAD, b"id:7 stat:DELIVRD"), (Tag.RECEIPTED_MESSAGE_ID, b"7\0"))
            receiver.send(p.DataSm(**SOURCE, **DEST, esm_class=4, tlvs=payload))
            receiver.send(p.AlertNotification(source_addr="8613800138000", esme_addr="10690000"))
            receiver.send(p.EnquireLink())
            await sink.wait_for_event(InboundPart)
            await sink.wait_for_event(Receipt)
            expected = {CommandId.ENQUIRE_LINK, CommandId.ENQUIRE_LINK_RESP}
            expected |= {CommandId.DELIVER_SM_RESP, CommandId.DATA_SM_RESP}
            await peer.wait_for(lambda: expected <= said(tap))
            receiver.send(p.Unbind())
            await peer.wait_for(lambda: receiver.closed)
    write_tcp_capture(capture, tap.conversations, PORT)
    assert find_complaints(capture, AS_SMPP) == []
    told = read_pdus(capture, "smpp.congestion_state", "smpp.sar_segment_seqnum", "smpp.interface_version")
    commands = [CommandId(int(one, 0)) for one in all_of(told, "smpp.command_id")]
    assert len(commands) == sum(map(n_pdus, tap.conversations))
    assert set(commands) == {
        CommandId.BIND_TRANSMITTER, CommandId.BIND_TRANSMITTER_RESP,
        CommandId.BIND_RECEIVER, CommandId.BIND_RECEIVER_RESP,
        CommandId.SUBMIT_SM, CommandId.SUBMIT_SM_RESP,
        CommandId.QUERY_SM, CommandId.QUERY_SM_RESP,
        CommandId.CANCEL_SM, CommandId.CANCEL_SM_RESP,
        CommandId.DELIVER_SM, CommandId.DELIVER_SM_RESP,
        CommandId.DATA_SM, CommandId.DATA_SM_RESP,
        CommandId.ALERT_NOTIFICATION,
        CommandId.ENQUIRE_LINK, CommandId.ENQUIRE_LINK_RESP,
        CommandId.UNBIND, CommandId.UNBIND_RESP,
    }  # fmt: skip
    assert all_of(told, "smpp.congestion_state") == ["95", "95"]
    assert all_of(told, "smpp.sar_segment_seqnum") == ["1", "2"]
    assert set(all_of(told, "smpp.interface_version")) == {"80"}


async def test_a_bind_of_smpp_3_3_that_is_told_nonsense(capture):
    sink = RecordingSink()
    async with (
        SmscPeer() as peer,
        tapped(peer.port) as tap,
        running_driver(SmppDriver(config(tap.port, interface_version="3.3")), sink) as driver,
    ):
        await sink.wait_until_up()
        assert isinstance(await driver.submit(part(1)), Accepted)
        # What an ESME is never asked, a deliver_sm that is cut off, and a command that nobody knows.
        peer.link.write(encode_pdu(p.SubmitSm(), 77))
        peer.link.write(bytes.fromhex("00000014 00000005 00000000 0000004e 00010100"))
        peer.link.write(bytes.fromhex("00000010 00000999 00000000 0000004f"))
        await peer.wait_for(lambda: CommandId.GENERIC_NACK in said(tap))
    client = [[chunk for chunk in chunks if chunk.side is Side.CLIENT] for chunks in tap.conversations]
    write_tcp_capture(capture, client, PORT)
    assert find_complaints(capture, AS_SMPP) == []
    told = read_pdus(capture, "smpp.interface_version")
    assert all_of(told, "smpp.interface_version") == ["51"]
    assert [int(one, 0) for one in all_of(told, "smpp.command_status")] == [
        CommandStatus.RINVBNDSTS,
        CommandStatus.RINVCMDLEN,
        CommandStatus.RINVCMDID,
    ]
