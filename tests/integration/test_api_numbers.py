"""``/v1/numbers/dead``, and the same at the command line."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import pytest

from gateway.model.message import Scope
from gateway.policy.chain import Chain
from gateway.policy.rules.numbers import DeadNumbers
from gateway.store.numbers import note_failure
from gateway.store.ports import Tx
from tests.support.api import ApiRig

pytestmark = pytest.mark.integration

NUMBERS = ("+8613800138000", "+8613900139000")


async def fail(tx: Tx, *, number: str, message_id: str, now: datetime) -> None:
    await note_failure(tx, number, "MK:0001", channel="sim-1", message_id=message_id, now=now)


@pytest.fixture
async def failed(rig: ApiRig) -> ApiRig:
    for n, number in enumerate(NUMBERS):
        for message in range(n + 1):
            await rig.store.write(partial(fail, number=number, message_id=str(message), now=rig.clock.now()))
    return rig


async def test_dead_numbers_are_listed_with_the_time_until_which_they_are_left_alone(failed: ApiRig):
    status, page = await failed.call("GET", "/v1/numbers/dead")
    assert status == 200
    assert [(item["number"], item["failures"], item["dead_until"]) for item in page["items"]] == [
        (NUMBERS[0], 1, None),
        (NUMBERS[1], 2, None),
    ]
    rule = DeadNumbers(after=2, retry_after=timedelta(days=1))
    failed.intake.adopt(failed.intake.settings._replace(chain=Chain(persons=(rule,))))
    status, page = await failed.call("GET", "/v1/numbers/dead?failures=2&limit=1")
    [item] = page["items"]
    assert (status, item["number"], item["code"], item["channel"]) == (200, NUMBERS[1], "MK:0001", "sim-1")
    assert item["dead_until"] > item["last_at"]
    status, message = await failed.call("POST", "/v1/messages", json={"to": NUMBERS[1], "text": "hi"})
    assert (status, message["status"], message["error"]["code"]) == (202, "blocked", "dead_number")


async def test_a_number_is_cleared_once_by_who_may(failed: ApiRig):
    path = f"/v1/numbers/dead/{NUMBERS[1].replace('+', '%2B')}"
    reader = await failed.make_key(Scope.READ)
    assert (await failed.call("DELETE", path, secret=reader))[0] == 403
    assert (await failed.call("DELETE", path))[0] == 204
    assert (await failed.call("DELETE", path))[0] == 404
    assert (await failed.call("DELETE", "/v1/numbers/dead/12"))[0] == 422
    _, page = await failed.call("GET", "/v1/numbers/dead")
    assert [item["number"] for item in page["items"]] == [NUMBERS[0]]
