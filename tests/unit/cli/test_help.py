"""Every command explains itself, with an example that is true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from gateway.cli.main import app, main

pytestmark = pytest.mark.unit


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, inner in getattr(command, "commands", {}).items():
        if hasattr(inner, "commands"):
            yield from commands(inner, (*path, name))
        else:
            yield (*path, name), inner


ALL = dict(commands(typer.main.get_command(app)))


def test_the_contract_is_complete() -> None:
    assert {" ".join(path) for path in ALL} >= {
        "serve", "check", "doctor", "send", "tail", "messages", "show", "cancel", "resend", "channels", "channel",
        "suppress list", "suppress add", "suppress remove", "keys create", "keys list", "keys revoke",
        "db migrate", "db backup", "db check", "simulate modems", "simulate smsc", "simulate reply",
        "preview", "inbound", "users add", "users list", "users passwd", "users roles", "users disable",
    }  # fmt: skip


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_has_an_example_that_parses(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*path, "--help"]) == 0
    text = capsys.readouterr().out
    found = re.search(r"Example:\n  +(hongyan .*)\n", text)
    assert found, "no example"
    program, *words = shlex.split(found[1])
    assert (program, tuple(words[: len(path)])) == ("hongyan", path)
    ALL[path].make_context("x", words[len(path) :])  # raises when the example is wrong


def groups(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if hasattr(command, "commands"):
        yield path
        for name, inner in command.commands.items():
            yield from groups(inner, (*path, name))


GROUPS = list(groups(typer.main.get_command(app)))


@pytest.mark.parametrize("path", GROUPS, ids=" ".join)
def test_help_of_a_group_has_an_example_of_one_of_its_commands(path, capsys) -> None:
    assert main([*path, "--help"]) == 0
    found = re.search(r"Example:\n  +hongyan (.*)\n", capsys.readouterr().out)
    assert found, "no example"
    words = shlex.split(found[1])
    command = next(c for c in sorted(ALL, key=len, reverse=True) if words[: len(c)] == list(c))
    assert command[: len(path)] == path
    ALL[command].make_context("x", words[len(command) :])


@pytest.mark.parametrize("path", GROUPS, ids=" ".join)
def test_the_short_descriptions_are_not_cut(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*path, "--help"])
    _, found, listed = capsys.readouterr().out.partition("Commands:")
    assert found
    assert "..." not in listed


CLIENTS = [
    path
    for path, command in ALL.items()
    if any(p.name == "key" and "--key" in p.opts for p in command.params)
]


@pytest.mark.parametrize("path", CLIENTS, ids=" ".join)
def test_a_client_takes_url_and_key_also_from_the_environment(path, capsys) -> None:
    main([*path, "--help"])
    text = capsys.readouterr().out
    assert "HONGYAN_URL" in text
    assert "HONGYAN_KEY" in text


def test_all_api_commands_are_clients() -> None:
    assert len(CLIENTS) >= 14


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["fly"], "No such command 'fly'"),
        (["send"], "Missing argument"),
        (["send", "+8613800138000"], "give a text, or --data"),
        (["send", "1", "hi"], "there is no API key"),
        (["preview", "hi", "--encoding", "utf8"], "write auto, gsm7 or ucs2"),
        (["send", "1", "hi", "--key", "k", "--url", "localhost"], '"localhost" is no address'),
        (["send", "1", "hi", "--key", "k", "--valid-for", "90"], "--valid-for"),
        (["send", "1", "hi", "--key", "k", "--at", "noon"], '"noon" is no time'),
        (["send", "1", "hi", "--key", "k", "--priority", "10"], "priority"),
        (["channel", "sim-1", "explode"], "explode"),
        (["channel", "sim-1", "ussd", "--key", "k"], "write the code"),
        (["channel", "sim-1", "pause", "*100#", "--key", "k"], "belongs to ussd, trace or test, not to pause"),
        (["channel", "sim-1", "trace", "--key", "k"], "write on or off"),
        (["channel", "sim-1", "trace", "yes", "--key", "k"], "write on or off"),
        (["keys", "create", "--name", "x", "--scopes", "fly"], "write one or more of send, read, manage, admin"),
        (["keys", "create"], "--name"),
        (["simulate", "smsc", "--account", "nobody"], "SYSTEM_ID:PASSWORD"),
        (["simulate", "modems", "--dialects", "nokia"], '"nokia" is not known'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_wrong_usage_exits_2_and_says_what_is_wrong(argv, complaint, capsys, monkeypatch) -> None:
    monkeypatch.delenv("HONGYAN_KEY", raising=False)
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert complaint in err


def test_the_version_is_said(capsys) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"hongyan \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_a_command_loads_only_what_it_needs() -> None:
    """Whoever types `hongyan channels` waits for nothing that `serve` or `demo` need."""
    code = "import sys, gateway.cli.main; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = [
        "aiohttp",
        "rich",
        "structlog",
        "simulators",
        "phonenumbers",
        "serial",
        "gateway.store.sqlite.engine",
    ]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
