from __future__ import annotations

import asyncio
from typing import Any

import pytest

from drivers.base import Concat, Encoding
from drivers.codec.udh import decode_udh
from drivers.smpp.session.machine import SessionTimers
from drivers.smpp.wire.constants import CommandStatus, Tag
from drivers.smpp.wire.fields import find_int_tlv, find_text_tlv
from drivers.smpp.wire.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from simulators.network import Network
from simulators.smsc.receipts import MessageIds
from simulators.smsc.server import SimulatedSmsc, run_smsc
from simulators.traffic import RefusalCause
from tests.support.esme import DEADLINE_S, connected_esme

pytestmark = pytest.mark.integration

HANDSET = "+8613800138000"


def to_handset(text: str, *, report: bool = False, **fields: Any) -> SubmitSm:
    values: dict[str, Any] = {
        "source_addr": "10690000",
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": HANDSET.removeprefix("+"),
        "registered_delivery": int(report),
        "short_message": text.encode("ascii"),
    }
    return SubmitSm(**(values | fields))


@pytest.fixture
async def network():
    network = Network()
    yield network
    await network.close()


@pytest.fixture
async def smsc(network):
    async with SimulatedSmsc(network) as smsc:
        yield smsc


async def until(network: Network, condition) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await network.wait_for(condition)


@pytest.mark.parametrize("kind", [BindTransceiver, BindTransmitter, BindReceiver])
async def test_every_kind_of_bind_is_taken(smsc, kind):
    async with connected_esme(smsc.port) as esme:
        answer = await esme.bind(kind)
        assert answer.command_status == CommandStatus.ROK
        assert answer.body.system_id == "hongyan-smsc"
        assert find_int_tlv(answer.body.tlvs, Tag.SC_INTERFACE_VERSION) == 0x34
        assert smsc.n_binds == 1


@pytest.mark.parametrize(
    ("system_id", "password", "command_status"),
    [
        ("nobody", "secret", CommandStatus.RINVSYSID),
        ("hongyan", "wrong", CommandStatus.RINVPASWD),
    ],
)
async def test_a_stranger_is_refused_and_may_try_again(smsc, system_id, password, command_status):
    async with connected_esme(smsc.port) as esme:
        assert (await esme.bind(BindTransceiver, system_id, password)).command_status == command_status
        assert smsc.n_binds == 0
        assert (await esme.ask(to_handset("hello"))).command_status == CommandStatus.RINVBNDSTS
        assert (await esme.bind()).command_status == CommandStatus.ROK


async def test_a_second_bind_on_one_connection_is_refused_even_in_the_same_packet(smsc):
    async with connected_esme(smsc.port) as esme:
        for _ in range(2):
            esme.send(BindTransceiver(system_id="hongyan", password="secret"))
        answers = [await esme.receive() for _ in range(2)]
        assert [answer.command_status for answer in answers] == [CommandStatus.ROK, CommandStatus.RALYBND]


async def test_a_submit_reaches_the_handset_and_its_receipt_comes_back(network, smsc):
    handset = network.add_handset(HANDSET)
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        answer = await esme.ask(to_handset("hello", report=True))
        receipt = await esme.take_delivery()

        assert handset.inbox == ["hello"]
        message_id = answer.body.message_id
        assert message_id.isdecimal()
        assert f"id:{message_id} ".encode() in receipt.short_message
        assert b"stat:DELIVRD" in receipt.short_message
        assert find_text_tlv(receipt.tlvs, Tag.RECEIPTED_MESSAGE_ID) == message_id
        assert find_int_tlv(receipt.tlvs, Tag.MESSAGE_STATE) == 2
        assert receipt.source_addr == HANDSET.removeprefix("+")
        await until(network, lambda: smsc.n_owed == 0)


async def test_no_receipt_is_sent_when_none_was_asked_for(network, smsc):
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        await esme.ask(to_handset("quiet"))
        await esme.ask(to_handset("loud", report=True))
        assert b"text:loud" in (await esme.take_delivery()).short_message


async def test_an_unreachable_handset_gives_a_receipt_that_says_so(network, smsc):
    network.set_unreachable(HANDSET)
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        await esme.ask(to_handset("hello", report=True))
        receipt = await esme.take_delivery()
        assert b"dlvrd:000" in receipt.short_message
        assert b"stat:UNDELIV" in receipt.short_message
        assert find_int_tlv(receipt.tlvs, Tag.MESSAGE_STATE) == 5


@pytest.mark.parametrize(
    ("cause", "command_status"),
    [
        (RefusalCause.UNASSIGNED_NUMBER, CommandStatus.RINVDSTADR),
        (RefusalCause.OPERATOR_BARRING, CommandStatus.RSUBMITFAIL),
        (RefusalCause.NETWORK_OUT_OF_ORDER, CommandStatus.RSYSERR),
        (RefusalCause.CONGESTION, CommandStatus.RTHROTTLED),
    ],
)
async def test_a_refusal_of_the_network_is_the_status_of_the_response(network, smsc, cause, command_status):
    network.refuse(HANDSET, cause)
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        assert (await esme.ask(to_handset("hello"))).command_status == command_status
        assert network.accepted == []


