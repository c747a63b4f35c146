"""Gammu, a program of others with twenty years of sticks behind it, takes our simulated modems for real ones."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from simulators.modem.fleet import start_modems
from simulators.network import Network
from tests.support.peers import need_peer
from tests.support.programs import run_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from simulators.modem.modem import SimulatedModem

pytestmark = pytest.mark.interop

PHONE = "+8613900139000"
DEADLINE_S = 60.0


@pytest.fixture(autouse=True)
def _peer() -> None:
    need_peer("gammu")


@asynccontextmanager
async def three_modems(network: Network, tmp_path: Path) -> AsyncIterator[list[SimulatedModem]]:
    """One of each dialect. Gammu takes seconds for a call, so that calls go to all of them at once."""
    modems = await start_modems(network, 3, tmp_path / "ports")
    for modem in modems:
        config(tmp_path, modem).write_text(f"[gammu]\ndevice = {modem.port}\nconnection = at115200\n")
    try:
        yield modems
    finally:
        for modem in modems:
            await modem.stop()


def config(tmp_path: Path, modem: SimulatedModem) -> Path:
    return tmp_path / f"{modem.device.name}.gammurc"


async def gammu(tmp_path: Path, modem: SimulatedModem, *command: str) -> str:
    return await run_program("gammu", "-c", str(config(tmp_path, modem)), *command)


async def test_gammu_identifies_every_dialect(tmp_path):
    async with three_modems(Network(), tmp_path) as modems:
        answers = await asyncio.gather(*(gammu(tmp_path, modem, "identify") for modem in modems))
    for modem, answer in zip(modems, answers, strict=True):
        assert modem.device.imei in answer
        assert modem.device.sim.imsi in answer
        assert f"({modem.device.dialect.model})" in answer


async def test_gammu_sends_short_chinese_and_long_texts(tmp_path):
    network = Network()
    phone = network.add_handset(PHONE)
    long_text = " ".join(f"word{n}" for n in range(60))
    async with three_modems(network, tmp_path) as (first, second, third):
        await asyncio.gather(
            gammu(tmp_path, first, "sendsms", "TEXT", PHONE, "-text", "short @ text"),
            gammu(tmp_path, second, "sendsms", "TEXT", PHONE, "-unicode", "-text", "订单已发货"),
            gammu(tmp_path, third, "sendsms", "TEXT", PHONE, "-autolen", "400", "-text", long_text),
        )
        async with asyncio.timeout(DEADLINE_S):
            await network.wait_for(lambda: len(phone.inbox) == 3)
        received = {text.sender: text.text for text in phone.texts}
        assert received == {
            first.number: "short @ text", second.number: "订单已发货", third.number: long_text
        }  # fmt: skip
    assert [message.via for message in network.accepted].count("sim-3") == 3


async def test_gammu_lists_what_a_handset_sent(tmp_path):
    network = Network()
    phone = network.add_handset(PHONE)
    async with three_modems(network, tmp_path) as modems:
        for modem in modems:
            await phone.send(modem.number, f"你好 {modem.device.name}")
            await phone.send(modem.number, "x" * 200)
        answers = await asyncio.gather(*(gammu(tmp_path, modem, "getallsms") for modem in modems))
    for modem, answer in zip(modems, answers, strict=True):
        assert f"你好 {modem.device.name}" in answer
        assert f'"{PHONE}"' in answer
        assert "part 2 of 2" in answer
        assert "3 SMS parts" in answer
