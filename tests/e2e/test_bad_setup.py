"""A wrong config, a port that is not there, a PIN that the SIM refuses: the real daemon and its owner's mistakes."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from tests.e2e.conftest import World
from tests.support.daemon import COMMAND, Daemon, modem_toml, smpp_toml, until

pytestmark = pytest.mark.e2e

DEADLINE_S = 30.0
TO = "+8613900139000"


async def _state(daemon: Daemon, name: str) -> str:
    _, channel = await daemon.get(f"/v1/channels/{name}")
    return str(channel["state"])


async def _until_state(daemon: Daemon, name: str, state: str) -> None:
    async def reached() -> bool:
        return await _state(daemon, name) == state

    await until(reached, DEADLINE_S)


@pytest.mark.parametrize("command", ["serve", "check"])
async def test_a_wrong_key_is_named_with_the_nearest_one(tmp_path: Path, command: str) -> None:
    config = tmp_path / "hongyan.toml"
    config.write_text('[http]\nlisten = "127.0.0.1:0"\n[[modems]]\nname = "sim-1"\nprot = "/dev/ttyUSB0"\n')
    process = await asyncio.create_subprocess_exec(
        *COMMAND, command, "--config", str(config), cwd=tmp_path, stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    assert process.returncode == 1
    said = (out if command == "check" else err).decode().splitlines()
    assert f"{config}:modems[0].prot: unknown key; did you mean port?" in said
    assert not (tmp_path / "var").exists(), "nothing was begun"


async def test_a_port_that_is_not_there_holds_up_nobody_and_may_come_later(
    world: World, tmp_path: Path
) -> None:
    late = SimulatedModem(world.network, number="+8613800138099", link=tmp_path / "late", name="late")
    daemon = world.make_daemon(
        modem_toml("late", str(tmp_path / "late"), groups='["late"]') + smpp_toml("smsc", world.smscs[0].port)
    )
    await daemon.start(n_up=1)
    await _until_state(daemon, "late", "down")
    _, channel = await daemon.get("/v1/channels/late")
    assert channel["error"]
    _, waiting = await daemon.post("/v1/messages", {"to": TO, "text": "for the late one", "sender": "late"})
    _, other = await daemon.post("/v1/messages", {"to": TO, "text": "for the other"})
    await daemon.wait_status([other["id"]], {"delivered"})
    assert (await daemon.message(waiting["id"]))["status"] == "queued"
    async with late:
        await daemon.wait_status([waiting["id"]], {"delivered"})
        assert await _state(daemon, "late") == "up"
    await _until_state(daemon, "late", "down")
    assert await daemon.stop() == 0


async def test_a_refused_pin_is_never_entered_again_until_it_is_mended(tmp_path: Path) -> None:
    """The third wrong PIN locks the SIM; a service manager starts a daemon more often than that."""
    network = Network()
    async with SimulatedModem(network, number="+8613800138001", pin="1234", link=tmp_path / "stick") as stick:
        daemon = Daemon(tmp_path, modem_toml("sim-1", stick.port, pin='"9999"'))
        try:
            await daemon.start(n_up=0)
            await _until_state(daemon, "sim-1", "stopped")
            _, channel = await daemon.get("/v1/channels/sim-1")
            assert channel["error"].startswith("pin_refused: ")
            assert stick.device.sim.pin_attempts_left == 2

            await daemon.post("/v1/channels/sim-1/reset")
            await _until_state(daemon, "sim-1", "stopped")
            await stick.stop()  # pulled out and put back in
            await stick.start()
            await daemon.post("/v1/channels/sim-1/reset")
            await _until_state(daemon, "sim-1", "stopped")
            for end in (daemon.stop, daemon.kill, daemon.kill):
                await end()
                await daemon.start(n_up=0)
                await _until_state(daemon, "sim-1", "stopped")
            assert stick.device.sim.pin_attempts_left == 2
            assert "9999" not in (tmp_path / "daemon.log").read_text()

            assert await daemon.stop() == 0
            daemon.config.write_text(daemon.config.read_text().replace("9999", "1234"))
            await daemon.start()
            assert stick.device.sim.pin_attempts_left == 3
            await stick.stop()  # a good PIN is entered as often as the SIM asks
            await _until_state(daemon, "sim-1", "down")
            await stick.start()
            await _until_state(daemon, "sim-1", "up")
        finally:
            await daemon.close()
    await network.close()
