"""The modem driver and the simulated sticks of all families: what goes beyond the driver contract."""

from __future__ import annotations

import asyncio

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
)
from drivers.codec.segment import decode_payload
from drivers.codec.tpdu import SmsDeliver, encode_deliver
from drivers.errors import AtError, WireLost
from drivers.modem.bringup.pin import PinLedger
from drivers.modem.config import ModemConfig
from drivers.modem.driver import ModemDriver
from drivers.modem.timing import ModemTiming
from simulators.modem.dialect import DIALECTS
from simulators.modem.modem import SimulatedModem
from simulators.modem.sim_card import Lock, SlotStatus, Storage, StoredMessage
from simulators.network import Network
from simulators.traffic import NetworkMessage
from tests.support.eventually import eventually
from tests.support.recording_sink import RecordingSink
from tests.support.running import running_driver

pytestmark = pytest.mark.integration

OURS = "+8613900139000"
HANDSET = "+8613800138000"
TIMING = ModemTiming(poll_s=0.02, sweep_after_failure_s=0.02, backoff_s=0.02, backoff_cap_s=0.05)


@pytest.fixture
async def network():
    network = Network()
    yield network
    await network.close()


@pytest.fixture(params=sorted(DIALECTS))
async def modem(request, network, tmp_path):
    stick = SimulatedModem(
        network, number=OURS, dialect=request.param, link=tmp_path / "stick", noise_every_s=0.01,
        acknowledge_time_s=1.0,
    )  # fmt: skip
    async with stick:
        yield stick


@pytest.fixture
def sink():
    return RecordingSink()


def driver_for(modem: SimulatedModem, pins: PinLedger | None = None, pin: str | None = None) -> ModemDriver:
    config = ModemConfig(name="sim-1", port=modem.port, pin=pin, keepalive_s=0.05, timing=TIMING)
    return ModemDriver(config, pins=pins or PinLedger())


def segment(text: str) -> OutboundSegment:
    return OutboundSegment(
        segment_id=SegmentId("s-1"),
        recipient=HANDSET,
        encoding=Encoding.UCS2,
        payload=text.encode("utf-16-be"),
    )


def statuses_in(storage: Storage) -> list[SlotStatus]:
    return [stored.status for stored in storage.slots.values()]


def lock_sim(modem: SimulatedModem, pin: str) -> None:
    modem.device.sim._pin = pin
    modem.device.sim.power_cycle()


async def test_segments_receipts_and_replies_pass_each_other_in_the_noise(network, modem, sink):
    handset = network.add_handset(HANDSET)
    handset.on_text = lambda text: f"re: {text}"
    texts = [f"第{n}条" for n in range(30)]
    async with running_driver(driver_for(modem), sink) as driver:
        await sink.wait_until_up()
        results = [await driver.submit(segment(text)) for text in texts]
        await sink.wait_for(lambda: len(sink.of(Receipt)) >= 30 and len(sink.of(InboundPart)) >= 30)
    assert all(isinstance(result, Accepted) for result in results)
    assert handset.inbox == texts
    references = [result.reference for result in results if isinstance(result, Accepted)]
    assert sorted(receipt.references[0] for receipt in sink.of(Receipt)) == sorted(map(str, references))
    assert {receipt.state for receipt in sink.of(Receipt)} == {ReceiptState.DELIVERED}
    replies = [decode_payload(part.encoding, part.payload) for part in sink.of(InboundPart)]
    assert sorted(replies) == sorted(f"re: {text}" for text in texts)


@pytest.mark.parametrize("message_class", [{"flash": True}, {"for_sim": True}], ids=["class 0", "class 2"])
async def test_messages_of_a_class_of_their_own_are_taken_and_acknowledged(modem, sink, message_class):
    message = NetworkMessage(
        sender=HANDSET, recipient=OURS, encoding=Encoding.GSM7, payload=b"at once", **message_class
    )
    notify_as_set = []
    async with running_driver(driver_for(modem), sink):
        await sink.wait_until_up()
        for _ in range(2):
            async with asyncio.timeout(60):
                await modem.device.deliver(message)  # until the stick has acknowledged it to the network
            notify_as_set.append(modem.device.settings.mt)
        await sink.wait_for(lambda: len(sink.of(InboundPart)) == 2)
        await eventually(lambda: not any(storage.slots for storage in modem.device.storages.values()))
    assert {(part.payload, part.flash) for part in sink.of(InboundPart)} == {
        (b"at once", "flash" in message_class)
    }
    assert notify_as_set == [1, 1], "a stick that misses an acknowledgement stops telling"


