"""Events as lines: what is written is read, on other machines and in other years too."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ids import make_id
from gateway.model.events import Event, MessageEvent, make_event
from gateway.model.lines import (
    FORM,
    pack_lines,
    read_lines,
    skip_lines,
    subject_key,
    unpack_lines,
    write_lines,
)

pytestmark = pytest.mark.unit

AT = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)
SENT = make_event("message.sent", AT, "01k0", MessageEvent(id="01k0", to="+8613800138000", status="sent"))
OPTED = make_event("subscription.opted_out", AT, "+8613800138000", {"source": "keyword"})

KEPT = (
    "c396300d8c750d4d420c2cad8cccac4c8df54c2d2cb13b162d780d80862239d4c000e85aa046a028dcc1601df0103242"
    "0e21429602cb8be2e42260d103f4955e7e41496a4a7c7e2928d2100509248090ec4d81164cc5f9a545e042223bb5b23c"
    "bf2845a9b6960b00"
)

texts = st.text(max_size=40)
kinds = st.sampled_from(
    ["message.sent", "message.queued", "inbound.received", "channel.up", "subscription.opted_in"]
)
events = st.builds(
    lambda kind, ms, subject, text, own: make_event(
        kind, datetime.fromtimestamp(ms / 1000, UTC).replace(microsecond=ms % 1000 * 1000), subject,
        {"id": subject if own else text, "text": text, "subject": text, "n": [1, {}]},
    ),
    kinds, st.integers(0, 4_000_000_000_000), texts, texts, st.booleans(),
)  # fmt: skip


@given(st.lists(events, max_size=12), st.integers(1, 10**12))
def test_what_is_written_is_read(written: list[Event], first: int):
    lines = write_lines(written, first)
    assert [json.loads(line)["seq"] for line in lines.splitlines()] == list(
        range(first, first + len(written))
    )
    read = read_lines(unpack_lines(pack_lines(lines), FORM))
    assert [(e.seq, e.type, e.at, e.subject, json.loads(e.data)) for e in read] == [
        (seq, e.type, e.at, e.subject, json.loads(e.data)) for seq, e in enumerate(written, first)
    ]
    for event in written:
        assert [e.seq for e in read_lines(lines, event.subject)] == [
            seq for seq, e in enumerate(written, first) if e.subject == event.subject
        ]
    for n in range(len(written) + 1):
        assert [e.seq for e in read_lines(skip_lines(lines, n))] == [e.seq for e in read[n:]]


def test_a_line_of_a_message_is_that_of_the_delivery_log():
    assert write_lines([SENT], 7) == (
        b'{"seq":7,"at":"2026-03-14T09:26:53.589000Z","type":"message.sent",'
        b'"id":"01k0","to":"+8613800138000","status":"sent"}\n'
    )


def test_what_older_versions_packed_can_be_read():
    """These octets must never change: stores are full of them."""
    assert [e.subject for e in read_lines(unpack_lines(bytes.fromhex(KEPT), 1))] == ["01k0", "+8613800138000"]


@pytest.mark.parametrize(("packed", "form"), [(b"", 2), (b"\xff\xff\xff", 1), (bytes.fromhex(KEPT)[:-9], 1)])
def test_damage_and_forms_to_come_are_told(packed: bytes, form: int):
    with pytest.raises(ValueError, match=r"form 2|damaged"):
        unpack_lines(packed, form)


def test_keys_of_ids_grow_with_time_and_tell_neighbours_apart():
    ids = [make_id() for _ in range(2_000)]
    keys = [subject_key(one) for one in ids]
    assert len(set(keys)) == len(ids)
    assert [key >> 25 for key in keys] == sorted(key >> 25 for key in keys)
    assert max(keys) < 2**60
    assert (
        len({subject_key(text) for text in ("+8613800138000", "+8613800138001", "sim-1", "sim-2", "")}) == 5
    )
