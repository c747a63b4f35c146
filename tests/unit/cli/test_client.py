"""What people are told when the API says no, and how server-sent events are read."""

from __future__ import annotations

import io

import pytest

from gateway.cli.client import Api, ServerEvent, describe_problem, parse_events, path_of
from gateway.cli.main import main

pytestmark = pytest.mark.unit


def test_a_problem_becomes_sentences() -> None:
    assert (
        describe_problem(404, {"detail": "there is no message of this id"})
        == "there is no message of this id"
    )
    one = {"detail": "not a number", "errors": [{"pointer": "/to", "code": "x", "detail": "not a number"}]}
    assert describe_problem(422, one) == "to: not a number"
    two = {
        "detail": "2 things are wrong; see `errors`",
        "errors": [
            {"pointer": "/to", "code": "x", "detail": "not a number"},
            {"pointer": "", "code": "y", "detail": "text is missing"},
        ],
    }
    assert describe_problem(422, two).splitlines() == [
        "2 things are wrong; see `errors`",
        "  to: not a number",
        "  the message: text is missing",
    ]


def test_a_problem_that_says_nothing_still_helps() -> None:
    assert describe_problem(502, {}) == "the gateway answered 502"
    assert "hongyan keys create" in describe_problem(401, {"title": "Unauthorized"})


def test_names_are_quoted_in_paths() -> None:
    assert path_of("suppressions", "+86 138/0") == "/suppressions/%2B86%20138%2F0"


def test_events_are_read_from_their_lines() -> None:
    frames = (
        b"retry: 2000\n: events after 7\n\n"
        b'id: 8\nevent: message.sent\ndata: {"a":1}\n\n'
        b": still here\n\n"
        b"id: 9\nevent: x\ndata: one\ndata: two\n\n"
        b"id: 10\nevent: cut off\ndata: never ended\n"
    )
    assert list(parse_events(frames.splitlines(keepends=True))) == [
        "events after 7",
        ServerEvent("8", "message.sent", '{"a":1}'),
        "still here",
        ServerEvent("9", "x", "one\ntwo"),
    ]


def test_a_list_is_walked_by_its_cursors(monkeypatch) -> None:
    pages = {None: {"items": [1, 2], "next": "c1"}, "c1": {"items": [3], "next": None}}
    asked = []

    def get(self, path, **query):
        asked.append(query)
        return pages[query["cursor"]]

    monkeypatch.setattr(Api, "get", get)
    assert list(Api("http://h", "k").list("/messages", 1500, status="sent")) == [1, 2, 3]
    assert asked == [
        {"limit": 1000, "cursor": None, "status": "sent"},
        {"limit": 1000, "cursor": "c1", "status": "sent"},
    ]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "http://127.0.0.1:1",
            "connection refused: nothing listens at 127.0.0.1:1; start it with `hongyan serve`",
        ),
        ("http://no-such-host.invalid", "no address is known for the host no-such-host.invalid"),
    ],
)
def test_no_gateway_is_a_failure_that_says_what_to_do(url, sentence, capsys) -> None:
    for argv in (["messages"], ["tail", "-f"], ["send", "1", "hi"]):
        assert main([*argv, "--key", "k", "--url", url]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert sentence in err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--url", "http://127.0.0.1:99999"], "--url"),
        (["--url", "http://[::1"], "--url"),
        (["--url", "127.0.0.1:8080"], "--url"),
        (["--key", "hy_ключ"], "--key"),
        (["--key", "a b"], "--key"),
        (["--key", " \r\n"], "--key"),
    ],
)
def test_a_mistyped_address_or_key_is_named(options, named, capsys) -> None:
    assert main(["messages", "--key", "k", *options]) == 2
    assert f"Invalid value for {named}" in capsys.readouterr().err


def test_a_line_end_behind_a_key_is_not_part_of_it() -> None:
    Api("http://h", "hy_abc\r\n")


@pytest.mark.parametrize("key", ["", "ключ", "a\nb", "x" * 256])
def test_an_idempotency_key_that_can_not_be_sent_is_named(key, capsys) -> None:
    assert main(["send", "1", "hi", "--key", "k", "--idempotency-key", key]) == 2
    assert "--idempotency-key" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv", [["send", "1", "\udcff"], ["show", "\udcff"], ["messages", "--tag", "\udcff"]]
)
def test_what_is_no_utf8_on_the_command_line_is_told(argv, capsys) -> None:
    assert main([*argv, "--key", "k", "--url", "http://127.0.0.1:1"]) == 2
    assert "not UTF-8" in capsys.readouterr().err


def test_what_is_no_utf8_on_stdin_is_told(monkeypatch, capsys) -> None:
    for argv in (["send", "1", "-", "--key", "k"], ["preview", "-"]):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), encoding="utf-8"))
        assert main(argv) == 2
        assert "stdin holds is not utf-8" in capsys.readouterr().err


def test_what_the_terminal_can_not_show_is_spelled(monkeypatch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(shown, encoding="gbk", write_through=True))
    assert main(["preview", "你好😀"]) == 0
    assert "你好\\U0001f600" in shown.getvalue().decode("gbk")


def test_a_state_that_there_is_not_is_no_empty_log(capsys) -> None:
    assert main(["tail", "--status", "lost", "--key", "k"]) == 2
    assert "write one of scheduled, queued" in capsys.readouterr().err
