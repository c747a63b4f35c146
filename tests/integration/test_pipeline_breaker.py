"""A channel that fails in series is taken out of work, tried with one message, and trusted again after a success."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import FaultKind
from gateway.routing.channel import ChannelSnapshot
from gateway.routing.limits import SERIES
from gateway.routing.retry import RetryPolicy
from tests.support.fake_driver import ScriptedDriver, refused, uncertain
from tests.support.gateway import Rig, running
from tests.support.people import OPERATOR

pytestmark = pytest.mark.integration


def snapshot(rig: Rig, name: str = "a") -> ChannelSnapshot:
    found = rig.channels.snapshot(name)
    assert found is not None
    return found


NUMBERS = [f"+86138001390{n:02}" for n in range(30)]


async def break_it(rig: Rig, driver: ScriptedDriver) -> None:
    """Let one message after the other end uncertain until the breaker opens."""
    for number in NUMBERS[:SERIES]:
        driver.script.append(uncertain())
        await rig.until_status(await rig.send(number), "uncertain")
        await rig.settled()


async def test_it_opens_after_a_series_and_is_tried_with_one_message(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=10)
    async with running(tmp_path / "s.db", driver) as rig:
        await break_it(rig, driver)
        assert (snapshot(rig).breaker, snapshot(rig).cooldown_s) == ("open", 1.0)
        waiting = [await rig.send() for _ in range(5)]
        await rig.settled()
        assert len(driver.submitted) == SERIES, "nothing goes while it is open"
        driver.hold()
        await rig.advance(1.0)
        await driver.until_submitted(SERIES + 1)
        await rig.settled_claims()
        assert snapshot(rig).breaker == "half_open"
        assert len(driver.submitted) == SERIES + 1, "one message, though ten would fit"
        driver.release()
        for message in waiting:
            await rig.until_status(message, "sent")
        assert snapshot(rig).breaker == "closed"


async def test_a_failed_trial_opens_it_for_longer(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=10)
    async with running(tmp_path / "s.db", driver) as rig:
        await break_it(rig, driver)
        driver.script.append(uncertain())
        tried, waiting = await rig.send(NUMBERS[-1]), await rig.send(NUMBERS[-2])
        await rig.advance(1.0)
        await rig.until_status(tried, "uncertain")
        await rig.settled()
        assert (snapshot(rig).breaker, snapshot(rig).cooldown_s) == ("open", 4.0), (
            "each trial costs a message"
        )
        await rig.advance(3.5)
        await rig.settled()
        assert (await rig.message(waiting.id)).status == "queued"
        await rig.advance(0.5)
        await rig.until_status(waiting, "sent")


async def test_temporary_refusals_in_series_open_it_and_the_others_go_on(tmp_path: Path):
    bad, good = ScriptedDriver("a", capacity=1), ScriptedDriver("b", capacity=1)
    bad.script.extend([refused(FaultKind.TEMPORARY)] * SERIES)
    async with running(tmp_path / "s.db", bad, good, policy=RetryPolicy(first_s=5.0)) as rig:
        refused_ones = [await rig.send(number, channel="a") for number in NUMBERS[:SERIES]]
        await rig.settled()
        assert snapshot(rig).breaker == "open"
        messages = [await rig.send() for _ in range(4)]
        for message in messages:
            await rig.until_status(message, "sent")
        assert (len(bad.submitted), len(good.submitted)) == (SERIES, 4)
        await rig.advance(10.0)
        for message in refused_ones:
            await rig.until_status(message, "sent")


async def test_a_number_that_is_refused_for_good_is_no_failure_of_the_channel(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    driver.script.extend([uncertain(), refused(FaultKind.PERMANENT)] * SERIES)
    async with running(tmp_path / "s.db", driver) as rig:
        for number in NUMBERS[:SERIES]:
            await rig.until_status(await rig.send(number), "uncertain")
            await rig.until_status(await rig.send(), "failed")
        assert snapshot(rig).breaker == "closed"


async def test_throttling_is_no_failure_either(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    driver.script.append(refused(FaultKind.THROTTLED, retry_after_s=7.0))
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send()
        await driver.until_submitted(1)
        await rig.settled()
        assert (snapshot(rig).breaker, snapshot(rig).cooldown_s) == ("closed", 7.0)
        await rig.advance(7.0)
        await rig.until_status(message, "sent")


async def test_a_stick_that_comes_up_again_and_again_does_not_burn_a_message_each_time(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    async with running(tmp_path / "s.db", driver) as rig:
        await break_it(rig, driver)
        await rig.send()
        for _ in range(3):
            await driver.go_down()
            await driver.come_up()
        await rig.settled()
        assert len(driver.submitted) == SERIES


async def test_a_link_that_comes_and_goes_is_tried_with_one_message_and_not_with_a_window(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=10)
    async with running(tmp_path / "s.db", driver) as rig:
        for _ in range(2):
            await driver.go_down()
            await driver.come_up()
        assert (snapshot(rig).breaker, snapshot(rig).error) == ("half_open", None)
        driver.hold()
        waiting = [await rig.send(number) for number in NUMBERS[:5]]
        await driver.until_submitted(1)
        await rig.settled_claims()
        assert len(driver.submitted) == 1
        driver.release()
        for message in waiting:
            await rig.until_status(message, "sent")
        assert snapshot(rig).breaker == "closed"
        await driver.go_down()
        await driver.come_up()
        assert snapshot(rig).breaker == "closed", "the network has answered since"


async def test_an_operators_reset_forgets_the_series(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    async with running(tmp_path / "s.db", driver) as rig:
        await break_it(rig, driver)
        waiting = await rig.send()
        await rig.channels.reset("a", by=OPERATOR)
        await rig.until_status(waiting, "sent")
