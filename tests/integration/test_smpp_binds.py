"""Binds as carriers have them: pairs, spare hosts, versions, TLS; and answers that come late."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drivers.abilities import Rewrites
from drivers.base import (
    Accepted,
    ChannelDown,
    ChannelInfo,
    ChannelNotice,
    ChannelUp,
    FaultKind,
    InboundPart,
    LateResult,
    Receipt,
    ReceiptState,
    Refused,
    Uncertain,
)
from drivers.errors import EncodeError, SmppStatusError, WireLost, WireTimeout
from drivers.smpp.client.config import Peer, SmppConfig
from drivers.smpp.client.inbound import ReceiptRules
from drivers.smpp.client.submit_rules import SubmitRules
from drivers.smpp.wire.codec import encode_pdu
from drivers.smpp.wire.constants import CommandStatus, Tag
from drivers.smpp.wire.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    GenericNack,
    QuerySmResp,
    ReplaceSm,
    SubmitSmResp,
)
from tests.support.certificates import Certificates, make_certificates
from tests.support.smpp_driver import RECEIPT, bound, config, running, segment
from tests.support.smsc_peer import SmscPeer

pytestmark = pytest.mark.integration


async def test_a_pair_sends_on_one_connection_and_receives_on_the_other():
    async with SmscPeer() as peer, running(peer, bind="pair") as run:
        await run.sink.wait_until_up()
        await peer.wait_for(
            lambda: {type(link.bind) for link in peer.links} >= {BindTransmitter, BindReceiver}
        )
        sender = next(link for link in peer.links if isinstance(link.bind, BindTransmitter))
        receiver = next(link for link in peer.links if isinstance(link.bind, BindReceiver))
        assert isinstance(await run.submit(), Accepted)
        assert (len(sender.submits), len(receiver.submits)) == (1, 0)
        receiver.send(DeliverSm(esm_class=4, short_message=RECEIPT))
        await run.sink.wait_for_event(Receipt)


async def test_a_pair_goes_on_sending_while_its_receiver_is_away_and_says_so():
    async with SmscPeer() as peer, running(peer, bind="pair") as run:
        await run.sink.wait_until_up()
        await peer.wait_for(lambda: any(isinstance(link.bind, BindReceiver) for link in peer.links))
        receiver = next(link for link in peer.links if isinstance(link.bind, BindReceiver))
        await run.sink.wait_for(lambda: any("receiver" in info.facts for info in run.sink.of(ChannelInfo)))
        receiver.cut()
        assert (await run.sink.wait_for_event(ChannelNotice)).code == "receiver_down"
        assert isinstance(await run.submit(), Accepted)
        assert run.sink.of(ChannelDown) == []
        await peer.wait_for(lambda: sum(isinstance(link.bind, BindReceiver) for link in peer.links) == 2)


async def test_a_pair_whose_password_is_refused_stops():
    async with SmscPeer() as peer:
        peer.bind_status = CommandStatus.RINVPASWD
        async with running(peer, bind="pair") as run:
            down = await run.sink.wait_for_event(ChannelDown)
            assert down.fault.kind is FaultKind.CONFIG
            await asyncio.wait_for(run.task, 5)


async def test_a_host_that_is_away_is_passed_over():
    async with SmscPeer() as away, SmscPeer() as peer:
        port = away.port
        await away.stop()
        async with running(peer, port=port, spare_peers=(Peer("127.0.0.1", peer.port),)) as run:
            await run.sink.wait_until_up()
            assert run.sink.of(ChannelInfo)[0].facts["peer"] == f"127.0.0.1:{peer.port}"
            assert run.sink.of(ChannelDown) == []


async def test_a_host_that_is_not_ready_to_bind_is_passed_over():
    async with SmscPeer() as busy, SmscPeer() as peer:
        busy.bind_status = CommandStatus.RSYSERR
        async with running(busy, spare_peers=(Peer("127.0.0.1", peer.port),)) as run:
            await run.sink.wait_until_up()
            assert (len(busy.links), len(peer.links)) == (1, 1)


async def test_a_host_whose_name_can_be_none_is_passed_over():
    async with SmscPeer() as peer:
        spare = (Peer("127.0.0.1", peer.port),)
        async with running(peer, host="smsc..example.com", spare_peers=spare) as run:
            await run.sink.wait_until_up()


async def test_a_wrong_password_is_not_tried_at_every_host():
    async with SmscPeer() as first, SmscPeer() as second:
        first.bind_status = CommandStatus.RINVPASWD
        async with running(first, spare_peers=(Peer("127.0.0.1", second.port),)) as run:
            await asyncio.wait_for(run.task, 5)
            assert (len(first.links), len(second.links)) == (1, 0)


async def test_the_bind_says_what_was_agreed():
    async with bound(
        interface_version="5.0",
        address_range="1069*",
        address_range_ton=1,
        address_range_npi=1,
        system_type="VMA",
    ) as run:
        bind = run.peer.link.bind
        assert isinstance(bind, BindTransceiver)
        assert (bind.interface_version, bind.address_range, bind.system_type) == (0x50, "1069*", "VMA")
        assert (bind.addr_ton, bind.addr_npi) == (1, 1)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"bind": "both"}, "bind"),
        ({"interface_version": "3.5"}, "interface_version"),
        ({"receipts": ReceiptRules(receipt_id="octal")}, "receipt_id"),
        ({"window": 0}, "window"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(wrong: dict[str, object], named: str):
    values = {"name": "a", "host": "h", "system_id": "s", "password": "p", **wrong}
    with pytest.raises(ValueError, match=named):
        SmppConfig(**values)  # type: ignore[arg-type]


def test_an_ipv6_peer_is_written_so_that_the_port_can_be_told():
    assert str(Peer("::1", 2775)) == "[::1]:2775"


async def test_the_smscs_own_word_on_congestion_is_passed_on():
    async with bound() as run:
        run.peer.on_submit = lambda link, request: link.answer(
            request, SubmitSmResp(message_id="m", tlvs=((int(Tag.CONGESTION_STATE), b"\x5a"),))
        )
        assert await run.submit() == Accepted(reference="m", congestion=90)


# --- late, double and unknown answers ---


async def test_an_answer_after_the_timeout_is_reported_once():
    async with bound() as run:
        run.peer.keep_submits()
        link = run.peer.link
        result = await run.time_out(run.submit(7))
        assert isinstance(result, Uncertain)
        link.accept(link.submits[0])
        late = await run.sink.wait_for_event(LateResult)
        assert (late.segment_id, late.attempt, late.abandoned) == ("s7", 1, False)
        assert late.result == Accepted(reference=f"m{link.submits[0].sequence_number}")
        link.write(_again(link, SubmitSmResp(message_id="other")))
        await run.peer.wait_for(lambda: True)
        run.peer.on_submit = type(link).accept
        await run.submit(8)
        assert len(run.sink.of(LateResult)) == 1
        assert run.driver.incidents.unknown_responses == 1


async def test_a_late_refusal_is_reported_too():
    async with bound() as run:
        run.peer.keep_submits()
        link = run.peer.link
        assert isinstance(await run.time_out(run.submit()), Uncertain)
        link.answer(link.submits[0], status=CommandStatus.RINVDSTADR)
        late = await run.sink.wait_for_event(LateResult)
        assert isinstance(late.result, Refused)
        assert late.result.fault.code == "smpp_0x0b"


async def test_an_answer_whose_asker_was_cancelled_is_reported_as_abandoned():
    async with bound() as run:
        run.peer.keep_submits()
        link = run.peer.link
        asked = run.submit()
        await run.peer.wait_for(lambda: link.submits)
        asked.cancel()
        await asyncio.wait([asked])
        link.accept(link.submits[0])
        late = await run.sink.wait_for_event(LateResult)
        assert late.abandoned


def _again(link, body) -> bytes:
    return encode_pdu(body, link.submits[0].sequence_number)


# --- asking about a message ---


async def test_the_smsc_is_asked_what_became_of_a_message():
    async with bound() as run:
        asked = []

        def answer(link, request) -> None:
            asked.append(request.body)
            link.answer(
                request,
                QuerySmResp(message_id="m7", message_state=3, error_code=5, final_date="260314092653000+"),
            )

        run.peer.on_request = answer
        assert await run.driver.query("m7", "+8613800138000") == Receipt(
            references=("m7",),
            recipient="+8613800138000",
            state=ReceiptState.EXPIRED,
            code="err:005",
            done_at=datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC),
        )
        [body] = asked
        assert (body.message_id, body.source_addr) == ("m7", "10690000")


@pytest.mark.parametrize(("state", "date"), [(77, "260314092653000+"), (3, "269999999999999+"), (3, "")])
async def test_an_answer_that_says_little_is_taken_for_what_it_is(state: int, date: str):
    async with bound() as run:
        run.peer.on_request = lambda link, request: link.answer(
            request, QuerySmResp(message_id="m7", message_state=state, final_date=date)
        )
        told = await run.driver.query("m7", "+8613800138000")
        expected = ReceiptState.EXPIRED if state == 3 else ReceiptState.UNKNOWN
        assert (told.state, told.code, told.done_at) == (expected, "", None)


async def test_the_smsc_is_asked_to_forget_a_message():
    async with bound() as run:
        asked = []

        def answer(link, request) -> None:
            asked.append(request.body)
            link.answer(request)

        run.peer.on_request = answer
        await run.driver.cancel("m7", "+8613800138000")
        [body] = asked
        assert (body.message_id, body.destination_addr, body.dest_addr_ton) == ("m7", "8613800138000", 1)


async def test_a_message_is_named_by_the_addresses_that_its_submit_had():
    rules = SubmitRules(source_ton=5, source_npi=9, dest_ton=2, dest_npi=8, service_type="CMT")
    async with bound(submit=rules) as run:
        asked = []

        def answer(link, request) -> None:
            asked.append(request.body)
            link.answer(request)

        run.peer.on_request = answer
        await run.driver.cancel("m7", "+8613800138000", "shop")
        await run.driver.query("m7", "+8613800138000", "shop")
        await run.driver.replace("m7", segment(sender="shop"))
        for body in asked:
            assert (body.source_addr, body.source_addr_ton, body.source_addr_npi) == ("shop", 5, 9)
        cancel = asked[0]
        assert (cancel.dest_addr_ton, cancel.dest_addr_npi, cancel.service_type) == (2, 8, "CMT")


async def test_the_smsc_is_asked_to_give_a_message_another_text():
    async with bound() as run:
        asked = []

        def answer(link, request) -> None:
            asked.append(request.body)
            link.answer(request)

        run.peer.on_request = answer
        await run.driver.replace("m7", segment(payload=b"other", valid_for_s=90.0))
        assert asked == [
            ReplaceSm(
                message_id="m7",
                source_addr_npi=1,
                source_addr="10690000",
                validity_period="000000000130000R",
                registered_delivery=1,
                short_message=b"other",
            )
        ]
        assert isinstance(run.driver, Rewrites)


@pytest.mark.parametrize(
    "what", [{"udh": bytes.fromhex("050003070201")}, {"carrier_options": '[[5120, "3132"]]'}, {"flash": True}]
)
async def test_what_a_replacement_has_no_place_for_is_not_dropped(what: dict[str, Any]):
    async with bound() as run:
        with pytest.raises(EncodeError):
            await run.driver.replace("m7", segment(**what))


async def test_a_replacement_that_the_smsc_refuses_or_leaves_open_is_said():
    async with bound() as run:
        run.peer.on_request = lambda link, request: link.answer(request, status=CommandStatus.RREPLACEFAIL)
        with pytest.raises(SmppStatusError):
            await run.driver.replace("m7", segment())
        run.peer.on_request = lambda link, request: run.pass_time(60)
        with pytest.raises(WireTimeout):
            await run.driver.replace("m7", segment())


@pytest.mark.parametrize("status", [CommandStatus.RINVCMDID, CommandStatus.ROK])
async def test_an_smsc_that_answers_with_a_generic_nack_has_done_nothing(status: CommandStatus):
    async with bound() as run:
        run.peer.on_request = lambda link, request: link.answer(request, GenericNack(), status)
        driver, to = run.driver, "+8613800138000"
        for asked in (driver.cancel("m7", to), driver.replace("m7", segment()), driver.query("m7", to)):
            with pytest.raises(SmppStatusError):
                await asked


async def test_what_the_smsc_does_not_do_or_answer_is_said():
    async with bound() as run:
        run.peer.on_request = lambda link, request: link.answer(request, status=CommandStatus.RCANCELFAIL)
        with pytest.raises(SmppStatusError):
            await run.driver.cancel("m7", "+8613800138000")
        run.peer.on_request = lambda link, request: run.pass_time(60)
        with pytest.raises(WireTimeout):
            await run.driver.query("m7", "+8613800138000")
        await run.stop()
        with pytest.raises(WireLost):
            await run.driver.query("m7", "+8613800138000")


# --- TLS ---


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def client_context(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


async def test_over_tls_with_a_certificate_that_the_carriers_authority_signed(certificates: Certificates):
    async with SmscPeer(tls=certificates.server_context()) as peer:
        tls = client_context(certificates.ca)
        async with running(peer, tls=tls, tls_name="smsc.test") as run:
            await run.sink.wait_until_up()
            assert run.sink.of(ChannelInfo)[0].facts["tls"] is True
            assert isinstance(await run.submit(), Accepted)
            peer.link.send(DeliverSm(source_addr="1", short_message=b"hi"))
            await run.sink.wait_for_event(InboundPart)


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificates: Certificates):
    async with (
        SmscPeer(tls=certificates.server_context()) as peer,
        running(peer, tls=ssl.create_default_context(), tls_name="smsc.test") as run,
    ):
        down = await run.sink.wait_for_event(ChannelDown)
        assert "can't be trusted" in down.fault.detail
        assert run.sink.of(ChannelUp) == []


async def test_a_certificate_of_another_name_is_refused(certificates: Certificates):
    async with (
        SmscPeer(tls=certificates.server_context()) as peer,
        running(peer, tls=client_context(certificates.ca), tls_name="other.test") as run,
    ):
        down = await run.sink.wait_for_event(ChannelDown)
        assert "can't be trusted" in down.fault.detail


async def test_a_carrier_that_wants_a_certificate_gets_ours(certificates: Certificates):
    async with SmscPeer(tls=certificates.server_context(clients=True)) as peer:
        tls = client_context(certificates.ca)
        tls.load_cert_chain(certificates.client, certificates.client_key)
        async with running(peer, tls=tls, tls_name="smsc.test") as run:
            await run.sink.wait_until_up()
            assert isinstance(await run.submit(), Accepted)


def test_a_config_shows_no_password():
    assert "secret" not in repr(config(SmscPeer()))
