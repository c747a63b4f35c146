"""Segment plans of any text: nothing lost, nothing torn, nothing too long, nothing wasted."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Concat, Encoding
from drivers.codec.gsm7 import is_gsm7
from drivers.codec.segment import Plan, decode_payload, plan_segments
from drivers.codec.tpdu import SmsSubmit, decode_submit, encode_submit
from drivers.codec.udh import encode_concat_udh

pytestmark = pytest.mark.property

relaxed = settings(deadline=None, max_examples=300)

GSM7 = st.text("ab@\n€^{", max_size=900)
UNICODE = st.text("a€中鸿é😀\U0002070e", max_size=500)
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=300)
TEXTS = GSM7 | UNICODE | ANYTHING | st.text("a\ud83d\ude00中", max_size=200)
ENCODINGS = st.sampled_from([None, Encoding.UCS2])


LONE_SURROGATE = re.compile("[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")
PAIR = re.compile("([\ud800-\udbff])([\udc00-\udfff])")


def repaired(text: str) -> str:
    """The text with surrogates joined or replaced, by another way than the codec's."""
    return PAIR.sub(_join_pair, LONE_SURROGATE.sub("\ufffd", text))


def _join_pair(pair: re.Match[str]) -> str:
    return chr(0x10000 + ((ord(pair[1]) - 0xD800) << 10) + (ord(pair[2]) - 0xDC00))


@relaxed
@given(TEXTS, ENCODINGS)
def test_a_plan_joins_to_its_text(text: str, encoding: Encoding | None) -> None:
    plan = plan_segments(text, encoding)
    assert "".join(segment.text for segment in plan.segments) == repaired(text)
    assert decode_payload(plan.encoding, b"".join(segment.payload for segment in plan.segments)) == repaired(
        text
    )


@relaxed
@given(TEXTS, ENCODINGS)
def test_every_segment_reads_alone(text: str, encoding: Encoding | None) -> None:
    plan = plan_segments(text, encoding)
    for segment in plan.segments:  # a torn pair would read as a space or U+FFFD here
        assert decode_payload(plan.encoding, segment.payload) == segment.text


@relaxed
@given(TEXTS)
def test_gsm7_is_taken_whenever_it_can_be(text: str) -> None:
    assert (plan_segments(text).encoding is Encoding.GSM7) == is_gsm7(text)


@relaxed
@given(TEXTS, ENCODINGS)
def test_every_segment_fits_a_tpdu_with_its_header(text: str, encoding: Encoding | None) -> None:
    plan = plan_segments(text, encoding)
    for number, segment in enumerate(plan.segments, 1):
        pdu = SmsSubmit(
            tp_da="+1", encoding=plan.encoding, payload=segment.payload, udh=_header(plan, number)
        )
        assert decode_submit(encode_submit(pdu)) == pdu


@relaxed
@given(TEXTS, ENCODINGS)
def test_no_segment_is_wasted(text: str, encoding: Encoding | None) -> None:
    plan = plan_segments(text, encoding)
    full = 152 if plan.encoding is Encoding.GSM7 else 132  # a pair may leave one place empty
    assert all(len(segment.payload) >= full for segment in plan.segments[:-1])
    assert plan.segments[-1].payload or not text


def _header(plan: Plan, part: int) -> bytes:
    if len(plan.segments) == 1:
        return b""
    return encode_concat_udh(Concat(reference=0, total=len(plan.segments), part=part))
