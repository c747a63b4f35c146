"""Receipts and inbound messages of our SMPP server: kept until an application acknowledges them."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import Concat, Encoding, InboundPart
from drivers.codec.segment import plan_segments
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    DeliverSmResp,
    Unbind,
)
from drivers.smpp.wire.receipt import parse_receipt
from gateway.errors import StoreFull, StoreUnavailable
from gateway.esme import collector
from gateway.store.esme import find_told
from gateway.store.esme_outbox import NewDelivery, save_deliveries
from gateway.store.ports import Tx
from tests.support.esme import RawEsme, connected_esme
from tests.support.eventually import eventually
from tests.support.gateway import PHONE
from tests.support.smpp_application import (
    Served,
    accepted,
    account,
    owed,
    serving,
    submit,
)

pytestmark = pytest.mark.integration


async def delivered(served: Served, esme: RawEsme) -> str:
    told = await accepted(esme, submit())
    await served.rig.until_status(await served.rig.message(told), "sent")
    await served.report(str(len(served.driver.submitted)))
    return told


async def test_a_receipt_waits_for_days_and_a_restart(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind(BindTransmitter)
        told = await delivered(served, esme)
        await esme.ask(Unbind())
        clock = served.rig.clock
    clock.advance(4 * 86_400)
    async with serving(tmp_path / "db", clock=clock) as served, connected_esme(served.port) as esme:
        await esme.bind(BindReceiver)
        assert parse_receipt((await esme.take_delivery()).short_message).message_id == told


async def test_who_is_told_is_not_forgotten_of_a_message_that_was_scheduled_long_before(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind(BindTransmitter)
        told = await accepted(esme, submit(schedule_delivery_time="000110000000000R"))
        await esme.ask(Unbind())
        await served.rig.advance(40 * 86_400 + 10)
        await served.rig.until_status(await served.rig.message(told), "sent")
        await eventually(lambda: served.service._states["hongyan"].waiting == 0)
        await served.rig.retention.round()
        await served.report("1")
        async with connected_esme(served.port) as receiver:
            await receiver.bind(BindReceiver)
            assert parse_receipt((await receiver.take_delivery()).short_message).message_id == told
        served.rig.clock.advance(36 * 86_400)
        await served.rig.retention.round()
        assert await served.rig.store.read(lambda tx: find_told(tx, "hongyan", told)) == []


async def test_a_receipt_that_is_not_acknowledged_goes_to_another_bind(tmp_path):
    async with (
        serving(tmp_path / "db") as served,
        connected_esme(served.port) as first,
        connected_esme(served.port) as second,
    ):
        await first.bind(BindTransceiver)
        told = await delivered(served, first)
        seen = await first.receive()
        assert isinstance(seen.body, DeliverSm)
        await second.bind(BindReceiver)
        first.close()
        assert parse_receipt((await second.take_delivery()).short_message).message_id == told
        await eventually(lambda: served.service._couriers["hongyan"].n_on_wire == 0)


async def test_a_receipt_comes_when_the_disk_has_room_again(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.timeline.follow.STORE_RETRY_S", 0.01)
    failures = iter([StoreFull("no room"), StoreUnavailable("disk I/O error"), StoreFull("no room")])

    async def save(tx: Tx, deliveries: list[NewDelivery]) -> None:
        if (failure := next(failures, None)) is not None:
            raise failure
        await save_deliveries(tx, deliveries)

    monkeypatch.setattr(collector, "save_deliveries", save)
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        told = await delivered(served, esme)
        assert parse_receipt((await esme.take_delivery()).short_message).message_id == told
        assert next(failures, None) is None


async def test_a_receipt_that_is_refused_for_now_comes_again(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        told = await delivered(served, esme)
        await esme.take_delivery(CommandStatus.RX_T_APPN)
        await eventually(lambda: bool(served.service._couriers["hongyan"]._again))
        served.rig.clock.advance(2.0)
        served.service._couriers["hongyan"].wake()
        assert parse_receipt((await esme.take_delivery()).short_message).message_id == told


async def test_a_receipt_that_is_refused_for_days_comes_again(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        told = await delivered(served, esme)
        courier = served.service._couriers["hongyan"]
        for _ in range(2):
            await esme.take_delivery(CommandStatus.RX_T_APPN)
            await eventually(lambda: bool(courier._again))
            courier._again[0].tries = 2_000  # a try every five minutes
            served.rig.clock.advance(300.0)
            courier.wake()
        assert parse_receipt((await esme.take_delivery()).short_message).message_id == told


async def test_a_receipt_that_is_refused_for_good_is_dropped(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        await delivered(served, esme)
        await esme.take_delivery(CommandStatus.RX_R_APPN)

        async def nothing_owed() -> bool:
            return await owed(served) == {}

        await served.rig.until(nothing_owed)


async def test_while_the_window_is_full_nothing_is_looked_for_again_and_again(tmp_path, monkeypatch):
    async with serving(tmp_path / "db", account(window=1)) as served, connected_esme(served.port) as esme:
        await esme.bind()
        courier = served.service._couriers["hongyan"]
        told = await delivered(served, esme)
        await esme.take_delivery(CommandStatus.RX_T_APPN)
        await eventually(lambda: bool(courier._again))
        await delivered(served, esme)
        unanswered = await esme.receive()
        served.rig.clock.advance(300.0)  # the first one is due again
        fill, n_looks = courier._fill, 0

        async def count() -> None:
            nonlocal n_looks
            n_looks += 1
            await fill()

        monkeypatch.setattr(courier, "_fill", count)
        courier.wake()
        for _ in range(200):
            await asyncio.sleep(0)
        assert n_looks < 5
        esme.send(DeliverSmResp(), sequence_number=unanswered.sequence_number)
        assert parse_receipt((await esme.take_delivery()).short_message).message_id == told


async def test_no_more_deliveries_are_under_way_than_the_window_allows(tmp_path):
    async with serving(tmp_path / "db", account(window=3)) as served, connected_esme(served.port) as esme:
        await esme.bind(BindTransmitter)
        told = [await delivered(served, esme) for _ in range(7)]
        async with connected_esme(served.port) as receiver:
            await receiver.bind(BindReceiver)
            first = [await receiver.receive() for _ in range(3)]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await receiver.receive()
            for pdu in first:
                receiver.send(DeliverSmResp(), sequence_number=pdu.sequence_number)
            rest = [await receiver.take_delivery() for _ in range(4)]
        bodies = [pdu.body for pdu in first] + rest
        assert [parse_receipt(body.short_message).message_id for body in bodies] == told


async def test_an_application_of_smpp_3_3_gets_no_optional_parameters(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        bound = await esme.ask(
            BindTransceiver(system_id="hongyan", password="secret", interface_version=0x33)
        )
        assert (bound.command_status, bound.body.tlvs) == (0, ())
        await delivered(served, esme)
        assert (await esme.take_delivery()).tlvs == ()


@pytest.mark.parametrize("text", ["TD please", "请退订😀", "long text " * 40])
async def test_inbound_messages_go_to_the_account_they_are_for(tmp_path, text):
    accounts = (
        account("mine", inbound=("10690000",)),
        account("by-channel", inbound=("carrier",)),
        account("other", inbound=("10691111",)),
    )
    async with serving(tmp_path / "db", *accounts) as served:
        plan = plan_segments(text)
        total = len(plan.segments)
        for number, one in enumerate(plan.segments, 1):
            await served.driver.report(
                InboundPart(
                    sender=PHONE,
                    recipient="10690000",
                    encoding=plan.encoding,
                    payload=one.payload,
                    concat=Concat(reference=1, total=total, part=number) if total > 1 else None,
                )
            )
        for system_id in ("mine", "by-channel"):
            async with connected_esme(served.port) as esme:
                await esme.bind(BindReceiver, system_id=system_id)
                bodies = [await esme.take_delivery() for _ in range(total)]
                assert {body.source_addr for body in bodies} == {PHONE.removeprefix("+")}
                assert {body.destination_addr for body in bodies} == {"10690000"}
                assert read_text(bodies) == text
        assert "other" not in await owed(served)


def read_text(bodies: list[DeliverSm]) -> str:
    from drivers.codec.segment import decode_payload
    from drivers.smpp.text import decode_content

    payload = b""
    encoding = Encoding.GSM7
    for body in bodies:
        content = body.short_message
        if body.esm_class & c.ESM_UDHI:
            content = content[content[0] + 1 :]
        encoding, octets, _ = decode_content(body.data_coding, content)
        payload += octets
    return decode_payload(encoding, payload)
