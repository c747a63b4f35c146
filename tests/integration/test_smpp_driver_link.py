"""The SMPP driver's link over real TCP sockets: how it is bound, lost, watched, and given up."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import (
    Accepted,
    ChannelDown,
    ChannelInfo,
    ChannelUp,
    Fault,
    FaultKind,
    InboundPart,
    Refused,
    SubmitResult,
    Uncertain,
)
from drivers.smpp.client.config import SmppConfig
from drivers.smpp.client.driver import SmppDriver
from drivers.smpp.session.machine import PduRejected, UnknownResponse
from drivers.smpp.wire.codec import encode_pdu
from drivers.smpp.wire.constants import CommandStatus, Tag
from drivers.smpp.wire.pdus import (
    BindReceiver,
    BindTransceiverResp,
    DeliverSm,
    EnquireLink,
    GenericNack,
    Unbind,
    UnbindResp,
)
from tests.support.recording_sink import RecordingSink
from tests.support.running import running_driver
from tests.support.smpp_driver import bound, running, segment
from tests.support.smsc_peer import SmscPeer

pytestmark = pytest.mark.integration

LINK_LOST = Fault(kind=FaultKind.CHANNEL, code="link_lost", detail="Lost.")


async def test_the_bind_comes_back_after_the_link_was_cut():
    async with bound() as run:
        run.peer.link.cut()
        await run.sink.wait_for(lambda: len(run.sink.of(ChannelUp)) == 2)
        expected: list[type] = [ChannelUp, ChannelDown, ChannelUp]
        told = [type(event) for event in run.sink.handled if not isinstance(event, ChannelInfo)]
        assert told == expected
        assert isinstance(await run.submit(), Accepted)


async def test_a_channel_that_is_not_bound_refuses_so_that_another_may_take_it():
    async with SmscPeer() as peer:
        peer.bind_status = None
        async with running(peer) as run:
            await peer.wait_bound()
            result = await run.submit()
            assert isinstance(result, Refused)
            assert result.fault.kind is FaultKind.CHANNEL


async def test_an_smsc_that_is_away_is_tried_until_it_is_back():
    async with SmscPeer() as peer:
        await peer.stop()
        async with running(peer) as run:
            down = await run.sink.wait_for_event(ChannelDown)
            assert down.fault.kind is FaultKind.CHANNEL
            await peer.listen()
            await run.sink.wait_until_up()
            assert len(run.sink.of(ChannelDown)) == 1


@pytest.mark.parametrize("status", [CommandStatus.RINVPASWD, CommandStatus.RINVSYSID])
async def test_a_refused_bind_stops_the_channel_and_is_not_tried_again(status):
    async with SmscPeer() as peer:
        peer.bind_status = status
        async with running(peer) as run:
            async with asyncio.timeout(60):
                await run.task
            [down] = run.sink.of(ChannelDown)
            assert down.fault.kind is FaultKind.CONFIG
            assert len(peer.links) == 1


async def test_a_setting_that_smpp_cannot_carry_stops_the_channel_and_is_named_but_not_shown():
    async with SmscPeer() as peer, running(peer, password="longer than 8") as run:
        async with asyncio.timeout(60):
            await run.task
        [down] = run.sink.of(ChannelDown)
        assert down.fault.kind is FaultKind.CONFIG
        assert "password" in down.fault.detail
        assert "longer than 8" not in down.fault.detail


@pytest.mark.parametrize(
    "status",
    [CommandStatus.RBINDFAIL, CommandStatus.RALYBND, CommandStatus.RSYSERR, CommandStatus.RTHROTTLED],
)
async def test_a_bind_refused_for_now_is_tried_again(status):
    async with SmscPeer() as peer:
        peer.bind_status = status
        async with running(peer) as run:
            await run.sink.wait_for_event(ChannelDown)
            peer.bind_status = 0
            await run.sink.wait_until_up()


async def test_a_bind_without_an_answer_is_given_up_and_tried_again():
    async with SmscPeer() as peer:
        peer.bind_status = None
        async with running(peer, bind_timeout_s=0.1, response_timeout_s=0.1) as run:
            down = await run.sink.wait_for_event(ChannelDown)
            assert down.fault.code == "link_timeout"
            await peer.wait_bound(2)


async def test_an_answer_that_is_no_grant_is_no_bind():
    async with SmscPeer() as peer:
        peer.bind_status = None
        async with running(peer) as run:
            link = await peer.wait_bound()
            link.write(encode_pdu(GenericNack(), 1))
            down = await run.sink.wait_for_event(ChannelDown)
            assert down.fault.kind is FaultKind.CHANNEL
            assert run.sink.of(ChannelUp) == []


async def test_a_version_that_is_none_costs_no_bind():
    async with SmscPeer() as peer:
        peer.bind_status = None
        async with running(peer) as run:
            link = await peer.wait_bound()
            endless = BindTransceiverResp(tlvs=((Tag.SC_INTERFACE_VERSION, b"\x34" * 4_000),))
            link.write(encode_pdu(endless, 1))
            await run.sink.wait_until_up()
            [info] = run.sink.of(ChannelInfo)
            assert info.facts["interface_version"] is None


async def test_garbage_in_a_framed_pdu_is_refused_and_the_link_lives_on():
    async with bound() as run:
        link = run.peer.link
        link.write(bytes.fromhex("00000014 00000005 00000000 00000063 ffffffff"))
        link.write(bytes.fromhex("00000010 00000999 00000000 00000064"))
        await run.peer.wait_for(lambda: len(link.events) >= 3)
        statuses = [event.command_status for event in link.events if isinstance(event, UnknownResponse)]
        assert statuses == [CommandStatus.RINVCMDLEN, CommandStatus.RINVCMDID]
        assert not any(isinstance(event, PduRejected) for event in link.events)
        assert isinstance(await run.submit(), Accepted)
        assert run.driver.incidents.rejected_pdus == 2


async def test_lost_framing_costs_the_link_and_the_driver_binds_again():
    async with bound() as run:
        run.peer.link.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await run.sink.wait_for(lambda: len(run.sink.of(ChannelUp)) == 2)
        assert "HTTP" in run.sink.of(ChannelDown)[0].fault.detail


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (encode_pdu(GenericNack(), 0, CommandStatus.RINVBNDSTS), "ESME_RINVBNDSTS"),
        (b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", "speaks HTTP, not SMPP"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "speaks SSH, not SMPP"),
    ],
)
async def test_what_answers_a_bind_without_granting_it_is_told_in_words(answer, words):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        writer.write(answer)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        sink = RecordingSink()
        config = SmppConfig(name="a", host="127.0.0.1", port=port, system_id="a", password="b")
        async with running_driver(SmppDriver(config), sink):
            await sink.wait_for(lambda: bool(sink.of(ChannelDown)))
        assert words in sink.of(ChannelDown)[0].fault.detail


async def test_enquire_link_is_answered():
    async with bound() as run:
        link = run.peer.link
        before = link._session.waiting
        link.send(EnquireLink())
        await run.peer.wait_for(lambda: link._session.waiting == before)


async def test_a_silent_smsc_is_asked_whether_it_lives_and_stays_bound_when_it_answers():
    async with bound(enquire_link_s=0.05, response_timeout_s=5.0) as run:
        link = run.peer.link
        heard = link.n_octets
        await run.peer.wait_for(lambda: link.n_octets >= heard + 48)
        assert isinstance(await run.submit(), Accepted)
        assert not run.sink.of(ChannelDown)


async def test_a_dead_smsc_is_noticed_and_the_driver_binds_again():
    async with bound(enquire_link_s=0.05, response_timeout_s=0.1) as run:
        run.peer.link._session.close()
        await run.sink.wait_for(lambda: len(run.sink.of(ChannelUp)) == 2)
        assert "enquire_link" in run.sink.of(ChannelDown)[0].fault.detail


async def test_a_receiver_takes_deliveries_and_sends_nothing():
    async with bound(bind="receiver") as run:
        assert isinstance(run.peer.link.bind, BindReceiver)
        assert run.driver.capacity == 0
        result = await run.submit()
        assert isinstance(result, Refused)
        assert result.fault.kind is FaultKind.CHANNEL
        run.peer.link.send(DeliverSm(source_addr="10086", short_message=b"TD"))
        await run.sink.wait_for_event(InboundPart)


async def test_an_unbind_of_the_smsc_is_answered_after_what_is_in_flight_and_the_driver_binds_again():
    async with bound() as run:
        run.peer.keep_submits()
        link = run.peer.link
        result = run.submit()
        await run.peer.wait_for(lambda: link.submits)
        link.send(Unbind())
        link.accept(link.submits[0])
        assert isinstance(await result, Accepted)
        await run.peer.wait_for(lambda: link.responses)
        assert isinstance(link.responses[0].body, UnbindResp)
        await run.sink.wait_for(lambda: len(run.sink.of(ChannelUp)) == 2)


async def test_an_unbind_of_the_smsc_takes_the_channel_down_at_once_and_is_named():
    async with bound() as run:
        run.peer.keep_submits()
        link = run.peer.link
        result = run.submit()
        await run.peer.wait_for(lambda: link.submits)
        link.send(Unbind())
        await run.sink.wait_for_event(ChannelDown)
        run.driver.renew(LINK_LOST, n_recipients=3)  # as the gateway does when what it submits now fails
        assert not result.done(), "what is on the wire still has its time"
        link.accept(link.submits[0])
        assert isinstance(await result, Accepted)
        await run.sink.wait_for(lambda: len(run.sink.of(ChannelUp)) == 2)
        assert [down.fault.code for down in run.sink.of(ChannelDown)] == ["unbound"]


async def test_what_is_asked_of_a_link_that_has_just_gone_does_not_hide_why():
    async with bound() as run:
        run.peer.keep_submits()

        async def submit_as_the_gateway_does() -> SubmitResult:
            result = await run.driver.submit(segment())
            run.driver.renew(LINK_LOST, n_recipients=3)  # in the same turn of the loop
            return result

        submitted = asyncio.create_task(submit_as_the_gateway_does())
        await run.peer.wait_for(lambda: run.peer.link.submits)
        run.peer.link.cut()
        assert isinstance(await submitted, Uncertain)
        await run.sink.wait_for(lambda: len(run.sink.of(ChannelUp)) == 2)
        assert [down.fault.code for down in run.sink.of(ChannelDown)] == ["link_lost"]


async def test_a_stop_lets_what_is_in_flight_finish_and_unbinds():
    async with bound(stop_grace_s=5.0) as run:
        run.peer.keep_submits()
        link = run.peer.link
        result = run.submit()
        await run.peer.wait_for(lambda: link.submits)
        run.task.cancel()
        await asyncio.wait([run.task], timeout=0.05)
        assert len(link.events) == 2, "the bind and the submit, and no unbind yet"
        link.accept(link.submits[0])
        assert isinstance(await result, Accepted)
        await asyncio.wait([run.task])
        await run.peer.wait_for(lambda: link.closed)
        assert any(isinstance(getattr(event, "body", None), Unbind) for event in link.events)


async def test_a_stop_lets_a_delivery_in_hand_be_stored_and_acknowledged():
    async with bound(stop_grace_s=5.0) as run:
        link = run.peer.link
        run.sink.hold()
        link.send(DeliverSm(source_addr="10086", short_message=b"TD"))
        await run.sink.wait_for(lambda: len(run.sink.offered) == 3)
        run.task.cancel()
        await asyncio.wait([run.task], timeout=0.05)
        run.sink.release()
        await run.peer.wait_for(lambda: link.closed)
        assert [answer.command_status for answer in link.responses] == [0]


async def test_a_stop_waits_no_longer_than_its_grace_and_leaves_nothing_unanswered():
    async with bound(stop_grace_s=0.1) as run:
        run.peer.keep_submits()
        result = run.submit()
        await run.peer.wait_for(lambda: run.peer.link.submits)
        await run.stop()
        assert isinstance(await result, Uncertain)


async def test_a_drain_finishes_what_is_on_the_wire_and_takes_nothing_new():
    async with bound() as run:
        run.peer.keep_submits()
        link = run.peer.link
        result = run.submit()
        await run.peer.wait_for(lambda: link.submits)
        drained = asyncio.ensure_future(run.driver.drain(asyncio.get_running_loop().time() + 10))
        await asyncio.wait([drained], timeout=0.01)
        refused = await run.submit(1)
        assert isinstance(refused, Refused)
        assert not drained.done()
        link.accept(link.submits[0])
        await drained
        assert isinstance(await result, Accepted)
