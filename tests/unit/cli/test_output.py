"""Results as they look."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import typer

from gateway.cli.client import Api, ServerEvent
from gateway.cli.options import read_instant, read_past
from gateway.cli.output import Failure, align, lay_out, print_json, print_table
from gateway.cli.output import _width as cell_width
from gateway.cli.send import describe, follow, is_final, is_good
from gateway.cli.tail import follow_events, format_event

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
        (
            event("message.canceled", id="01m", to="+86138", by="key:billing"),
            "canceled  to +86138  by key:billing  01m",
        ),
        (event("channel.paused", name="sim-1", by="key:ops"), "paused  channel sim-1  by key:ops"),
        (event("key.made", name="shop", scopes=["send"], by="cli:root"), "key.made  shop  by cli:root"),
    ],
)  # fmt: skip
def test_an_event_in_one_line(given, line) -> None:
    assert format_event(given).split("  ", 1)[1] == line


class Broken(Api):
    """An API whose stream breaks once; it tells what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, object]] = []

    def stream(self, path, last_event_id=None, **query):
        self.asked.append((last_event_id, query.get("last")))
        yield ""
        if len(self.asked) == 1:
            yield ServerEvent("6", "message.sent", "{}")
            yield "caught up"
            yield ServerEvent("7", "message.sent", "{}")
            raise ConnectionResetError
        yield "caught up"
        yield ServerEvent("8", "message.sent", "{}")


def test_a_broken_stream_goes_on_where_it_was(monkeypatch, capsys) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    api = Broken()
    stream = follow_events(api, 1, forever=True)
    assert [next(stream).id for _ in range(3)] == ["6", "7", "8"]
    assert api.asked == [(None, 1), ("7", None)]
    assert "opening it again" in capsys.readouterr().err


def test_the_past_ends_where_the_present_begins() -> None:
    assert [event.id for event in follow_events(Broken(), 1, forever=False)] == ["6"]
    assert list(follow_events(Broken(), 0, forever=False)) == []


ID = "01kb3e5q7x8m2v9k4n6p0r1s2t"
COLUMNS = ("id", "created", "to", "status", "channel", "parts", "text", "error")
ROW = (ID, "2026-12-24 08:00:00", "+8613900139000", "undelivered", "carrier-a-with-a-long-name", "2",
       "还有一条很长的短信" * 3, "smpp_0b: the number is not known")  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 80, 100, 132, 250])
def test_at_no_width_is_an_id_a_state_or_a_name_cut(width: int) -> None:
    lines = [re.sub(r"\x1b\[\d+m", "", line) for line in lay_out(COLUMNS, [list(ROW)], width)]
    text = "\n".join(lines)
    for cell in ROW:
        assert cell in text
    assert "…" not in text
    longest = max(cell_width(f"    {c} {v}") for c, v in zip(COLUMNS, ROW, strict=True))
    assert all(cell_width(line) <= max(width, longest) for line in lines)
    if width >= 250:
        assert len(lines) == 2


def test_what_has_no_room_beside_the_others_is_named_below_them() -> None:
    lines = lay_out(("name", "state", "error"), [["sim-1", "up", ""], ["sim-2", "down", "x" * 70]], 80)
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in lines] == [
        "NAME   STATE",
        "sim-1  up",
        "sim-2  down",
        "    error " + "x" * 70,
    ]


@pytest.mark.parametrize(
    ("text", "ago"), [("2h", timedelta(hours=2)), ("-90s", timedelta(seconds=90)), ("3d", timedelta(days=3))]
)
def test_so_long_ago(text: str, ago: timedelta) -> None:
    read = datetime.fromisoformat(read_past(text, "--since") or "")
    assert timedelta(0) <= datetime.now(UTC) - ago - read < timedelta(minutes=1)


def test_what_is_no_time_is_told_what_may_be_written() -> None:
    with pytest.raises(
        typer.BadParameter, match="write 2026-12-24T08:00, or 90s, 10m, 2h, 3d for so long ago"
    ):
        read_past("yesterday", "--since")
    assert read_past(None, "--since") is None


def test_what_somebody_wrote_does_not_speak_to_the_terminal(capsys):
    print_table(["text"], [["a\x1b]0;owned\x07\x1b[2J\x9b31m\rb"], ["\x1b[31mred\x1b[0m"]])
    out = capsys.readouterr().out
    assert not {"\x07", "\x9b", "\r"} & set(out)
    assert "\x1b" not in out.replace("\x1b[31mred\x1b[0m", "")
