"""The program's log: one form for all loggers, nothing private in any."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gateway.telemetry.log import configure_log
from gateway.telemetry.redact import mask_number, redact_text, redact_value

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_structlog_and_stdlib_loggers_write_the_same_form() -> None:
    stream = io.StringIO()
    configure_log("info", "json", stream)
    structlog.get_logger().info("channel up", channel="sim-1")
    logging.getLogger("drivers.modem").warning("no answer after %d s", 5, extra={"channel": "sim-1"})
    ours, theirs = lines(stream)
    assert (ours["event"], ours["level"], ours["channel"]) == ("channel up", "info", "sim-1")
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"], theirs["channel"]) == (
        "no answer after 5 s",
        "warning",
        "sim-1",
    )
    assert theirs["logger"] == "drivers.modem"


def test_the_level_holds_for_both() -> None:
    stream = io.StringIO()
    configure_log("warning", "json", stream)
    structlog.get_logger().info("quiet")
    logging.getLogger("drivers").info("quiet")
    logging.getLogger("aiohttp.access").info("GET /cgi-bin/sendsms?text=secret")
    assert stream.getvalue() == ""


def test_nothing_private_reaches_the_log() -> None:
    stream = io.StringIO()
    configure_log("debug", "json", stream)
    log = structlog.get_logger()
    log.info("to +8613800138000", text="hello there", recipient="13800138000", pin="7391", raw=b"\x00\x01")
    log.info("nested", request={"to": ["+8613800138000"], "password": "hunter2"})
    log.info("key hy_0123456789abcdef in a line")
    try:
        raise ValueError("cannot dial +8613800138000")
    except ValueError:
        log.exception("it broke")
        logging.getLogger("drivers").exception("it broke for 13800138000")
    for private in ("13800138000", "hello there", "7391", "hunter2", "hy_0123"):
        assert private not in stream.getvalue()
    first, second, *_rest = lines(stream)
    assert first["event"] == "to +861******8000"
    assert first["raw"] == "2 octets"
    assert "text" not in first
    assert second["request"]["to"] == ["+861******8000"]
    assert "ValueError: cannot dial +861******8000" in stream.getvalue()


def test_people_on_a_terminal_get_lines_and_others_json() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, pipe = Terminal(), io.StringIO()
    configure_log("info", "auto", terminal)
    structlog.get_logger().info("channel up", channel="sim-1")
    configure_log("info", "auto", pipe)
    structlog.get_logger().info("channel up", channel="sim-1")
    assert "channel up" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    assert lines(pipe)[0]["channel"] == "sim-1"


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+8613800138000", "+861******8000"),
        ("13800138000", "1380***8000"),
        ("10690000", "10*****0"),
        ("10086", "10**6"),
        ("123", "123"),
        ("", ""),
    ],
)
def test_a_masked_number_keeps_its_ends_and_its_length(number: str, masked: str) -> None:
    assert mask_number(number) == masked


@pytest.mark.parametrize(
    "harmless",
    [
        "01kb3e5q7x1234567890abcdef",
        "2026-11-21T20:35:54.123456Z",
        "command_status 0x00000058",
        "/dev/serial/by-id/usb-HUAWEI_0123456789ABCDEF-if00",
        "attempt 3 of 5 after 600 s",
    ],
)
def test_what_is_no_number_stays_readable(harmless: str) -> None:
    assert redact_text(harmless) == harmless


def test_unknown_objects_are_shown_redacted() -> None:
    class Segment:
        def __str__(self) -> str:
            return "segment to +8613800138000"

    assert redact_value(Segment()) == "segment to +861******8000"
    assert redact_value({1: None, "x": 1.5}) == {1: None, "x": 1.5}


def test_no_place_in_the_code_fills_the_disk() -> None:
    stream = io.StringIO()
    configure_log("info", "json", stream)
    ours, theirs = structlog.get_logger(), logging.getLogger("aiohttp.server")
    for i in range(5_000):
        ours.warning("api.store_error", detail=i)
        theirs.error("Error handling request %d", i)
    ours.info("another line")
    assert len(lines(stream)) == 2_001
