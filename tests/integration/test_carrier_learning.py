"""Which carrier a handset is with, as delivery reports tell: from the parameter on the wire to the table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.base import Receipt, ReceiptState
from drivers.smpp.client.inbound import ReceiptRules, decode_receipts
from drivers.smpp.wire.pdus import DeliverSm
from gateway.pipeline.operator.carriers import CarrierLearner, set_carrier, unset_carrier
from gateway.routing.routes.carriers import Carriers
from gateway.runtime.stores import OpenStore
from gateway.settings.carriers import CarrierSettings
from gateway.store.routes import find_number_carrier
from tests.support.gateway import PHONE, ManualClock
from tests.support.people import OPERATOR
from tests.support.stores import open_at

pytestmark = pytest.mark.integration

CARRIERS: Carriers = CarrierSettings(learn=True).load()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[OpenStore]:
    opened = await open_at(tmp_path / "s.db")
    yield opened
    await opened.close()


def report(network: str, state: ReceiptState = ReceiptState.DELIVERED, to: str = PHONE) -> Receipt:
    return Receipt(references=("1",), recipient=to, state=state, network=network)


async def known(store: OpenStore, number: str = PHONE) -> tuple[str, str] | None:
    row = await store.read(lambda tx: find_number_carrier(tx, number))
    return None if row is None else (row.carrier, row.source)


async def test_what_differs_from_the_range_is_kept_until_it_agrees_again(store: OpenStore):
    learner = CarrierLearner(store, ManualClock(), CARRIERS)
    await learner.learn(report("46000"))
    assert await known(store) is None, "its range says so, too"
    await learner.learn(report("46001"))
    assert await known(store) == ("unicom", "receipt")
    await learner.learn(report("46011"))
    assert await known(store) == ("telecom", "receipt")
    await learner.learn(report("46002"))
    assert await known(store) is None, "it was taken back"


async def test_what_people_said_is_not_unlearned(store: OpenStore):
    learner = CarrierLearner(store, ManualClock(), CARRIERS)
    await set_carrier(store, ManualClock(), PHONE, "cbn", by=OPERATOR)
    await learner.learn(report("46001"))
    await learner.learn(report("46000"))
    assert await known(store) == ("cbn", "api")
    assert await unset_carrier(store, ManualClock(), PHONE, by=OPERATOR)
    assert not await unset_carrier(store, ManualClock(), PHONE, by=OPERATOR)


@pytest.mark.parametrize(
    "receipt",
    [
        report("99999"),
        report("46001", ReceiptState.UNDELIVERABLE),
        report("46001", ReceiptState.ENROUTE),
        report("46001", to="10086"),
    ],
)
async def test_what_tells_nothing_for_certain_is_passed_over(store: OpenStore, receipt: Receipt):
    await CarrierLearner(store, ManualClock(), CARRIERS).learn(receipt)
    assert await known(store, str(receipt.recipient)) is None


async def test_nothing_is_learned_where_that_is_not_wanted(store: OpenStore):
    learner = CarrierLearner(store, ManualClock(), CarrierSettings().load())
    await learner.learn(report("46001"))
    assert await known(store) is None


@pytest.mark.parametrize(
    ("tags", "tlvs", "network"),
    [
        ((0x1402,), [(0x1402, b"46001\0")], "46001"),
        ((0x1503, 0x1504), [(0x1503, b"460"), (0x1504, b"01")], "46001"),
        ((0x1503, 0x1504), [(0x1503, b"460")], ""),
        ((0x1402,), [(0x1402, b"hello")], ""),
        ((0x1402,), [(0x1402, b"4600100")], ""),
        ((0x1402,), [(0x1402, b"\xb2\xb3\xb9\xb9\xb2")], ""),
        ((), [(0x1402, b"46001")], ""),
    ],
)
def test_a_network_is_read_from_the_parameters_that_were_agreed(
    tags: tuple[int, ...], tlvs: list[tuple[int, bytes]], network: str
):
    body = DeliverSm(
        esm_class=4,
        source_addr_ton=1,
        source_addr="8613800138000",
        destination_addr="10690000",
        short_message=b"id:1 sub:001 dlvrd:001 submit date:2603140926 done date:2603140926 stat:DELIVRD err:000 text:",
        tlvs=tuple(tlvs),
    )
    (receipt,) = decode_receipts(body, ReceiptRules(network_tags=tags))
    assert receipt.network == network
