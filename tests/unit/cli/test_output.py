"""Results as they look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import typer

from gateway.cli.client import Api, ServerEvent
from gateway.cli.options import read_instant
from gateway.cli.output import Failure, align, print_json, print_table
from gateway.cli.send import describe, follow, is_final, is_good
from gateway.cli.tail import format_event, live, past

pytestmark = pytest.mark.unit

NOW = datetime(2026, 12, 24, 8, 0, tzinfo=UTC)


def test_columns_stay_aligned_also_with_wide_characters() -> None:
    assert align([["NAME", "OPERATOR"], ["sim-1", "中国移动"], ["a", "x"]]) == [
        "NAME   OPERATOR",
        "sim-1  中国移动",
        "a      x",
    ]


def test_a_table_in_a_pipe_is_plain_and_whole(capsys) -> None:
    print_table(("id", "text"), [("1", "x" * 300), (2, None)])
    assert capsys.readouterr().out.splitlines() == ["ID  TEXT", "1   " + "x" * 300, "2"]


def test_json_is_one_line_and_keeps_chinese(capsys) -> None:
    print_json({"text": "退订\n"})
    assert capsys.readouterr().out == '{"text":"退订\\n"}\n'


def test_instants_as_people_write_them() -> None:
    assert read_instant("+2h", "--at", NOW) == NOW + timedelta(hours=2)
    assert read_instant("2026-12-24T08:00+00:00", "--at", NOW) == NOW
    assert read_instant("2026-12-24T08:00", "--at", NOW).tzinfo is not None
    with pytest.raises(typer.BadParameter):
        read_instant("+2", "--at", NOW)


def message(status: str, *, report: bool = True, error=None) -> dict:
    return {
        "id": "01m", "status": status, "to": "+86138", "report": report, "error": error,
        "segments": [{}, {}], "encoding": "ucs2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "report", "final", "good"),
    [
        ("queued", True, False, False),
        ("sent", True, False, False),
        ("sent", False, True, True),
        ("delivered", True, True, True),
        ("undelivered", True, True, False),
        ("uncertain", True, True, False),
    ],
)
def test_when_waiting_ends_and_how(status, report, final, good) -> None:
    assert is_final(message(status, report=report)) is final
    assert is_good(message(status, report=report)) is good


def test_a_message_in_one_line() -> None:
    assert describe(message("queued")) == "01m  queued  to +86138, 2 segments (ucs2)"
    error = {"code": "cms_38", "detail": "network out of order"}
    assert describe(message("failed", error=error)).endswith("; cms_38: network out of order")


class FakeApi(Api):
    """Answers from a list; counts what was asked."""

    def __init__(self, answers) -> None:
        self.answers = list(answers)

    def get(self, path, **query):
        return self.answers.pop(0)


def test_following_tells_each_change_once(monkeypatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    told: list[str] = []
    states = ["queued", "sending", "sending", "sent", "delivered"]
    last = follow(FakeApi(map(message, states)), message("queued"), 60, lambda m: told.append(m["status"]))
    assert last["status"] == "delivered"
    assert told == ["queued", "sending", "sent"]


def test_following_gives_up_in_time() -> None:
    with pytest.raises(Failure, match="01m is still queued after 0 s"):
        follow(FakeApi([]), message("queued"), 0, None)


def event(kind: str, **data) -> dict:
    return {"type": kind, "timestamp": "2026-12-24T08:00:00Z", "data": data}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            event("message.sent", id="01m", to="+86138", channel="sim-1", part=2, segments=3),
            "sent  to +86138  sim-1  part 2/3  01m",
        ),
        (event("message.failed", id="01m", to="+86138", error="x: y"), "failed  to +86138  x: y  01m"),
        (
            {"type": "inbound.received", "timestamp": "2026-12-24T08:00:00Z",
             "data": {"from": "+86139", "channel": "sim-1", "text": "TD\n", "keyword": "opt_out"}},
            "received  from +86139  sim-1  'TD\\n'  opt_out",
        ),
        (event("channel.down", name="sim-1", error="link_lost: gone"), "down  channel sim-1  link_lost: gone"),
        (event("subscription.opted_out", number="+86139"), "subscription.opted_out  +86139"),
    ],
)  # fmt: skip
def test_an_event_in_one_line(given, line) -> None:
    assert format_event(given).split("  ", 1)[1] == line


# An instant on the second is written without a fraction.
FIRST, SECOND, THIRD, FOURTH = [f"2026-12-24T08:00:{second}Z" for second in ("01", "01.003", "01.900", "02")]


class Timeline(Api):
    """An API with two messages and a stream that breaks once."""

    def __init__(self) -> None:
        self.resumed_from: list[str | None] = []

    def list(self, path, limit, **query):
        return iter([{"id": "b"}, {"id": "a"}] if path == "/messages" else [])

    def get(self, path, **query):
        at = {"/messages/a": [FIRST, THIRD], "/messages/b": [SECOND, FOURTH]}[path]
        return {"events": [{"type": "message.sent", "timestamp": t, "data": {"status": "sent"}} for t in at]}

    def stream(self, path, last_event_id=None, **query):
        self.resumed_from.append(last_event_id)
        yield None
        if len(self.resumed_from) == 1:
            yield ServerEvent("7", "message.sent", '{"timestamp":"05"}')
            raise ConnectionResetError
        yield ServerEvent("8", "message.sent", '{"timestamp":"06"}')


ANY: dict[str, str | None] = {"to": None, "status": None, "channel": None}


def test_the_past_is_in_order_and_cut_to_the_latest() -> None:
    assert [e["timestamp"] for e in past(Timeline(), 4, ANY)] == [FIRST, SECOND, THIRD, FOURTH]
    assert [e["timestamp"] for e in past(Timeline(), 3, ANY)] == [SECOND, THIRD, FOURTH]
    assert past(Timeline(), 3, {**ANY, "status": "failed"}) == []


def test_a_broken_stream_goes_on_where_it_was(monkeypatch, capsys) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    api = Timeline()
    stream = live(api, 1, ANY)
    assert [next(stream)["timestamp"] for _ in range(3)] == [FOURTH, "05", "06"]
    assert api.resumed_from == [None, "7"]
    assert "opening it again" in capsys.readouterr().err
