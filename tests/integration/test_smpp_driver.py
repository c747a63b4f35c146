"""The SMPP driver over real TCP sockets, against an SMSC that the test drives by hand."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from drivers.base import (
    Accepted,
    ChannelDown,
    ChannelInfo,
    ChannelUp,
    Encoding,
    FaultKind,
    InboundPart,
    OutboundSegment,
    Receipt,
    ReceiptState,
    Refused,
    SegmentId,
    Uncertain,
)
from drivers.smpp.config import SmppConfig
from drivers.smpp.deliveries import MOST_AT_ONCE
from drivers.smpp.driver import SmppDriver
from drivers.smpp.session import PduRejected, UnknownResponse
from drivers.smpp.submit_rules import SubmitRules
from drivers.smpp.wire.codec import encode_pdu
from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import (
    BindReceiver,
    DataSm,
    DataSmResp,
    DeliverSm,
    EnquireLink,
    GenericNack,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from tests.support.recording_sink import RecordingSink
from tests.support.smsc_peer import SmscPeer

pytestmark = pytest.mark.integration

RECEIPT = b"id:m2 sub:001 dlvrd:001 submit date:2401011200 done date:2401011201 stat:DELIVRD err:000 text:"


def segment(number: int = 0, **changes) -> OutboundSegment:
    values: dict[str, Any] = {
        "segment_id": SegmentId(f"s{number}"),
        "recipient": f"+86138{number:08}",
        "encoding": Encoding.GSM7,
        "payload": b"hello",
    }
    return OutboundSegment(**(values | changes))


def config(peer: SmscPeer, **changes) -> SmppConfig:
    values: dict[str, Any] = {
        "name": "carrier-a",
        "host": "127.0.0.1",
        "port": peer.port,
        "system_id": "hongyan",
        "password": "secret",
        "source_address": "10690000",
        "backoff_s": (0.01, 0.05),
        "stop_grace_s": 0.5,
    }
    return SmppConfig(**(values | changes))


class Running:
    def __init__(
        self, driver: SmppDriver, sink: RecordingSink, peer: SmscPeer, task: asyncio.Task[None]
    ) -> None:
        self.driver, self.sink, self.peer, self.task = driver, sink, peer, task

    def submit(self, *args, **kwargs):
        return asyncio.ensure_future(self.driver.submit(segment(*args, **kwargs)))

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


@asynccontextmanager
async def running(peer: SmscPeer, **changes):
    driver, sink = SmppDriver(config(peer, **changes)), RecordingSink()
    run = Running(driver, sink, peer, asyncio.ensure_future(driver.run(sink)))
    try:
        yield run
    finally:
        await run.stop()


@asynccontextmanager
async def bound(**changes):
    async with SmscPeer() as peer, running(peer, **changes) as run:
        await run.sink.wait_until_up()
        yield run


async def test_a_segment_is_accepted_with_the_smscs_message_id():
    async with bound() as run:
        assert await run.submit() == Accepted(reference="m2")
        [request] = run.peer.link.submits
        assert request.body.source_addr == "10690000"
        assert request.body.destination_addr == "8613800000000"
        assert request.body.short_message == b"hello"


async def test_the_channel_tells_operators_who_it_talks_to_but_no_password():
    async with bound() as run:
        facts = run.sink.of(ChannelInfo)[0].facts
        assert facts["system_id"] == "hongyan"
        assert facts["peer"] == f"127.0.0.1:{run.peer.port}"
        assert "secret" not in repr(facts)
        assert "secret" not in repr(config(run.peer))


async def test_a_window_of_100_fills_and_the_101st_waits_for_room():
    async with bound(window=100) as run:
        run.peer.keep_submits()
        link = run.peer.link
        results = [run.submit(number) for number in range(101)]
        await run.peer.wait_for(lambda: len(link.submits) == 100)
        assert run.driver.capacity == 100
        assert not any(result.done() for result in results)
        link.accept(link.submits[50])
        await run.peer.wait_for(lambda: len(link.submits) == 101)
        for request in link.submits[:50] + link.submits[51:]:
            link.accept(request)
        answers = await asyncio.gather(*results)
        assert len({answer.reference for answer in answers}) == 101


async def test_answers_out_of_order_reach_their_own_segments():
    async with bound(window=10) as run:
        run.peer.keep_submits()
        link = run.peer.link
        results = [run.submit(number) for number in range(10)]
        await run.peer.wait_for(lambda: len(link.submits) == 10)
        for request in reversed(link.submits):
            link.answer(request, SubmitSmResp(message_id=request.body.destination_addr))
        for number, result in enumerate(results):
            assert await result == Accepted(reference=f"86138{number:08}")


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (CommandStatus.RTHROTTLED, FaultKind.THROTTLED, "smpp_0x58"),
        (CommandStatus.RMSGQFUL, FaultKind.THROTTLED, "smpp_0x14"),
        (CommandStatus.RSYSERR, FaultKind.TEMPORARY, "smpp_0x08"),
        (CommandStatus.RINVDSTADR, FaultKind.PERMANENT, "smpp_0x0b"),
        (0x4FF, FaultKind.TEMPORARY, "smpp_0x4ff"),
    ],
)
async def test_a_refusal_says_what_is_to_be_done(status, kind, code):
    async with bound() as run:
        run.peer.on_submit = lambda link, request: link.answer(request, status=status)
        result = await run.submit()
        assert isinstance(result, Refused)
        assert (result.fault.kind, result.fault.code) == (kind, code)


async def test_a_generic_nack_refuses_the_segment_it_names():
    async with bound() as run:
        run.peer.on_submit = lambda link, request: link.answer(
            request, GenericNack(), CommandStatus.RINVCMDLEN
        )
        result = await run.submit()
        assert isinstance(result, Refused)
        assert result.fault.code == "smpp_0x02"


async def test_a_segment_that_smpp_cannot_carry_is_refused_for_good_and_the_window_stays_whole():
    async with bound(window=1) as run:
        result = await run.submit(payload=bytes(255))
        assert isinstance(result, Refused)
        assert result.fault.kind is FaultKind.PERMANENT
        assert await run.submit() == Accepted(reference="m2")


async def test_an_accepted_segment_without_a_message_id_is_accepted_all_the_same():
    async with bound() as run:
        run.peer.on_submit = lambda link, request: link.write(
            bytes.fromhex("0000001080000004 00000000") + request.sequence_number.to_bytes(4, "big")
        )
        assert await run.submit() == Accepted(reference=None)


async def test_a_link_cut_in_flight_makes_what_was_written_uncertain_and_what_waited_refused():
    async with bound(window=5) as run:
        run.peer.keep_submits()
        link = run.peer.link
        results = [run.submit(number) for number in range(8)]
        await run.peer.wait_for(lambda: len(link.submits) == 5)
        link.cut()
        answers = await asyncio.gather(*results)
        assert [type(answer) for answer in answers] == [Uncertain] * 5 + [Refused] * 3
        assert {answer.code for answer in answers[:5]} == {"link_lost"}
        assert {answer.fault.kind for answer in answers[5:]} == {FaultKind.CHANNEL}


@pytest.mark.parametrize("n_before_cut", [0, 1, 7, 19, 20, 57])
async def test_wherever_the_link_is_cut_no_segment_is_called_unsent_that_the_smsc_has_seen(n_before_cut):
    async with bound(window=20) as run:
        seen: list[str] = []

        def on_submit(link, request):
            if len(seen) == n_before_cut:
                link.cut()
            seen.append(request.body.destination_addr)
            link.accept(request)

        run.peer.on_submit = on_submit
        results = {f"86138{number:08}": run.submit(number) for number in range(200)}
        await asyncio.gather(*results.values())
        await run.sink.wait_for(lambda: len(run.sink.of(ChannelUp)) == 2)
        kinds = {address: type(result.result()) for address, result in results.items()}
        refused = {address for address, kind in kinds.items() if kind is Refused}
        accepted = {address for address, kind in kinds.items() if kind is Accepted}
        assert refused.isdisjoint(seen)
        assert accepted <= set(seen)
        assert len(refused) + len(accepted) + 20 >= 200
        assert len(seen) == len(set(seen)), "the driver keeps and repeats nothing"


async def test_the_bind_comes_back_after_the_link_was_cut():
    async with bound() as run:
        run.peer.link.cut()
        await run.sink.wait_for(lambda: len(run.sink.of(ChannelUp)) == 2)
        assert [type(event) for event in run.sink.handled if not isinstance(event, ChannelInfo)] == [
            ChannelUp,
            ChannelDown,
            ChannelUp,
        ]
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
            async with asyncio.timeout(10):
                await run.task
            [down] = run.sink.of(ChannelDown)
            assert down.fault.kind is FaultKind.CONFIG
            assert len(peer.links) == 1


async def test_a_setting_that_smpp_cannot_carry_stops_the_channel_and_is_named_but_not_shown():
    async with SmscPeer() as peer, running(peer, password="longer than 8") as run:
        async with asyncio.timeout(10):
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


async def test_no_answer_in_time_is_uncertain_and_the_late_one_is_counted():
    async with bound(response_timeout_s=0.1) as run:
        run.peer.keep_submits()
        result = await run.submit()
        assert isinstance(result, Uncertain)
        assert result.code == "answer_timeout"
        run.peer.link.accept(run.peer.link.submits[0])
        run.peer.on_submit = type(run.peer.link).accept
        assert isinstance(await run.submit(), Accepted)
        assert run.driver.incidents.late_responses == 1


async def test_a_cancelled_submit_keeps_its_slot_until_it_is_answered():
    async with bound(window=1) as run:
        run.peer.keep_submits()
        link = run.peer.link
        first = run.submit()
        await run.peer.wait_for(lambda: link.submits)
        first.cancel()
        second = run.submit(1)
        await asyncio.wait([first])
        assert len(link.submits) == 1
        link.accept(link.submits[0])
        await run.peer.wait_for(lambda: len(link.submits) == 2)
        link.accept(link.submits[1])
        assert isinstance(await second, Accepted)
        assert run.driver.incidents.unclaimed_responses == 1


async def test_answers_to_nothing_we_asked_are_counted_and_harm_nobody():
    async with bound() as run:
        run.peer.link.write(encode_pdu(SubmitSmResp(message_id="x"), 999))
        assert isinstance(await run.submit(), Accepted)
        assert run.driver.incidents.unknown_responses == 1


async def test_a_receipt_before_the_response_is_passed_on_at_once():
    async with bound() as run:
        run.peer.keep_submits()
        link = run.peer.link
        result = run.submit()
        await run.peer.wait_for(lambda: link.submits)
        link.send(
            DeliverSm(esm_class=0x04, source_addr_ton=1, source_addr="8613800000000", short_message=RECEIPT)
        )
        receipt = await run.sink.wait_for_event(Receipt)
        assert not result.done()
        assert receipt.references[0] == "m2"
        assert receipt.state is ReceiptState.DELIVERED
        assert receipt.recipient == "+8613800000000"
        link.accept(link.submits[0])
        assert await result == Accepted(reference="m2")


async def test_a_delivery_is_acknowledged_only_after_it_is_stored():
    async with bound() as run:
        link = run.peer.link
        run.sink.hold()
        link.send(DeliverSm(source_addr="10086", destination_addr="10690000", short_message=b"TD"))
        await run.sink.wait_for(lambda: len(run.sink.offered) == 3)
        # An answer to something later shows that the acknowledgement is not merely slow.
        assert isinstance(await run.submit(), Accepted)
        assert not link.responses
        run.sink.release()
        await run.peer.wait_for(lambda: link.responses)
        assert link.responses[0].command_status == 0
        [part] = run.sink.of(InboundPart)
        assert (part.sender, part.recipient, part.payload) == ("10086", "10690000", b"TD")


async def test_a_delivery_that_could_not_be_stored_is_left_with_the_smsc():
    async with bound() as run:
        link = run.peer.link
        run.sink.failures = 1
        link.send(DeliverSm(source_addr="10086", short_message=b"TD"))
        await run.peer.wait_for(lambda: len(link.responses) == 1)
        assert link.responses[0].command_status == CommandStatus.RX_T_APPN
        link.send(DeliverSm(source_addr="10086", short_message=b"TD"))
        await run.peer.wait_for(lambda: len(link.responses) == 2)
        assert link.responses[1].command_status == 0
        assert len(run.sink.of(InboundPart)) == 1


async def test_a_slow_store_bounds_what_is_in_hand_and_nothing_is_lost():
    async with bound() as run:
        link = run.peer.link
        run.sink.hold()
        for number in range(1200):
            link.send(DeliverSm(source_addr=str(number), short_message=b"x"))
        await run.sink.wait_for(lambda: len(run.sink.offered) == 2 + MOST_AT_ONCE)
        assert not link.responses
        run.sink.release()
        await run.peer.wait_for(lambda: len(link.responses) == 1200)
        assert len({part.sender for part in run.sink.of(InboundPart)}) == 1200
        assert isinstance(await run.submit(), Accepted)


async def test_a_slow_store_stops_the_smsc_instead_of_filling_memory():
    async with bound() as run:
        link = run.peer.link
        run.sink.hold()
        sent = 0
        # Until the octets stand in the SMSC's own buffer, as nobody reads them: TCP pushes back.
        async with asyncio.timeout(30):
            while link.n_unsent < 100_000:
                link.send(DeliverSm(source_addr=str(sent), short_message=bytes(200)))
                sent += 1
                await asyncio.sleep(0)
        assert len(run.sink.offered) <= 2 + MOST_AT_ONCE
        run.sink.release()
        await run.peer.wait_for(lambda: len(link.responses) == sent)


async def test_an_answer_that_lies_unread_behind_a_slow_store_is_not_called_missing():
    async with bound(response_timeout_s=0.4) as run:
        run.peer.keep_submits()
        link = run.peer.link
        run.sink.hold()
        result = run.submit()
        for number in range(MOST_AT_ONCE + 1):
            link.send(DeliverSm(source_addr=str(number), short_message=b"x"))
        await run.sink.wait_for(lambda: len(run.sink.offered) == 2 + MOST_AT_ONCE)
        await run.peer.wait_for(lambda: link.submits)
        await asyncio.wait([result], timeout=0.5)
        run.sink.release()
        await asyncio.wait([result], timeout=0.1)
        link.accept(link.submits[0])
        assert isinstance(await result, Accepted)


async def test_data_sm_is_a_delivery_too():
    async with bound() as run:
        run.peer.link.send(
            DataSm(source_addr="10086", data_coding=8, tlvs=((0x0424, "退订".encode("utf-16-be")),))
        )
        part = await run.sink.wait_for_event(InboundPart)
        assert part.encoding is Encoding.UCS2
        assert part.payload.decode("utf-16-be") == "退订"
        await run.peer.wait_for(lambda: run.peer.link.responses)
        assert isinstance(run.peer.link.responses[0].body, DataSmResp)


async def test_a_receipt_that_names_no_message_is_acknowledged_and_counted():
    async with bound() as run:
        run.peer.link.send(DeliverSm(esm_class=0x04, short_message=b"stat:DELIVRD"))
        await run.peer.wait_for(lambda: run.peer.link.responses)
        assert run.peer.link.responses[0].command_status == 0
        assert run.driver.incidents.nameless_receipts == 1


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
        assert "framing" in run.sink.of(ChannelDown)[0].fault.detail


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


async def test_a_bind_without_parameters_refuses_a_segment_that_brings_some():
    async with bound(interface_version="3.3") as run:
        result = await run.driver.submit(replace(segment(), tlvs=((0x1400, b"12"),)))
        assert isinstance(result, Refused)
        assert (result.fault.kind, result.fault.code) == (FaultKind.PERMANENT, "no_parameters")
        assert isinstance(await run.submit(), Accepted)
        assert len(run.peer.link.submits) == 1


def test_rules_that_need_parameters_are_refused_under_a_version_without():
    with pytest.raises(ValueError, match=r"3\.3"):
        SmppConfig(
            name="a", host="h", system_id="x", password="", interface_version="3.3",
            submit=SubmitRules(tlvs=((0x1400, b"12"),)),
        )  # fmt: skip
