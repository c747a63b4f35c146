"""Parts in any order, some of them twice, of messages that use one reference again: the same texts come out."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Concat, Encoding, InboundPart
from drivers.codec.reassembly import Part, join_parts
from drivers.codec.segment import decode_payload, plan_segments
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, running

pytestmark = pytest.mark.property

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[str], list[InboundPart]]:
    """Messages of one sender with one reference, hours apart, and their parts as they come in."""
    parts: list[InboundPart] = []
    texts = draw(st.lists(st.text("鸿雁aé😀", min_size=140, max_size=300), min_size=1, max_size=3))
    for n, text in enumerate(texts):
        plan = plan_segments(text, Encoding.UCS2)
        total = len(plan.segments)
        parts += [
            InboundPart(
                sender=PHONE,
                encoding=plan.encoding,
                payload=segment.payload,
                concat=Concat(reference=1, total=total, part=part),
                network_time=NOON + timedelta(hours=3 * n, seconds=draw(st.integers(0, 600))),
                dedupe_key=f"{n}:{part}",
            )
            for part, segment in enumerate(plan.segments, 1)
        ]
    repeated = draw(st.lists(st.sampled_from(parts), max_size=4))
    return texts, draw(st.permutations(parts + repeated))


@settings(deadline=None, max_examples=25)
@given(arrivals())
def test_the_order_in_which_parts_come_does_not_matter(given_: tuple[list[str], list[InboundPart]]) -> None:
    texts, parts = given_

    async def receive(folder: Path) -> Counter[str | None]:
        driver = ScriptedDriver("a")
        async with running(folder / "s.db", driver) as rig:
            for part in parts:
                await driver.report(part)
            return Counter(message.text for message in await rig.inbound())

    with TemporaryDirectory() as folder:
        assert asyncio.run(receive(Path(folder))) == Counter(texts)


@settings(deadline=None)
@given(
    # A byte order mark at the beginning of a part is no text.
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff\ufffe"), max_size=700),
    st.randoms(use_true_random=False),
)
def test_what_was_planned_is_joined_again_in_any_order(text: str, random) -> None:
    plan = plan_segments(text)
    parts = [Part(n, plan.encoding, segment.payload) for n, segment in enumerate(plan.segments, 1)]
    random.shuffle(parts)
    assert join_parts(parts, len(parts)).text == plan.text


@settings(deadline=None)
@given(
    st.dictionaries(
        st.integers(1, 255),
        st.tuples(st.sampled_from(Encoding), st.binary(max_size=140)),
        min_size=1,
        max_size=8,
    )
)
def test_joining_is_total_and_loses_nothing(received: dict[int, tuple[Encoding, bytes]]) -> None:
    joined = join_parts([Part(n, *content) for n, content in received.items()], 255)
    if joined.text is None:
        assert joined.data == b"".join(payload for _, (_, payload) in sorted(received.items()))
        return
    joined.text.encode()  # can be stored
    if len(received) == 1:
        ((encoding, payload),) = received.values()
        assert decode_payload(encoding, payload) in joined.text
