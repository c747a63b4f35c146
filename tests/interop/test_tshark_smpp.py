"""Wireshark reads what really passed between our ESME and our SMSC simulator.

Both ends share one codec, so a mistake in it would not show between them; here a third party judges.
"""

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
    SegmentId,
)
from drivers.codec.segment import plan_segments
from drivers.codec.udh import encode_concat_udh
from drivers.smpp.client.config import SmppConfig
from drivers.smpp.client.driver import SmppDriver
from drivers.smpp.wire.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    CancelSm,
    DataSm,
    EnquireLink,
    QuerySm,
    ReplaceSm,
    SubmitSm,
    Unbind,
)
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from simulators.traffic import RefusalCause
from tests.support.esme import connected_esme
from tests.support.pcap import Chunk, Side, write_tcp_capture
from tests.support.peers import need_peer
from tests.support.recording_sink import RecordingSink
from tests.support.running import running_driver
from tests.support.smpp_capture import AS_SMPP, PORT, all_of, n_pdus, read_pdus
from tests.support.tshark import find_complaints
from tests.support.wiretap import tapped

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.interop

HANDSET = "+8613800138000"
ABSENT = "+8613800000000"
TEXTS = [
    "Your code is 4711.",
    "€ 5 for [you] & {me} @£$¥",
    "您的验证码是 4711,请勿转发。😀",
    "x" * 160,
    "long " * 60,
    "长消息" * 40,
]


@pytest.fixture(autouse=True)
def _tshark():
    need_peer("tshark")


@pytest.fixture
async def network():
    network = Network()
    yield network
    await network.close()


@pytest.fixture
def capture(tmp_path) -> Path:
    return tmp_path / "smpp.pcap"


def segments_of(text: str) -> list[tuple[OutboundSegment, str]]:
    plan = plan_segments(text)
    total = len(plan.segments)
    return [
        (
            OutboundSegment(
                segment_id=SegmentId(f"m/{part}"),
                recipient=HANDSET,
                encoding=plan.encoding,
                payload=planned.payload,
                udh=encode_concat_udh(Concat(reference=7, total=total, part=part)) if total > 1 else b"",
                valid_for_s=3600.0,
                more_to_come=part < total,
            ),
            planned.text,
        )
        for part, planned in enumerate(plan.segments, start=1)
    ]


async def test_a_day_in_the_life_of_a_bind(network, capture):
    sink = RecordingSink()
    submits = [pair for text in TEXTS for pair in segments_of(text)]
    network.set_unreachable(ABSENT)
    async with SimulatedSmsc(network) as smsc, tapped(smsc.port) as tap:
        config = SmppConfig(
            name="c",
            host="127.0.0.1",
            port=tap.port,
            system_id="hongyan",
            password="secret",
            source_address="10690000",
        )
        async with running_driver(SmppDriver(config), sink) as driver:
            await sink.wait_until_up()
            results = [await driver.submit(segment) for segment, _ in submits]
            await network.add_handset(HANDSET).send("10690000", "退订" * 50)
            to_absent = OutboundSegment(
                segment_id=SegmentId("a"), recipient=ABSENT, encoding=Encoding.BINARY, payload=b"\x00\xff"
            )
            results.append(await driver.submit(to_absent))
            await sink.wait_for(
                lambda: len(sink.of(Receipt)) == len(results) and len(sink.of(InboundPart)) == 2
            )
    assert all(isinstance(result, Accepted) for result in results)
    write_tcp_capture(capture, tap.conversations, PORT)

    assert find_complaints(capture, AS_SMPP) == []
    packets = read_pdus(
        capture,
        "smpp.message_text",
        "smpp.message_id",
        "smpp.receipted_message_id",
        "smpp.message_state",
        "smpp.validity_period_r",
        "gsm_sms.udh.mm.msg_part",
    )
    commands = all_of(packets, "smpp.command_id")
    assert len(commands) == sum(map(n_pdus, tap.conversations))
    assert commands.count("0x00000004") == commands.count("0x80000004") == len(results)
    assert commands.count("0x00000005") == commands.count("0x80000005") == len(results) + 2
    assert {commands[0], commands[-1]} == {"0x00000009", "0x80000006"}
    assert set(all_of(packets, "smpp.command_status")) == {"0x00000000"}

    references = [result.reference or "" for result in results if isinstance(result, Accepted)]
    assert all_of(packets, "smpp.message_id") == references
    assert sorted(all_of(packets, "smpp.receipted_message_id")) == sorted(references)
    assert sorted(all_of(packets, "smpp.message_state")) == ["2"] * len(submits) + ["5"]
    submitted = [packet for packet in packets if packet["smpp.command_id"] == ["0x00000004"]]
    assert all_of(submitted, "smpp.message_text")[: len(submits)] == [text for _, text in submits]
    assert all_of(submitted, "smpp.validity_period_r")[: len(submits)] == ["3600.000000000"] * len(submits)
    assert all_of(submitted, "gsm_sms.udh.mm.msg_part") == ["1", "2", "1", "2"]


async def test_refusals_and_operations_we_do_not_offer(network, capture):
    network.refuse(HANDSET, RefusalCause.CONGESTION)
    async with SimulatedSmsc(network) as smsc, tapped(smsc.port) as tap:
        for bind in (BindTransmitter, BindReceiver, BindTransceiver):
            async with connected_esme(tap.port) as esme:
                await esme.bind(bind, password="wrong")
                await esme.bind(bind)
                for body in requests_of_an_esme():
                    await esme.ask(body)
                await esme.ask(Unbind())
                assert await esme.closed_by_peer()
    write_tcp_capture(capture, tap.conversations, PORT)

    packets = read_pdus(capture)
    assert find_complaints(capture, AS_SMPP) == []
    assert len(all_of(packets, "smpp.command_id")) == sum(map(n_pdus, tap.conversations)) == 3 * 2 * 9
    # Wrong password, throttled (or not as receiver), and nacks.
    assert {"0x0000000e", "0x00000058", "0x00000004", "0x00000003"} <= set(
        all_of(packets, "smpp.command_status")
    )


def requests_of_an_esme() -> list[Any]:
    message: dict[str, Any] = {
        "source_addr": "10690000",
        "destination_addr": HANDSET.removeprefix("+"),
        "dest_addr_ton": 1,
    }
    return [
        EnquireLink(),
        SubmitSm(**message, short_message=b"hello"),
        DataSm(**message, tlvs=((0x0424, b"hello"),)),
        QuerySm(message_id="1", source_addr="10690000"),
        ReplaceSm(message_id="1", source_addr="10690000", short_message=b"new"),
        CancelSm(message_id="1", **message),
    ]


async def test_the_judge_does_object_to_a_broken_pdu(capture):
    whole = bytes.fromhex("0000001f 00000009 00000000 00000001") + b"hongyan\0secret\0"
    write_tcp_capture(capture, [[Chunk(Side.CLIENT, whole)]], PORT)
    assert find_complaints(capture, AS_SMPP)
