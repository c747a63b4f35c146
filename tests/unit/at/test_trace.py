"""The AT trace: complete, masked, and fit to be replayed."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.at.events import Answered, Command, PayloadDue
from drivers.at.trace import LineTrace, TraceFile, TraceSwitch, read_trace
from drivers.at.transaction import AtDialogue

pytestmark = pytest.mark.unit

PDU = "0001000D91688310183000F0000005E8329BFD06"
SEND = [
    (">", b"AT+CMGS=18\r"),
    ("<", b"\r\n> "),
    (">", PDU.encode() + b"\x1a"),
    ("<", b"\r\n^RSSI:20\r\n\r\n+CMGS: 7\r\n\r\nOK\r\n"),
]


def traced(talk: list[tuple[str, bytes]]) -> list[str]:
    lines: list[str] = []
    clock = itertools.count()
    trace = LineTrace(lines.append, lambda: next(clock) / 10, "sim-1")
    for direction, octets in talk:
        (trace.said if direction == ">" else trace.heard)(octets)
    return lines


def test_a_trace_reads_like_the_talk_itself() -> None:
    assert traced(SEND) == [
        "0.000 sim-1 > AT+CMGS=18\\r\n",
        "0.100 sim-1 < \\r\\n> \n",
        f"0.200 sim-1 > {'0' * 40}\\x1a\n",
        "0.300 sim-1 < \\r\\n^RSSI:20\\r\\n\\r\\n\n",
        "0.400 sim-1 < +CMGS: 7\\r\\n\\r\\n\n",
        "0.500 sim-1 < OK\\r\\n\n",
    ]


@pytest.mark.parametrize(
    ("direction", "line", "secrets"),
    [
        ("<", '+CLIP: "+8613800138000",145', ["13800138000", "8000"]),
        ("<", '+CNUM: "own","13800138000",129', ["13800138000"]),
        ("<", "861696001234567", ["1234567"]),
        (">", 'AT+CPIN="1234"', ["1234"]),
        (">", 'AT+CUSD=1,"*100#",15', ["*100#"]),
        ("<", '+CUSD: 0,"Your balance is 42",15', ["balance", "42"]),
        ("<", f"+CMGR: 0,,25\r\n{PDU}", [PDU, "8329BFD06"]),
        ("<", '+CMT: "+8613800138000",,"26/11/21"\r\nmeet me at five', ["meet", "five", "138000"]),
        ("<", '+CUSD: 0,"line one\r\nline two",15', ["one", "two"]),
    ],
)
def test_numbers_texts_and_pins_are_masked_however_the_octets_are_cut(direction, line, secrets) -> None:
    octets = f"\r\n{line}\r\n".encode()
    for cut in range(len(octets)):
        text = "".join(traced([(direction, octets[:cut]), (direction, octets[cut:])]))
        assert not [secret for secret in secrets if secret in text], (cut, text)


def test_a_trace_can_be_replayed(tmp_path: Path) -> None:
    path = tmp_path / "at.trace"
    file = TraceFile(path, lambda: 1.5)
    tap = file.tap("sim-1")
    for direction, octets in SEND:
        (tap.said if direction == ">" else tap.heard)(octets)
    file.close()
    tap.heard(b"too late")
    assert path.stat().st_mode & 0o777 == 0o600
    dialogue = AtDialogue(0.0)
    dialogue.receive(b"OK\r\n", 0.0)
    dialogue.tick(1.0)
    dialogue.take_output()
    dialogue.start(Command(text="AT+CMGS=18", payload=b"0" * 40), 1.0)
    events: list[object] = []
    written, wanted = b"", b""
    for entry in read_trace(path.read_text().splitlines(keepends=True)):
        assert (entry.channel, entry.at_s) == ("sim-1", 1.5)
        if entry.is_said:
            written += entry.octets
        else:
            events += dialogue.receive(entry.octets, 1.0)
        wanted += dialogue.take_output()
    assert written == wanted
    assert [type(event) for event in events if isinstance(event, PayloadDue | Answered)] == [
        PayloadDue,
        Answered,
    ]


def test_a_trace_that_was_forgotten_does_not_fill_the_disk(tmp_path: Path) -> None:
    file = TraceFile(tmp_path / "at.trace", lambda: 1.5, max_octets=200)
    tap = file.tap("sim-1")
    for _ in range(100):
        tap.heard(b"\r\nOK\r\n")
    file.close()
    text = (tmp_path / "at.trace").read_text()
    assert 100 < len(text) <= 200
    assert all(traced.octets == b"\r\nOK\r\n" for traced in read_trace(text.splitlines()))


@given(st.lists(st.tuples(st.sampled_from("<>"), st.binary(max_size=40)), max_size=20))
def test_any_octets_make_a_trace_of_the_same_length(talk) -> None:
    lines = traced([*talk, (">", b"AT\r"), ("<", b"OK\r\n")])
    n_octets = sum(len(entry.octets) for entry in read_trace(lines))
    assert n_octets == sum(len(octets) for _, octets in talk) + 7


def test_a_switch_may_be_turned_at_any_time() -> None:
    lines: list[str] = []
    switch = TraceSwitch()
    switch.heard(b"OK\r\n")
    switch.inner = LineTrace(lines.append, lambda: 0.0, "a")
    switch.said(b"AT\r")
    switch.inner = None
    switch.heard(b"OK\r\n")
    assert lines == ["0.000 a > AT\\r\n"]


def test_a_full_disk_stops_no_modem_and_no_daemon() -> None:
    file = TraceFile(Path("/dev/full"), lambda: 0.0)
    trace = file.tap("sim-1")
    for _ in range(3):
        trace.said(b"AT+CSQ\r")
        trace.heard(b"\r\n+CSQ: 20,99\r\n\r\nOK\r\n")
    file.close()
