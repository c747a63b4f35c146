"""What messages cost: what the network took, at the price of that moment, and never what it refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from drivers.base import FaultKind, LateResult, ReceiptState, SegmentId
from gateway.model.message import Message
from gateway.routing.costs import Spent
from gateway.routing.prices import Price, PriceRule, Prices
from gateway.routing.retry import OnUncertain, RetryPolicy
from gateway.store.costs import load_costs
from tests.support.costs import check_books
from tests.support.fake_driver import ScriptedDriver, accepted, refused, uncertain
from tests.support.gateway import START, Rig, receipt, running
from tests.support.people import OPERATOR
from tests.support.product import resend_message

pytestmark = pytest.mark.integration

CENT = 10_000
PRICES = Prices(
    [
        PriceRule(Price(5 * CENT, "CNY"), prefix="+86"),
        PriceRule(Price(4 * CENT, "CNY"), prefix="+86", valid_from=START + timedelta(days=1)),
        PriceRule(Price(3 * CENT, "EUR"), channel="b", prefix="+86"),
    ],
    {"a": ("default",), "b": ("default",)},
)
TWO_PARTS = "雁" * 100


@asynccontextmanager
async def priced(tmp_path: Path, driver: ScriptedDriver, **options: object) -> AsyncIterator[Rig]:
    async with running(tmp_path / "s.db", driver, prices=PRICES, **options) as rig:  # type: ignore[arg-type]
        yield rig


async def spent_on(rig: Rig, message: Message) -> dict[str, Spent]:
    await check_books(rig.store)
    return (await rig.store.read(lambda tx: load_costs(tx, [message.id]))).get(message.id, {})


async def test_each_segment_costs_once_the_network_has_it(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.hold()
    async with priced(tmp_path, driver) as rig:
        message = await rig.send(text=TWO_PARTS, tags=["b", "a"])
        await driver.until_submitted(1)
        assert await spent_on(rig, message) == {}, "nothing is owed for what is on its way"
        driver.release()
        await rig.until_status(message, "sent")
        assert await spent_on(rig, message) == {"CNY": Spent(2, 10 * CENT)}
        for segment in await rig.segments(message.id):
            await driver.report(receipt(segment.reference or ""))
        assert (await rig.message(message.id)).status == "delivered"
        assert await spent_on(rig, message) == {"CNY": Spent(2, 10 * CENT)}, "a receipt costs nothing"


async def test_what_is_refused_costs_nothing_and_what_is_tried_again_once(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.extend([refused(FaultKind.TEMPORARY), refused(FaultKind.PERMANENT)])
    async with priced(tmp_path, driver) as rig:
        message = await rig.send()
        await rig.settled()
        await rig.advance(60.0)
        await rig.until_status(message, "failed")
        assert await spent_on(rig, message) == {}
        await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await rig.sweep()
        await rig.until_status(message, "sent")
        assert await spent_on(rig, message) == {"CNY": Spent(1, 5 * CENT)}


async def test_the_price_is_that_of_the_moment_and_stays(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with priced(tmp_path, driver) as rig:
        today = await rig.send()
        await rig.until_status(today, "sent")
        rig.store.adopt_prices(Prices([PriceRule(Price(99 * CENT, "USD"))]))
        assert await spent_on(rig, today) == {"CNY": Spent(1, 5 * CENT)}
        rig.store.adopt_prices(PRICES)
        rig.clock.advance(86_400)
        tomorrow = await rig.send()
        await rig.until_status(tomorrow, "sent")
        assert await spent_on(rig, tomorrow) == {"CNY": Spent(1, 4 * CENT)}


async def test_without_a_price_nothing_is_kept(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with priced(tmp_path, driver) as rig:
        message = await rig.send(to="+4915112345678")
        await rig.until_status(message, "sent")
        assert await spent_on(rig, message) == {}


async def test_what_nobody_knows_of_is_apart_until_a_receipt_settles_it(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(uncertain())
    async with priced(tmp_path, driver) as rig:
        message = await rig.send()
        await rig.until_status(message, "uncertain")
        assert await spent_on(rig, message) == {"CNY": Spent(0, 0, 1, 5 * CENT)}
        rig.store.adopt_prices(Prices([PriceRule(Price(99 * CENT, "CNY"))]))  # as it was noted it stays
        await driver.report(receipt("77", state=ReceiptState.DELIVERED))
        assert (await rig.message(message.id)).status == "delivered"
        assert await spent_on(rig, message) == {"CNY": Spent(1, 5 * CENT)}


async def test_a_late_answer_settles_it_either_way(tmp_path: Path):
    driver = ScriptedDriver("a")
    for result, spent in ((accepted("7"), Spent(1, 5 * CENT)), (refused(FaultKind.PERMANENT), Spent())):
        driver.script.append(uncertain())
        async with priced(tmp_path, driver) as rig:
            message = await rig.send()
            await rig.until_status(message, "uncertain")
            await driver.report(
                LateResult(segment_id=SegmentId(f"{message.id}:1"), attempt=1, result=result, abandoned=True)
            )
            assert await spent_on(rig, message) == {"CNY": spent}


@pytest.mark.parametrize("policy", [OnUncertain.RETRY, OnUncertain.FAIL])
async def test_what_may_have_gone_out_stays_apart_when_it_is_sent_again_or_given_up(
    tmp_path: Path, policy: OnUncertain
):
    driver = ScriptedDriver("a")
    driver.script.append(uncertain())
    async with priced(tmp_path, driver, policy=RetryPolicy(on_uncertain=policy, first_s=1.0)) as rig:
        message = await rig.send()
        await rig.settled()
        await rig.advance(5.0)
        await rig.settled()
        n_taken = int(policy is OnUncertain.RETRY)
        assert await spent_on(rig, message) == {"CNY": Spent(n_taken, n_taken * 5 * CENT, 1, 5 * CENT)}


async def test_a_message_that_goes_again_by_another_channel_costs_in_both_currencies(tmp_path: Path):
    first, second = ScriptedDriver("a"), ScriptedDriver("b")
    async with running(tmp_path / "s.db", first, second, prices=PRICES) as rig:
        await second.go_down()
        message = await rig.send()
        await rig.until_status(message, "sent")
        (segment,) = await rig.segments(message.id)
        await first.report(receipt(segment.reference or "", state=ReceiptState.UNDELIVERABLE))
        await first.go_down()
        await second.come_up()
        await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await rig.sweep()
        await rig.until_status(message, "sent")
        assert await spent_on(rig, message) == {"CNY": Spent(1, 5 * CENT), "EUR": Spent(1, 3 * CENT)}


async def test_the_books_go_with_their_messages_and_the_sums_stay(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with priced(tmp_path, driver) as rig:
        message = await rig.send()
        await rig.until_status(message, "sent")
        (segment,) = await rig.segments(message.id)
        await driver.report(receipt(segment.reference or ""))
        rig.clock.advance(400 * 86_400)
        await rig.retention.round()
        costs = await rig.store.read(lambda tx: load_costs(tx, [message.id]))
        kept = await rig.store.read(lambda tx: tx.fetch("SELECT count(*) FROM cost_sums"))
        assert (costs, kept[0][0]) == ({}, 1)
        rig.clock.advance(800 * 86_400)
        await rig.retention.round()
        assert (await rig.store.read(lambda tx: tx.fetch("SELECT count(*) FROM cost_sums")))[0][0] == 0
