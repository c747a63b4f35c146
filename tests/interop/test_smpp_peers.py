"""SMPP against implementations that are not ours: smpplib binds to our simulator, our driver to SMSCs by others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from drivers.base import (
    Accepted,
    ChannelDown,
    Concat,
    Encoding,
    FaultKind,
    InboundPart,
    OutboundSegment,
    Receipt,
    ReceiptState,
    SegmentId,
)
from drivers.codec.segment import decode_payload, plan_segments
from drivers.codec.udh import encode_concat_udh
from drivers.smpp.client.config import SmppConfig
from drivers.smpp.client.driver import SmppDriver
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.other_smsc import KINDS, other_smsc, send_inbound
from tests.support.recording_sink import DEADLINE_S, RecordingSink
from tests.support.running import running_driver

pytestmark = pytest.mark.interop

HANDSET = "+8613800138000"


# ---- smpplib binds to our SMSC ----


@pytest.fixture
async def network():
    network = Network()
    yield network
    await network.close()


@pytest.fixture
async def smsc(network):
    async with SimulatedSmsc(network) as smsc:
        yield smsc


class SmpplibTalk:
    """smpplib's blocking client; call its methods through `asyncio.to_thread`."""

    def __init__(self, port: int) -> None:
        import smpplib.client

        self.message_ids: list[str] = []
        self.deliveries: list[Any] = []
        self.client = smpplib.client.Client(
            "127.0.0.1", port, timeout=DEADLINE_S, allow_unknown_opt_params=True
        )
        self.client.set_message_sent_handler(self._note_message_id)
        self.client.set_message_received_handler(self._note_delivery)

    # The names of the arguments are smpplib's.
    def _note_message_id(self, pdu: Any) -> None:
        self.message_ids.append(pdu.message_id.decode())

    def _note_delivery(self, pdu: Any) -> None:
        self.deliveries.append(pdu)

    def bind(self) -> None:
        self.client.connect()
        self.client.bind_transceiver(system_id="hongyan", password="secret")

    def submit(self, text: str, *, report: bool) -> None:
        import smpplib.gsm

        parts, data_coding, esm_class = smpplib.gsm.make_parts(text)
        for part in parts:
            self.client.send_message(
                source_addr_ton=0,
                source_addr="10690000",
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=HANDSET.removeprefix("+"),
                short_message=part,
                data_coding=data_coding,
                esm_class=esm_class,
                registered_delivery=report,
            )

    def read_until(self, n_message_ids: int, n_deliveries: int) -> None:
        while len(self.message_ids) < n_message_ids or len(self.deliveries) < n_deliveries:
            self.client.read_once(auto_send_enquire_link=False)

    def unbind(self) -> None:
        self.client.unbind()
        self.client.disconnect()


async def test_smpplib_submits_and_gets_its_receipt(network, smsc):
    handset = network.add_handset(HANDSET)
    talk = SmpplibTalk(smsc.port)

    def scenario() -> None:
        talk.bind()
        talk.submit("Price: 5 € [incl. tax]", report=True)
        talk.read_until(1, 1)
        talk.unbind()

    await asyncio.to_thread(scenario)
    assert handset.inbox == ["Price: 5 € [incl. tax]"]
    (receipt,) = talk.deliveries
    assert receipt.esm_class == 0x04
    assert receipt.receipted_message_id.rstrip(b"\0").decode() == talk.message_ids[0]
    assert receipt.message_state == 2
    assert f"id:{talk.message_ids[0]} ".encode() in receipt.short_message
    assert (smsc.n_binds, smsc.n_owed) == (0, 0)


@pytest.mark.parametrize("text", ["a long English text, " * 20, "一条很长的中文短信,分成几段" * 12])
async def test_a_long_message_of_smpplib_is_one_text_on_the_handset(network, smsc, text):
    handset = network.add_handset(HANDSET)
    talk = SmpplibTalk(smsc.port)
    n_parts = len(plan_segments(text).segments)
    assert n_parts > 2

    def scenario() -> None:
        talk.bind()
        talk.submit(text, report=True)
        talk.read_until(n_parts, n_parts)
        talk.unbind()

    await asyncio.to_thread(scenario)
    assert handset.inbox == [text]
    assert {receipt.receipted_message_id.rstrip(b"\0").decode() for receipt in talk.deliveries} == set(
        talk.message_ids
    )


async def test_smpplib_reads_a_handsets_answer(network, smsc):
    network.add_handset(HANDSET).on_text = lambda text: "TD" if "code" in text else None
    talk = SmpplibTalk(smsc.port)

    def scenario() -> None:
        talk.bind()
        talk.submit("your code", report=False)
        talk.read_until(1, 1)
        talk.unbind()

    await asyncio.to_thread(scenario)
    (inbound,) = talk.deliveries
    assert (inbound.short_message, inbound.source_addr) == (b"TD", HANDSET.removeprefix("+").encode())


