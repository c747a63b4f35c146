"""A wrong config, a port that is not there, a PIN that the SIM refuses: the real daemon and its owner's mistakes."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from tests.e2e.conftest import World
from tests.support.daemon import COMMAND, Daemon, free_port, modem_toml, smpp_toml, until
from tests.support.peers import need_peer
from tests.support.programs import run_program

pytestmark = pytest.mark.e2e

DEADLINE_S = 60.0
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


async def test_a_certificate_that_cannot_serve_is_refused_before_anything_starts(tmp_path: Path) -> None:
    need_peer("openssl")
    for name, protect in (("a", ["-nodes"]), ("b", ["-nodes"]), ("c", ["-passout", "pass:secret"])):
        await run_program(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *protect,
            "-subj", "/CN=x", "-keyout", f"{tmp_path}/{name}.key", "-out", f"{tmp_path}/{name}.crt",
        )  # fmt: skip
    (tmp_path / "none.crt").write_text("no certificate")
    config = tmp_path / "hongyan.toml"
    for command, cert, key, words in (
        ("check", "a.crt", "b.key", "does not belong to tls_key"),
        ("check", "none.crt", "a.key", "no PEM file"),
        ("serve", "c.crt", "c.key", "pass phrase"),
    ):
        config.write_text(f'[http]\ntls_cert = "{tmp_path}/{cert}"\ntls_key = "{tmp_path}/{key}"\n')
        process = await asyncio.create_subprocess_exec(
            *COMMAND, command, "--config", str(config), cwd=tmp_path, stdout=PIPE, stderr=PIPE
        )
        async with asyncio.timeout(DEADLINE_S):
            out, err = await process.communicate()
        (said,) = (out + err).decode().splitlines()
        assert process.returncode == 1
        assert said.startswith(f"{config}:http.tls_cert: ")
        assert words in said
    assert not (tmp_path / "var").exists()


async def test_devices_and_peers_that_are_none_hold_up_nobody(world: World, tmp_path: Path) -> None:
    """Files for serial ports, servers that speak no SMPP or say nothing, a password that is wrong."""
    folder = tmp_path / "folder"
    folder.mkdir()
    said = {"talks HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n", "noise": b"\xff" * 5_000, "hangs up": b""}
    async with AsyncExitStack() as stack:
        channels = [
            modem_toml(f"port-{i}", str(path))
            for i, path in enumerate((folder, "/dev/null", "/dev/zero", tmp_path / "hongyan.toml"))
        ]
        for i, octets in enumerate(said.values()):

            async def talk(
                _reader: asyncio.StreamReader, writer: asyncio.StreamWriter, octets=octets
            ) -> None:
                writer.write(octets)
                await writer.drain()
                writer.close()

            server = await asyncio.start_server(talk, "127.0.0.1", 0)
            stack.push_async_callback(server.wait_closed)
            stack.callback(server.close)
            channels.append(smpp_toml(f"peer-{i}", server.sockets[0].getsockname()[1]))
        channels.append(smpp_toml("nobody", free_port()))
        channels.append(smpp_toml("stranger", world.smscs[1].port, password="wrong"))
        channels.append(smpp_toml("good", world.smscs[0].port))
        daemon = world.make_daemon("\n".join(channels))
        await daemon.start(n_up=1)
        await _until_state(daemon, "stranger", "stopped")
        for name in [f"port-{i}" for i in range(4)] + [f"peer-{i}" for i in range(len(said))] + ["nobody"]:
            await _until_state(daemon, name, "down")
        _, listed = await daemon.get("/v1/channels")
        assert all(c["error"] for c in listed["items"] if c["name"] != "good")
        _, message = await daemon.post("/v1/messages", {"to": TO, "text": "all the same"})
        await daemon.wait_status([message["id"]], {"delivered"})
        assert await daemon.stop() == 0
    assert "Traceback" not in (tmp_path / "daemon.log").read_text()


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
