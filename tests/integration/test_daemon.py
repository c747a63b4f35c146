"""The daemon as a process: how it starts, what it tells systemd, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.clock import SystemClock
from gateway.doctor.sticks import find_sticks
from gateway.runtime.daemon import STOP_DEADLINE_S
from gateway.runtime.signals import SAME_SIGNAL_S
from gateway.settings.config import DEFAULT_CONFIG
from gateway.store.sqlite.engine import SqliteStore
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import COMMAND, Daemon, free_port, smpp_toml, until
from tests.support.optouts import opt_out
from tests.support.peers import need_peer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

DEADLINE_S = 60.0
UNIT = Path(__file__).parents[2] / "systemd" / "hongyan.service"


def _is_bare() -> bool:
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", 8080)) == 0
    return not (taken or DEFAULT_CONFIG.exists() or find_sticks())


needs_a_bare_machine = pytest.mark.skipif(
    not _is_bare(), reason="this machine has a hongyan, modems, or something on port 8080"
)


class ServiceManager:
    """systemd's side of sd_notify: a datagram socket and what came in by it."""

    def __init__(self, path: Path) -> None:
        self.wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.wire.bind(str(path))
        self.wire.setblocking(False)
        self.env = {**os.environ, "NOTIFY_SOCKET": str(path)}
        self._lines: list[str] = []

    @property
    def lines(self) -> list[str]:
        try:
            while True:
                self._lines += self.wire.recv(4096).decode().splitlines()
        except BlockingIOError:
            return self._lines

    async def wait_for(self, line: str, times: int = 1) -> None:
        await until(lambda: self.lines.count(line) >= times, DEADLINE_S)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    manager = ServiceManager(tmp_path / "notify")
    yield manager
    manager.wire.close()


@asynccontextmanager
async def serving(*words: str, cwd: Path, env: dict[str, str] | None = None) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "serve", *words, cwd=cwd, env=env, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def write_config(folder: Path, extra: str = "") -> Path:
    config = folder / "hongyan.toml"
    config.write_text(
        f'[http]\nlisten = "127.0.0.1:{free_port()}"\n[store]\nurl = "sqlite:///{folder}/h.db"\n'
        f'[log]\ndelivery = "{folder}/delivery.jsonl"\n{extra}'
    )
    return config


async def ended(process: Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_systemd_is_told_when_it_is_ready_alive_and_stopping(tmp_path, manager) -> None:
    env = {**manager.env, "WATCHDOG_USEC": "200000"}
    config = write_config(tmp_path, '[[shares]]\nkey = "shpo"\nweight = 4\n')
    async with serving("--config", str(config), cwd=tmp_path, env=env) as process:
        await manager.wait_for("READY=1")
        await manager.wait_for("WATCHDOG=1", times=3)
        assert "STATUS=0 of 0 channels up" in manager.lines
        process.send_signal(signal.SIGTERM)
        code, _, err = await ended(process)
        assert code == 0, err
        assert "there is no API key yet; make one: hongyan keys create" in err
        assert "[[shares]] names the API key 'shpo', and there is none; see hongyan keys list" in err
        assert manager.lines.index("STOPPING=1") > manager.lines.index("READY=1")


async def test_the_watchdog_is_not_fed_while_the_store_hangs(tmp_path, manager) -> None:
    env = {**manager.env, "WATCHDOG_USEC": "200000"}
    async with serving("--config", str(write_config(tmp_path)), cwd=tmp_path, env=env) as process:
        await manager.wait_for("WATCHDOG=1")
        blocker = sqlite3.connect(tmp_path / "h.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")  # as a disk that does not answer: no commit gets through
        assert process.stderr
        async with asyncio.timeout(DEADLINE_S):
            while b"the store does not answer" not in await process.stderr.readline():
                pass
        fed = manager.lines.count("WATCHDOG=1")
        async with asyncio.timeout(DEADLINE_S):
            while b"the store does not answer" not in await process.stderr.readline():
                pass
        assert manager.lines.count("WATCHDOG=1") == fed
        blocker.execute("ROLLBACK")
        blocker.close()
        await manager.wait_for("WATCHDOG=1", times=fed + 1)


async def test_a_watchdog_for_another_process_is_left_alone(tmp_path, manager) -> None:
    env = {**manager.env, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}
    async with serving("--config", str(write_config(tmp_path)), cwd=tmp_path, env=env):
        await manager.wait_for("STATUS=0 of 0 channels up", times=2)
        assert "WATCHDOG=1" not in manager.lines


async def test_who_sends_a_second_signal_need_not_wait(tmp_path, manager) -> None:
    """What is on the wire is waited for at the end, up to 20 s: here the SMSC takes a minute to answer."""
    network = Network()
    async with SimulatedSmsc(network, latency_s=60.0) as smsc:
        daemon = Daemon(tmp_path, smpp_toml("smsc", smsc.port))
        try:
            await daemon.start(env=manager.env)
            _, message = await daemon.post("/v1/messages", {"to": "+8613900139000", "text": "hello"})
            await daemon.wait_status([message["id"]], {"sending"})
            process = daemon.process
            assert process
            asked_at = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)  # at once again: the same one, seen twice
            await manager.wait_for("STOPPING=1")
            while process.returncode is None and time.monotonic() < asked_at + DEADLINE_S:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 0.1)
            assert process.returncode == 1
            assert SAME_SIGNAL_S - 0.1 < time.monotonic() - asked_at < STOP_DEADLINE_S
        finally:
            await daemon.close()
    await network.close()