async def test_a_text_that_can_not_be_carried_is_refused_and_the_session_lives_on(smsc):
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        assert (await esme.ask(to_handset("x" * 161))).command_status == CommandStatus.RINVMSGLEN
        assert (await esme.ask(to_handset("x" * 160))).command_status == CommandStatus.ROK


@pytest.mark.parametrize(
    ("message_ids", "base_of_response", "base_of_receipt"),
    [(MessageIds.DECIMAL, 10, 10), (MessageIds.HEX, 16, 16), (MessageIds.MIXED, 16, 10)],
)
async def test_message_ids_are_spelled_as_configured(network, message_ids, base_of_response, base_of_receipt):
    async with SimulatedSmsc(network, message_ids=message_ids) as smsc, connected_esme(smsc.port) as esme:
        await esme.bind()
        answer = await esme.ask(to_handset("hello", report=True))
        receipted = find_text_tlv((await esme.take_delivery()).tlvs, Tag.RECEIPTED_MESSAGE_ID)
        assert receipted is not None
        assert int(answer.body.message_id, base_of_response) == int(receipted, base_of_receipt)


async def test_submits_are_answered_in_their_order_and_latency_does_not_add_up(network):
    n_submits, latency_s = 50, 0.05
    async with SimulatedSmsc(network, latency_s=latency_s) as smsc, connected_esme(smsc.port) as esme:
        await esme.bind()
        started_at = asyncio.get_running_loop().time()
        asked = [esme.send(to_handset(f"text {index}")) for index in range(n_submits)]
        answered = [(await esme.receive()).sequence_number for _ in range(n_submits)]
        took_s = asyncio.get_running_loop().time() - started_at
        assert answered == asked
        assert [message.text for message in network.accepted] == [f"text {i}" for i in range(n_submits)]
        assert latency_s * 0.9 <= took_s < n_submits * latency_s


async def test_a_handsets_text_reaches_the_account_it_was_written_to(network):
    accounts = {"hongyan": "secret", "other": "geheim"}
    handset = network.add_handset(HANDSET)
    async with (
        SimulatedSmsc(network, accounts=accounts) as smsc,
        connected_esme(smsc.port) as first,
        connected_esme(smsc.port) as second,
    ):
        await first.bind()
        await second.bind(BindReceiver, "other", "geheim")
        await handset.send(smsc.number_of("other"), "for the second")
        await handset.send(smsc.number_of("hongyan"), "TD")
        inbound = await first.take_delivery()
        assert (inbound.source_addr, inbound.destination_addr) == ("8613800138000", "10690000")
        assert (inbound.short_message, inbound.esm_class) == (b"TD", 0)
        assert (await second.take_delivery()).short_message == b"for the second"


async def test_the_parts_of_a_long_text_keep_their_headers(network, smsc):
    text = "这是一条很长的消息" * 20
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        await network.add_handset(HANDSET).send("10690000", text)
        parts = [await esme.take_delivery() for _ in range(3)]
    joined = ""
    for part, body in enumerate(parts, start=1):
        header_end = body.short_message[0] + 1
        concat = decode_udh(body.short_message[:header_end]).concat
        assert (body.esm_class, body.data_coding) == (0x40, 0x08)
        assert concat is not None
        assert concat == Concat(reference=concat.reference, total=3, part=part)
        joined += body.short_message[header_end:].decode("utf-16-be")
    assert joined == text


async def test_a_concatenated_submit_is_one_text_on_the_handset(network, smsc):
    handset = network.add_handset(HANDSET)
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        for part, octets in enumerate(["你好,".encode("utf-16-be"), "世界".encode("utf-16-be")], start=1):
            header = bytes.fromhex("0500032a02") + bytes((part,))
            await esme.ask(to_handset("", esm_class=0x40, data_coding=8, short_message=header + octets))
        await until(network, lambda: handset.inbox == ["你好,世界"])
    assert {message.encoding for message in network.accepted} == {Encoding.UCS2}


async def test_deliveries_wait_until_a_receiving_bind_is_there(network, smsc):
    async with connected_esme(smsc.port) as sender:
        await sender.bind(BindTransmitter)
        await sender.ask(to_handset("hello", report=True))
        await network.add_handset(HANDSET).send("10690000", "hi")
        await until(network, lambda: smsc.n_owed == 2)
        async with connected_esme(smsc.port) as receiver:
            await receiver.bind(BindReceiver)
            bodies = [await receiver.take_delivery() for _ in range(2)]
        assert {body.esm_class for body in bodies} == {0x00, 0x04}
        await until(network, lambda: smsc.n_owed == 0)


