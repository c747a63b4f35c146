from __future__ import annotations

import asyncio

import pytest

from drivers import loopback
from drivers.base import Accepted, Encoding, FaultKind, OutboundSegment, Receipt, Refused, SegmentId
from drivers.loopback import LoopbackConfig, LoopbackDriver
from tests.support.recording_sink import DEADLINE_S, RecordingSink
from tests.support.running import running_driver

pytestmark = pytest.mark.unit

SEGMENT = OutboundSegment(
    segment_id=SegmentId("m/1"), recipient="+8613800138000", encoding=Encoding.GSM7, payload=b"x"
)


async def test_receipts_can_be_switched_off():
    sink = RecordingSink()
    driver = LoopbackDriver(LoopbackConfig(name="l", receipts=False))
    async with running_driver(driver, sink):
        await sink.wait_until_up()
        assert isinstance(await driver.submit(SEGMENT), Accepted)
    assert sink.of(Receipt) == []


async def test_references_differ_from_those_of_another_life():
    references = set()
    for _ in range(2):
        sink = RecordingSink()
        driver = LoopbackDriver(LoopbackConfig(name="l"))
        async with running_driver(driver, sink):
            await sink.wait_until_up()
            result = await driver.submit(SEGMENT)
            assert isinstance(result, Accepted)
            references.add(result.reference)
    assert len(references) == 2


async def test_a_sink_that_takes_no_receipts_slows_the_channel_down(monkeypatch):
    monkeypatch.setattr(loopback, "MAX_PENDING_RECEIPTS", 2)
    sink = RecordingSink()
    sink.hold()
    driver = LoopbackDriver(LoopbackConfig(name="l"))
    async with running_driver(driver, sink):
        await sink.wait_until_up()
        for _ in range(2):
            assert isinstance(await driver.submit(SEGMENT), Accepted)
        refused = await driver.submit(SEGMENT)
        assert isinstance(refused, Refused)
        assert refused.fault.kind is FaultKind.THROTTLED
        sink.release()
        await sink.wait_for(lambda: len(sink.of(Receipt)) == 2)
        assert isinstance(await driver.submit(SEGMENT), Accepted)


async def test_drain_waits_no_longer_than_its_deadline():
    sink = RecordingSink()
    driver = LoopbackDriver(LoopbackConfig(name="l", latency_s=DEADLINE_S))
    async with running_driver(driver, sink):
        await sink.wait_until_up()
        slow = asyncio.create_task(driver.submit(SEGMENT))
        await asyncio.sleep(0)
        await driver.drain(asyncio.get_running_loop().time())
        assert not slow.done()
        slow.cancel()
