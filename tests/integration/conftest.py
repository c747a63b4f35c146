"""Fixtures that several files of this folder share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.api import ApiRig, open_api
from tests.support.application import Application, application
from tests.support.fake_driver import ScriptedDriver
from tests.support.kannel_rig import KannelRig, open_kannel_rig
from tests.support.modem_driver import driver_for, running
from tests.support.recording_sink import RecordingSink
from tests.support.scripted_modem import ScriptedModem


@pytest.fixture
async def modem(tmp_path):
    """A scripted stick, plugged in."""
    async with ScriptedModem(tmp_path / "stick") as modem:
        yield modem


@pytest.fixture
def sink():
    return RecordingSink()


@pytest.fixture
async def driver(modem, sink):
    """A modem driver that is up on the stick and has swept it once."""
    driver = driver_for(modem, answer_timeout_s=0.3)
    async with running(driver, sink):
        await sink.wait_until_up()
        # The first sweep is done when this has been asked: what a test stores later is told of by +CMTI.
        await modem.wait_for_command("AT+CMGL=4")
        yield driver


@pytest.fixture
async def app() -> AsyncIterator[Application]:
    """An application that takes calls."""
    async with application() as app:
        yield app


@pytest.fixture
async def kannel(tmp_path: Path) -> AsyncIterator[KannelRig]:
    """Kannel's side in front of one channel."""
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1")) as kannel:
        yield kannel


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[ApiRig]:
    """The API in front of a store and one channel."""
    async with open_api(tmp_path) as rig:
        yield rig
