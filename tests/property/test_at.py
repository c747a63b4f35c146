"""The AT engine against arbitrary octets, cuts and times."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.at import responses
from drivers.at.events import Answered, Command, Hung, PayloadDue, Phase, TimedOut
from drivers.at.reader import MAX_LINE, LineReader
from drivers.at.result_codes import parse_final
from drivers.at.transaction import MAX_INFO_LINES, SETTLE_S, AtDialogue

pytestmark = pytest.mark.property

relaxed = settings(deadline=None, max_examples=200)
"""A busy machine is no fault of the code."""

FRAGMENTS = st.sampled_from([
    b"\r\n", b"\r", b"\n", b"OK", b"ERROR", b"> ", b">", b"AT+CMGS=23", b"+CMGS: 7", b"+CMS ERROR: 38",
    b"+CMT: ,23", b"+CDS: 25", b"0791ABCD", b'+CMTI: "SM",1', b"^RSSI:20", b"OK then", b"\x1a", b"\x1b", b"\x00",
    b" ", b"0011000B91", b"+CPIN: SIM PIN", b"\xe4\xb8\xad", b"\xff",
])  # fmt: skip
STREAMS = st.lists(FRAGMENTS | st.binary(max_size=8), max_size=40).map(b"".join)
FLOODS = st.integers(MAX_LINE - 3, MAX_LINE + 3).map(lambda n: b"x" * n)


def cut(octets: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(octets), *(at % (len(octets) + 1) for at in cuts)})
    return [octets[a:b] for a, b in pairwise(places)]


def dialogue_in_prompt() -> AtDialogue:
    dialogue = AtDialogue(0.0)
    dialogue.receive(b"OK\r\n", 0.0)
    dialogue.tick(SETTLE_S)
    dialogue.start(Command(text="AT+CMGS=23", payload=b"0011000B91"), 1.0)
    dialogue.take_output()
    return dialogue


@relaxed
@given(st.lists(STREAMS | FLOODS, max_size=4).map(b"".join), st.lists(st.integers(0, 20_000), max_size=12))
def test_any_cut_of_a_stream_gives_the_same_events(octets, cuts):
    whole = dialogue_in_prompt()
    pieces = dialogue_in_prompt()
    events = whole.receive(octets, 2.0)
    assert [event for piece in cut(octets, cuts) for event in pieces.receive(piece, 2.0)] == events
    assert whole.take_output() == pieces.take_output()
    assert whole.phase is pieces.phase


@relaxed
@given(STREAMS)
def test_one_octet_at_a_time_gives_the_same_events(octets):
    whole = dialogue_in_prompt()
    single = dialogue_in_prompt()
    expected = whole.receive(octets, 2.0)
    assert [
        event for at in range(len(octets)) for event in single.receive(octets[at : at + 1], 2.0)
    ] == expected


@relaxed
@given(st.lists(st.tuples(st.binary(max_size=3000) | FLOODS, st.booleans()), max_size=8))
def test_the_reader_takes_anything_and_keeps_little(chunks):
    reader = LineReader()
    for octets, awaiting in chunks:
        reader.awaiting_prompt = awaiting
        reader.feed(octets)
        while reader.next_event() is not None:
            pass
        assert reader.n_buffered <= MAX_LINE


@relaxed
@given(st.lists(st.tuples(STREAMS, st.floats(0, 30)), max_size=30))
def test_the_dialogue_keeps_little_of_whatever_comes(steps):
    dialogue, now = dialogue_in_prompt(), 1.0
    for octets, wait_s in steps:
        dialogue.receive(octets, now)
        now += wait_s
        dialogue.tick(now)
        dialogue.take_output()
        assert dialogue.n_buffered <= MAX_LINE + MAX_INFO_LINES


@relaxed
@given(st.lists(st.tuples(STREAMS, st.floats(0, 30)), max_size=30), st.booleans())
def test_every_command_ends_exactly_once_and_its_payload_leaves_at_most_once(steps, prompted):
    dialogue, now = AtDialogue(0.0), 0.0
    started = ended = prompts = 0
    written = b""

    def count(events):
        nonlocal ended, prompts
        ended += sum(isinstance(event, Answered | TimedOut) for event in events)
        prompts += sum(isinstance(event, PayloadDue) for event in events)

    # Then silence, for as long as any command may last.
    for octets, wait_s in [*steps, *[(b"", 15.0)] * 4]:
        count(dialogue.receive(octets, now))
        now += wait_s
        count(dialogue.tick(now))
        if dialogue.phase is Phase.IDLE and octets:
            payload = b"0011000B91" if prompted else None
            dialogue.start(Command(text="AT+CMGS=23", payload=payload), now)
            started += 1
        written += dialogue.take_output()
        assert started - 1 <= ended <= started
    assert ended == started
    assert prompts == written.count(b"0011000B91\x1a") <= started


@relaxed
@given(st.floats(0, 10))
def test_a_silent_stick_is_declared_hung_in_bounded_time(late_s):
    dialogue, now, hung = AtDialogue(0.0), 0.0, False
    while not hung:
        assert dialogue.deadline is not None
        now = dialogue.deadline + late_s
        hung = Hung() in dialogue.tick(now)
        assert now < 300


@relaxed
@given(st.text(max_size=60))
def test_parsers_are_total(text):
    lines = (text, f"+CMGS:{text}", f"+CMGL:{text}", text, f"+CMGR:{text}", f"+CPMS:{text}", f"+CREG:{text}")
    parse_final(text)
    for parse in (
        responses.parse_cmgs, responses.parse_cmgl, responses.parse_cmgr, responses.parse_csq,
        responses.parse_registration, responses.parse_cops, responses.parse_cpin, responses.parse_cnum,
        responses.parse_cpms, responses.parse_storage_choices, responses.parse_digits, responses.parse_text,
    ):  # fmt: skip
        parse(lines)
    responses.parse_cmti(text)
    responses.parse_direct_length(text)
    responses.split_fields(text)
