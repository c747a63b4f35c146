import pytest

from drivers.at.reader import MAX_LINE, Line, LineReader, Oversized, Prompt

pytestmark = pytest.mark.unit


def read_all(octets: bytes, *, awaiting_prompt: bool = False):
    reader = LineReader()
    reader.awaiting_prompt = awaiting_prompt
    reader.feed(octets)
    events = []
    while (event := reader.next_event()) is not None:
        events.append(event)
    return events


@pytest.mark.parametrize(
    ("octets", "lines"),
    [
        (b"\r\nOK\r\n", ["OK"]),
        (b"AT\r\r\nOK\r\n", ["AT", "OK"]),
        (b"OK\n+CSQ: 20,99\n", ["OK", "+CSQ: 20,99"]),
        (b"\r\n\r\n\r\n", []),
        (b"\t\r" * 600 + b"OK\r", ["OK"]),
        (b"\x00\x00RDY\r\n", ["RDY"]),
        (b"  OK  \r\n", ["OK"]),
        (b"half", []),
        ('+COPS: 0,0,"中国移动",7\r\n'.encode(), ['+COPS: 0,0,"中国移动",7']),
        (b"\xff\xfe\r\n", ["ÿþ"]),
    ],
)
def test_lines(octets, lines):
    assert read_all(octets) == [Line(text) for text in lines]


@pytest.mark.parametrize("prompt", [b"\r\n> ", b"> ", b">", b"\r\n>\r\n", b"\r\n> \r\n"])
def test_the_prompt_is_seen_in_every_spelling_while_awaited(prompt):
    assert read_all(prompt, awaiting_prompt=True) == [Prompt()]


def test_the_prompt_is_a_line_like_any_other_when_not_awaited():
    assert read_all(b"> ") == []
    assert read_all(b"> hello\r\n") == [Line("> hello")]


def test_only_one_prompt_is_taken_for_one_wait():
    assert read_all(b"> > x\r\n", awaiting_prompt=True) == [Prompt(), Line("> x")]


def test_a_prompt_within_a_line_is_none():
    assert read_all(b"a > b\r\n", awaiting_prompt=True) == [Line("a > b")]


def test_a_line_without_end_is_thrown_away_and_the_next_one_is_read():
    reader = LineReader()
    reader.feed(b"x" * (MAX_LINE + 1))
    assert reader.next_event() == Oversized()
    assert reader.next_event() is None
    assert reader.n_buffered == 0
    reader.feed(b"xxx\r\nOK\r\n")
    assert reader.next_event() == Line("OK")


def test_a_line_at_the_bound_is_still_read():
    assert read_all(b"x" * MAX_LINE + b"\r\n") == [Line("x" * MAX_LINE)]
    assert read_all(b"x" * (MAX_LINE + 1) + b"\r\nOK\r\n") == [Oversized(), Line("OK")]
