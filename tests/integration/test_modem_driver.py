"""The modem driver over a real pty, against a stick that follows a script."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import uvloop

from drivers.at.trace import LineTrace
from drivers.at.transport import open_serial
from drivers.base import (
    Accepted,
    ChannelDown,
    ChannelInfo,
    ChannelNotice,
    ChannelUp,
    Concat,
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
from drivers.codec.address import encode_sca, split_sca
from drivers.codec.tpdu import (
    SmsDeliver,
    SmsStatusReport,
    decode_submit,
    encode_deliver,
    encode_status_report,
)
from drivers.errors import WireLost
from drivers.modem.config import ModemConfig
from drivers.modem.driver import ModemDriver
from drivers.modem.pin import PinLedger
from drivers.modem.timing import ModemTiming
from tests.support.eventually import eventually
from tests.support.recording_sink import RecordingSink
from tests.support.scripted_modem import ScriptedModem

pytestmark = pytest.mark.integration

QUICK = ModemTiming(
    poll_s=0.01,
    sim_busy_s=0.3,
    registration_s=0.3,
    sweep_s=60.0,
    sweep_after_failure_s=0.05,
    backoff_s=0.02,
    backoff_cap_s=0.05,
)
AT = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


def segment(**changes) -> OutboundSegment:
    plain = OutboundSegment(
        segment_id=SegmentId("s-1"), recipient="+8613800138000", encoding=Encoding.GSM7, payload=b"hello"
    )
    return replace(plain, **changes)


def deliver_pdu(text: str = "hi", sender: str = "+8613900139000", udh: bytes = b"") -> str:
    tpdu = encode_deliver(
        SmsDeliver(
            tp_oa=sender, tp_scts=AT, encoding=Encoding.UCS2, payload=text.encode("utf-16-be"), udh=udh
        )
    )
    return (encode_sca("+8613800210500") + tpdu).hex().upper()


def report_pdu(mr: int = 1, st: int = 0) -> str:
    tpdu = encode_status_report(
        SmsStatusReport(tp_mr=mr, tp_ra="+8613800138000", tp_scts=AT, tp_dt=AT, tp_st=st)
    )
    return (encode_sca("+8613800210500") + tpdu).hex().upper()


def driver_for(modem: ScriptedModem, pins: PinLedger | None = None, **changes) -> ModemDriver:
    config = replace(ModemConfig(name="sim-1", port=str(modem.link), timing=QUICK), **changes)
    return ModemDriver(config, pins=pins or PinLedger())


@asynccontextmanager
async def running(driver: ModemDriver, sink: RecordingSink):
    task = asyncio.create_task(driver.run(sink))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def modem(tmp_path):
    async with ScriptedModem(tmp_path / "stick") as modem:
        yield modem


@pytest.fixture
def sink():
    return RecordingSink()


@pytest.fixture
async def driver(modem, sink):
    driver = driver_for(modem, answer_timeout_s=0.3)
    async with running(driver, sink):
        await sink.wait_until_up()
        # The first sweep is done when this has been asked: what a test stores later is told of by +CMTI.
        await modem.wait_for_command("AT+CMGL=4")
        yield driver


# --- out


async def test_a_segment_goes_out_as_it_is_and_gets_its_reference(modem, driver):
    result = await driver.submit(segment(flash=True, valid_for_s=3600))
    assert result == Accepted(reference="1")
    service_centre, tpdu = split_sca(bytes.fromhex(modem.payloads[0]))
    assert service_centre is None
    sent = decode_submit(tpdu)
    assert (sent.tp_da, sent.payload, sent.tp_srr, sent.flash) == ("+8613800138000", b"hello", True, True)
    assert f"AT+CMGS={len(tpdu)}" in modem.commands


async def test_segments_asked_for_at_once_go_out_one_after_the_other(modem, driver):
    results = await asyncio.gather(*(driver.submit(segment(payload=bytes([48 + n]))) for n in range(4)))
    assert results == [Accepted(reference=str(n)) for n in (1, 2, 3, 4)]
    assert [decode_submit(split_sca(bytes.fromhex(p))[1]).payload for p in modem.payloads] == [
        b"0", b"1", b"2", b"3",
    ]  # fmt: skip


async def test_parts_of_one_message_keep_the_link_open(modem, driver):
    await driver.submit(segment(more_to_come=True))
    await driver.submit(segment(more_to_come=True))
    await driver.submit(segment())
    assert modem.commands.count("AT+CMMS=2") == 1


@pytest.mark.parametrize("prompt", [b"> ", b">", b"\r\n>\r\n", b"\r\n> "])
async def test_every_spelling_of_the_prompt_will_do(modem, driver, prompt):
    modem.prompt = prompt
    assert await driver.submit(segment()) == Accepted(reference="1")


async def test_echo_and_news_in_the_middle_disturb_nothing(modem, driver):
    modem.echo = True
    modem.answers.append(("^RSSI:20", "+CMGS: 9", "+CREG: 1", "OK", "^BOOT:1,0"))
    assert await driver.submit(segment()) == Accepted(reference="9")


async def test_an_answer_without_reference_is_accepted_all_the_same(modem, driver):
    modem.answers.append(("OK",))
    assert await driver.submit(segment()) == Accepted(reference=None)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ("+CMS ERROR: 38", FaultKind.TEMPORARY, "cms_38"),
        ("+CMS ERROR: 28", FaultKind.PERMANENT, "cms_28"),
        ("+CMS ERROR: 42", FaultKind.THROTTLED, "cms_42"),
        ("+CMS ERROR: 330", FaultKind.CHANNEL, "cms_330"),
        ("+CMS ERROR: 512", FaultKind.TEMPORARY, "cms_512"),
        ("+CME ERROR: 30", FaultKind.CHANNEL, "cme_30"),
        ("ERROR", FaultKind.TEMPORARY, "at_error"),
    ],
)
async def test_what_the_network_says_is_a_refusal(modem, driver, answer, kind, code):
    modem.answers.append((answer,))
    result = await driver.submit(segment())
    assert isinstance(result, Refused)
    assert (result.fault.kind, result.fault.code) == (kind, code)
    assert await driver.submit(segment()) == Accepted(reference="1")


async def test_a_network_timeout_told_by_the_stick_is_no_answer(modem, driver):
    modem.answers.append(("+CMS ERROR: 332",))
    assert isinstance(await driver.submit(segment()), Uncertain)


async def test_a_segment_that_fits_no_pdu_fails_for_good(driver):
    result = await driver.submit(segment(encoding=Encoding.BINARY, payload=b"x" * 200))
    assert isinstance(result, Refused)
    assert result.fault.kind is FaultKind.PERMANENT


async def test_the_operators_patience_goes_before_the_profiles(modem, sink):
    driver = driver_for(modem, profile="quectel-ec25", answer_timeout_s=0.1)
    async with running(driver, sink):
        await sink.wait_until_up()
        modem.swallow.add("payload")
        assert isinstance(await driver.submit(segment()), Uncertain)


async def test_no_answer_behind_the_pdu_is_uncertain_and_the_stick_goes_on(modem, driver, sink):
    modem.swallow.add("payload")
    result = await driver.submit(segment())
    assert isinstance(result, Uncertain)
    assert result.code == "answer_timeout"
    modem.swallow.clear()
    # While it is asked whether it lives, others take over.
    refused = await driver.submit(segment())
    assert isinstance(refused, Refused)
    assert (refused.fault.kind, refused.fault.code) == (FaultKind.CHANNEL, "recovery_resync")
    assert (await sink.wait_for_event(ChannelDown)).fault.code == "recovery_resync"
    # The answer comes late, ahead of the next command: it must not be taken for that one's.
    modem.say("+CMGS: 77", "OK")
    await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
    assert await driver.submit(segment()) == Accepted(reference="1")


async def test_a_port_that_dies_before_the_prompt_is_a_refusal(modem, driver, sink):
    modem.close_on = "prompt"
    result = await driver.submit(segment())
    assert isinstance(result, Refused)
    assert result.fault.kind is FaultKind.CHANNEL
    await sink.wait_for_event(ChannelDown)


async def test_a_port_that_dies_behind_the_pdu_is_uncertain(modem, driver, sink):
    modem.close_on = "payload"
    result = await driver.submit(segment())
    assert isinstance(result, Uncertain)
    assert result.code == "link_lost"
    await sink.wait_for_event(ChannelDown)


async def test_without_a_port_segments_are_refused(modem, driver, sink):
    modem.vanish()
    await sink.wait_for_event(ChannelDown)
    result = await driver.submit(segment())
    assert isinstance(result, Refused)
    assert result.fault.kind is FaultKind.CHANNEL


async def test_a_cancelled_submit_before_the_prompt_sends_nothing(modem, driver):
    modem.swallow.add("prompt")
    task = asyncio.create_task(driver.submit(segment()))
    await modem.wait_for(lambda: any(c.startswith("AT+CMGS") for c in modem.commands))
    task.cancel()
    # The prompt is on its way already, and meets our ESC.
    modem.prompt_for_payload()
    await asyncio.gather(task, return_exceptions=True)
    modem.swallow.clear()
    assert task.cancelled()
    assert await driver.submit(segment(payload=b"second")) == Accepted(reference="1")
    assert [decode_submit(split_sca(bytes.fromhex(p))[1]).payload for p in modem.payloads] == [b"second"]


async def test_a_cancelled_submit_behind_the_pdu_goes_on_to_its_answer(modem, driver, caplog):
    modem.swallow.add("payload")
    task = asyncio.create_task(driver.submit(segment()))
    await modem.wait_for(lambda: bool(modem.payloads))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    modem.swallow.clear()
    second = asyncio.create_task(driver.submit(segment()))
    drain = asyncio.create_task(driver.drain(asyncio.get_running_loop().time() + 5))
    modem.say("+CMGS: 40", "OK")
    assert await second == Accepted(reference="1")
    await drain
    assert "nobody waiting: Accepted" in caplog.text


async def test_a_drained_driver_finishes_what_is_on_the_wire_and_takes_no_more(modem, driver):
    modem.swallow.add("payload")
    task = asyncio.create_task(driver.submit(segment()))
    await modem.wait_for(lambda: bool(modem.payloads))
    drain = asyncio.create_task(driver.drain(asyncio.get_running_loop().time() + 5))
    await asyncio.sleep(0)
    refused = await driver.submit(segment())
    assert isinstance(refused, Refused)
    assert not drain.done()
    modem.say("+CMGS: 40", "OK")
    await drain
    assert await task == Accepted(reference="40")


async def test_drain_gives_up_at_its_deadline(modem, driver):
    modem.swallow.add("payload")
    task = asyncio.create_task(driver.submit(segment()))
    await modem.wait_for(lambda: bool(modem.payloads))
    await driver.drain(asyncio.get_running_loop().time())
    assert not task.done()
    assert isinstance(await task, Uncertain)


async def test_stopping_with_a_pdu_on_the_wire_leaves_it_uncertain(modem, sink):
    driver = driver_for(modem)
    async with running(driver, sink):
        await sink.wait_until_up()
        modem.swallow.add("payload")
        task = asyncio.create_task(driver.submit(segment()))
        await modem.wait_for(lambda: bool(modem.payloads))
    assert isinstance(await task, Uncertain)


async def test_a_sim_that_is_gone_brings_the_stick_up_anew(modem, driver, sink):
    modem.answers.append(("+CMS ERROR: 310",))
    result = await driver.submit(segment())
    assert isinstance(result, Refused)
    assert result.fault.code == "cms_310"
    await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)


# --- in


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
    assert [part.payload.decode("utf-16-be") for part in sink.of(InboundPart)] == ["one", "two"]
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
    modem.replies["AT+CPMS?"] = ('+CPMS: "SM",18,20,"SM",18,20,"SM",18,20', "OK")
    modem.stored = {1: "0791FF", 2: deliver_pdu("good")}
    async with running(driver_for(modem), sink):
        await modem.wait_for_command("AT+CMGD=2")
    assert modem.stored == {}
    assert {notice.code for notice in sink.of(ChannelNotice)} == {"storage_full", "unreadable"}
    raw, good = sink.of(InboundPart)
    assert (raw.sender, raw.encoding, raw.payload) == ("unreadable", Encoding.BINARY, bytes.fromhex("0791FF"))
    assert good.payload.decode("utf-16-be") == "good"


@pytest.mark.parametrize("line", ['^SMMEMFULL: "SM"', "+SMS FULL", '+QIND: "SMS FULL"'])
async def test_a_stick_that_says_it_is_full_is_swept_at_once(modem, driver, sink, line):
    modem.stored[4] = deliver_pdu("no line told of it")
    modem.say(line)
    await modem.wait_for_command("AT+CMGD=4")
    assert len(sink.of(InboundPart)) == 1


@pytest.mark.parametrize(("hang_up", "n_times"), [(True, 1), (False, 0)])
async def test_calls_are_hung_up_if_that_is_wanted(modem, sink, hang_up, n_times):
    modem.replies["AT+CHUP"] = ("OK",)
    async with running(driver_for(modem, hang_up_calls=hang_up), sink):
        await sink.wait_until_up()
        await modem.wait_for_command("AT+CMGL=4")
        modem.say("RING", '+CLIP: "+8613700137000",145')
        modem.store(1, deliver_pdu())
        await modem.wait_for_command("AT+CMGD=1")
    assert modem.commands.count("AT+CHUP") == n_times


@pytest.mark.parametrize(
    ("known", "wanted", "n_times"),
    [("", "+8613800210500", 1), ("+8613800210500", "+8613800210500", 0), ("", None, 0)],
)
async def test_a_service_centre_is_set_where_the_config_names_one(modem, sink, known, wanted, n_times):
    modem.replies["AT+CSCA?"] = (f'+CSCA: "{known}",145', "OK")
    modem.replies['AT+CSCA="+8613800210500",145'] = ("OK",)
    async with running(driver_for(modem, smsc=wanted), sink):
        await sink.wait_until_up()
    assert modem.commands.count('AT+CSCA="+8613800210500",145') == n_times
    assert sink.of(ChannelInfo)[0].facts["smsc_known"] is bool(known or wanted)


async def test_a_foreign_network_is_used_only_where_that_is_allowed(modem, sink):
    modem.replies["AT+CREG?"] = ("+CREG: 0,5", "OK")
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
    second = RecordingSink()
    async with running(driver_for(modem, roaming=False), second):
        assert (await second.wait_for_event(ChannelDown)).fault.code == "roaming"


async def test_every_octet_can_be_traced_while_the_port_is_open(modem, driver):
    lines: list[str] = []
    driver.trace.inner = LineTrace(lines.append, lambda: 0.0, "sim-1")
    await driver.submit(segment())
    talk = [line.split(" ", 2)[2].strip() for line in lines]
    assert "> AT+CMGF=0\\r" in talk
    assert any("+CMGS: 1" in line for line in talk)
    assert "8613800138000" not in "".join(lines)


def list_and_delete(modem: ScriptedModem, *, obeys: bool) -> None:
    """Teach the stick AT+CMGD=<index>,1, or to do nothing then."""
    plain = modem._answer

    def answer(command: str) -> None:
        if command.startswith("AT+CMGD=") and command.endswith(",1"):
            if obeys:
                modem.stored.clear()
            modem.say("OK")
        else:
            plain(command)

    modem._answer = answer  # type: ignore[method-assign]


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
    modem.say(f"+CDS: {len(pdu) // 2 - 8}", pdu)
    await sink.wait_for(lambda: any(isinstance(event, Receipt) for event in sink.offered))
    assert "AT+CNMA" not in modem.commands
    sink.release()
    await modem.wait_for_command("AT+CNMA")
    assert sink.of(Receipt)[0].state is ReceiptState.DELIVERED


async def test_a_direct_report_the_store_did_not_take_is_not_acknowledged(modem, driver, sink):
    sink.failures = 5
    pdu = report_pdu(mr=17)
    modem.say(f"+CDS: {len(pdu) // 2 - 8}", pdu)
    # The stick stops notifying after a missed acknowledgement; the next sweep arms it again.
    await modem.wait_for_command("AT+CNMI=2,1,0,2,0", times=3)
    assert "AT+CNMA" not in modem.commands


async def test_a_direct_message_is_acknowledged_after_the_store(modem, driver, sink):
    pdu = deliver_pdu("class 0")
    modem.say(f"+CMT: ,{len(pdu) // 2 - 8}", pdu)
    await modem.wait_for_command("AT+CNMA")
    assert sink.of(InboundPart)[0].payload.decode("utf-16-be") == "class 0"


async def test_logs_show_neither_numbers_nor_texts(modem, driver, sink, caplog):
    caplog.set_level("DEBUG")
    await modem.wait_for_command("AT+CMEE?")  # the last one of a look at the stick: nothing is in flight
    await sink.wait_for(lambda: any("operator" in info.facts for info in sink.of(ChannelInfo)))
    modem.say("+8613700137000 says hello", '+CLIP: "+8613700137000",145')
    await eventually(lambda: "stray line" in caplog.text)
    modem.answers.append(("+CMS ERROR: 38",))
    await driver.submit(segment())
    sink.failures = 1
    modem.store(1, deliver_pdu("secret"))
    await modem.wait_for_command("AT+CMGD=1")
    assert "stray line" in caplog.text
    assert not [
        word for word in ("13700137000", "13800138000", "13900139000", "secret") if word in caplog.text
    ]


async def test_a_direct_report_is_offered_again_while_the_network_waits(modem, driver, sink):
    sink.failures = 2
    pdu = report_pdu(mr=17)
    modem.say(f"+CDS: {len(pdu) // 2 - 8}", pdu)
    await modem.wait_for_command("AT+CNMA")
    assert len(sink.of(Receipt)) == 1


async def test_an_unreadable_direct_report_is_acknowledged_lest_it_comes_for_ever(modem, driver, sink):
    modem.say("+CDS: 3", "0006FF")
    await modem.wait_for_command("AT+CNMA")
    assert sink.of(Receipt) == []


async def test_a_direct_report_without_its_pdu_must_be_repeated_by_the_network(modem, driver, sink):
    modem.say("+CDS: 25", "^RSSI:20")
    await modem.wait_for_command("AT+CNMA=2")
    # The stick stops notifying after that.
    await modem.wait_for_command("AT+CNMI=2,1,0,2,0", times=3)
    assert "AT+CNMA" not in modem.commands


async def test_a_broken_line_may_have_been_a_notification(modem, driver, sink):
    await modem.wait_for_command("AT+CMEE?")  # the last one of a look at the stick: nothing is in flight
    modem.stored[1] = deliver_pdu("found")
    modem.say('+CMUI: "SM",1')
    await modem.wait_for_command("AT+CMGD=1")
    assert sink.of(InboundPart)[0].payload.decode("utf-16-be") == "found"


async def test_without_message_service_2_plus_nothing_is_acknowledged(modem, sink):
    modem.replies["AT+CSMS=1"] = ("ERROR",)
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
        pdu = report_pdu(mr=17)
        modem.say(f"+CDS: {len(pdu) // 2 - 8}", pdu)
        await sink.wait_for_event(Receipt)
        modem.store(1, deliver_pdu())
        await modem.wait_for_command("AT+CMGD=1")
    assert "AT+CNMA" not in modem.commands


# --- life of the stick


async def test_operators_see_who_the_stick_is_and_how_it_fares(modem, driver, sink):
    await sink.wait_for(lambda: any("operator" in info.facts for info in sink.of(ChannelInfo)))
    facts = sink.of(ChannelInfo)[-1].facts
    assert facts == {
        "port": str(modem.link),
        "manufacturer": "huawei",
        "model": "E173",
        "imei": "861696001234567",
        "iccid": "89860012345678901234",
        "number": None,
        "signal_dbm": -73,
        "registration": "home",
        "operator": "CHINA MOBILE",
        "error_rate": None,
        "profile": "huawei",
        "smsc_known": None,
        "usb": None,
    }


async def test_a_stick_that_knows_only_the_last_rung_comes_up(modem, sink):
    for command in ("AT+CNMI=2,1,0,2,0", "ATV1", "AT+CSMS=1", "AT+CPMS=?", "AT+COPS=3,0", "AT+CCID"):
        modem.replies[command] = ("+CMS ERROR: 303",)
    modem.replies["AT+CNMI=2,1"] = ("OK",)
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()


async def test_init_commands_are_sent_and_may_be_refused(modem, sink):
    modem.replies["AT+CFUN=1"] = ("OK",)
    async with running(driver_for(modem, init_commands=("AT+CFUN=1", "AT^NONSENSE")), sink):
        await sink.wait_until_up()
    assert modem.commands.index("AT+CMEE=1") < modem.commands.index("AT+CFUN=1")
    assert "AT^NONSENSE" in modem.commands


async def test_the_stick_may_vanish_and_return_under_the_same_link(modem, driver, sink):
    modem.vanish()
    down = await sink.wait_for_event(ChannelDown)
    assert down.fault.kind is FaultKind.CHANNEL
    modem.stored = {1: deliver_pdu("meanwhile")}
    modem.appear()
    await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
    assert isinstance(await driver.submit(segment()), Accepted)
    await modem.wait_for_command("AT+CMGD=1")
    assert len(sink.of(ChannelDown)) == 1


async def test_a_stick_that_hangs_is_opened_anew(modem, sink, monkeypatch):
    monkeypatch.setattr("drivers.at.transaction.GUARD_S", 0.05)
    async with running(driver_for(modem, keepalive_s=0.05, timing=replace(QUICK, command_s=0.1)), sink):
        await sink.wait_until_up()
        replies = modem.replies
        modem.replies = {}
        modem.swallow.update(replies)
        modem.swallow.update({"AT+CEREG?", "AT+CGREG?"})
        # The driver notices by its look at the stick, whose commands time out, and tries a new port.
        await sink.wait_for(lambda: bool(sink.of(ChannelDown)))
        modem.swallow.clear()
        modem.replies = replies
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)


@pytest.mark.parametrize("line", ["RDY", "NORMAL POWER DOWN"])
async def test_a_stick_that_says_it_restarted_is_brought_up_anew(modem, driver, sink, line):
    modem.say(line)
    await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
    assert modem.commands.count("AT+CNMI=2,1,0,2,0") >= 2


async def test_a_stick_that_restarted_unnoticed_is_brought_up_anew(modem, sink):
    async with running(driver_for(modem, keepalive_s=0.02), sink):
        await sink.wait_until_up()
        modem.replies["AT+CMEE?"] = ("+CMEE: 0", "OK")
        await sink.wait_for_event(ChannelDown)
        modem.replies["AT+CMEE?"] = ("+CMEE: 1", "OK")
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)


async def test_segments_behind_each_other_need_one_command_each(modem, driver):
    for _ in range(3):
        await driver.submit(segment())
    n_before = len(modem.commands)
    for _ in range(5):
        await driver.submit(segment())
    assert [command.partition("=")[0] for command in modem.commands[n_before:]] == ["AT+CMGS"] * 5


async def test_after_a_pause_pdu_mode_is_set_again(modem, driver, monkeypatch):
    monkeypatch.setattr("drivers.modem.outbound.PDU_MODE_TRUST_S", 0.0)
    await driver.submit(segment())
    await driver.submit(segment())
    relevant = [command[:7] for command in modem.commands if command.startswith(("AT+CMGF", "AT+CMGS"))]
    assert relevant == ["AT+CMGF", "AT+CMGF", "AT+CMGS", "AT+CMGF", "AT+CMGS"]


async def test_a_stick_that_silently_restarted_in_text_mode_gets_no_pdu_as_a_text(modem, driver):
    await driver.submit(segment())
    text_mode = True

    def set_pdu_mode(_command):
        nonlocal text_mode
        text_mode = False
        return ("OK",)

    sent_as_texts = []

    def take_for_a_number(_command):
        modem.prompt_for_payload()
        if text_mode:
            sent_as_texts.append(len(modem.payloads))
        return ()

    def echo_off(_command):
        modem.echo = False
        return ("OK",)

    # It forgot that echo was off, and in which mode it was; no time has passed and no line told of it.
    modem.echo = True
    modem.replies |= {"AT+CMGF=0": set_pdu_mode, "ATE0": echo_off}
    length = next(command for command in modem.commands if command.startswith("AT+CMGS"))
    modem.replies[length] = take_for_a_number
    assert await driver.submit(segment()) == Accepted(reference="2")
    assert sent_as_texts == [1], "it was asked once in text mode, and no payload followed that prompt"
    assert len(modem.payloads) == 2
    assert not text_mode


async def test_a_lost_network_takes_the_channel_down_until_it_is_back(modem, sink):
    async with running(driver_for(modem, keepalive_s=0.02), sink) as task:
        await sink.wait_until_up()
        modem.replies["AT+CREG?"] = ("+CREG: 0,2", "OK")
        down = await sink.wait_for_event(ChannelDown)
        assert down.fault.code == "not_registered"
        modem.replies["AT+CREG?"] = ("+CREG: 0,5", "OK")
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
        assert not task.done()


async def test_a_stick_without_network_is_down_with_the_reason(modem, sink):
    modem.replies["AT+CREG?"] = ("+CREG: 0,3", "OK")
    async with running(driver_for(modem), sink):
        down = await sink.wait_for_event(ChannelDown)
    assert (down.fault.kind, down.fault.code) == (FaultKind.CHANNEL, "not_registered")
    assert "denied" in down.fault.detail


async def test_an_lte_stick_registered_for_packets_only_is_in_service(modem, sink):
    modem.replies["AT+CREG?"] = ("+CREG: 0,0", "OK")
    modem.replies["AT+CEREG?"] = ("+CEREG: 0,1", "OK")
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()


async def test_a_prompt_left_open_by_a_killed_process_is_closed_and_sends_nothing(modem, sink):
    modem.prompt_for_payload()
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
    assert modem.payloads == []


async def test_a_late_answer_to_the_last_process_is_not_taken_for_ours(modem, sink):
    modem.replies["AT"] = ("+CMGS: 9", "OK", "OK")
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
    assert sink.of(ChannelDown) == []


async def test_a_radio_that_is_off_is_switched_on(modem, sink):
    modem.replies["AT+CFUN?"] = ("+CFUN: 4", "OK")
    modem.replies["AT+CFUN=1"] = ("OK",)
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
    assert "AT+CFUN=1" in modem.commands


async def test_a_busy_sim_is_waited_for(modem, sink):
    answers = iter([("+CME ERROR: 14",), ("+CME ERROR: 14",), ("+CPIN: READY", "OK")])
    modem.replies["AT+CPIN?"] = lambda _command: next(answers)
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
    assert sink.of(ChannelDown) == []


# --- PIN


def lock(modem: ScriptedModem, pin: str) -> None:
    """Make the stick ask for a PIN; it counts wrong ones in ``wrong_pins``."""
    state = {"open": False}
    modem.wrong_pins = 0  # type: ignore[attr-defined]

    def ask(_command: str):
        return ("+CPIN: READY" if state["open"] else "+CPIN: SIM PIN", "OK")

    def enter(command: str):
        if command == f'AT+CPIN="{pin}"':
            state["open"] = True
            return ("OK",)
        modem.wrong_pins += 1  # type: ignore[attr-defined]
        return ("+CME ERROR: 16",)

    modem.replies["AT+CPIN?"] = ask
    for guess in ("1234", "9999"):
        modem.replies[f'AT+CPIN="{guess}"'] = enter


async def test_the_right_pin_opens_the_sim(modem, sink):
    lock(modem, "1234")
    async with running(driver_for(modem, pin="1234"), sink):
        await sink.wait_until_up()
    assert modem.commands.count('AT+CPIN="1234"') == 1


async def test_a_wrong_pin_stops_the_channel_and_is_never_tried_again(modem, sink, caplog):
    lock(modem, "1234")
    pins = PinLedger()
    for n_run in (1, 2, 3):
        # Each run is a new driver, as after an operator's reset; it ends by itself.
        async with asyncio.timeout(5):
            await driver_for(modem, pins, pin="9999").run(sink)
        assert len(sink.of(ChannelDown)) == n_run
    assert {down.fault.kind for down in sink.of(ChannelDown)} == {FaultKind.CONFIG}
    assert {down.fault.code for down in sink.of(ChannelDown)} == {"pin_refused"}
    assert modem.wrong_pins == 1
    assert "9999" not in caplog.text
    assert "9999" not in repr(driver_for(modem, pin="9999")._config)


async def test_a_pin_whose_answer_never_came_is_not_tried_again(modem, sink):
    lock(modem, "1234")
    modem.close_on = "AT+CPIN"
    pins = PinLedger()
    async with running(driver_for(modem, pins, pin="1234"), sink) as task:
        await sink.wait_for_event(ChannelDown)
        modem.close_on = None
        modem.appear()
        await asyncio.wait_for(task, 5)
    assert sink.of(ChannelDown)[-1].fault.code == "pin_refused"
    assert modem.commands.count('AT+CPIN="1234"') == 1


async def test_a_good_pin_is_entered_again_when_the_stick_was_off(modem, sink):
    lock(modem, "1234")
    async with running(driver_for(modem, pin="1234"), sink):
        await sink.wait_until_up()
        modem.vanish()
        await sink.wait_for_event(ChannelDown)
        lock(modem, "1234")
        modem.appear()
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
    assert modem.wrong_pins == 0


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (("+CPIN: SIM PIN", "OK"), "pin_missing"),
        (("+CPIN: SIM PUK", "OK"), "puk_required"),
        (("+CPIN: PH-NET PIN", "OK"), "sim_locked"),
        (("+CME ERROR: 12",), "cme_12"),
    ],
)
async def test_a_sim_that_only_a_person_can_open_stops_the_channel(modem, sink, reply, code):
    modem.replies["AT+CPIN?"] = reply
    async with asyncio.timeout(5):
        await driver_for(modem).run(sink)
    down = sink.of(ChannelDown)[0]
    assert (down.fault.kind, down.fault.code) == (FaultKind.CONFIG, code)


# --- wire


class Silent:
    """Hears nothing."""

    def octets_received(self, octets):
        pass

    def wire_lost(self, reason):
        pass


async def test_a_port_is_ours_alone(modem):
    wire = await open_serial(str(modem.link), 115200, Silent())
    with pytest.raises(WireLost, match="can't open"):
        await open_serial(str(modem.link), 115200, Silent())
    await wire.close()
    await wire.close()
    again = await open_serial(str(modem.link), 9600, Silent())
    await again.close()


async def test_a_missing_port_says_so(tmp_path):
    with pytest.raises(WireLost, match="No such file"):
        await open_serial(str(tmp_path / "none"), 115200, Silent())


def test_the_driver_runs_on_uvloop_too(tmp_path):
    async def scenario() -> None:
        async with ScriptedModem(tmp_path / "stick") as modem:
            sink = RecordingSink()
            driver = driver_for(modem)
            async with running(driver, sink):
                await sink.wait_until_up()
                assert await driver.submit(segment()) == Accepted(reference="1")
                modem.vanish()
                await sink.wait_for_event(ChannelDown)
                modem.appear()
                await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
                assert await driver.submit(segment()) == Accepted(reference="2")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