async def test_what_a_lost_bind_had_not_acknowledged_goes_to_the_next_in_the_old_order(network, smsc):
    handset = network.add_handset(HANDSET)
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        for text in ["one", "two", "three"]:
            await handset.send("10690000", text)
        assert (await esme.take_delivery()).short_message == b"one"
        await esme.receive()
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        assert [(await esme.take_delivery()).short_message for _ in range(2)] == [b"two", b"three"]
        await until(network, lambda: smsc.n_owed == 0)


async def test_a_delivery_that_was_answered_with_an_error_is_sent_again(network):
    async with SimulatedSmsc(network, resend_s=0.01) as smsc, connected_esme(smsc.port) as esme:
        await esme.bind()
        await network.add_handset(HANDSET).send("10690000", "hi")
        for command_status in [CommandStatus.RX_T_APPN, CommandStatus.RSYSERR, CommandStatus.ROK]:
            assert (await esme.take_delivery(command_status)).short_message == b"hi"
            assert smsc.n_owed == 1
        await until(network, lambda: smsc.n_owed == 0)


async def test_a_delivery_without_an_answer_is_sent_again(network):
    timers = SessionTimers(response_s=0.01)
    async with (
        SimulatedSmsc(network, resend_s=0.01, timers=timers) as smsc,
        connected_esme(smsc.port) as esme,
    ):
        await esme.bind()
        await network.add_handset(HANDSET).send("10690000", "hi")
        await esme.receive()
        assert (await esme.take_delivery()).short_message == b"hi"


async def test_the_window_bounds_what_is_on_the_wire(network):
    handset = network.add_handset(HANDSET)
    async with SimulatedSmsc(network, deliver_window=2) as smsc, connected_esme(smsc.port) as esme:
        await esme.bind()
        for text in ["one", "two", "three"]:
            await handset.send("10690000", text)
        await until(network, lambda: smsc.n_owed == 3)
        assert [(await esme.receive()).body.short_message for _ in range(2)] == [b"one", b"two"]
        # Had the third been sent, it would come before this answer.
        assert isinstance((await esme.ask(EnquireLink())).body, EnquireLinkResp)


async def test_two_receivers_of_one_account_share_the_work(network, smsc):
    handset = network.add_handset(HANDSET)
    async with connected_esme(smsc.port) as first, connected_esme(smsc.port) as second:
        await first.bind(BindReceiver)
        await second.bind()
        for text in ["one", "two"]:
            await handset.send("10690000", text)
        taken = {(await esme.take_delivery()).short_message for esme in (first, second)}
        assert taken == {b"one", b"two"}


async def test_unbind_is_answered_and_ends_the_connection(network, smsc):
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        esme.send(to_handset("the last one"))
        esme.send(Unbind())
        assert (await esme.receive_body(SubmitSmResp)).message_id
        await esme.receive_body(UnbindResp)
        assert await esme.closed_by_peer()
    await until(network, lambda: smsc.n_binds == 0)


async def test_what_this_smsc_does_not_offer_is_nacked(smsc):
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        answer = await esme.ask(DataSm(destination_addr="1"))
        assert isinstance(answer.body, GenericNack)
        assert answer.command_status == CommandStatus.RINVCMDID


async def test_garbage_ends_the_connection_and_no_other(network, smsc):
    async with connected_esme(smsc.port) as good, connected_esme(smsc.port) as bad:
        await good.bind()
        bad.send_octets(b"GET / HTTP/1.1\r\n\r\n")
        assert isinstance((await bad.receive()).body, GenericNack)
        assert await bad.closed_by_peer()
        assert (await good.ask(to_handset("still here"))).command_status == CommandStatus.ROK


async def test_an_esme_that_never_binds_is_shown_out(network):
    timers = SessionTimers(session_init_s=0.01)
    async with SimulatedSmsc(network, timers=timers) as smsc, connected_esme(smsc.port) as esme:
        assert await esme.closed_by_peer()


async def test_stop_closes_the_links_and_start_is_found_at_the_same_port(network, smsc):
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        await smsc.stop()
        assert await esme.closed_by_peer()
    assert smsc.n_binds == 0
    await smsc.start()
    async with connected_esme(smsc.port) as esme:
        assert (await esme.bind()).command_status == CommandStatus.ROK


async def test_the_stand_alone_program_says_where_it_listens_and_serves():
    said: list[str] = []
    listening = asyncio.Event()

    def announce(line: str) -> None:
        said.append(line)
        listening.set()

    running = asyncio.create_task(
        run_smsc(host="127.0.0.1", port=0, accounts={"me": "pw"}, latency_s=0.0, announce=announce)
    )
    async with asyncio.timeout(DEADLINE_S):
        await listening.wait()
    port = int(said[0].rpartition(":")[2])
    async with connected_esme(port) as esme:
        await esme.bind(BindTransceiver, "me", "pw")
        await esme.ask(to_handset("hello", report=True))
        assert b"stat:DELIVRD" in (await esme.take_delivery()).short_message
        running.cancel()
        assert await esme.closed_by_peer()
    with pytest.raises(asyncio.CancelledError):
        await running
