"""Query strings: strict, with the one kindness that a lost plus sign is put back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.errors import InvalidRequest
from gateway.http.query import (
    EventQuery,
    InboundQuery,
    MessageQuery,
    NoQuery,
    make_page,
    read_cursor,
    read_query,
)
from gateway.ids import make_id
from gateway.model.message import MessageStatus

pytestmark = pytest.mark.unit


def read(query: str, shape: type = MessageQuery):
    return read_query(make_mocked_request("GET", f"/v1/messages?{query}"), shape)


def test_values_are_typed():
    query = read("status=sent&limit=7&since=2026-01-01T00:00:00Z&tag=a")
    assert query.status is MessageStatus.SENT
    assert query.limit == 7
    assert query.since == datetime(2026, 1, 1, tzinfo=UTC)
    assert query.tag == "a"


def test_defaults():
    assert read("") == MessageQuery(limit=50)


def test_from_is_a_name_of_the_outside():
    assert read("from=10086", InboundQuery).sender == "10086"


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("limit=0", "limit", "out_of_range"),
        ("limit=-1", "limit", "out_of_range"),
        ("limit=1001", "limit", "out_of_range"),
        ("limit=ten", "limit", "wrong_type"),
        ("limit=1.0", "limit", "wrong_type"),
        ("limit=%D9%A3", "limit", "wrong_type"),
        ("limit=" + "9" * 5_000, "limit", "wrong_type"),
        ("status=null", "status", "unknown_value"),
        ("since=1700000000", "since", "wrong_time"),
        ("since=2026-01-01T00:00:00", "since", "wrong_time"),
        ("tag=a&tag=b", "tag", "given_twice"),
        ("limt=5", "limt", "unknown_field"),
    ],
)
def test_wrong_values_are_refused(query, pointer, code):
    with pytest.raises(InvalidRequest) as caught:
        read(query)
    (fault,) = caught.value.errors
    assert (fault.pointer, fault.code) == (pointer, code)


def test_unknown_parameter_names_the_nearest():
    with pytest.raises(InvalidRequest, match="did you mean `limit`"):
        read("limt=5")


def test_calls_without_parameters_take_none():
    with pytest.raises(InvalidRequest):
        read("limit=5", NoQuery)


def test_word_null_is_a_word():
    assert read("tag=null").tag == "null"


def test_lost_plus_signs_come_back():
    query = read("to=+8613800138000&since=2026-01-01T08:00:00+08:00")
    assert query.to == "+8613800138000"
    assert query.since == datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=8)))


def test_event_id_is_a_number():
    assert read("last_event_id=12", EventQuery).last_event_id == 12
    with pytest.raises(InvalidRequest):
        read("last_event_id=-1", EventQuery)


def test_cursor_leads_to_where_the_page_ended():
    ids = [make_id() for _ in range(4)]
    page, cursor = make_page(ids, 3, str)
    assert page == ids[:3]
    assert read_cursor(cursor) == ids[2]


def test_last_page_has_no_cursor():
    assert make_page(["a", "b"], 2, str) == (["a", "b"], None)


@pytest.mark.parametrize("cursor", ["", "x", "%%%", "bm90IGFuIGlk", "é", "A" * 10_000])
def test_cursors_of_others_are_refused(cursor):
    with pytest.raises(InvalidRequest):
        read_cursor(cursor)
