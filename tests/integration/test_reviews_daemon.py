"""Lists of words and the review queue at a daemon that runs: a list changed on disk, and what people type."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.test_reload import run_command
from tests.support.daemon import Daemon, free_port, smpp_toml

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
async def words(tmp_path: Path) -> Path:
    path = tmp_path / "own.txt"
    write(path, "最佳\n[refuse]\n特供\n")
    return path


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


@pytest.fixture
async def daemon(tmp_path: Path, words: Path) -> AsyncIterator[Daemon]:
    text = f'[[words]]\nfile = "{words}"\n[class_lock]\naction = "review"\n'
    daemon = Daemon(tmp_path, smpp_toml("smsc", free_port()), text)
    await daemon.start(n_up=0)
    yield daemon
    await daemon.close()


async def send(daemon: Daemon, text: str) -> tuple[str, str]:
    status, message = await daemon.post("/v1/messages", {"to": "+8613800138000", "text": text})
    assert status == 202, message
    _, shown = await daemon.get(f"/v1/messages/{message['id']}")
    codes = [reason["code"] for reason in shown["waiting_for"]]
    return message["id"], shown["error"]["code"] if shown["error"] else codes[0]


async def test_a_list_that_changed_on_disk_holds_after_a_reload(daemon: Daemon, words: Path):
    assert (await send(daemon, "首选"))[1] != "review"
    write(words, "最佳\n首选\n")
    code, out, _ = await run_command(daemon, "reload")
    assert code == 0
    assert "words" in out
    assert (await send(daemon, "首選"))[1] == "review"

    write(words, "最佳\n！！！\n")
    code, out, err = await run_command(daemon, "reload")
    assert code == 1
    assert f"{words}:2:" in out + err
    assert (await send(daemon, "首选"))[1] == "review", "the old list stays"
    assert daemon.process is not None
    assert daemon.process.returncode is None


async def test_people_decide_at_the_command_line(daemon: Daemon):
    first, state = await send(daemon, "全国最佳")
    assert state == "review"
    second, _ = await send(daemon, "全国最佳")
    odd, _ = await send(daemon, "满300减50，领券 www.example.com")
    refused, why = await send(daemon, "特供")
    assert why == "listed_word"

    code, out, _ = await run_command(daemon, "reviews", "list")
    assert code == 0
    assert re.search(rf"{first}\s+2\s+transactional\s+listed_word", out), out
    assert odd in out
    assert second not in out
    assert refused not in out
    code, out, _ = await run_command(daemon, "reviews", "show", odd)
    assert "class_lock: review advertising: It is transactional and looks like advertising" in out, out
    done = await run_command(daemon, "reviews", "approve", first, "--all-of", "text", "--reason", "checked")
    assert done[:2] == (0, "approved  2 messages\n"), done
    done = await run_command(daemon, "reviews", "reject", odd, "send it as marketing")
    assert done[:2] == (0, "rejected  1 message\n"), done
    code, out, _ = await run_command(daemon, "reviews", "list", "--json")
    assert (code, out) == (0, "")
    _, out, _ = await run_command(daemon, "reviews", "list", "--state", "approved", "--json")
    assert {json.loads(line)["id"] for line in out.splitlines()} == {first, second}
    _, out, _ = await run_command(daemon, "show", odd)
    assert "review.requested" in out
    assert "review.decided" in out
    assert "send it as marketing" in out
    assert (await run_command(daemon, "reviews", "approve", odd))[0] == 1
    assert (await run_command(daemon, "reviews", "approve", odd, "--all-of", "mood"))[0] == 2
