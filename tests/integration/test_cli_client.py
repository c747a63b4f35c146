"""The client commands against the real daemon, each as its user runs it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest
from aiohttp import ClientSession

from gateway.cli.main import main
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import COMMAND, Daemon, free_port, smpp_toml, until
from tests.support.peers import need_peer
from tests.support.programs import run_program, started_program

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

DEADLINE_S = 60.0


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Cli:
    """Runs `hongyan` with the daemon's address and key in the environment."""

    def __init__(self, daemon: Daemon, network: Network) -> None:
        self.daemon = daemon
        self.network = network
        self.env = {**os.environ, "HONGYAN_URL": daemon.base, "HONGYAN_KEY": daemon.secret}

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *COMMAND, *words, env=self.env, stdin=pipe, stdout=pipe, stderr=pipe
        )

    async def __call__(self, *words: str, stdin: str = "") -> Done:
        """One command to its end; in this process, because starting Python takes longer than most of them."""
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.env),
            mock.patch("sys.stdin", io.StringIO(stdin)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = await asyncio.to_thread(main, words)
        return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
async def cli(tmp_path: Path) -> AsyncIterator[Cli]:
    network = Network()
    async with SimulatedSmsc(network) as smsc:
        daemon = Daemon(tmp_path, smpp_toml("smsc", smsc.port))
        try:
            await daemon.start()
            yield Cli(daemon, network)
            assert await daemon.stop() == 0
        finally:
            await daemon.close()
    await network.close()


async def test_a_message_is_sent_followed_shown_and_listed(cli: Cli) -> None:
    sent = await cli(
        "send", "13900139000", "hello", "--wait", "--reference", "order-7", "--tag", "a", "--tag", "b"
    )
    assert sent.code == 0, sent
    found = re.fullmatch(r"(\w{26})  delivered  to \+8613900139000, 1 segment \(gsm7\)\n", sent.out)
    assert found, sent
    shown = await cli("show", found[1])
    assert shown.code == 0
    assert "order-7" in shown.out
    assert "a, b" in shown.out
    assert re.findall(r"message\.(\w+)", shown.out) == ["queued", "sending", "sent", "delivered"]
    listed = await cli("messages", "--reference", "order-7", "--json")
    (message,) = map(json.loads, listed.out.splitlines())
    assert (message["id"], message["tags"]) == (found[1], ["a", "b"])
    assert (await cli("messages", "--reference", "other", "--json")).out == ""
    assert [m.text for m in cli.network.accepted] == ["hello"]


async def test_what_is_sent_is_what_was_asked_for(cli: Cli) -> None:
    done = await cli(
        "send", "13900139000", "-", "--at", "+2h", "--valid-for", "10m", "--priority", "9", "--flash",
        "--no-report", "--category", "otp", "--encoding", "ucs2", "--json", stdin="from stdin\n",
    )  # fmt: skip
    message = json.loads(done.out)
    assert (message["text"], message["status"], message["encoding"]) == ("from stdin", "scheduled", "ucs2")
    assert (message["valid_for"], message["priority"], message["flash"]) == (600, 9, True)
    assert (message["report"], message["category"]) == (False, "otp")

    canceled = await cli("cancel", message["id"])
    assert (canceled.code, "canceled" in canceled.out) == (0, True)
    again = await cli("cancel", message["id"])
    assert (again.code, again.out) == (1, "")
    assert "canceled" in again.err
    assert (await cli("resend", message["id"])).code == 1


async def test_the_same_idempotency_key_sends_once(cli: Cli) -> None:
    first, second = [
        await cli("send", "13900139000", "x", "--idempotency-key", "k1", "--json") for _ in range(2)
    ]
    assert json.loads(first.out)["id"] == json.loads(second.out)["id"]


async def test_a_message_of_a_sequence_shows_it_and_who_sent_it(cli: Cli) -> None:
    words = ("--sequence", "order-7", "--template", "order-sent", "--brand", "default")
    sent = json.loads((await cli("send", "13900139000", "x", *words, "--json")).out)
    shown = (await cli("show", sent["id"])).out
    assert "  brand: default\n  template: order-sent\n" in shown
    assert "  sequence: order-7\n" in shown
    assert "by key:" in shown.partition("timeline:")[2]


async def test_waiting_for_what_will_not_arrive_exits_1(cli: Cli) -> None:
    cli.network.set_unreachable("+8613900139001")
    done = await cli("send", "13900139001", "hello", "--wait")
    assert (done.code, "undelivered" in done.out) == (1, True)
    late = await cli("send", "13900139001", "hello", "--at", "+1h", "--wait", "--timeout", "200ms")
    assert late.code == 1
    assert "is still scheduled after 0.2 s" in late.err


async def test_tail_and_the_delivery_log_have_one_shape(cli: Cli) -> None:
    long = await cli("send", "13900139000", "你好" * 80, "--wait", "--tag", "a", "--reference", "r")
    assert long.code == 0, long
    phone = cli.network.find_handset("+8613900139000")
    await phone.send(phone.texts[-1].sender, "TD")
    await until(lambda: any(line["type"] == "subscription.opted_out" for line in cli.daemon.delivery_lines()))
    kinds = ("message.", "inbound.", "subscription.")
    logged: list[str] = []
    shown: list[str] = []

    async def agree() -> bool:  # the answer to TD is still on its way, and tells of itself in both
        logged[:] = [json.dumps(line, sort_keys=True) for line in cli.daemon.delivery_lines()]
        told = map(json.loads, (await cli("tail", "-n", "1000", "--json")).out.splitlines())
        shown[:] = [json.dumps(line, sort_keys=True) for line in told if line["type"].startswith(kinds)]
        return shown == logged

    with suppress(TimeoutError):
        await until(agree)
    assert shown == logged


async def test_inbound_messages_are_listed_and_followed(cli: Cli) -> None:
    await cli("send", "13900139000", "hello", "--wait")
    phone = cli.network.find_handset("+8613900139000")
    ours = phone.texts[-1].sender
    other = cli.network.add_handset("+8613900139001")
    await phone.send(ours, "one")

    async def listed(n: int, *words: str) -> list[dict[str, Any]]:
        async def there() -> bool:
            return len((await cli("inbound", "--json", *words)).out.splitlines()) == n

        await until(there, DEADLINE_S)
        return [json.loads(line) for line in (await cli("inbound", "--json", *words)).out.splitlines()]

    assert [message["text"] for message in await listed(1)] == ["one"]
    follower = await cli.start("inbound", "-f", "--from", "13900139000", "--json")
    assert follower.stdout
    async with asyncio.timeout(DEADLINE_S):
        assert json.loads(await follower.stdout.readline())["text"] == "one"
        await other.send(ours, "of another")
        await phone.send(ours, "two " * 60)
        assert json.loads(await follower.stdout.readline())["text"] == "two " * 60
    follower.terminate()
    await follower.communicate()
    assert [m["text"] for m in await listed(1, "--from", "13900139001")] == ["of another"]
    assert [m["text"] for m in await listed(0, "--since", "2099-01-01T00:00")] == []
    table = await cli("inbound", "-n", "1", "--from", "+8613900139001")
    assert (table.code, "of another" in table.out, "13900139001" in table.out) == (0, True, True)


@pytest.mark.parametrize("words", [("messages",), ("tail",), ("tail", "-f")], ids=" ".join)
async def test_a_channel_that_there_is_not_is_an_error_and_no_silence(cli: Cli, words) -> None:
    done = await cli(*words, "--channel", "smcs")
    assert (done.code, done.out) == (1, "")
    assert done.err == "there is no channel smcs; there are smsc\n"
    assert (await cli("messages", "--channel", "smsc")).code == 0


async def test_the_delivery_log_past_and_live(cli: Cli) -> None:
    await cli("send", "13900139000", "one", "--wait")
    past = await cli("tail", "-n", "3", "--json")
    assert [json.loads(line)["type"] for line in past.out.splitlines()] == [
        "message.sending",
        "message.sent",
        "message.delivered",
    ]
    follower = await cli.start("tail", "-f", "-n", "1", "--to", "13900139000", "--status", "delivered")
    assert follower.stdout
    async with asyncio.timeout(DEADLINE_S):
        first = (await follower.stdout.readline()).decode()
        await cli("send", "13900139009", "to another", "--wait")
        await cli("send", "13900139000", "two", "--wait")
        second = (await follower.stdout.readline()).decode()
        follower.send_signal(2)
        await follower.communicate()
    assert follower.returncode == 130
    for line in (first, second):
        assert "delivered  to +8613900139000  smsc" in line
    assert first != second


async def test_a_reader_that_leaves_is_no_error(cli: Cli) -> None:
    await cli("send", "13900139000", "one", "--wait")
    process = await asyncio.create_subprocess_shell(
        f"'{COMMAND[0]}' -c '{COMMAND[2]}' messages --json | true",
        env=cli.env,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE_S):
        _, err = await process.communicate()
    assert err.decode() == ""


async def test_channels_are_listed_and_paused(cli: Cli) -> None:
    listed = await cli("channels")
    assert re.search(r"^smsc +smpp +up ", listed.out, re.MULTILINE)
    (snapshot,) = map(json.loads, (await cli("channels", "--json")).out.splitlines())
    assert (snapshot["name"], snapshot["state"]) == ("smsc", "up")
    assert (await cli("channel", "smsc", "pause")).out == "smsc  paused\n"
    queued = json.loads((await cli("send", "13900139000", "later", "--json")).out)
    assert queued["status"] == "queued"
    assert (await cli("channel", "smsc", "resume")).code == 0
    await cli.daemon.wait_status([queued["id"]], {"delivered"})
    missing = await cli("channel", "nobody", "drain")
    assert (missing.code, missing.out) == (1, "")
    assert "no channel of this name" in missing.err


async def test_the_suppression_list(cli: Cli) -> None:
    assert (await cli("suppress", "add", "13900139000", "--reason", "by phone")).code == 0
    (entry,) = map(json.loads, (await cli("suppress", "list", "--json")).out.splitlines())
    assert (entry["number"], entry["reason"]) == ("+8613900139000", "by phone")
    blocked = await cli("send", "13900139000", "sale!", "--category", "marketing", "--wait")
    assert (blocked.code, "blocked" in blocked.out) == (1, True)
    shown = (await cli("show", blocked.out.split()[0])).out
    assert "rules:\n  refuses  opt_out: opted_out: " in shown
    assert (await cli("suppress", "remove", "+8613900139000")).code == 0
    gone = await cli("suppress", "remove", "13900139000")
    assert (gone.code, "not on the list" in gone.err) == (1, True)
    doubtful = await cli("suppress", "add", "37121234567")
    assert "and for +37121234567 and +8637121234567" in doubtful.out
    assert (await cli("suppress", "remove", "37121234567")).code == 0
    bad = await cli("suppress", "add", "not a number")
    assert (bad.code, bad.out) == (1, "")


async def test_refusals_are_sentences(cli: Cli) -> None:
    bad = await cli("send", "12", "x" * 40_000, "--category", "spam")
    assert (bad.code, bad.out) == (1, "")
    assert "category" in bad.err
    cli.env["HONGYAN_KEY"] = "hy_wrong"
    refused = await cli("messages")
    assert refused.code == 1
    assert "hongyan keys create" in refused.err
    assert "Traceback" not in bad.err + refused.err


async def test_a_key_made_beside_the_daemon_works_at_once(cli: Cli) -> None:
    made = await cli(
        "keys", "create", "--name", "reader", "--scopes", "read", "--config", str(cli.daemon.config)
    )
    cli.env["HONGYAN_KEY"] = made.out.strip()
    assert (await cli("messages")).code == 0
    refused = await cli("send", "13900139000", "hello")
    assert (refused.code, "scope" in refused.err) == (1, True)


async def test_a_user_made_beside_the_daemon_signs_in_until_disabled(cli: Cli) -> None:
    config = ("--config", str(cli.daemon.config))
    weak = await cli("users", "add", "anna", "--roles", "admin", *config, stdin="password1234\n")
    assert (weak.code, weak.out, "guessed soon" in weak.err) == (1, "", True)
    for name, roles in (("anna", "admin"), ("bob", "viewer,author@shop")):
        made = await cli("users", "add", name, "--roles", roles, *config, stdin="four words do quite well\n")
        assert made.code == 0, made.err
    form = {"name": "bob", "password": "four words do quite well"}
    page = f"{cli.daemon.base}/console/sign-in"
    async with ClientSession() as browser:
        async with browser.post(page, data=form, allow_redirects=False) as answer:
            assert answer.status == 303
        listed = await cli("users", "list", *config)
        assert "viewer,author@shop" in listed.out
        assert "127.0.0.1" in (await cli("users", "sessions", "bob", *config)).out
        assert (await cli("users", "disable", "bob", *config)).code == 0
        assert "127.0.0.1" not in (await cli("users", "sessions", "bob", *config)).out
        async with browser.post(page, data=form, allow_redirects=False) as answer:
            assert answer.status == 403
    last = await cli("users", "remove", "anna", *config)
    assert (last.code, "last admin" in last.err) == (1, True)
    done = (await cli("audit", "list", *config)).out
    assert "user.signed_in" in done
    assert "user.sign_in_failed" in done


async def test_the_link_that_serve_prints_makes_the_first_admin_once(cli: Cli) -> None:
    def find_link() -> str:
        log = (cli.daemon.folder / "daemon.log").read_text("utf-8", "replace")
        found = re.search(r"http://\S+/console/welcome\?token=\S+", log)
        return found[0] if found else ""

    await until(find_link, DEADLINE_S)
    link, form = find_link(), {"name": "anna", "password": "four words do quite well"}
    async with ClientSession() as browser:
        for expected in (303, 403):
            async with browser.post(link, data=form, allow_redirects=False) as answer:
                assert answer.status == expected
    listed = await cli("users", "list", "--config", str(cli.daemon.config))
    assert re.search(r"anna +admin +good", listed.out)


async def test_https_is_checked_and_works_with_the_right_certificate(tmp_path: Path, monkeypatch) -> None:
    need_peer("openssl")
    cert, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    await run_program(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(private), "-out", str(cert),
    )  # fmt: skip
    port = free_port()
    config = tmp_path / "hongyan.toml"
    config.write_text(
        f'[http]\nlisten = "127.0.0.1:{port}"\ntls_cert = "{cert}"\ntls_key = "{private}"\n'
        f'[store]\nurl = "sqlite:///{tmp_path}/h.db"\n[log]\ndelivery = "{tmp_path}/d.jsonl"\n'
    )
    monkeypatch.setenv("HONGYAN_KEY", "hy_wrong")
    async with started_program(*COMMAND, "serve", "--config", str(config)):
        await until(lambda: _listens(port))

        async def channels(url: str) -> Done:
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                code = await asyncio.to_thread(main, ["channels", "--url", url])
            return Done(code, out.getvalue(), err.getvalue())

        distrusted = await channels(f"https://127.0.0.1:{port}")
        assert (distrusted.code, "can't be trusted" in distrusted.err) == (1, True)
        plain = await channels(f"http://127.0.0.1:{port}")
        assert (plain.code, "https://" in plain.err) == (1, True)
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        refused = await channels(f"https://127.0.0.1:{port}/v1")
        assert (refused.code, "hongyan keys create" in refused.err) == (1, True)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_a_key_may_stand_in_a_file(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{cli.daemon.secret}\n")
    assert (await cli("channels", "--key", f"@{file}")).code == 0
    absent = await cli("channels", "--key", f"@{file}.gone")
    assert (absent.code, "cannot read" in absent.err) == (2, True)


async def test_a_key_on_the_command_line_is_soon_hidden_from_other_users() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # or the command may have ended before we look
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with started_program(*COMMAND, "tail", "-f", "--url", url, "--key", "hy_shown") as program:
            await until(lambda: b"********" in _command_line(program.pid))
            assert b"hy_shown" not in _command_line(program.pid)


def _command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
