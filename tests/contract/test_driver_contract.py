"""What `drivers.base.Driver` promises, tried on every driver against its simulated other end."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from drivers.abilities import Renews
from drivers.base import (
    Accepted,
    ChannelDown,
    ChannelUp,
    Concat,
    Encoding,
    Fault,
    FaultKind,
    InboundPart,
    OutboundSegment,
    Receipt,
    ReceiptState,
    Refused,
    SegmentId,
    Uncertain,
)
from drivers.codec.segment import decode_payload, plan_segments
from drivers.codec.udh import encode_concat_udh
from simulators.traffic import RefusalCause
from tests.contract.rigs import loopback_rig, modem_rig, smpp_rig
from tests.support.eventually import eventually
from tests.support.recording_sink import DEADLINE_S, RecordingSink
from tests.support.running import running_driver

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from simulators.network import Network
    from tests.contract.rigs import Rig

pytestmark = pytest.mark.contract

HANDSET = "+8613800138000"
WITH_FAR_END: dict[str, Callable[[Path], AbstractAsyncContextManager[Rig]]] = {
    "smpp": smpp_rig,
    "modem-huawei": partial(modem_rig, dialect="huawei"),
    "modem-quectel": partial(modem_rig, dialect="quectel"),
    "modem-simcom": partial(modem_rig, dialect="simcom"),
}
ALL = {"loopback": loopback_rig, **WITH_FAR_END}
every_driver = pytest.mark.parametrize("rig", ALL, indirect=True)
# SIM800s have no storage for status reports: one that is not acknowledged in time is gone for good.
whoever_can_repeat_receipts = pytest.mark.parametrize(
    "rig", sorted(ALL.keys() - {"modem-simcom"}), indirect=True
)
every_wire = pytest.mark.parametrize("rig", WITH_FAR_END, indirect=True)


@pytest.fixture
async def rig(request, tmp_path):
    async with ALL[request.param](tmp_path) as rig:
        yield rig


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
async def up(rig: Rig, sink: RecordingSink):
    """The rig with its driver running and up."""
    async with running_driver(rig.driver, sink):
        await sink.wait_until_up()
        yield rig


def segment(text: str = "hello", **fields: Any) -> OutboundSegment:
    plan = plan_segments(text)
    (planned,) = plan.segments
    values: dict[str, Any] = {
        "segment_id": SegmentId("m1/1"),
        "recipient": HANDSET,
        "encoding": plan.encoding,
        "payload": planned.payload,
        "report": False,
    }
    return OutboundSegment(**(values | fields))


async def until(network: Network, condition: Callable[[], bool]) -> None:
    """Wait for something that the network notices."""
    async with asyncio.timeout(DEADLINE_S):
        await network.wait_for(condition)


# ---- being up, and not ----


@every_wire
async def test_a_new_session_can_be_asked_for_at_any_time_and_serves(rig, sink):
    driver: Any = rig.driver
    assert isinstance(driver, Renews)
    fault = Fault(kind=FaultKind.CHANNEL, code="refused", detail="As a test has it.")
    driver.renew(fault, n_recipients=9)  # nothing is up yet
    async with running_driver(rig.driver, sink):
        await sink.wait_until_up()
        for _ in range(2):
            driver.renew(fault, n_recipients=9)
        down = await sink.wait_for_event(ChannelDown)
        assert down.fault.kind is FaultKind.CHANNEL
        assert "refused" in down.fault.detail
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
        assert isinstance(await rig.driver.submit(segment()), Accepted)
    assert len(sink.of(ChannelUp)) == 2


@every_driver
async def test_submit_before_the_channel_is_up_is_for_another_channel(rig):
    result = await rig.driver.submit(segment())
    assert isinstance(result, Refused)
    assert result.fault.kind is FaultKind.CHANNEL


@every_driver
async def test_the_channel_says_that_it_is_up_and_has_a_name_and_a_capacity(up, sink):
    assert sink.of(ChannelUp) == [ChannelUp()]
    assert up.driver.channel_id
    assert up.driver.capacity >= 1


@every_wire
async def test_a_lost_wire_is_reported_and_mended_without_help(up, sink):
    await up.other_end.hang_up()
    down = await sink.wait_for_event(ChannelDown)
    assert down.fault.kind is not FaultKind.CONFIG
    refused = await up.driver.submit(segment())
    assert isinstance(refused, Refused)
    assert refused.fault.kind is FaultKind.CHANNEL

    await up.other_end.come_back()
    await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
    assert isinstance(await up.driver.submit(segment()), Accepted)


@every_driver
async def test_cancelling_run_closes_the_wire_and_leaves_nothing_behind(rig, sink):
    tasks_before = asyncio.all_tasks()
    async with running_driver(rig.driver, sink):
        await sink.wait_until_up()
        await rig.driver.submit(segment())
    if rig.far:
        await eventually(lambda: rig.far.n_links() == 0)
    await eventually(lambda: asyncio.all_tasks() <= tasks_before)
    assert isinstance(await rig.driver.submit(segment()), Refused)


@every_driver
async def test_a_driver_can_be_run_again(rig):
    for _ in range(2):
        sink = RecordingSink()
        async with running_driver(rig.driver, sink):
            await sink.wait_until_up()
            assert isinstance(await rig.driver.submit(segment()), Accepted)


# ---- segments ----


@every_driver
async def test_an_accepted_segment_has_a_reference_of_its_own(up):
    results = [await up.driver.submit(segment()) for _ in range(3)]
    assert all(isinstance(result, Accepted) for result in results)
    assert len({result.reference for result in results}) == 3


@every_wire
@pytest.mark.parametrize("text", ["plain", "€ [x] {y}", "您的验证码是 4711 😀", "x" * 160, "好" * 70])
async def test_the_network_gets_exactly_the_segment(up, text):
    one = segment(text)
    assert isinstance(await up.driver.submit(one), Accepted)
    (carried,) = up.other_end.network.accepted
    assert (carried.encoding, carried.payload, carried.udh) == (one.encoding, one.payload, b"")
    assert (carried.recipient, carried.text) == (HANDSET, text)
    assert (carried.flash, carried.report) == (False, False)


@every_wire
async def test_header_flash_binary_and_report_are_carried(up):
    udh = encode_concat_udh(Concat(reference=300, total=2, part=1, width=16))
    await up.driver.submit(segment("part", udh=udh, more_to_come=True))
    await up.driver.submit(segment("now", flash=True))
    await up.driver.submit(segment("x", encoding=Encoding.BINARY, payload=b"\x00\xff\x1b\x1a", report=True))
    with_header, flash, binary = up.other_end.network.accepted
    assert (with_header.udh, with_header.text) == (udh, "part")
    assert flash.flash
    assert (binary.encoding, binary.payload, binary.report) == (Encoding.BINARY, b"\x00\xff\x1b\x1a", True)


@every_wire
async def test_many_submits_at_once_give_one_result_each_and_arrive_once_and_in_order(up):
    texts = [f"text {index}" for index in range(3 * up.driver.capacity)]
    results = await asyncio.gather(*(up.driver.submit(segment(text)) for text in texts))
    assert all(isinstance(result, Accepted) for result in results)
    assert [message.text for message in up.other_end.network.accepted] == texts


@every_wire
@pytest.mark.parametrize("cause", list(RefusalCause))
async def test_what_the_network_refuses_is_a_result_and_not_an_exception(up, cause):
    network = up.other_end.network
    network.refuse(HANDSET, cause)
    result = await up.driver.submit(segment())
    assert isinstance(result, Refused)
    assert result.fault.kind is not FaultKind.CONFIG
    assert HANDSET.removeprefix("+") not in result.fault.detail
    network.refuse(HANDSET, None)
    assert isinstance(await up.driver.submit(segment("again")), Accepted)
    assert [message.text for message in network.accepted] == ["again"]


@every_wire
async def test_a_cancelled_submit_does_not_disturb_those_after_it(up):
    network = up.other_end.network
    abandoned = asyncio.create_task(up.driver.submit(segment("first")))
    await until(network, lambda: len(network.accepted) == 1)
    abandoned.cancel()
    assert isinstance(await up.driver.submit(segment("second")), Accepted)
    assert [message.text for message in network.accepted] == ["first", "second"]


@every_wire
async def test_a_wire_that_breaks_never_turns_a_submit_into_an_exception(up):
    submits = [asyncio.create_task(up.driver.submit(segment(f"text {index}"))) for index in range(5)]
    await until(up.other_end.network, lambda: bool(up.other_end.network.accepted))
    await up.other_end.hang_up()
    async with asyncio.timeout(DEADLINE_S):
        results = await asyncio.gather(*submits)
    carried = {message.text for message in up.other_end.network.accepted}
    for index, result in enumerate(results):
        if isinstance(result, Refused):
            assert f"text {index}" not in carried
            assert result.fault.kind is FaultKind.CHANNEL
        else:
            assert isinstance(result, Accepted | Uncertain)
    assert sum(isinstance(result, Accepted) for result in results) <= len(carried)


# ---- receipts and inbound ----


@every_driver
async def test_a_receipt_names_the_segment_it_is_for(up, sink):
    results = [await up.driver.submit(segment(report=True)) for _ in range(3)]
    await sink.wait_for(lambda: len(sink.of(Receipt)) == 3)
    # In any order: a stick may store one and pass the next on.
    accepted = {result.reference for result in results}
    named = [accepted & set(receipt.references) for receipt in sink.of(Receipt)]
    assert sorted(map(tuple, named)) == sorted((reference,) for reference in accepted)
    for receipt in sink.of(Receipt):
        assert (receipt.state, receipt.recipient) == (ReceiptState.DELIVERED, HANDSET)
        assert receipt.done_at is not None
        assert receipt.done_at.tzinfo is not None


@every_wire
async def test_a_receipt_says_when_the_handset_did_not_get_it(up, sink):
    up.other_end.network.set_unreachable(HANDSET)
    await up.driver.submit(segment(report=True))
    receipt = await sink.wait_for_event(Receipt)
    assert receipt.state not in {ReceiptState.DELIVERED, ReceiptState.ENROUTE}
    assert receipt.code


@every_wire
@pytest.mark.parametrize("text", ["TD", "退订 😀", "a long answer, " * 30])
async def test_what_a_handset_writes_arrives_part_by_part(up, sink, text):
    plan = plan_segments(text)
    await up.other_end.network.add_handset(HANDSET).send(up.other_end.number, text)
    await sink.wait_for(lambda: len(sink.of(InboundPart)) == len(plan.segments))
    parts = sink.of(InboundPart)
    assert {part.sender for part in parts} == {HANDSET}
    assert "".join(decode_payload(part.encoding, part.payload) for part in parts) == text
    if len(plan.segments) > 1:
        concats = [part.concat for part in parts]
        assert [(concat.part, concat.total) for concat in concats] == [(1, 3), (2, 3), (3, 3)]


@every_wire
async def test_inbound_is_acknowledged_only_after_the_sink_has_returned(up, sink):
    far = up.other_end
    sink.hold()
    await far.network.add_handset(HANDSET).send(far.number, "TD")
    await sink.wait_for(lambda: any(isinstance(event, InboundPart) for event in sink.offered))
    # An acknowledgement sent too early would be on the wire before this submit.
    assert isinstance(await up.driver.submit(segment()), Accepted)
    assert far.n_unacknowledged() == 1
    sink.release()
    await eventually(lambda: far.n_unacknowledged() == 0)
    assert len(sink.of(InboundPart)) == 1


@whoever_can_repeat_receipts
async def test_a_receipt_that_could_not_be_stored_comes_again(up, sink):
    sink.failures = 2
    await up.driver.submit(segment(report=True))
    receipt = await sink.wait_for_event(Receipt)
    assert receipt.state is ReceiptState.DELIVERED
    assert [event for event in sink.offered if isinstance(event, Receipt)] == [receipt] * 3


@every_wire
async def test_inbound_that_could_not_be_stored_comes_again(up, sink):
    sink.failures = 2
    await up.other_end.network.add_handset(HANDSET).send(up.other_end.number, "TD")
    part = await sink.wait_for_event(InboundPart)
    assert [event for event in sink.offered if isinstance(event, InboundPart)] == [part] * 3
    await eventually(lambda: up.other_end.n_unacknowledged() == 0)


@every_wire
async def test_inbound_during_an_outage_arrives_afterwards(up, sink):
    far = up.other_end
    await far.hang_up()
    await sink.wait_for_event(ChannelDown)
    await far.network.add_handset(HANDSET).send(far.number, "while you were out")
    await far.come_back()
    part = await sink.wait_for_event(InboundPart)
    assert decode_payload(part.encoding, part.payload) == "while you were out"


# ---- drain ----


@every_driver
async def test_a_drained_driver_takes_nothing_new_and_can_be_run_again(rig, sink):
    loop = asyncio.get_running_loop()
    async with running_driver(rig.driver, sink):
        await sink.wait_until_up()
        in_flight = [asyncio.create_task(rig.driver.submit(segment())) for _ in range(rig.driver.capacity)]
        await asyncio.sleep(0)  # let them begin
        await rig.driver.drain(loop.time() + DEADLINE_S)
        await asyncio.sleep(0)  # the tasks wake after the drain
        assert all(task.done() for task in in_flight)
        assert all(isinstance(task.result(), Accepted) for task in in_flight)
        refused = await rig.driver.submit(segment())
        assert isinstance(refused, Refused)
        assert refused.fault.kind is FaultKind.CHANNEL
    again = RecordingSink()
    async with running_driver(rig.driver, again):
        await again.wait_until_up()
        assert isinstance(await rig.driver.submit(segment()), Accepted)


@every_wire
async def test_a_drained_driver_still_takes_what_comes_in(up, sink):
    far = up.other_end
    await up.driver.drain(asyncio.get_running_loop().time() + DEADLINE_S)
    await far.network.add_handset(HANDSET).send(far.number, "TD")
    part = await sink.wait_for_event(InboundPart)
    assert decode_payload(part.encoding, part.payload) == "TD"


@every_driver
async def test_a_driver_says_what_it_is_like_and_goes_on_being_so(rig: Rig, sink: RecordingSink):
    traits = rig.driver.traits
    async with running_driver(rig.driver, sink):
        await sink.wait_until_up()
        assert rig.driver.traits == traits
    assert traits.kind in {"modem", "smpp", "loopback"}
    assert traits.in_turns == (rig.driver.capacity == 1)
    is_sim = traits.kind == "modem"
    assert (traits.references_repeat, traits.ids_in_dialects) == (is_sim, traits.kind == "smpp")
