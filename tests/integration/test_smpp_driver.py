"""Segments through the SMPP driver over real TCP sockets, to an SMSC that the test drives by hand."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from drivers.base import Accepted, ChannelInfo, ChannelUp, FaultKind, Refused, Uncertain
from drivers.carrier_options import write_options
from drivers.smpp.client import driver as driver_module
from drivers.smpp.client.config import SmppConfig
from drivers.smpp.client.submit_rules import SubmitRules
from drivers.smpp.text import encode_segment
from drivers.smpp.wire.codec import encode_pdu
from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import GenericNack, SubmitSmResp
from tests.support.smpp_driver import bound, config, segment

pytestmark = pytest.mark.integration


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


async def test_no_answer_in_time_is_uncertain_and_the_late_one_is_counted():
    async with bound() as run:
        run.peer.keep_submits()
        result = await run.time_out(run.submit())
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


async def test_a_bind_without_parameters_refuses_a_segment_that_brings_some():
    async with bound(interface_version="3.3") as run:
        result = await run.driver.submit(
            replace(segment(), carrier_options=write_options({"0x1400": "3132"}))
        )
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


async def test_a_segment_on_which_our_encoder_breaks_never_reaches_the_wire_and_99_others_do(monkeypatch):
    def encode(wanted, *rest):
        if wanted.recipient.endswith("50"):
            raise KeyError("the text")
        return encode_segment(wanted, *rest)

    monkeypatch.setattr(driver_module, "encode_segment", encode)
    async with bound(window=10) as run:
        results = [await run.submit(number) for number in range(100)]
        [refused] = [result for result in results if isinstance(result, Refused)]
        assert (refused.fault.code, refused.fault.kind) == ("internal_error", FaultKind.TEMPORARY)
        assert "KeyError at" in refused.fault.detail
        assert "the text" not in refused.fault.detail
        assert len(run.peer.link.submits) == 99
