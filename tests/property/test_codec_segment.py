"""Segment plans of any text: nothing lost, nothing torn, nothing too long, nothing wasted."""

from __future__ import annotations

import re
from itertools import accumulate

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers.base import Concat, Encoding
from drivers.codec.gsm7 import encode_gsm7, is_gsm7
from drivers.codec.segment import Plan, Reserve, decode_payload, plan_segments
from drivers.codec.tpdu import SmsSubmit, decode_submit, encode_submit
from drivers.codec.udh import encode_concat_udh

pytestmark = pytest.mark.property

relaxed = settings(deadline=None, max_examples=300)

GSM7 = st.text("ab@\n€^{", max_size=900)
UNICODE = st.text("a€中鸿é😀\U0002070e", max_size=500)
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=300)
TEXTS = GSM7 | UNICODE | ANYTHING | st.text("a\ud83d\ude00中", max_size=200)
CLUSTERS = ("a", "鸿", "😀", "🇨🇳", "👍🏽", "👩\u200d👧", "e\u0301", "क्षि", "각", "\u1112\u1161\u11ab")
PIECES = (*CLUSTERS, "\r\n", "\u0301", "\u200d", "e" + "\u0301" * 80)
CLUSTERY = st.lists(st.sampled_from(PIECES), max_size=120).map("".join)
RESERVES = st.builds(
    Reserve,
    header_octets=st.sampled_from([0, 3, 6]),
    every_segment=st.integers(0, 12),
    last_segment=st.integers(0, 12),
    reference_bits=st.sampled_from([8, 16]),
)
ENCODINGS = st.sampled_from([None, Encoding.UCS2])


LONE_SURROGATE = re.compile("[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")
PAIR = re.compile("([\ud800-\udbff])([\udc00-\udfff])")


def repaired(text: str) -> str:
    """The text with surrogates joined or replaced, by another way than the codec's."""
    return PAIR.sub(_join_pair, LONE_SURROGATE.sub("\ufffd", text))


def _join_pair(pair: re.Match[str]) -> str:
    return chr(0x10000 + ((ord(pair[1]) - 0xD800) << 10) + (ord(pair[2]) - 0xDC00))


@relaxed
@given(TEXTS | CLUSTERY, ENCODINGS)
def test_a_plan_joins_to_its_text(text: str, encoding: Encoding | None) -> None:
    plan = plan_segments(text, encoding)
    assert "".join(segment.text for segment in plan.segments) == repaired(text)
    assert decode_payload(plan.encoding, b"".join(segment.payload for segment in plan.segments)) == repaired(
        text
    )


@relaxed
@given(TEXTS | CLUSTERY, ENCODINGS)
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
@given(TEXTS | CLUSTERY, ENCODINGS)
@example("0" * 66 + "\u0300\u0300000", None)
def test_no_segment_is_wasted(text: str, encoding: Encoding | None) -> None:
    plan = plan_segments(text, encoding)
    full, encode = (153, encode_gsm7) if plan.encoding is Encoding.GSM7 else (134, _utf16)
    clusters = {found.start(): found[0] for found in regex.finditer(r"\X", plan.text)}
    end = 0
    for segment in plan.segments[:-1]:
        end += len(segment.text)
        # What comes next would not have fitted: a whole cluster, or one character of a cluster too long to stay whole.
        following = clusters.get(end, plan.text[end])
        assert len(segment.payload) + len(encode(following)) > full
    assert plan.segments[-1].payload or not text


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be")


@relaxed
@given(TEXTS | CLUSTERY, ENCODINGS, RESERVES)
def test_reserved_room_stays_free(text: str, encoding: Encoding | None, reserve: Reserve) -> None:
    plan = plan_segments(text, encoding, reserve=reserve)
    bits = 7 if plan.encoding is Encoding.GSM7 else 8
    unit = 1 if plan.encoding is Encoding.GSM7 else 2
    concat = 0 if len(plan.segments) == 1 else 4 + reserve.reference_bits // 8
    elements = reserve.header_octets + concat
    header_bits = 8 * (elements + 1 if elements else 0)
    for segment in plan.segments:
        added = reserve.every_segment + (reserve.last_segment if segment is plan.segments[-1] else 0)
        assert header_bits + bits * (len(segment.payload) + unit * added) <= 1120
    assert plan.text == repaired(text)


@relaxed
@given(CLUSTERY | TEXTS, ENCODINGS, st.sampled_from([8, 16]))
def test_no_cluster_that_fits_is_cut(text: str, encoding: Encoding | None, reference_bits: int) -> None:
    plan = plan_segments(text, encoding, reserve=Reserve(reference_bits=reference_bits))
    cuts = set(accumulate(len(segment.text) for segment in plan.segments))
    unit, part = (
        (1, 154 - reference_bits // 8) if plan.encoding is Encoding.GSM7 else (2, 68 - reference_bits // 8)
    )
    for cluster in regex.finditer(r"\X", plan.text):
        payload = plan_segments(cluster[0], plan.encoding).segments
        if sum(len(segment.payload) for segment in payload) <= part * unit:
            assert cuts.isdisjoint(range(cluster.start() + 1, cluster.end()))


@relaxed
@given(TEXTS | st.text("“”’–…\xa0ab鸿", max_size=300), ENCODINGS)
def test_smart_never_costs_more_and_tells_what_it_changed(text: str, encoding: Encoding | None) -> None:
    plain, smart = plan_segments(text, encoding), plan_segments(text, encoding, smart=True)
    assert len(smart.segments) <= len(plain.segments)
    if not smart.replacements:
        assert smart == plain
        return
    assert len(smart.segments) < len(plain.segments)
    undone = smart.text
    for position, original, replacement in smart.replacements:
        assert undone[position : position + len(replacement)] == replacement
        undone = undone[:position] + original + undone[position + len(replacement) :]
    assert undone == repaired(text)


def _header(plan: Plan, part: int) -> bytes:
    if len(plan.segments) == 1:
        return b""
    return encode_concat_udh(Concat(reference=0, total=len(plan.segments), part=part))
