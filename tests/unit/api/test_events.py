"""Frames of the event stream, and which events a filter keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from gateway.api.calls.events import format_event, make_filter
from gateway.errors import InvalidRequest
from gateway.http.query import EventQuery
from gateway.model.events import Event
from gateway.model.message import MessageStatus

pytestmark = pytest.mark.unit

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make(kind: str = "message.sent", subject: str = "m1", **data: Any) -> Event:
    return Event(seq=7, type=kind, at=AT, subject=subject, data=msgspec.json.encode(data))


def test_frame_has_id_type_and_one_line_of_data():
    frame = format_event(make(id="m1", error="two\nlines"))
    assert frame.endswith(b"\n\n")
    first, second, third = frame.decode().strip().split("\n")
    assert first == "id: 7"
    assert second == "event: message.sent"
    assert msgspec.json.decode(third.removeprefix("data: ")) == {
        "type": "message.sent",
        "timestamp": "2026-01-02T03:04:05Z",
        "data": {"id": "m1", "error": "two\nlines"},
    }


SENT = make(to="+8613800138000", status="sent", channel="sim-1", reference="r", batch_id="b", tags=["x", "y"])


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (EventQuery(), True),
        (EventQuery(type="message.sent"), True),
        (EventQuery(type="message.failed,message.sent"), True),
        (EventQuery(type="message.failed"), False),
        (EventQuery(status=MessageStatus.SENT), True),
        (EventQuery(status=MessageStatus.FAILED), False),
        (EventQuery(to="138 0013 8000"), True),
        (EventQuery(to="8613800138000"), True),
        (EventQuery(to="+13800138000"), True),  # doubtful: whoever it may be
        (EventQuery(to="13800138001"), False),
        (EventQuery(tag="y"), True),
        (EventQuery(tag="z"), False),
        (EventQuery(channel="sim-1"), True),
        (EventQuery(channel="sim-2"), False),
        (EventQuery(reference="r"), True),
        (EventQuery(reference="s"), False),
        (EventQuery(batch="b"), True),
        (EventQuery(batch="c"), False),
        (EventQuery(tag="x", channel="sim-1", status=MessageStatus.SENT), True),
        (EventQuery(tag="x", channel="sim-2"), False),
    ],
)
def test_filters(query, kept):
    keeps = make_filter(query, "CN")
    assert (keeps is None or keeps(SENT)) is kept


def test_channel_filter_knows_the_events_of_the_channel_itself():
    keeps = make_filter(EventQuery(channel="sim-1"), "CN")
    assert keeps is not None
    assert keeps(make("channel.down", "sim-1", error="link_lost"))
    assert not keeps(make("channel.down", "sim-2", error="link_lost"))


def test_filter_by_something_that_is_no_number_is_refused():
    with pytest.raises(InvalidRequest):
        make_filter(EventQuery(to="nobody"), "CN")
