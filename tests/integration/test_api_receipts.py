"""Delivery reports without a message, over the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.ids import make_id
from gateway.model.message import Scope
from gateway.store.receipts import EarlyReceipt, save_early
from tests.support.api import ApiRig, open_api

pytestmark = pytest.mark.integration


async def keep(rig: ApiRig, *references: str, state: str = "delivered") -> str:
    early = EarlyReceipt(make_id(), "+8613800138000", state, "err:000", None)
    now = rig.clock.now()
    await rig.store.write(
        lambda tx: save_early(tx, early, channel="sim-1", references=references, received_at=now)
    )
    return early.receipt_id


async def test_they_are_listed_newest_first_in_pages(tmp_path: Path):
    async with open_api(tmp_path) as rig:
        first = await keep(rig, "1d305b4c", "0489708364")
        second = await keep(rig, "9")
        status, page = await rig.call("GET", "/v1/receipts?unmatched=true&limit=1")
        assert (status, [item["id"] for item in page["items"]]) == (200, [second])
        _, rest = await rig.call("GET", f"/v1/receipts?unmatched=true&cursor={page['next']}")
        [item] = rest["items"]
        assert (item["id"], item["references"], item["to"]) == (
            first,
            ["1d305b4c", "0489708364"],
            "+8613800138000",
        )
        assert (item["channel"], item["state"], item["code"]) == ("sim-1", "delivered", "err:000")
        assert rest["next"] is None
        assert (await rig.call("GET", "/v1/receipts?channel=other"))[1]["items"] == []
        status, problem = await rig.call("GET", "/v1/receipts?unmatched=false")
        assert (status, problem["detail"]) == (422, "write one of true")


async def test_one_that_was_not_understood_is_shown_as_it_came(tmp_path: Path):
    async with open_api(tmp_path) as rig:
        early = EarlyReceipt(
            make_id(), "+8613800138000", "unknown", "", None, "RT:0148", octets=b"stat:RT:0148"
        )
        await rig.store.write(
            lambda tx: save_early(
                tx, early, channel="sim-1", references=["1", "2"], received_at=rig.clock.now()
            )
        )
        [item] = (await rig.call("GET", "/v1/receipts"))[1]["items"]
        assert (item["state"], item["word"], bytes.fromhex(item["octets"])) == (
            "unknown",
            "RT:0148",
            b"stat:RT:0148",
        )
        assert item["references"] == ["1", "2"]


async def test_one_that_fits_nothing_is_not_forced_on_a_message(tmp_path: Path):
    async with open_api(tmp_path) as rig:
        receipt_id = await keep(rig, "9")
        message = await rig.send()
        path = f"/v1/receipts/{receipt_id}/match"
        status, problem = await rig.call("POST", path, json={"message_id": message["id"]})
        assert (status, "queued" in problem["detail"]) == (409, True)
        assert (await rig.call("POST", path, json={"message_id": make_id()}))[0] == 404
        assert (
            await rig.call("POST", f"/v1/receipts/{make_id()}/match", json={"message_id": message["id"]})
        )[0] == 404
        assert len((await rig.call("GET", "/v1/receipts"))[1]["items"]) == 1


async def test_a_key_that_only_reads_matches_nothing(tmp_path: Path):
    async with open_api(tmp_path) as rig:
        receipt_id = await keep(rig, "9")
        secret = await rig.make_key(Scope.READ)
        assert (await rig.call("GET", "/v1/receipts", secret=secret))[0] == 200
        path = f"/v1/receipts/{receipt_id}/match"
        assert (await rig.call("POST", path, secret=secret, json={"message_id": make_id()}))[0] == 403
