"""What a message brings for its carrier goes along with it, and waits for a channel that takes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.carrier_options import read_options
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import ScriptedChannel, running

pytestmark = pytest.mark.integration


async def test_parameters_for_the_smsc_go_along_with_every_segment(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send(text="雁" * 100, smpp_tlvs={"0x1400": "3132", "0x1403": ""})
        await rig.until_status(message, "sent")
        assert [read_options(segment.carrier_options) for segment in driver.submitted] == [
            ((0x1400, b"12"), (0x1403, b""))
        ] * 2


async def test_a_message_with_parameters_waits_for_the_bind_that_takes_them_and_holds_up_nobody(
    tmp_path: Path,
):
    old, new = ScriptedDriver("old", capacity=2), ScriptedDriver("new", capacity=1)
    channels = ScriptedChannel(driver=old, takes_options=False), ScriptedChannel(driver=new)
    async with running(tmp_path / "s.db", *channels) as rig:
        await new.go_down()
        legal = [await rig.send(smpp_tlvs={"0x1400": "3132"}) for _ in range(5)]
        plain = await rig.send()
        await rig.until_status(plain, "sent")
        assert [segment.carrier_options for segment in old.submitted] == [None]
        await new.come_up()
        for message in legal:
            await rig.until_status(message, "sent")
        assert [read_options(segment.carrier_options) for segment in new.submitted] == [
            ((0x1400, b"12"),)
        ] * 5
        assert rig.lanes["old"].snapshot().breaker == "closed"
