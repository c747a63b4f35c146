"""Parts may come in any order, some of them twice: the message is the same."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.base import Concat, InboundPart
from drivers.codec.segment import plan_segments
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, running

pytestmark = pytest.mark.property

TEXTS = st.text(st.sampled_from("ab€[雁🦢\n"), min_size=161, max_size=400)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.lists(TEXTS, min_size=1, max_size=3))
def test_messages_are_joined_whatever_the_order(data: st.DataObject, texts: list[str]):
    parts = []
    for reference, text in enumerate(texts):
        plan = plan_segments(text)
        for n, segment in enumerate(plan.segments, 1):
            concat = Concat(reference=reference, total=len(plan.segments), part=n)
            key = f"{reference}/{n}"
            parts.append(
                InboundPart(
                    sender=PHONE,
                    encoding=plan.encoding,
                    payload=segment.payload,
                    concat=concat,
                    dedupe_key=key,
                )
            )
    repeats = data.draw(st.lists(st.sampled_from(parts), max_size=5))
    arriving = data.draw(st.permutations(parts + repeats))
    assert sorted(asyncio.run(received(arriving))) == sorted(texts)


async def received(parts: list[InboundPart]) -> list[str]:
    driver = ScriptedDriver("a")
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder) / "s.db", driver) as rig:
            for part in parts:
                await driver.report(part)
            messages = await rig.inbound()
    assert all(message.complete for message in messages)
    return [message.text or "" for message in messages]