async def test_smpplib_understands_a_refused_bind(smsc):
    talk = SmpplibTalk(smsc.port)
    from smpplib import consts, exceptions

    def scenario() -> None:
        talk.client.connect()
        try:
            talk.client.bind_transceiver(system_id="hongyan", password="wrong")
        finally:
            talk.client.disconnect()

    with pytest.raises(exceptions.PDUError) as refused:
        await asyncio.to_thread(scenario)
    assert refused.value.args[1] == consts.SMPP_ESME_RINVPASWD


# ---- our driver binds to SMSCs by others ----


def config(port: int, *, password: str = "secret", bind: str = "transceiver") -> SmppConfig:
    return SmppConfig(
        name="other",
        host="127.0.0.1",
        port=port,
        system_id="hongyan",
        password=password,
        bind=bind,
        source_address="10690000",
    )


def segment(text: str, **fields: Any) -> OutboundSegment:
    plan = plan_segments(text)
    (planned,) = plan.segments
    values: dict[str, Any] = {"encoding": plan.encoding, "payload": planned.payload, "recipient": HANDSET}
    return OutboundSegment(segment_id=SegmentId("s-1"), **(values | fields))


@pytest.fixture(params=KINDS)
async def other(request):
    async with other_smsc(request.param) as found:
        yield found


@pytest.mark.parametrize("text", ["Code 4711, 5 € [x]", "您的验证码是 4711 😀"])
async def test_the_other_smsc_reads_our_text_and_we_its_receipt(other, text):
    peer, port = other
    sink = RecordingSink()
    async with running_driver(SmppDriver(config(port)), sink) as driver:
        await sink.wait_until_up()
        assert (await peer.wait_for("bind"))["system_id"] == "hongyan"
        result = await driver.submit(segment(text))
        submitted = await peer.wait_for("submit")
        assert (submitted["text"], submitted["to"]) == (text, HANDSET.removeprefix("+"))
        assert result == Accepted(reference=submitted["id"])
        receipt = await sink.wait_for_event(Receipt)
        assert submitted["id"] in receipt.references
        assert (receipt.state, receipt.recipient) == (ReceiptState.DELIVERED, HANDSET)
        assert (await peer.wait_for("receipt_answered"))["command_status"] == 0


async def test_the_other_smsc_finds_our_concatenation_header(other):
    peer, port = other
    text = "一二三四五六七" * 12
    plan = plan_segments(text)
    sink, told = RecordingSink(), []
    async with running_driver(SmppDriver(config(port)), sink) as driver:
        await sink.wait_until_up()
        for part, planned in enumerate(plan.segments, start=1):
            udh = encode_concat_udh(Concat(reference=0x5A, total=len(plan.segments), part=part))
            one = segment("x", encoding=plan.encoding, payload=planned.payload, udh=udh, report=False)
            assert isinstance(await driver.submit(one), Accepted)
            told.append(await peer.wait_for("submit"))
    assert "".join(submitted["text"] for submitted in told) == text
    # Element 00, three octets: reference, total, part.
    assert [submitted["udh"] for submitted in told] == [["00035a0201"], ["00035a0202"]]
    assert {submitted["registered_delivery"] for submitted in told} == {0}


@pytest.mark.parametrize(
    ("text", "data_coding", "encoding"), [("TD", 0, Encoding.GSM7), ("退订", 8, Encoding.UCS2)]
)
async def test_we_read_what_a_handset_wrote_by_way_of_the_other_smsc(other, text, data_coding, encoding):
    peer, port = other
    sink = RecordingSink()
    async with running_driver(SmppDriver(config(port)), sink):
        await sink.wait_until_up()
        send_inbound(peer, text, data_coding)
        part = await sink.wait_for_event(InboundPart)
        assert (part.sender, part.encoding, part.concat) == (HANDSET, encoding, None)
        assert decode_payload(part.encoding, part.payload) == text
        assert (await peer.wait_for("inbound_answered"))["command_status"] == 0


async def test_the_other_smsc_refuses_our_wrong_password_and_we_stop():
    sink = RecordingSink()
    async with (
        other_smsc("npm-smpp") as (_, port),
        running_driver(SmppDriver(config(port, password="wrong")), sink),
    ):
        down = await sink.wait_for_event(ChannelDown)
        assert down.fault.kind is FaultKind.CONFIG


async def test_we_unbind_from_the_other_smsc_when_we_end():
    sink = RecordingSink()
    async with other_smsc("npm-smpp") as (peer, port):
        async with running_driver(SmppDriver(config(port)), sink):
            await sink.wait_until_up()
        await peer.wait_for("unbind")
        await peer.wait_for("close")


async def test_an_smsc_that_hangs_up_instead_of_answering_our_unbind_keeps_nothing_waiting():
    sink = RecordingSink()
    async with other_smsc("smpp34") as (peer, port):
        async with running_driver(SmppDriver(config(port)), sink):
            await sink.wait_until_up()
        await peer.wait_for("close")
