"""What msgspec complains of, as pointers, codes and sentences that clients can act on."""

from __future__ import annotations

import msgspec
import pytest

from gateway.api.openapi import make_document
from gateway.api.routes import ROUTES
from gateway.errors import FieldError
from gateway.http.body import decode_body
from gateway.http.explain import WORDS, escape, explain, to_pointer
from gateway.http.problem import Malformed
from gateway.http.query import MessageQuery
from gateway.model.request import END, MessageRequest

pytestmark = pytest.mark.unit


def fault_of(body: bytes, shape: type = MessageRequest) -> FieldError:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(body, type=shape)
    return explain(caught.value, shape)


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("", ""),
        ("$", ""),
        ("$.to", "/to"),
        ("$.tags[0]", "/tags/0"),
        ("$.messages[13].tags[2]", "/messages/13/tags/2"),
        ("$[7]", "/7"),
    ],
)
def test_path_becomes_pointer(path, pointer):
    assert to_pointer(path) == pointer


def test_pointer_steps_are_escaped():
    assert escape("a/b~c") == "a~1b~0c"


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (b'{"text":"x"}', "/to", "missing_field"),
        (b'{"to":1}', "/to", "wrong_type"),
        (b'{"to":"1","tags":["a",""]}', "/tags/1", "too_short"),
        (b'{"to":"%b"}' % (b"1" * 65), "/to", "too_long"),
        (b'{"to":"1","priority":10}', "/priority", "out_of_range"),
        (b'{"to":"1","priority":1e400}', "/priority", "out_of_range"),
        (b'{"to":"1","encoding":"utf8"}', "/encoding", "wrong_format"),
        (b'{"to":"1","schedule_at":"tomorrow"}', "/schedule_at", "wrong_time"),
        (b'{"to":"1","schedule_at":"2026-01-01T00:00:00"}', "/schedule_at", "wrong_time"),
        (b'{"to":"1","tags":%b}' % msgspec.json.encode(["a"] * 21), "/tags", "wrong_count"),
        (b"[1]", "", "wrong_type"),
    ],
)
def test_each_kind_of_fault_has_its_code(body, pointer, code):
    fault = fault_of(body)
    assert (fault.pointer, fault.code) == (pointer, code)


def test_unknown_field_names_the_nearest():
    fault = fault_of(b'{"to":"1","txet":"x"}')
    assert fault.pointer == "/txet"
    assert fault.code == "unknown_field"
    assert "did you mean `text`?" in fault.detail


def test_unknown_field_with_no_neighbour_lists_all():
    assert "known are text, category, sender" in fault_of(b'{"to":"1","zzz":1}').detail


def test_name_of_an_unknown_field_can_not_pose_as_a_path():
    fault = fault_of(b'{"to":"1","a` - at `$.to`":1}')
    assert fault.code == "unknown_field"
    assert fault.pointer.startswith("/a` - at `$.to")


def test_name_of_an_unknown_field_is_clipped():
    fault = fault_of(b'{"to":"1","%b":1}' % (b"x" * 5_000))
    assert len(fault.pointer) < 60
    assert len(fault.detail) < 400


@pytest.mark.parametrize("written", ["2026-12-24", "2026-12-24T08:00", "tomorrow"])
def test_what_is_no_time_is_told_how_to_write_one(written):
    fault = fault_of(b'{"to":"1","schedule_at":"%b"}' % written.encode())
    assert fault.code == "wrong_time"
    assert "2026-12-24T08:00:00+08:00" in fault.detail
    fault_of(b'{"to":1,"schedule_at":"2026-12-24T08:00:00+08:00"}')  # whose fault is another


def test_unknown_value_lists_the_values():
    fault = fault_of(b'{"to":"1","category":"spam"}')
    assert fault.code == "unknown_value"
    assert fault.detail == "write one of transactional, otp, marketing, emergency"


def test_unknown_value_of_an_optional_parameter_lists_the_values():
    fault = fault_of(b'{"status":"lost"}', MessageQuery)
    assert "write one of scheduled, queued" in fault.detail


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ('"to":1', "write text, not a whole number"),
        ('"to":null', "write text, not null"),
        ('"valid_for":"2h"', "write a whole number, not text"),
        ('"valid_for":0', "write at least 1"),
        ('"priority":10', "write at most 9"),
        ('"flash":"yes"', "write true or false, not text"),
        ('"tags":"a"', "write a list, not text"),
        ('"tags":["' + "a" * 65 + '"]', "write at most 64 characters"),
        ('"tags":[' + ",".join(['"a"'] * 21) + "]", "write at most 20 entries"),
        ('"callback_url":"ftp://x"', "write an address that begins with http:// or https://"),
        ('"data":"0"', 'write octets in hex, two digits each, such as "00a1"'),
        ('"smpp_tlvs":{"5":"00"}', 'write a tag as 0x and four hex digits, such as "0x1401"'),
        ('"smpp_tlvs":{"0x0005":"0"}', 'write octets in hex, two digits each, such as "00a1"'),
        ('"encoding":"utf8"', "write one of auto, gsm7, ucs2"),
        ('"schedule_at":5', "write a time with its zone, such as 2026-12-24T08:00:00+08:00"),
    ],
)
def test_complaints_are_in_words(rest: str, words: str):
    to = "" if rest.startswith('"to"') else '"to":"1",'
    assert fault_of(f"{{{to}{rest}}}".encode()).detail == words


def test_every_pattern_of_the_api_has_its_words():
    """Nobody is shown a regular expression."""
    patterns = set()

    def collect(value: object) -> None:
        if isinstance(value, dict):
            patterns.update([value["pattern"]] if isinstance(value.get("pattern"), str) else [])
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect(make_document(ROUTES))
    known = {pattern.replace(END, "$") for pattern in WORDS}
    assert {pattern.replace(END, "$") for pattern in patterns} <= known
    assert len(patterns) >= 4


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is empty; write a JSON object"),
        (b" \r\n", "the body is empty; write a JSON object"),
        (b'\xef\xbb\xbf{"to":"1"}', "byte order mark; leave it out"),
    ],
)
def test_what_is_no_json_is_called_what_it_is(body: bytes, words: str):
    with pytest.raises(Malformed, match=words):
        decode_body(msgspec.json.Decoder(MessageRequest), body)
