"""Answers that come late or astray, through the modem driver: each segment gets its own, or is uncertain."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import Accepted, ChannelDown, ChannelUp, LateResult, Refused, Uncertain
from drivers.errors import CmeError
from tests.support.modem_driver import driver_for, running, segment

pytestmark = pytest.mark.integration


async def send_unanswered(modem, driver):
    """A segment that is with the network; its answer is the test's."""
    modem.swallow.add("payload")
    sending = asyncio.create_task(driver.submit(segment()))
    n = len(modem.payloads) + 1
    await modem.wait_for(lambda: len(modem.payloads) == n)
    return sending


async def test_a_stick_that_holds_the_answer_back_until_it_is_spoken_to_has_answered(modem, driver):
    modem.swallow.add("AT")
    sending = await send_unanswered(modem, driver)
    await modem.wait_for_command("AT", times=2)
    modem.say("+CMGS: 7", "OK", "OK")
    assert await sending == Accepted(reference="7")


async def test_a_refusal_that_comes_when_the_stick_speaks_again_is_a_refusal(modem, driver):
    modem.swallow.add("AT")
    sending = await send_unanswered(modem, driver)
    await modem.wait_for_command("AT", times=2)
    modem.say("+CMS ERROR: 42")
    result = await sending
    assert isinstance(result, Refused)
    assert result.fault.code == "cms_42"


async def test_an_answer_that_comes_after_all_settles_its_own_segment_and_no_other(modem, sink):
    driver = driver_for(modem, answer_timeout_s=1.0)
    async with running(driver, sink):
        await sink.wait_until_up()
        sending = await send_unanswered(modem, driver)
        assert isinstance(await sending, Uncertain)
        assert isinstance(await driver.submit(segment()), Refused)  # others take over as long as it may come
        modem.swallow.clear()
        modem.say("+CMGS: 7", "OK")
        late = await sink.wait_for_event(LateResult)
        assert (late.segment_id, late.attempt, late.result) == ("s-1", 1, Accepted(reference="7"))
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
        modem.answers.append(("+CMGS: 8", "OK"))
        assert await driver.submit(segment()) == Accepted(reference="8")


async def test_an_answer_that_never_comes_holds_the_channel_for_a_while_only(modem, driver, sink):
    assert isinstance(await (await send_unanswered(modem, driver)), Uncertain)
    assert (await sink.wait_for_event(ChannelDown)).fault.code == "recovery_resync"
    modem.swallow.clear()
    await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
    assert await driver.submit(segment()) == Accepted(reference="1")
    assert sink.of(LateResult) == []


@pytest.mark.parametrize("refusal", ["+CME ERROR: 258", "ERROR"])
async def test_the_late_refusal_of_a_ussd_code_is_not_the_segments(modem, driver, refusal):
    modem.replies['AT+CUSD=1,"AA180C3602",15'] = ("OK",)
    asking = asyncio.create_task(driver.ussd("*100#"))
    await modem.wait_for(lambda: any(command.startswith("AT+CUSD=1") for command in modem.commands))
    sending = await send_unanswered(modem, driver)
    modem.say(refusal, "+CMGS: 7", "OK")
    assert await sending == Accepted(reference="7")
    with pytest.raises(Exception, match=refusal.replace("+", "[+]")) as refused:
        await asking
    assert isinstance(refused.value, CmeError) is refusal.startswith("+CME")


async def test_what_became_of_a_segment_that_nobody_waits_for_any_more_is_told(modem, driver, sink):
    sending = await send_unanswered(modem, driver)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    modem.say("+CMGS: 7", "OK")
    late = await sink.wait_for_event(LateResult)
    assert (late.segment_id, late.result, late.abandoned) == ("s-1", Accepted(reference="7"), True)


@pytest.mark.parametrize(("silent_s", "is_uncertain"), [(0.0, True), (30.0, False)])
async def test_an_unknown_error_after_a_long_wait_says_nothing_of_the_network(
    modem, driver, monkeypatch, silent_s, is_uncertain
):
    monkeypatch.setattr("drivers.modem.messages.outbound.NETWORK_SILENT_S", silent_s)
    modem.answers.append(("+CMS ERROR: 500",))
    assert isinstance(await driver.submit(segment()), Uncertain) is is_uncertain


async def test_a_command_that_was_broken_off_behind_the_pdu_is_uncertain(modem, driver):
    modem.answers.append(("ABORTED",))
    result = await driver.submit(segment())
    assert isinstance(result, Uncertain)
    assert result.code == "aborted"
