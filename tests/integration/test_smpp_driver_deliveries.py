"""What the SMSC brings the SMPP driver: messages and receipts, acknowledged only once they are stored."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import Accepted, Encoding, InboundPart, Receipt, ReceiptState
from drivers.smpp.client.deliveries import MOST_AT_ONCE
from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import DataSm, DataSmResp, DeliverSm
from tests.support.smpp_driver import RECEIPT, bound

pytestmark = pytest.mark.integration


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


@pytest.mark.parametrize("is_answered", [True, False])
async def test_what_an_smsc_brings_again_because_the_link_broke_is_not_stored_twice(is_answered: bool):
    reply, other = (DeliverSm(source_addr="10086", short_message=text) for text in (b"yes", b"no"))
    async with bound() as run:
        link = run.peer.link
        if not is_answered:
            run.sink.hold()
        link.send(reply)
        if is_answered:  # on its way; nobody knows whether the SMSC has read it
            await run.peer.wait_for(lambda: link.responses)
        else:
            await run.sink.wait_for(lambda: len(run.sink.offered) == 3)
        link.cut()
        await run.peer.wait_bound(2)
        run.sink.release()
        await run.sink.wait_for(lambda: len(run.sink.of(InboundPart)) == 1)

        for body in (reply, reply, other):  # again, a second message that says the same, and another
            run.peer.link.send(body)
        await run.peer.wait_for(lambda: len(run.peer.link.responses) == 3)
        assert [part.payload for part in run.sink.of(InboundPart)] == [b"yes", b"yes", b"no"]


async def test_the_same_text_once_more_on_a_link_that_stands_is_another_message():
    async with bound() as run:
        for n_texts in (1, 2):
            run.peer.link.send(DeliverSm(source_addr="10086", short_message=b"yes"))
            await run.peer.wait_for(lambda n=n_texts: len(run.peer.link.responses) == n)
        assert len(run.sink.of(InboundPart)) == 2


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
        async with asyncio.timeout(60):
            while link.n_unsent < 100_000:
                link.send(DeliverSm(source_addr=str(sent), short_message=bytes(200)))
                sent += 1
                await asyncio.sleep(0)
        assert len(run.sink.offered) <= 2 + MOST_AT_ONCE
        run.sink.release()
        await run.peer.wait_for(lambda: len(link.responses) == sent)


async def test_an_answer_that_lies_unread_behind_a_slow_store_is_not_called_missing():
    async with bound() as run:
        run.peer.keep_submits()
        link = run.peer.link
        run.sink.hold()
        result = run.submit()
        for number in range(MOST_AT_ONCE + 1):
            link.send(DeliverSm(source_addr=str(number), short_message=b"x"))
        await run.sink.wait_for(lambda: len(run.sink.offered) == 2 + MOST_AT_ONCE)
        await run.peer.wait_for(lambda: link.submits)
        run.pass_time(100)
        run.sink.release()
        connection = run.driver._connection
        await run.peer.wait_for(lambda: connection._deaf_since is None)
        run.pass_time(0)
        assert not result.done()
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


async def test_a_receipt_that_names_nothing_at_all_is_kept_for_people_and_counted():
    async with bound() as run:
        run.peer.link.send(DeliverSm(esm_class=0x04, short_message=b"stat:DELIVRD"))
        await run.peer.wait_for(lambda: run.peer.link.responses)
        assert run.peer.link.responses[0].command_status == 0
        assert run.driver.incidents.nameless_receipts == 1
        [receipt] = run.sink.of(Receipt)
        assert (receipt.references, receipt.recipient, receipt.octets) == ((), None, b"stat:DELIVRD")