async def test_a_log_that_cannot_be_written_exits_1_and_names_it(tmp_path) -> None:
    config = (
        write_config(tmp_path).read_text().replace(f"{tmp_path}/delivery.jsonl", "/proc/none/delivery.jsonl")
    )
    (tmp_path / "hongyan.toml").write_text(config)
    store = await SqliteStore.open(tmp_path / "h.db")  # of a gateway that has worked before
    await opt_out(store, SystemClock(), "+8613800138000", source="api")
    await store.close()
    async with serving("--config", "hongyan.toml", cwd=tmp_path) as process:
        code, _, err = await ended(process)
    assert code == 1
    assert "/proc/none" in err.splitlines()[-1]
    assert "Traceback" not in err


async def test_a_bad_config_exits_1_and_names_the_keys(tmp_path) -> None:
    config = write_config(tmp_path, '[queue]\non_uncertian = "hold"\n[numbers]\nregion = "China"\n')
    async with serving("--config", str(config), cwd=tmp_path) as process:
        code, out, err = await ended(process)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f'{config}:numbers.region: "China" is not a region; write two capital letters, such as "CN"',
        f"{config}:queue.on_uncertian: unknown key; did you mean on_uncertain?",
    ]


async def test_a_config_that_is_not_there_exits_1(tmp_path) -> None:
    async with serving("--config", "gone.toml", cwd=tmp_path) as process:
        code, _, err = await ended(process)
    assert (code, err) == (
        1,
        "gone.toml: cannot read it: No such file or directory; correct the path\n",
    )


