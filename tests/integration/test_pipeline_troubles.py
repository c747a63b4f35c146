"""One number in trouble waits on its own clock and holds up nobody; trouble with several is the channel's."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from drivers.base import Blame, FaultKind, LateResult, SubmitResult
from gateway.routing.budgets import Need
from gateway.routing.channel import RESUME
from gateway.routing.retry import RetryPolicy
from gateway.routing.waiting import Waiting, explain_wait
from tests.support.fake_driver import ScriptedDriver, accepted, refused, uncertain
from tests.support.gateway import Rig, running
from tests.support.people import OPERATOR

pytestmark = pytest.mark.integration

OFF = "+8613800138000"
OTHERS = [f"+86138001390{n:02}" for n in range(60)]
MINE: dict[str, SubmitResult] = {
    "temporary, as +CMS ERROR: 38": refused(FaultKind.TEMPORARY, "cms_38"),
    "the network asks for patience, as +CMS ERROR: 42": refused(FaultKind.THROTTLED, "cms_42"),
    "for good, as +CMS ERROR: 96": refused(FaultKind.PERMANENT, "cms_96", blame=Blame.UNCLEAR),
    "of the recipient, as +CMS ERROR: 27": refused(FaultKind.TEMPORARY, "cms_27", blame=Blame.SEGMENT),
    "elsewhere, perhaps, as +CMS ERROR: 50": refused(FaultKind.CHANNEL, "cms_50", blame=Blame.UNCLEAR),
    "no answer": uncertain("answer_timeout"),
}


async def pass_time(rig: Rig, seconds: float, step_s: float = 0.5) -> None:
    """Let time pass in small steps, as it does."""
    for _ in range(round(seconds / step_s)):
        await rig.advance(step_s)
        await rig.settled()


def n_sent_to(driver: ScriptedDriver, number: str) -> int:
    return driver.recipients().count(number)


@pytest.mark.parametrize("capacity", [1, 10])
@pytest.mark.parametrize("what", MINE)
async def test_a_number_that_fails_holds_up_nobody_else(tmp_path: Path, what, capacity):
    driver = ScriptedDriver("a", capacity=capacity)
    driver.verdicts[OFF] = MINE[what]
    async with running(tmp_path / "s.db", driver) as rig:
        for _ in range(15):
            await rig.send(OFF)
        await rig.settled()
        good = [await rig.send(number) for number in OTHERS[:10]]
        otp = await rig.send(OTHERS[10], category="otp")
        # Who is asked for patience goes on slowly at first, whoever that was about.
        await pass_time(rig, 30.0 if "patience" in what else 6.0)
        for message in (*good, otp):
            assert (await rig.message(message.id)).status == "sent"
        await pass_time(rig, 60.0, step_s=5.0)
        assert n_sent_to(driver, OFF) <= 15 + 6, "and it is left alone itself, ever longer"


@pytest.mark.parametrize("capacity", [1, 10])
@pytest.mark.parametrize("what", MINE)
async def test_nor_does_it_when_its_messages_are_more_urgent_than_theirs(tmp_path: Path, what, capacity):
    driver = ScriptedDriver("a", capacity=capacity)
    driver.verdicts[OFF] = MINE[what]
    async with running(tmp_path / "s.db", driver) as rig:
        for _ in range(30):
            await rig.send(OFF, category="emergency")
        await rig.settled()
        good = [await rig.send(number) for number in OTHERS[:10]]
        await pass_time(rig, 30.0 if "patience" in what else 10.0)
        for message in good:
            assert (await rig.message(message.id)).status == "sent"


async def test_a_number_that_one_channel_does_not_reach_may_be_well_for_another(tmp_path: Path):
    bad, good = ScriptedDriver("a", capacity=1), ScriptedDriver("b", capacity=1)
    bad.verdicts[OFF] = MINE["temporary, as +CMS ERROR: 38"]
    async with running(tmp_path / "s.db", bad, good) as rig:
        for _ in range(3):
            await rig.send(OFF, channel="a")
        await rig.settled()
        await rig.until_status(await rig.send(OFF, channel="b"), "sent")


async def test_three_channels_and_a_number_that_is_off(tmp_path: Path):
    drivers = [ScriptedDriver(name, capacity=1) for name in "abc"]
    for driver in drivers:
        driver.verdicts[OFF] = MINE["temporary, as +CMS ERROR: 38"]
    async with running(tmp_path / "s.db", *drivers) as rig:
        for _ in range(15):
            await rig.send(OFF)
        await rig.settled()
        good = [await rig.send(number) for number in OTHERS[:30]]
        await rig.settled()
        for message in good:
            assert (await rig.message(message.id)).status == "sent"
        assert sum(n_sent_to(driver, OFF) for driver in drivers) < 15, "they know of it together"
        assert {rig.lanes[name].snapshot().breaker for name in "abc"} == {"closed"}


async def test_it_is_tried_with_one_message_and_the_rest_follow_as_soon_as_that_succeeds(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=10)
    driver.verdicts[OFF] = MINE["temporary, as +CMS ERROR: 38"]
    async with running(tmp_path / "s.db", driver, policy=RetryPolicy(first_s=10.0)) as rig:
        messages = [await rig.send(OFF) for _ in range(8)]
        await rig.settled()
        tried = len(driver.submitted)
        await pass_time(rig, 9.0, step_s=1.0)
        assert len(driver.submitted) - tried <= 2
        del driver.verdicts[OFF]
        await pass_time(rig, 14.0)
        for message in messages:
            assert (await rig.message(message.id)).status == "sent"


async def test_the_pauses_of_a_number_grow(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    driver.verdicts[OFF] = MINE["no answer"]
    async with running(tmp_path / "s.db", driver, policy=RetryPolicy(first_s=10.0)) as rig:
        for _ in range(30):
            await rig.send(OFF)
        tried_at, seen = [], 0
        for second in range(0, 330, 2):
            await rig.settled()
            if len(driver.submitted) > seen:
                seen = len(driver.submitted)
                tried_at.append(second)
            await rig.advance(2.0)
        pauses = [b - a for a, b in pairwise(tried_at)]
        assert [round(pause / 10) for pause in pauses[:5]] == [1, 2, 4, 8, 16]
        assert seen == 7, "two at once, then one at a time"


async def test_something_urgent_tries_a_number_in_trouble_sooner(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    driver.verdicts[OFF] = MINE["no answer"]
    async with running(tmp_path / "s.db", driver, policy=RetryPolicy(first_s=100.0)) as rig:
        for _ in range(2):
            await rig.send(OFF)
            await rig.settled()
        waiting = await rig.send(OFF)
        await rig.settled()
        del driver.verdicts[OFF]
        otp = await rig.send(OFF, category="otp")
        await pass_time(rig, 48.0, step_s=6.0)
        assert (await rig.message(otp.id)).status == "queued"
        await pass_time(rig, 3.0)
        assert (await rig.message(otp.id)).status == "sent"
        assert (await rig.message(waiting.id)).status == "sent", "it is well again"


async def test_who_waits_for_a_number_is_told_so(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    driver.verdicts[OFF] = MINE["no answer"]
    async with running(tmp_path / "s.db", driver) as rig:
        for _ in range(2):
            await rig.send(OFF)
        await rig.settled()
        waiting = await rig.send(OFF)
        await rig.settled()
        row = await rig.store.read(
            lambda tx: tx.fetch("SELECT hidden_until FROM messages WHERE id = ?", (waiting.id,))
        )
        assert row[0][0] is not None
        message = await rig.message(waiting.id)
        hidden_until = rig.clock.now().replace(year=2027)
        asked = Waiting(status=message.status, queue=message.queue, need=Need(OFF), hidden_until=hidden_until)
        [reason] = explain_wait(asked, rig.channels.standings(), rig.clock.now())
        assert reason.code == "retry_pause"
        assert "its number" in reason.detail


async def test_the_trial_is_made_with_somebody_else_however_many_messages_wait_before(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    bad = OTHERS[:3]
    for number in bad:
        driver.verdicts[number] = refused(FaultKind.CHANNEL, "smpp_0x04")
    async with running(tmp_path / "s.db", driver) as rig:
        for number in bad:
            await rig.send(number)
            await pass_time(rig, 80.0, step_s=8.0)
        assert set(driver.recipients()) == set(bad)
        assert rig.lanes["a"].snapshot().breaker != "closed"
        await rig.channels.pause("a", by=OPERATOR)
        for _ in range(40):
            for number in bad:
                await rig.send(number)
        good = await rig.send(OTHERS[10])
        await pass_time(rig, 70.0, step_s=10.0)
        before = len(driver.submitted)
        await rig.channels.pause("a", RESUME, by=OPERATOR)
        await rig.until_status(good, "sent")
        assert driver.recipients()[before] == OTHERS[10]


async def test_a_sim_that_takes_everything_and_answers_nothing_costs_few_messages(tmp_path: Path):
    """And its stick, which is brought up again after every second silence, is no reason to trust it."""
    driver = ScriptedDriver("a", capacity=1)
    driver.verdicts = dict.fromkeys(OTHERS, uncertain("answer_timeout"))
    async with running(tmp_path / "s.db", driver) as rig:
        messages = [await rig.send(number) for number in OTHERS[:40]]
        for _ in range(64):
            n = len(driver.submitted)
            await rig.advance(5.0)
            await rig.settled()
            if n % 2:
                await driver.go_down()
                await driver.come_up()
                await rig.settled()
        states = [(await rig.message(m.id)).status.value for m in messages]
        assert states.count("uncertain") <= 8
        snapshot = rig.lanes["a"].snapshot()
        assert snapshot.breaker != "closed"
        assert snapshot.error is not None
        assert "answer_timeout" in snapshot.error


async def test_several_phones_that_are_off_hold_up_nobody_once_the_channel_has_proved_itself(tmp_path: Path):
    off, barred, good = OTHERS[:7], OTHERS[7], OTHERS[10:20]
    driver = ScriptedDriver("a", capacity=1)
    driver.verdicts = dict.fromkeys(off, MINE["temporary, as +CMS ERROR: 38"])
    driver.verdicts[barred] = MINE["of the recipient, as +CMS ERROR: 27"]
    async with running(tmp_path / "s.db", driver) as rig:
        for number in (*off, barred):
            await rig.send(number)
        while not n_sent_to(driver, barred):
            await pass_time(rig, 1.0)
        await pass_time(rig, 25.0)  # the first seven are tried again meanwhile
        messages = [await rig.send(number) for number in good]
        await pass_time(rig, 2.0)
        assert {(await rig.message(m.id)).status for m in messages} == {"sent"}


@pytest.mark.parametrize("what", ["temporary, as +CMS ERROR: 38", "elsewhere, perhaps, as +CMS ERROR: 50"])
async def test_a_night_without_credit_costs_no_message(tmp_path: Path, what):
    """Whatever code the network says it with."""
    driver = ScriptedDriver("a", capacity=1)
    driver.verdicts = dict.fromkeys(OTHERS, MINE[what])
    async with running(tmp_path / "s.db", driver) as rig:
        messages = [await rig.send(number) for number in OTHERS[:6]]
        await pass_time(rig, 7_200.0, step_s=20.0)
        # One of them may be on trial just now.
        assert {(await rig.message(m.id)).status for m in messages} <= {"queued", "sending"}
        driver.verdicts.clear()
        await pass_time(rig, 1_900.0, step_s=20.0)
        assert {(await rig.message(m.id)).status for m in messages} == {"sent"}


async def test_a_sim_that_refuses_everybody_for_good_does_not_fail_them_all(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    driver.verdicts = dict.fromkeys(OTHERS, MINE["for good, as +CMS ERROR: 96"])
    async with running(tmp_path / "s.db", driver) as rig:
        messages = [await rig.send(number) for number in OTHERS[:40]]
        await pass_time(rig, 600.0, step_s=5.0)
        states = [(await rig.message(m.id)).status.value for m in messages]
        assert states.count("failed") <= 2, "those of before anybody could know"
        driver.verdicts.clear()
        await rig.channels.reset("a", by=OPERATOR)
        await rig.until_status(messages[-1], "sent")


async def test_a_channel_whose_answers_come_late_is_trusted_again_with_the_first_of_them(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    driver.verdicts = dict.fromkeys(OTHERS[:3], uncertain("answer_timeout"))
    async with running(tmp_path / "s.db", driver) as rig:
        for number in OTHERS[:3]:
            await rig.send(number)
        await rig.settled()
        assert rig.lanes["a"].snapshot().breaker == "open"
        waiting = await rig.send(OTHERS[10])
        late = driver.submitted[-1]
        await driver.report(
            LateResult(segment_id=late.segment_id, attempt=late.attempt, result=accepted("7"))
        )
        await rig.until_status(waiting, "sent")


@pytest.mark.parametrize(
    "verdict",
    [refused(FaultKind.CHANNEL, "smpp_0x04"), MINE["temporary, as +CMS ERROR: 38"], MINE["no answer"]],
)
async def test_a_channel_that_is_up_and_fails_is_asked_for_a_new_session_ever_more_seldom(
    tmp_path: Path, verdict
):
    driver = ScriptedDriver("a", capacity=1)
    driver.verdicts = dict.fromkeys(OTHERS, verdict)
    async with running(tmp_path / "s.db", driver) as rig:
        for number in OTHERS:
            await rig.send(number)
        asked_at: list[int] = []
        for second in range(0, 400, 5):
            await rig.settled()
            if len(driver.renewals) > len(asked_at):
                asked_at.append(second)
            await rig.advance(5.0)
        assert asked_at[0] <= 5
        assert len(asked_at) == len(driver.renewals)
        assert 2 <= len(asked_at) <= 5
        pauses = [b - a for a, b in pairwise(asked_at)]
        assert pauses == sorted(pauses)


async def test_one_number_that_fails_among_others_that_do_not_asks_for_no_new_session(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    driver.verdicts[OFF] = MINE["temporary, as +CMS ERROR: 38"]
    async with running(tmp_path / "s.db", driver) as rig:
        for number in OTHERS[:20]:
            await rig.send(OFF)
            await rig.send(number)
            await pass_time(rig, 10.0, step_s=5.0)
        assert driver.renewals == []


async def test_a_single_message_that_fails_again_and_again_asks_for_one_too(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    driver.verdicts[OFF] = refused(FaultKind.TEMPORARY, "smpp_0x08")
    async with running(tmp_path / "s.db", driver) as rig:
        await rig.send(OFF)
        await pass_time(rig, 30.0, step_s=5.0)
        assert [fault.code for fault in driver.renewals] == ["smpp_0x08"]


async def test_after_each_failure_others_come_first_however_urgent_the_next_to_the_same_number_is(
    tmp_path: Path,
):
    driver = ScriptedDriver("a", capacity=1)
    driver.verdicts[OFF] = MINE["no answer"]
    async with running(tmp_path / "s.db", driver) as rig:
        await rig.channels.pause("a", by=OPERATOR)
        for _ in range(3):
            await rig.send(OFF, category="emergency", priority=9)
        for number in OTHERS[:3]:
            await rig.send(number)
        await rig.channels.pause("a", RESUME, by=OPERATOR)
        await rig.settled()
        assert driver.recipients()[:2] == [OFF, OTHERS[0]]
