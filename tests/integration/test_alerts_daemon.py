"""Alarms and the daemon as a process: what was answered survives a kill, and tables are read anew."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.support.daemon import COMMAND, Daemon

pytestmark = pytest.mark.integration

ONE, OTHER = "+8613800138000", "+8613900139000"
TABLE = f'[[alerts]]\nname = "on-call"\nto = ["{ONE}"]\n'
LINK = '[[smpp]]\nname = "carrier"\nhost = "127.0.0.1"\nport = 1\nsystem_id = "x"\npassword = "x"\n'


def firing(*names: str) -> dict[str, object]:
    return {"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": name}} for name in names]}


async def test_what_was_answered_is_on_disk_and_tables_are_read_anew(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, LINK, TABLE)
    try:
        await daemon.start(n_up=0)
        status, told = await daemon.post("/v1/alerts/alertmanager", firing("Down", "Full"))
        assert (status, told["told"]) == (202, 2)
        await daemon.kill()
        await daemon.start(n_up=0)
        (message,) = await daemon.messages()
        assert (message["id"], message["to"]) == (told["messages"][0], ONE)
        _, told = await daemon.post("/v1/alerts/alertmanager", firing("Down", "Full"))
        assert (told["told"], told["known"]) == (0, 2)

        daemon.config.write_text(daemon.config.read_text("utf-8").replace(ONE, OTHER), "utf-8")
        _, done = await daemon.post("/v1/reload")
        assert done["adopted"] == ["alerts"]
        await daemon.post("/v1/alerts/grafana", firing("New"))
        assert (await daemon.messages())[0]["to"] == OTHER

        listed = [json.loads(line) for line in (await run_command(daemon, "--json")).splitlines()]
        assert [(alert["name"], alert["source"], alert["times"]) for alert in listed] == [
            ("New", "grafana", 1),
            ("Full", "alertmanager", 2),
            ("Down", "alertmanager", 2),
        ]
        table = (await run_command(daemon, "--status", "firing", "--table", "on-call")).splitlines()
        assert table[0].split() == ["BEGAN", "STATUS", "TABLE", "TOLD", "TIMES", "TEXT"]
        assert len(table) == 4
        assert await run_command(daemon, "--held") == await run_command(daemon, "--table", "")
    finally:
        await daemon.close()


async def run_command(daemon: Daemon, *words: str) -> str:
    env = {**os.environ, "HONGYAN_URL": daemon.base, "HONGYAN_KEY": daemon.secret}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "alerts", *words, env=env, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()