async def test_a_taken_port_exits_1_and_says_so(tmp_path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        config = tmp_path / "hongyan.toml"
        config.write_text(f'[http]\nlisten = "{address}"\n')
        async with serving("--config", str(config), cwd=tmp_path) as process:
            code, _, err = await ended(process)
    assert code == 1
    assert (
        err.splitlines()[-1] == f"{address} is in use; stop what listens there, or write another http.listen"
    )
    assert "Traceback" not in err


async def test_two_daemons_on_one_store_are_refused(tmp_path) -> None:
    daemon = Daemon(tmp_path, "")
    try:
        await daemon.start()
        second = tmp_path / "second.toml"
        second.write_text(f'[http]\nlisten = "127.0.0.1:0"\n[store]\nurl = "sqlite:///{daemon.database}"\n')
        async with serving("--config", str(second), cwd=tmp_path) as process:
            code, _, err = await ended(process)
        assert (code, "another hongyan is running on this store" in err) == (1, True)
    finally:
        await daemon.close()


async def test_hup_opens_the_delivery_log_anew(tmp_path) -> None:
    daemon = Daemon(tmp_path, "")
    try:
        await daemon.start()
        moved = daemon.delivery.with_suffix(".1")
        daemon.delivery.rename(moved)
        assert daemon.process
        daemon.process.send_signal(signal.SIGHUP)
        await until(daemon.delivery.exists)
        status, _ = await daemon.request("PUT", "/v1/suppressions/13900139000", json={})
        assert status == 201
        await until(lambda: any("+8613900139000" in json.dumps(line) for line in daemon.delivery_lines()))
        assert await daemon.stop() == 0
    finally:
        await daemon.close()


@needs_a_bare_machine
async def test_a_first_start_without_config_runs_on_simulated_channels(tmp_path) -> None:
    """What `make run` does on a machine without modems; the printed curl line is run as it is."""
    async with serving(cwd=tmp_path) as process:
        assert process.stdout
        async with asyncio.timeout(DEADLINE_S):
            shown = (await process.stdout.readuntil(b"send a message:")).decode()
            command = (
                re.sub(r"\\\n", "", (await process.stdout.readuntil(b"or:")).decode())
                .strip()
                .removesuffix("or:")
            )
        secret = re.search(r"^ +(hy_\w+)$", shown, re.MULTILINE)
        assert secret, shown
        assert shutil.which("curl") is None or await _run_curl(command) == "queued"
        headers = {"Authorization": f"Bearer {secret[1]}"}
        async with aiohttp.ClientSession("http://127.0.0.1:8080", headers=headers) as http:

            async def all_up() -> bool:
                async with http.get("/v1/channels") as answer:
                    return {c["state"] for c in (await answer.json())["items"]} == {"up"}

            await until(all_up, DEADLINE_S)
            async with http.get("/v1/channels") as answer:
                names = [c["name"] for c in (await answer.json())["items"]]
            assert names == ["simulated-1", "simulated-2", "simulated-smsc"]
            await _reply(tmp_path, http)
        process.send_signal(signal.SIGINT)
        code, _, err = await ended(process)
    assert code == 0, err
    assert "SIMULATED" in err
    assert (tmp_path / "var" / "hongyan.db").exists()
    assert not (tmp_path / "var" / "hongyan.db.simulated").exists()
    assert secret[1] not in err, "a secret is no log line"


async def _reply(folder: Path, http: aiohttp.ClientSession) -> None:
    """A simulated phone says STOP to what it got, as the greeting shows; beside the store nothing else is needed."""
    async with http.post("/v1/consents", json={"number": "+8613900139777", "source": "form"}) as answer:
        assert answer.status == 200
    body = {"to": "+8613900139777", "text": "sale", "category": "marketing"}
    async with http.post("/v1/messages", json=body) as answer:
        message_id = (await answer.json())["id"]

    async def delivered() -> bool:
        async with http.get(f"/v1/messages/{message_id}") as answer:
            return bool((await answer.json())["status"] == "delivered")

    await until(delivered, DEADLINE_S)
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "simulate", "reply", "13900139777", "TD", cwd=folder, stdout=PIPE, stderr=PIPE
    )
    code, out, err = await ended(process)
    assert (code, err) == (0, "")
    assert out.startswith("+8613900139777  wrote to ")

    async def listed() -> list[str]:
        async with http.get("/v1/suppressions") as answer:
            return [entry["number"] for entry in (await answer.json())["items"]]

    async def stopped() -> bool:
        return await listed() == ["+8613900139777"]

    await until(stopped, DEADLINE_S)


async def _run_curl(command: str) -> str:
    process = await asyncio.create_subprocess_shell(f"{command} --silent --show-error", stdout=PIPE)
    async with asyncio.timeout(DEADLINE_S):
        out, _ = await process.communicate()
    return str(json.loads(out)["status"])


async def test_the_unit_is_valid(tmp_path) -> None:
    need_peer("systemd-analyze")
    unit = tmp_path / "hongyan.service"
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/hongyan", "/bin/true"))
    process = await asyncio.create_subprocess_exec(
        "systemd-analyze",
        "verify",
        str(unit),
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEADLINE_S):
        out, _ = await process.communicate()
    assert (process.returncode, out.decode()) == (0, "")
