"""The config read anew by a daemon that runs: what holds then, what is refused, what needs a restart."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from tests.integration.test_daemon import ServiceManager
from tests.support.daemon import COMMAND, Daemon, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

WORDS = '[opt_out]\nkeywords = ["STOP"]\nreply = "bye"\n'


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    daemon = Daemon(tmp_path, "", WORDS)
    await daemon.start(n_up=0)
    yield daemon
    await daemon.close()


def rewrite(daemon: Daemon, change: Callable[[str], str]) -> None:
    daemon.config.write_text(change(daemon.config.read_text("utf-8")), "utf-8")


async def run_command(daemon: Daemon, *words: str, key: str = "") -> tuple[int, str, str]:
    env = {**os.environ, "HONGYAN_URL": daemon.base, "HONGYAN_KEY": key or daemon.secret}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *words, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_new_values_hold_and_are_named(daemon):
    rewrite(daemon, lambda text: text.replace('"STOP"', '"STOP", "BASTA"').replace("info", "debug"))
    status, done = await daemon.post("/v1/reload")
    assert status == 200
    assert done == {
        "adopted": ["log.level", "opt_out.keywords"],
        "channels": [],
        "needs_restart": [],
        "warnings": done["warnings"],
    }
    assert (await daemon.post("/v1/reload"))[1]["adopted"] == [], "it is what holds now"


async def test_what_needs_a_restart_is_named_until_it_has_had_one(daemon):
    shares = '[[shares]]\nkey = "x"\n'
    rewrite(daemon, lambda text: text.replace("hongyan.db", "other.db") + shares)
    for adopted in (["shares"], []):
        _, done = await daemon.post("/v1/reload")
        assert (done["adopted"], done["needs_restart"]) == (adopted, ["store.url"])
    code, out, _ = await run_command(daemon, "reload")
    assert (code, out) == (0, "needs a restart: store.url\n")


async def test_faulty_file_changes_nothing_and_says_all_that_is_wrong(daemon):
    good = daemon.config.read_text("utf-8")
    rewrite(
        daemon,
        lambda text: text.replace('"bye"', '"farewell"') + "[queue]\nmax_attempts = 0\nretry_fist = 3\n",
    )
    status, problem = await daemon.post("/v1/reload")
    assert (status, problem["code"]) == (422, "faulty_config")
    assert {e["pointer"] for e in problem["errors"]} == {"queue.max_attempts", "queue.retry_fist"}

    _, checked, _ = await run_command(daemon, "check", "--config", str(daemon.config))
    code, out, err = await run_command(daemon, "reload")
    assert (code, out) == (1, checked), "the same lines as `hongyan check` prints"
    assert "nothing was changed" in err

    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    for line in checked.splitlines():
        await until(partial(_is_logged, daemon, line.partition(": ")[2], times=3), 20)

    daemon.config.write_text(good, "utf-8")
    _, done = await daemon.post("/v1/reload")
    assert done["adopted"] == [], "nothing of the faulty file was taken over"


def _is_logged(daemon: Daemon, words: str, times: int) -> bool:
    return daemon.log().count(words) >= times


async def test_file_that_is_gone_is_a_fault(daemon):
    daemon.config.unlink()
    status, problem = await daemon.post("/v1/reload")
    assert (status, problem["code"]) == (422, "faulty_config")
    assert "cannot read it" in problem["detail"]


async def test_only_admins_may(daemon):
    code, secret, err = await run_command(
        daemon,
        "keys",
        "create",
        "--name",
        "ops",
        "--scopes",
        "send,read,manage",
        "--config",
        str(daemon.config),
    )
    assert code == 0, err
    headers = {"Authorization": f"Bearer {secret.strip()}"}
    status, problem = await daemon.post("/v1/reload", **headers)
    assert (status, problem["code"]) == (403, "forbidden")


async def test_a_repeated_request_reads_the_file_once(daemon):
    rewrite(daemon, lambda text: text.replace('"bye"', '"farewell"'))
    answers = [await daemon.post("/v1/reload", **{"Idempotency-Key": "one"}) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0][1]["adopted"] == ["opt_out.reply"]


async def test_who_did_it_is_in_the_timeline(daemon):
    rewrite(daemon, lambda text: text.replace('"bye"', '"farewell"'))
    await daemon.post("/v1/reload")
    async with asyncio.timeout(20), daemon.stream("/v1/events?last=5") as events:
        async for line in events:
            if line.startswith(b"data:") and b"config.reloaded" in line:
                assert b'"by":"key:' in line
                assert b"farewell" not in line
                break
    code, shown, err = await run_command(
        daemon, "audit", "list", "--action", "config.reloaded", "--json", "--config", str(daemon.config)
    )
    assert code == 0, err
    entry = json.loads(shown)
    assert (entry["actor"][:4], entry["origin"], entry["subject"]) == (
        "key:",
        "api 127.0.0.1",
        str(daemon.config),
    )
    assert entry["details"] == {"adopted": ["opt_out.reply"], "channels": [], "needs_restart": []}


async def test_hang_up_reads_the_file_and_tells_the_service_manager(tmp_path):
    manager = ServiceManager(tmp_path / "notify")
    daemon = Daemon(tmp_path, "", WORDS)
    try:
        await daemon.start(n_up=0, env=manager.env)
        await manager.wait_for("READY=1")
        rewrite(daemon, lambda text: text.replace('"bye"', '"farewell"'))
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGHUP)
        await manager.wait_for("RELOADING=1")
        await manager.wait_for("READY=1", times=2)
        assert "adopted: opt_out.reply" in daemon.log()
        assert any(line.startswith("MONOTONIC_USEC=") for line in manager.lines)
    finally:
        await daemon.close()
        manager.wire.close()
