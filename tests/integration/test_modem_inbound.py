"""Messages and status reports from a scripted stick: handed over first, deleted or acknowledged after."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import ChannelInfo, ChannelNotice, Concat, Encoding, InboundPart, Receipt, ReceiptState
from tests.support.eventually import eventually
from tests.support.modem_driver import (
    AT,
    deliver_pdu,
    driver_for,
    list_and_delete,
    report_pdu,
    running,
    segment,
    texts,
)
from tests.support.scripted_modem import NEARLY_FULL, tpdu_octets

pytestmark = pytest.mark.integration


async def test_a_message_is_read_handed_over_and_only_then_deleted(modem, driver, sink):
    sink.hold()
    modem.store(3, deliver_pdu("你好", udh=bytes.fromhex("0500030c0201")))
    await sink.wait_for(lambda: any(isinstance(event, InboundPart) for event in sink.offered))
    await modem.wait_for_command("AT+CMGR=3")
    assert "AT+CMGD=3" not in modem.commands
    sink.release()
    await modem.wait_for_command("AT+CMGD=3")
    part = sink.of(InboundPart)[0]
    assert (part.sender, part.payload.decode("utf-16-be")) == ("+8613900139000", "你好")
    assert part.concat == Concat(reference=12, total=2, part=1)
    assert part.network_time == AT
    assert part.recipient is None


async def test_a_message_the_store_did_not_take_stays_and_comes_again(modem, driver, sink):
    sink.failures = 2
    modem.store(3, deliver_pdu())
    await modem.wait_for_command("AT+CMGD=3")
    offered = [event for event in sink.offered if isinstance(event, InboundPart)]
    assert len(offered) == 3
    assert len({part.dedupe_key for part in offered}) == 1
    assert len(sink.of(InboundPart)) == 1
    assert modem.stored == {}


async def test_what_was_stored_before_the_start_is_found(modem, sink):
    modem.stored = {1: deliver_pdu("one"), 2: report_pdu(mr=200), 7: deliver_pdu("two")}
    async with running(driver_for(modem), sink):
        await modem.wait_for_command("AT+CMGD=7")
    assert texts(sink) == ["one", "two"]
    assert sink.of(Receipt)[0].references == ("200",)
    assert modem.stored == {}


async def test_an_unreadable_message_is_reported_left_and_blocks_nothing(modem, sink):
    modem.stored = {1: "0791FF", 2: deliver_pdu("good")}
    async with running(driver_for(modem), sink):
        await modem.wait_for_command("AT+CMGD=2")
    assert list(modem.stored) == [1]
    assert [notice.code for notice in sink.of(ChannelNotice)] == ["unreadable"]
    assert "SM 1" in sink.of(ChannelNotice)[0].detail
    assert any(info.facts.get("unreadable") == 1 for info in sink.of(ChannelInfo))


async def test_a_storage_near_full_is_emptied_of_everything_and_told_of(modem, sink):
    modem.replies["AT+CPMS?"] = NEARLY_FULL
    modem.stored = {1: "0791FF", 2: deliver_pdu("good")}
    async with running(driver_for(modem), sink):
        await modem.wait_for_command("AT+CMGD=2")
    assert modem.stored == {}
    # It says that 18 lie there, and shows fewer.
    codes = {notice.code for notice in sink.of(ChannelNotice)}
    assert codes == {"storage_full", "unreadable", "storage_unreadable"}
    raw, good = sink.of(InboundPart)
    assert (raw.sender, raw.encoding, raw.payload) == ("unreadable", Encoding.BINARY, bytes.fromhex("0791FF"))
    assert good.payload.decode("utf-16-be") == "good"


@pytest.mark.parametrize("line", ['^SMMEMFULL: "SM"', "+SMS FULL", '+QIND: "SMS FULL"'])
async def test_a_stick_that_says_it_is_full_is_swept_at_once(modem, driver, sink, line):
    modem.stored[4] = deliver_pdu("no line told of it")
    modem.say(line)
    await modem.wait_for_command("AT+CMGD=4")
    assert len(sink.of(InboundPart)) == 1


@pytest.mark.parametrize("obeys", [True, False])
async def test_receipts_that_wait_behind_a_segment_are_taken_together(modem, driver, sink, obeys):
    list_and_delete(modem, obeys=obeys)
    modem.swallow.add("payload")
    for round_ in range(2):
        sending = asyncio.create_task(driver.submit(segment()))
        await modem.wait_for(lambda n=round_: len(modem.payloads) == n + 1)
        n_before = len(modem.commands)
        for n in range(1, 6):
            modem.stored[n] = report_pdu(mr=round_ * 10 + n)
            modem.say(f'+CDSI: "SM",{n}')
        await asyncio.sleep(0.05)
        modem.say("+CMGS: 1", "OK")
        await sending
        await sink.wait_for(lambda n=round_: len({r.references for r in sink.of(Receipt)}) == 5 * (n + 1))
        if obeys:
            await eventually(lambda: modem.stored == {})
            inbound = [c for c in modem.commands[n_before:] if c.startswith("AT+CMG")]
            assert len(inbound) <= 4, "one alone, then all others together"
    if not obeys:
        # What it did not delete is noticed at the second time, and deleted one by one.
        modem.stored[7] = report_pdu(mr=99)
        for n in (6, 7):
            modem.say(f'+CDSI: "SM",{n}')
    await eventually(lambda: modem.stored == {})
    assert len({r.references for r in sink.of(Receipt)}) == 10 + (not obeys)


async def test_equal_texts_sent_twice_are_two_messages(modem, driver, sink):
    modem.stored[1] = deliver_pdu("yes")
    modem.store(2, deliver_pdu("yes", sender="+8613900139001"))
    modem.say('+CMTI: "SM",1')
    await sink.wait_for(lambda: len(sink.of(InboundPart)) == 2)
    assert len({part.dedupe_key for part in sink.of(InboundPart)}) == 2


async def test_a_stored_status_report_is_a_receipt(modem, driver, sink):
    modem.stored[5] = report_pdu(mr=17, st=0x41)
    modem.say('+CDSI: "SM",5')
    receipt = await sink.wait_for_event(Receipt)
    assert (receipt.references, receipt.state) == (("17",), ReceiptState.UNDELIVERABLE)
    assert (receipt.recipient, receipt.done_at) == ("+8613800138000", AT)
    await modem.wait_for_command("AT+CMGD=5")


async def test_a_direct_status_report_is_acknowledged_after_the_store(modem, driver, sink):
    sink.hold()
    pdu = report_pdu(mr=17)
    modem.say(f"+CDS: {tpdu_octets(pdu)}", pdu)
    await sink.wait_for(lambda: any(isinstance(event, Receipt) for event in sink.offered))
    assert "AT+CNMA" not in modem.commands
    sink.release()
    await modem.wait_for_command("AT+CNMA")
    assert sink.of(Receipt)[0].state is ReceiptState.DELIVERED


async def test_a_direct_report_the_store_did_not_take_is_not_acknowledged(modem, driver, sink):
    sink.failures = 5
    pdu = report_pdu(mr=17)
    modem.say(f"+CDS: {tpdu_octets(pdu)}", pdu)
    # The stick stops notifying after a missed acknowledgement; the next sweep arms it again.
    await modem.wait_for_command("AT+CNMI=2,1,0,2,0", times=3)
    assert "AT+CNMA" not in modem.commands


async def test_a_direct_message_is_acknowledged_after_the_store(modem, driver, sink):
    pdu = deliver_pdu("class 0")
    modem.say(f"+CMT: ,{tpdu_octets(pdu)}", pdu)
    await modem.wait_for_command("AT+CNMA")
    assert sink.of(InboundPart)[0].payload.decode("utf-16-be") == "class 0"


async def test_a_direct_report_is_offered_again_while_the_network_waits(modem, driver, sink):
    sink.failures = 2
    pdu = report_pdu(mr=17)
    modem.say(f"+CDS: {tpdu_octets(pdu)}", pdu)
    await modem.wait_for_command("AT+CNMA")
    assert len(sink.of(Receipt)) == 1


@pytest.mark.parametrize("name", ["+CDS", "+CMT"])
async def test_what_comes_directly_and_can_not_be_read_is_kept_raw_and_acknowledged(
    modem, driver, sink, name
):
    modem.say(f"{name}: 3", "0006FF")
    await modem.wait_for_command("AT+CNMA")
    assert sink.of(Receipt) == []
    (raw,) = sink.of(InboundPart)
    assert (raw.sender, raw.payload) == ("unreadable", bytes.fromhex("0006FF"))
    assert f"came by {name}" in sink.of(ChannelNotice)[0].detail


async def test_a_direct_report_without_its_pdu_must_be_repeated_by_the_network(modem, driver, sink):
    modem.say("+CDS: 25", "^RSSI:20")
    await modem.wait_for_command("AT+CNMA=2")
    # The stick stops notifying after that.
    await modem.wait_for_command("AT+CNMI=2,1,0,2,0", times=3)
    assert "AT+CNMA" not in modem.commands


async def test_an_acknowledgement_that_came_too_late_leaves_no_stick_that_tells_of_nothing(
    modem, driver, sink
):
    modem.replies["AT+CNMA"] = ("+CMS ERROR: 340",)
    pdu = report_pdu(mr=17)
    modem.say(f"+CDS: {tpdu_octets(pdu)}", pdu)
    await modem.wait_for_command("AT+CNMI=2,1,0,2,0", times=3)
    await modem.wait_for_command("AT+CMGL=4", times=2)


async def test_the_network_does_not_wait_for_a_sweep(modem, driver, sink):
    direct = report_pdu(mr=17)

    def use(_command: str) -> tuple[str, ...]:
        modem.say(f"+CDS: {tpdu_octets(direct)}", direct)
        return ('+CPMS: "SM",3,20,"SM",3,20,"SM",3,20', "OK")

    n_before = len(modem.commands)
    modem.stored = {index: deliver_pdu(f"{index}") for index in range(1, 4)}
    modem.replies["AT+CPMS?"] = use
    modem.say("+SMS FULL")
    await eventually(lambda: not modem.stored)
    later = modem.commands[n_before:]
    assert later.index("AT+CNMA") < later.index("AT+CMGD=1")


async def test_the_network_does_not_wait_for_one_deletion_after_the_other(modem, driver, sink):
    direct = report_pdu(mr=17)

    def delete_one(command: str) -> tuple[str, ...]:
        if len(modem.stored) == 6:
            modem.say(f"+CDS: {tpdu_octets(direct)}", direct)
        modem.stored.pop(int(command[8:]))
        return ("OK",)

    n_before = len(modem.commands)
    modem.stored = {index: deliver_pdu(f"{index}") for index in range(1, 7)}
    modem.replies |= {f"AT+CMGD={index}": delete_one for index in modem.stored}
    modem.replies["AT+CMGD=1,1"] = ("ERROR",)
    modem.say("+SMS FULL")
    await eventually(lambda: not modem.stored)
    later = modem.commands[n_before:]
    assert later.index("AT+CNMA") < later.index("AT+CMGD=3")


async def test_a_broken_line_may_have_been_a_notification(modem, driver, sink):
    await modem.wait_for_command("AT+CMEE?", times=2)  # of bring-up, and of a look: nothing is in flight
    modem.stored[1] = deliver_pdu("found")
    modem.say('+CMUI: "SM",1')
    await modem.wait_for_command("AT+CMGD=1")
    assert sink.of(InboundPart)[0].payload.decode("utf-16-be") == "found"


async def test_without_message_service_2_plus_nothing_is_acknowledged(modem, sink):
    modem.replies["AT+CSMS=1"] = ("ERROR",)
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
        pdu = report_pdu(mr=17)
        modem.say(f"+CDS: {tpdu_octets(pdu)}", pdu)
        await sink.wait_for_event(Receipt)
        modem.store(1, deliver_pdu())
        await modem.wait_for_command("AT+CMGD=1")
    assert "AT+CNMA" not in modem.commands


@pytest.mark.parametrize("n", [1, 6])
async def test_two_messages_that_a_broken_line_made_one_are_read_again(modem, sink, n):
    modem.stored = {index: deliver_pdu(f"text {index}") for index in range(1, n + 1)}
    modem.stored[9] = deliver_pdu("another one")
    listing = modem._list
    broken: list[str] = []

    def splice() -> list[str]:
        lines = listing()
        if not broken:
            # The first one's address before the last one's text: nothing but the length tells.
            broken.append(lines[1][:24] + lines[-1][24:])
            lines[1] = broken[0]
        return lines

    modem._list = splice
    async with running(driver_for(modem), sink):
        await eventually(lambda: not modem.stored)
    assert broken
    assert sorted(texts(sink)) == sorted([f"text {index}" for index in range(1, n + 1)] + ["another one"])
    assert not sink.of(ChannelNotice)


async def test_a_stick_that_counts_wrongly_is_believed_at_the_second_reading(modem, driver, sink):
    modem._list = lambda: [
        line for index, pdu in modem.stored.items() for line in (f"+CMGL: {index},0,,{len(pdu) // 2}3", pdu)
    ]
    plain = modem._answer

    def answer(command: str) -> None:
        if command.startswith("AT+CMGR=") and (pdu := modem.stored.get(int(command[8:]))):
            modem.say(f"+CMGR: 0,,{len(pdu) // 2}3", pdu, "OK")
        else:
            plain(command)

    modem._answer = answer
    modem.store(3, deliver_pdu("hi"))
    await eventually(lambda: not modem.stored)
    assert texts(sink) == ["hi"]
    assert not sink.of(ChannelNotice)


async def test_what_came_directly_and_is_not_as_long_as_announced_must_be_repeated_by_the_network(
    modem, driver, sink
):
    whole, pdu = report_pdu(mr=16), report_pdu(mr=17)
    modem.say(f"+CDS: {tpdu_octets(whole)}", whole)
    await modem.wait_for_command("AT+CNMA")
    modem.say(f"+CDS: {tpdu_octets(pdu) + 1}", pdu)
    await modem.wait_for_command("AT+CNMA=2")
    await modem.wait_for_command("AT+CNMI=2,1,0,2,0", times=3)
    assert modem.commands.count("AT+CNMA") == 1
    modem.say(f"+CDS: {tpdu_octets(pdu) + 1}", pdu)  # the same again: the stick counts wrongly
    await modem.wait_for_command("AT+CNMA", times=2)
    assert [receipt.references for receipt in sink.of(Receipt)] == [("16",), ("17",)]


@pytest.mark.parametrize("acknowledges", [True, False])
async def test_the_reports_of_a_stick_that_counts_wrongly_are_read_for_few_networks_repeat_one(
    modem, sink, acknowledges
):
    if not acknowledges:
        modem.replies["AT+CSMS=1"] = ("ERROR",)
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
        for mr in (17, 18):
            pdu = report_pdu(mr=mr)
            modem.say(f"+CDS: {len(pdu) // 2}1", pdu)
        await sink.wait_for(lambda: len(sink.of(Receipt)) == 2)
    assert "AT+CNMA=2" not in modem.commands


async def test_what_is_not_as_long_as_announced_and_can_not_be_asked_for_again_is_kept_raw(modem, sink):
    modem.replies["AT+CSMS=1"] = ("ERROR",)
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
        whole, pdu = deliver_pdu("all of this"), deliver_pdu("half of this")
        modem.say(f"+CMT: ,{tpdu_octets(whole)}", whole)
        modem.say(f"+CMT: ,{tpdu_octets(pdu) - 2}", pdu)
        await sink.wait_for(lambda: len(sink.of(InboundPart)) == 2)
    raw = sink.of(InboundPart)[1]
    assert (raw.sender, raw.payload) == ("unreadable", bytes.fromhex(pdu))