async def test_what_lies_in_any_storage_is_found_and_drafts_are_left_alone(modem, sink):
    storages = modem.device.storages.values()
    for storage in storages:
        read_before = encode_deliver(
            SmsDeliver(tp_oa=HANDSET, tp_scts=None, encoding=Encoding.GSM7, payload=storage.name.encode())
        )
        storage.add(StoredMessage(SlotStatus.REC_READ, read_before))
        storage.add(StoredMessage(SlotStatus.STO_UNSENT, read_before))
    async with running_driver(driver_for(modem), sink):
        await sink.wait_for(lambda: len(sink.of(InboundPart)) == len(storages))
        async with asyncio.timeout(60):
            while any(SlotStatus.REC_READ in statuses_in(storage) for storage in storages):  # noqa: ASYNC110
                await asyncio.sleep(0.001)  # deletions are not announced
    assert {part.payload.decode() for part in sink.of(InboundPart)} == set(modem.device.storages)
    assert [statuses_in(storage) for storage in storages] == [[SlotStatus.STO_UNSENT]] * len(storages)


async def test_the_pin_is_entered_and_again_after_the_stick_was_off(modem, sink):
    lock_sim(modem, "1234")
    async with running_driver(driver_for(modem, pin="1234"), sink) as driver:
        await sink.wait_until_up()
        await modem.stop()
        await sink.wait_for_event(ChannelDown)
        modem.device.restart()
        assert modem.device.sim.lock is Lock.PIN
        await modem.start()
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
        assert isinstance(await driver.submit(segment("hi")), Accepted)


async def test_a_wrong_pin_costs_one_attempt_and_no_more(modem, sink):
    lock_sim(modem, "1234")
    pins = PinLedger()
    for _ in range(4):
        async with asyncio.timeout(60):
            await driver_for(modem, pins, pin="9999").run(sink)
    assert modem.device.sim.pin_attempts_left == 2
    assert {down.fault.kind for down in sink.of(ChannelDown)} == {FaultKind.CONFIG}


async def test_a_stick_that_restarts_under_our_hands_is_set_up_again(network, modem, sink):
    async with running_driver(driver_for(modem), sink) as driver:
        await sink.wait_until_up()
        modem.device.restart()
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
        assert isinstance(await driver.submit(segment("after")), Accepted)
        await network.add_handset(HANDSET).send(OURS, "still there?")
        await sink.wait_for_event(InboundPart)
    assert [message.text for message in network.accepted if message.sender == OURS] == ["after"]


async def test_a_radio_that_goes_off_takes_the_channel_down_with_the_reason(modem, sink):
    async with running_driver(driver_for(modem), sink) as driver:
        await sink.wait_until_up()
        modem.device.radio_on = False
        result = await driver.submit(segment("into the void"))
        assert isinstance(result, Refused)
        assert result.fault.kind is FaultKind.CHANNEL
        down = await sink.wait_for_event(ChannelDown)
        assert down.fault.code == "not_registered"
        modem.device.radio_on = True
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)


async def test_operators_see_the_serial_numbers(modem, sink):
    async with running_driver(driver_for(modem), sink):
        await sink.wait_until_up()
    facts = sink.of(ChannelInfo)[0].facts
    assert (facts["imei"], facts["iccid"]) == (modem.device.imei, modem.device.sim.iccid)
    assert facts["model"] == modem.device.dialect.model


async def test_a_ussd_menu_is_walked_through_and_left(modem, sink):
    async with running_driver(driver_for(modem), sink) as driver:
        await sink.wait_until_up()
        talk = []
        for code in ("*102#", "2", "1", "*102#", "*100#", "*102#", "9", "*102#", "1"):
            answer = await driver.ussd(code)
            talk.append((answer.text, answer.expects_reply))
    menu = ("1 Balance\n2 Tariff", True)
    balance = ("Balance 42.00 CNY", False)
    assert talk == [
        menu, ("Tariff A. Change it?\n1 Yes\n2 No", True), ("Done", False),
        menu, balance,  # a code of its own leaves the menu
        menu, ("", False),  # the network ends the session at a choice that there is not
        menu, balance,
    ]  # fmt: skip


async def test_the_balance_is_asked_for_by_ussd(modem, sink):
    async with running_driver(driver_for(modem), sink) as driver:
        await sink.wait_until_up()
        answer = await driver.ussd("*100#")
        assert (answer.text, answer.expects_reply) == ("Balance 42.00 CNY", False)
        with pytest.raises(AtError):
            await driver.ussd("*999#")
        assert isinstance(await driver.submit(segment("hi")), Accepted)
        await sink.wait_for(lambda: any("operator" in info.facts for info in sink.of(ChannelInfo)))
        assert sink.of(ChannelInfo)[-1].facts["operator"] == "CHINA MOBILE"
    with pytest.raises(WireLost):
        await driver.ussd("*100#")
