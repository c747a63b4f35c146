"""Fixtures that several files of this folder share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.api import ApiRig, open_api
from tests.support.application import Application, application
from tests.support.fake_driver import ScriptedDriver
from tests.support.kannel_rig import KannelRig, open_kannel_rig
from tests.support.modem_driver import driver_for, running
from tests.support.recording_sink import RecordingSink
from tests.support.scripted_modem import ScriptedModem
from tests.support.stores import databases_for_files

ON_BOTH_ENGINES = {
    "test_encrypted_store",
    "test_api_messages",
    "test_pipeline_batches",
    "test_pipeline_inbound",
    "test_pipeline_receipts",
    "test_pipeline_routes",
    "test_pipeline_options",
    "test_pipeline_send",
}
"""Suites that run over SQLite and over PostgreSQL. HONGYAN_TEST_STORE=postgres runs all that can over PostgreSQL."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".")[2] in ON_BOTH_ENGINES:
        metafunc.parametrize("engine", ["sqlite", "postgres"], indirect=True)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """What the stores of `tests.support` are in: a file, or a database of a server."""
    kind: str = getattr(request, "param", os.environ.get("HONGYAN_TEST_STORE", "sqlite"))
    if kind == "sqlite":
        yield kind
        return
    with databases_for_files(request.getfixturevalue("postgres_cluster")):
        yield kind


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
