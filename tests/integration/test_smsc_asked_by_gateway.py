"""The whole gateway in front of the simulated SMSC: it asks after lost receipts, and takes messages back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.pipeline.receipts import inquiry
from simulators.faults import Fault
from tests.support.daemon import until
from tests.support.gateway import PHONE
from tests.support.smsc_side import Side, open_side

pytestmark = pytest.mark.integration

QUERY_AFTER_S = 600.0


@pytest.fixture
async def side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Side]:
    monkeypatch.setattr(inquiry, "TICK_S", 0.01)
    monkeypatch.setattr(inquiry, "GAP_S", 0.0)
    async with open_side(tmp_path, query_after=f'"{QUERY_AFTER_S:.0f}s"') as opened:
        yield opened


async def test_a_lost_receipt_is_asked_for(side: Side):
    side.smsc.plan.inject(Fault(kind="receipt_lost"), 0.0)
    lost = await side.send("lost")
    await side.until_status(lost, "sent")
    heard = await side.send("heard")
    await side.until_status(heard, "delivered")  # the fault is spent, and both are in the handset
    assert side.handset.inbox == ["lost", "heard"]
    side.clock.advance(QUERY_AFTER_S)
    told = await side.until_status(lost, "delivered")
    kinds = [event["type"] for event in told["events"]]
    assert kinds[-2:] == ["receipt.asked", "message.delivered"], told["events"]
    assert "receipt.asked" not in [event["type"] for event in (await side.show(heard))["events"]]


async def test_a_handset_that_is_off_is_no_failure_and_is_asked_after_again(side: Side):
    side.network.detach(PHONE)
    message_id = await side.send("wait for me")
    await side.until_status(message_id, "sent")

    async def is_asked(times: int) -> bool:
        events = (await side.show(message_id))["events"]
        return [event["type"] for event in events].count("receipt.asked") == times

    side.clock.advance(QUERY_AFTER_S)
    await until(lambda: is_asked(1))
    assert (await side.show(message_id))["status"] == "sent"
    side.clock.advance(inquiry.GROWTH * QUERY_AFTER_S)
    await until(lambda: is_asked(2))


async def test_a_cancel_over_http_reaches_the_network(side: Side):
    side.network.detach(PHONE)
    gone, kept = await side.send("never mind"), await side.send("do come")
    for message_id in (gone, kept):
        await side.until_status(message_id, "sent")
    status, message = await side.call("POST", f"/v1/messages/{gone}/cancel")
    assert (status, message["status"]) == (200, "canceled")
    side.network.attach(PHONE, side.handset)
    await side.until_status(kept, "delivered")
    assert side.handset.inbox == ["do come"]
    status, problem = await side.call("POST", f"/v1/messages/{kept}/cancel")
    assert (status, "delivered" in problem["detail"]) == (409, True)


async def test_a_cancel_that_comes_too_late_says_so(side: Side):
    side.smsc.plan.inject(Fault(kind="receipt_lost"), 0.0)
    message_id = await side.send("already there")
    await side.until_status(message_id, "sent")
    await until(lambda: side.handset.inbox)
    status, problem = await side.call("POST", f"/v1/messages/{message_id}/cancel")
    assert status == 409
    assert "forgot 0 of its 1 parts" in problem["detail"]
    assert (await side.show(message_id))["status"] == "sent"
