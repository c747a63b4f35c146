"""Limits as clients meet them, at every door over real sockets: what is refused, in which words, and until when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import BindTransmitter
from gateway.model.message import Scope
from gateway.pipeline.intake import batches
from gateway.pipeline.intake.limits import LimitSettings, OwnerLimits, Pace
from gateway.routing.load import Bounds
from tests.support.api import ApiRig, SettableClock, open_api
from tests.support.esme import connected_esme
from tests.support.eventually import eventually
from tests.support.fake_driver import ScriptedDriver
from tests.support.kannel_rig import open_kannel_rig
from tests.support.smpp_application import LONG, account, parts_of, serving, submit

pytestmark = pytest.mark.integration

BODY = {"to": "+8613800138000", "text": "hello"}


class StillClock(SettableClock):
    """Its seconds pass only when a test says so."""

    def monotonic(self) -> float:
        return 1_000.0 + self.pushed_s


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[ApiRig]:
    async with open_api(tmp_path) as opened:
        opened.store._on_commit = opened.intake.limits.note
        opened.clock = opened.intake.limits._clock = StillClock()
        yield opened


def limit(rig: ApiRig, *, all_of: Bounds = Bounds(), **of_shop: Any) -> None:  # noqa: B008
    rig.intake.limits.adopt(LimitSettings(all_of, {"key:shop": OwnerLimits(**of_shop)}))


async def post(rig: ApiRig, secret: str, path: str = "/v1/messages", **options: Any) -> tuple[int, Any, str]:
    headers = {"Authorization": f"Bearer {secret}"} | options.pop("headers", {})
    options.setdefault("json", BODY)
    async with rig.client.post(path, headers=headers, **options) as response:
        return response.status, await response.json(), response.headers.get("Retry-After", "")


async def test_a_key_with_too_much_waiting_is_refused_until_some_of_it_is_gone(rig: ApiRig):
    shop, other = await rig.make_key(Scope.SEND, name="shop"), await rig.make_key(Scope.SEND)
    limit(rig, bounds=Bounds(messages=2))
    first = await post(rig, shop)
    assert (first[0], (await post(rig, shop))[0]) == (202, 202)
    status, problem, retry_after = await post(rig, shop)
    assert (status, problem["code"], retry_after) == (429, "queue_full", "10")
    assert problem["detail"] == (
        "of this key's messages 2 wait for the network, and 2 may (max_messages); come again as Retry-After says, "
        "or raise the limit"
    )
    assert (await post(rig, other))[0] == 202, "nobody else has to do with it"
    assert (await rig.call("POST", f"/v1/messages/{first[1]['id']}/cancel", secret=shop))[0] == 200
    assert (await post(rig, shop))[0] == 202
    assert (await post(rig, shop))[0] == 429


async def test_all_that_waits_is_bounded_too(rig: ApiRig):
    limit(rig, all_of=Bounds(messages=1))
    await rig.send()
    status, problem, retry_after = await post(rig, rig.secret)
    assert (status, problem["code"], retry_after) == (503, "backlog_full", "10")
    assert "of all messages 1 wait" in problem["detail"]
    limit(rig, all_of=Bounds(octets=2_000))
    await rig.send(text="a" * 100)
    status, problem, _ = await post(rig, rig.secret, json=BODY | {"text": "a" * 160})
    assert (status, problem["detail"].split(",")[0]) == (503, "of all messages 0.0 MB wait for the network")


async def test_a_rate_is_of_messages_and_a_batch_pays_for_each(rig: ApiRig):
    shop = await rig.make_key(Scope.SEND, name="shop")
    limit(rig, rate=Pace(120, 60.0))
    assert [(await post(rig, shop))[0] for _ in range(3)] == [202, 202, 429]
    _, problem, retry_after = await post(rig, shop)
    assert (problem["code"], retry_after) == ("rate_exceeded", "1")
    assert problem["detail"].startswith("this key may bring 120 in 60 s (messages, rate in the config)")
    rig.clock.pushed_s += 1
    batch = {"messages": [BODY] * 20}
    status, answer, _ = await post(rig, shop, "/v1/messages/batch", json=batch)
    assert (status, answer["accepted"]) == (202, 20), "what may begin is taken whole"
    status, _, retry_after = await post(rig, shop)
    assert (status, retry_after) == (429, "10"), "and paid for by what comes behind"
    assert (await post(rig, shop, "/v1/messages/batch", json=batch))[0] == 429
    rig.clock.pushed_s += 10
    assert (await post(rig, shop))[0] == 202


async def test_a_rate_of_requests_is_of_all_calls(rig: ApiRig):
    shop = await rig.make_key(Scope.ADMIN, name="shop")
    limit(rig, requests=Pace(2, 1.0))
    assert [(await rig.call("GET", "/v1/messages", secret=shop))[0] for _ in range(3)] == [200, 200, 429]
    assert (await rig.call("GET", "/v1/messages"))[0] == 200
    rig.clock.pushed_s += 1
    assert (await rig.call("GET", "/v1/messages", secret=shop))[0] == 200


async def test_a_batch_is_taken_in_pieces_as_far_as_there_is_room(
    rig: ApiRig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(batches, "PIECE_MESSAGES", 10)
    shop = await rig.make_key(Scope.SEND, name="shop")
    limit(rig, bounds=Bounds(messages=25))
    status, answer, _ = await post(rig, shop, "/v1/messages/batch", json={"messages": [BODY] * 40})
    assert (status, answer["accepted"], len(answer["rejected"])) == (202, 20, 20)
    assert {one["code"] for one in answer["rejected"]} == {"queue_full"}
    assert [one["index"] for one in answer["rejected"]] == list(range(20, 40))
    status, problem, _ = await post(rig, shop, "/v1/messages/batch", json={"messages": [BODY] * 40})
    assert (status, problem["code"]) == (429, "queue_full"), "not even its first piece"
    assert (await post(rig, shop))[0] == 202


async def test_a_repetition_gets_its_answer_however_full_it_is(rig: ApiRig):
    shop = await rig.make_key(Scope.SEND, name="shop")
    limit(rig, bounds=Bounds(messages=1), rate=Pace(1, 60.0))
    once = {"Idempotency-Key": "k1"}
    first = await post(rig, shop, headers=once)
    assert await post(rig, shop, headers=once) == first
    assert (await post(rig, shop, headers={"Idempotency-Key": "k2"}))[0] == 429


async def test_many_at_once_are_no_more_than_may_be(rig: ApiRig):
    shop = await rig.make_key(Scope.SEND, name="shop")
    limit(rig, bounds=Bounds(messages=10))
    statuses = [status for status, _, _ in await asyncio.gather(*(post(rig, shop) for _ in range(60)))]
    assert statuses.count(202) == 10
    assert statuses.count(429) == 50


async def test_figures_say_how_full_limits_are_and_who_was_refused(rig: ApiRig):
    shop = await rig.make_key(Scope.SEND, name="shop")
    refused: list[tuple[str, str]] = []
    rig.intake.limits._refused = lambda *what: refused.append(what)
    limit(rig, bounds=Bounds(messages=4), all_of=Bounds(messages=10))
    for _ in range(5):
        await post(rig, shop)
    async with rig.client.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    assert 'hongyan_limit_fill_ratio{limit="messages",owner="key:shop"} 1.0' in lines
    assert 'hongyan_limit_fill_ratio{limit="messages",owner="all"} 0.4' in lines
    assert refused == [("messages", "key:shop")]


async def test_limits_of_all_other_keys_are_each_keys_own(rig: ApiRig):
    one, two = await rig.make_key(Scope.SEND, name="one"), await rig.make_key(Scope.SEND, name="two")
    rig.intake.limits.adopt(LimitSettings(others=OwnerLimits(Bounds(messages=1))))
    assert [(await post(rig, key))[0] for key in (one, two, one, two)] == [202, 202, 429, 429]


async def test_applications_over_smpp_are_told_in_its_words(tmp_path: Path):
    async with serving(tmp_path / "db", account()) as served, connected_esme(served.port) as esme:
        limits, clock = served.rig.intake.limits, served.rig.clock
        served.rig.store._on_commit = limits.note
        served.driver.hold()
        await esme.bind(BindTransmitter)
        limits.adopt(LimitSettings(Bounds(messages=2)))
        assert [(await esme.ask(submit())).command_status for _ in range(3)] == [0, 0, CommandStatus.RMSGQFUL]
        served.driver.release()
        await eventually(lambda: limits.waiting_of(None).messages == 0)
        limits.adopt(LimitSettings(by_name={"smpp:hongyan": OwnerLimits(rate=Pace(1, 1.0))}))
        assert [(await esme.ask(submit())).command_status for _ in range(2)] == [0, CommandStatus.RTHROTTLED]
        await eventually(lambda: limits.waiting_of(None).messages == 0)
        served.driver.hold()
        limits.adopt(LimitSettings(by_name={"smpp:hongyan": OwnerLimits(Bounds(age_s=300.0))}))
        assert (await esme.ask(submit())).command_status == 0
        clock.advance(600.0)
        assert (await esme.ask(submit())).command_status == CommandStatus.RMSGQFUL
        served.driver.release()
        await eventually(lambda: limits.waiting_of(None).messages == 0)
        assert (await esme.ask(submit())).command_status == 0


async def test_a_text_that_comes_in_parts_pays_as_one_message(tmp_path: Path):
    async with serving(tmp_path / "db", account()) as served, connected_esme(served.port) as esme:
        limits = served.rig.intake.limits
        limits.adopt(LimitSettings(by_name={"smpp:hongyan": OwnerLimits(rate=Pace(1, 1.0))}))
        await esme.bind(BindTransmitter)
        parts = parts_of(LONG)
        answers = [(await esme.ask(one)).command_status for one in [*parts, submit()]]
        assert answers == [0] * len(parts) + [CommandStatus.RTHROTTLED]


async def test_kannels_clients_are_told_to_try_later(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.hold()
    async with open_kannel_rig(tmp_path, driver) as kannel, aiohttp.ClientSession() as session:
        limits = kannel.rig.intake.limits
        kannel.rig.store._on_commit = limits.note
        limits.adopt(LimitSettings(by_name={"kannel:app": OwnerLimits(Bounds(messages=2))}))

        async def send(to: str) -> tuple[int, str]:
            asked = {"username": "app", "password": "pw", "to": to, "text": "hello"}
            async with session.get(kannel.url, params=asked) as response:
                return response.status, await response.text()

        assert (await send("+8613800138000"))[0] == 202
        full = (503, "Temporal failure, try again later.")
        assert await send("+8613800138001 +8613800138002") == full, "a call is taken whole or not at all"
        assert (await send("+8613800138001"))[0] == 202
        assert await send("+8613800138002") == full
        assert len(await kannel.messages()) == 2
        driver.release()
