"""Segments through the modem driver over a real pty: what is sent, and what becomes of an answer that is not there."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import Accepted, ChannelDown, ChannelUp, Encoding, FaultKind, Refused, Uncertain
from drivers.codec.address import split_sca
from drivers.codec.tpdu import decode_submit
from drivers.modem.messages import outbound as outbound_module
from tests.support.modem_driver import driver_for, running, segment

pytestmark = pytest.mark.integration


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


async def test_a_caller_who_gives_up_meanwhile_does_not_have_the_segment_sent_twice(modem, driver):
    modem.answers.append(("RING", "NO CARRIER", "+CMGS: 9", "OK"))
    assert await driver.submit(segment()) == Accepted(reference="9")


async def test_an_answer_without_reference_is_accepted_all_the_same(modem, driver):
    modem.answers.append(("OK",))
    assert await driver.submit(segment()) == Accepted(reference=None)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ("+CMS ERROR: 38", FaultKind.TEMPORARY, "cms_38"),
        ("+CMS ERROR: 1", FaultKind.PERMANENT, "cms_1"),
        ("+CMS ERROR: 21", FaultKind.TEMPORARY, "cms_21"),
        ("+CMS ERROR: 28", FaultKind.TEMPORARY, "cms_28"),
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


@pytest.mark.parametrize("told", ["+CMS ERROR: 332", "+CME ERROR: 31"])
async def test_a_network_timeout_told_by_the_stick_is_no_answer(modem, driver, told):
    modem.answers.append((told,))
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


async def test_segments_behind_each_other_need_one_command_each(modem, driver):
    for _ in range(3):
        await driver.submit(segment())
    await modem.wait_for_command("AT+CMEE?", times=2)  # the first look at the stick is over
    n_before = len(modem.commands)
    for _ in range(5):
        await driver.submit(segment())
    assert [command.partition("=")[0] for command in modem.commands[n_before:]] == ["AT+CMGS"] * 5


async def test_after_a_pause_pdu_mode_is_set_again(modem, driver, monkeypatch):
    monkeypatch.setattr("drivers.modem.messages.outbound.PDU_MODE_TRUST_S", 0.0)
    await driver.submit(segment())
    await driver.submit(segment())
    relevant = [command[:7] for command in modem.commands if command.startswith(("AT+CMGF=", "AT+CMGS="))]
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


async def test_a_segment_on_which_our_encoder_breaks_never_reaches_the_stick(modem, driver, monkeypatch):
    def encode(submit):
        raise KeyError("the text")

    with monkeypatch.context() as broken:
        broken.setattr(outbound_module, "encode_submit", encode)
        refused = await driver.submit(segment())
    assert isinstance(refused, Refused)
    assert refused.fault.code == "internal_error"
    assert "the text" not in refused.fault.detail
    assert modem.payloads == []
    assert await driver.submit(segment()) == Accepted(reference="1")
