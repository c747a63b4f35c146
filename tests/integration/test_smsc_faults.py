"""What an ESME sees when a fault strikes at the simulated SMSC."""

from __future__ import annotations

import asyncio

import pytest

from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import BindTransceiver, DeliverSm, EnquireLink, SubmitSmResp, Unbind, UnbindResp
from simulators.faults import Fault
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.integration.test_smsc_simulator import to_handset
from tests.support.esme import RawEsme, connected_esme

pytestmark = pytest.mark.integration


@pytest.fixture
async def network():
    network = Network()
    yield network
    await network.close()


@pytest.fixture
async def smsc(network):
    async with SimulatedSmsc(network) as smsc:
        yield smsc


@pytest.fixture
async def esme(smsc):
    async with connected_esme(smsc.port) as esme:
        await esme.bind()
        yield esme


def inject(smsc: SimulatedSmsc, **fields) -> None:
    smsc.plan.inject(Fault(**fields), asyncio.get_running_loop().time())


async def responses(esme: RawEsme, n: int) -> list[int]:
    """The sequence numbers of the next responses."""
    found: list[int] = []
    while len(found) < n:
        pdu = await esme.receive()
        if isinstance(pdu.body, SubmitSmResp):
            found.append(pdu.sequence_number)
    return found


async def test_a_bind_is_refused_and_the_next_is_not(smsc):
    inject(smsc, kind="refuse_bind", code=CommandStatus.RINVPASWD)
    async with connected_esme(smsc.port) as esme:
        assert (await esme.bind()).command_status == CommandStatus.RINVPASWD
        assert (await esme.bind()).command_status == 0


async def test_throttling_and_errors_take_nothing(smsc, esme, network):
    inject(smsc, kind="throttle", times=2)
    inject(smsc, kind="submit_error", code=CommandStatus.RMSGQFUL, nth=3)
    statuses = [(await esme.ask(to_handset("hi"))).command_status for _ in range(4)]
    assert statuses == [CommandStatus.RTHROTTLED, CommandStatus.RTHROTTLED, CommandStatus.RMSGQFUL, 0]
    assert len(network.accepted) == 1


async def test_a_window_smaller_than_promised(smsc, esme, network):
    inject(smsc, kind="small_window", count=2, lasts_s=60)
    await asyncio.sleep(0)
    for i in range(5):
        esme.send(to_handset(f"hi {i}"))
    statuses = [(await esme.receive()).command_status for _ in range(5)]
    assert statuses.count(CommandStatus.RTHROTTLED) == 3
    assert len(network.accepted) == 2


async def test_responses_late_lost_twice_wrong_and_out_of_order(smsc, esme, network):
    inject(smsc, kind="response_lost", nth=1)
    inject(smsc, kind="response_twice", nth=2)
    inject(smsc, kind="wrong_sequence", nth=3)
    inject(smsc, kind="reorder", nth=4, delay_s=10)
    inject(smsc, kind="response_late", nth=6, delay_s=0.2)
    numbers = [esme.send(to_handset(f"hi {i}")) for i in range(7)]
    got = await responses(esme, 7)
    assert got[:2] == [numbers[1]] * 2
    assert got[2] not in numbers
    assert got[3:] == [numbers[4], numbers[3], numbers[6], numbers[5]]
    assert len(network.accepted) == 7


async def test_a_receipt_before_the_response(smsc, esme):
    inject(smsc, kind="receipt_early", delay_s=10)
    esme.send(to_handset("hi", report=True))
    assert isinstance((await esme.receive()).body, DeliverSm)
    assert isinstance((await esme.receive()).body, SubmitSmResp)


async def test_receipts_missing_twice_and_in_dialects(smsc, esme):
    inject(smsc, kind="receipt_lost", nth=1)
    inject(smsc, kind="receipt_twice", nth=2)
    inject(smsc, kind="receipt_dialect", nth=3, text="padded_hex+comma+no_tlv+no_text")
    ids: list[str] = []
    receipts: list[DeliverSm] = []
    for i in range(3):
        esme.send(to_handset(f"hi {i}", report=True))
    while len(ids) < 3 or len(receipts) < 3:
        body = (await esme.receive()).body
        ids += [body.message_id] if isinstance(body, SubmitSmResp) else []
        receipts += [body] if isinstance(body, DeliverSm) else []
    texts = sorted(receipt.short_message.decode() for receipt in receipts)
    assert texts[0].startswith(f"id:{int(ids[2]):016x},sub:001,dlvrd:001,submit date:")
    assert not next(r for r in receipts if r.short_message.decode() == texts[0]).tlvs
    assert texts[1] == texts[2]
    assert texts[1].startswith(f"id:{ids[1]} ")


async def test_unknown_parameters_are_there_and_harm_nobody(smsc, esme):
    inject(smsc, kind="unknown_tlv")
    answer = await esme.ask(to_handset("hi"))
    assert answer.body.message_id
    assert answer.body.tlvs == ((0x1999, b"what"),)


async def test_oversize_and_garbage_are_no_pdus(smsc, esme):
    inject(smsc, kind="oversize")
    esme.send(to_handset("hi"))
    assert (await esme._reader.readexactly(4)) == b"\x7f\xff\xff\xff"
    async with connected_esme(smsc.port) as other:
        inject(smsc, kind="garbage", count=20)
        other.send(BindTransceiver(system_id="hongyan", password="secret"))
        assert (await other._reader.readexactly(24))[:4] == b"\xff\xff\xff\xff"


async def test_enquire_link_is_ignored(smsc, esme):
    inject(smsc, kind="enquire_ignored", lasts_s=60)
    await asyncio.sleep(0)
    esme.send(EnquireLink())
    assert (await responses(esme, 1)) if esme.send(to_handset("hi")) else None


async def test_half_open_says_nothing_and_is_closed_at_last(smsc, esme, network):
    inject(smsc, kind="half_open", lasts_s=0.2)
    await asyncio.sleep(0)
    esme.send(to_handset("hi"))
    assert await esme.closed_by_peer()
    assert network.accepted == []


async def test_disconnect_behind_a_response_and_unbind_in_flight(smsc, esme):
    inject(smsc, kind="unbind")
    pdu = await esme.receive()
    assert isinstance(pdu.body, Unbind)
    esme.send(UnbindResp(), sequence_number=pdu.sequence_number)
    assert await esme.closed_by_peer()
    async with connected_esme(smsc.port) as other:
        await other.bind()
        inject(smsc, kind="disconnect", at="submit")
        other.send(to_handset("hi"))
        assert await other.receive()
        assert await other.closed_by_peer()


async def test_a_flood_of_inbound(smsc, esme, network):
    inject(smsc, kind="mo_flood", count=30)
    texts = {(await esme.take_delivery()).short_message for _ in range(30)}
    assert len(texts) == 30
    assert len(network.accepted) == 30
