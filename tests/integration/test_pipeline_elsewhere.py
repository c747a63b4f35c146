"""What a channel refuses for now: a code tries another one at once, other messages wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import Blame, FaultKind
from tests.support.fake_driver import ScriptedDriver, accepted, refused
from tests.support.gateway import PHONE, running

pytestmark = pytest.mark.integration
FULL = refused(FaultKind.TEMPORARY, "mailbox_full", blame=Blame.SEGMENT)


async def test_a_code_goes_by_the_other_channel_at_once(tmp_path: Path):
    a, b = ScriptedDriver("a", capacity=20), ScriptedDriver("b", capacity=1)
    a.verdicts[PHONE] = FULL
    async with running(tmp_path / "s.db", a, b) as rig:
        message = await rig.send(category="otp")
        await rig.until_status(message, "sent")  # no time has passed
        assert (a.recipients(), b.recipients()) == ([PHONE], [PHONE])
        assert (await rig.message(message.id)).channel == "b"


async def test_it_waits_for_the_other_channel_while_that_is_busy(tmp_path: Path):
    a, b = ScriptedDriver("a", capacity=20), ScriptedDriver("b", capacity=1)
    a.verdicts[PHONE] = FULL
    async with running(tmp_path / "s.db", a, b) as rig:
        b.hold()
        busy = await rig.send(to="+8613800138001", channel="b")
        await b.until_submitted(1)
        message = await rig.send(category="otp")
        await a.until_submitted(1)
        await rig.until_status(message, "queued")
        other = await rig.send(to="+8613800138002")  # others pass it by
        await rig.until_status(other, "sent")
        assert a.recipients() == [PHONE, "+8613800138002"]
        b.release()
        await rig.until_status(busy, "sent")
        await rig.until_status(message, "sent")
        assert b.recipients() == ["+8613800138001", PHONE]


async def test_without_another_channel_it_waits_some_seconds_and_the_bar_ends(tmp_path: Path):
    a = ScriptedDriver("a")
    a.script.extend([FULL, accepted("1")])
    async with running(tmp_path / "s.db", a) as rig:
        message = await rig.send(category="otp")
        await a.until_submitted(1)
        await rig.settled()
        assert (await rig.message(message.id)).status == "queued"
        await rig.advance(7.0)
        await rig.until_status(message, "sent")


async def test_when_the_other_goes_down_the_first_is_asked_again_after_the_pause(tmp_path: Path):
    a, b = ScriptedDriver("a", capacity=20), ScriptedDriver("b", capacity=1)
    a.script.extend([FULL])
    async with running(tmp_path / "s.db", a, b) as rig:
        b.hold()
        await rig.send(to="+8613800138001", channel="b")
        await b.until_submitted(1)
        message = await rig.send(category="otp")
        await a.until_submitted(1)
        await rig.until_status(message, "queued")
        await rig.settled_claims()
        await b.go_down()
        await rig.advance(7.0)
        await rig.until_status(message, "sent")
        assert a.recipients() == [PHONE, PHONE]


async def test_a_transactional_message_waits_though_there_is_another_channel(tmp_path: Path):
    a, b = ScriptedDriver("a", capacity=20), ScriptedDriver("b", capacity=1)
    a.verdicts[PHONE] = FULL
    async with running(tmp_path / "s.db", a, b) as rig:
        message = await rig.send()
        await a.until_submitted(1)
        await rig.settled()
        assert (await rig.message(message.id)).status == "queued"
        assert b.recipients() == []
