"""Prompts that are lost or come with noise in front of them, on a real pty."""

from __future__ import annotations

import pytest

from drivers.base import Accepted, Refused
from tests.support.modem_driver import driver_for, running, segment
from tests.support.recording_sink import RecordingSink

pytestmark = pytest.mark.integration


async def test_noise_in_front_of_a_prompt_costs_a_moment_and_no_segment(modem):
    modem.prompt = b"^RSSI:12> "
    sink = RecordingSink()
    async with running(driver := driver_for(modem), sink):
        await sink.wait_until_up()
        results = [await driver.submit(segment()) for _ in range(2)]
    assert results == [Accepted(reference="1"), Accepted(reference="2")]
    assert len(modem.payloads) == 2


async def test_the_profile_says_how_long_a_prompt_is_waited_for(modem, tmp_path):
    profile = tmp_path / "hasty.toml"
    profile.write_text("prompt_timeout_s = 0.25\n")
    modem.swallow.add("prompt")
    sink = RecordingSink()
    async with running(driver := driver_for(modem, profile=str(profile)), sink):
        await sink.wait_until_up()
        result = await driver.submit(segment())
        assert isinstance(result, Refused), "without a prompt nothing has happened"
        assert "0.25 s" in result.fault.detail
        modem.swallow.clear()
        await sink.wait_for(lambda: driver._report is not None and driver._report.fault is None)
        assert isinstance(await driver.submit(segment()), Accepted)
    assert len(modem.payloads) == 1
