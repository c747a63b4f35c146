"""Who did it: every verb leaves its actor in the timeline, and what nobody did has none."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drivers.base import FaultKind
from drivers.smpp.wire.pdus import CancelSm
from gateway.cli.main import main
from gateway.model.message import Scope
from gateway.pipeline.operator.verbs import cancel_message
from gateway.routing.channel import DRAIN, PAUSE, RESUME
from gateway.runtime.stores import opened_store
from gateway.timeline.delivery_log import DeliveryLog
from tests.support.esme import connected_esme
from tests.support.fake_driver import ScriptedDriver, refused
from tests.support.gateway import Rig, receipt, running
from tests.support.people import OPERATOR
from tests.support.product import load_events, resend_message
from tests.support.smpp_application import accepted, serving, submit

pytestmark = pytest.mark.integration


async def doers(rig: Rig, message_id: str) -> list[tuple[str, str | None]]:
    return [(event.status, event.by) for event in await rig.details(message_id)]


async def test_a_message_tells_which_key_sent_it_and_which_canceled_it(rig):
    shop = await rig.make_key(Scope.SEND, Scope.READ, name="shop")
    wanted = {"to": "+8613800138000", "text": "hello"}
    _, sent = await rig.call("POST", "/v1/messages", secret=shop, json=wanted)
    await rig.call("POST", f"/v1/messages/{sent['id']}/cancel")
    _, found = await rig.call("GET", f"/v1/messages/{sent['id']}")
    told = [(event["type"], event["data"].get("by")) for event in found["events"]]
    assert told == [("message.queued", "key:shop"), ("message.canceled", "key:admin")]
    assert sent["events"] == found["events"][:1], "the answer says the same as the timeline"


async def test_each_message_of_a_batch_tells_it_too(rig):
    wanted = {"messages": [{"to": f"+861380013800{n}", "text": "hello"} for n in range(3)]}
    _, batch = await rig.call("POST", "/v1/messages/batch", json=wanted)
    for item in batch["messages"]:
        _, found = await rig.call("GET", f"/v1/messages/{item['id']}")
        assert [event["data"].get("by") for event in found["events"]] == ["key:admin"]


async def test_what_the_network_does_has_no_actor_and_what_an_operator_does_has(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(refused(FaultKind.PERMANENT))
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(), "failed")
        await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await rig.sweep()
        await rig.until_status(message, "sent")
        await driver.report(receipt("1"))
        await rig.until_status(message, "delivered")
        by_nobody = [("sending", None), ("failed", None)]
        assert await doers(rig, message.id) == [
            ("queued", "system"),
            *by_nobody,
            ("queued", "key:operator"),
            ("sending", None),
            ("sent", None),
            ("delivered", None),
        ]


async def test_the_delivery_log_names_them(tmp_path: Path):
    file = tmp_path / "delivery.log"
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        log = DeliveryLog(rig.store, rig.clock, str(file), mask_numbers=False)
        await log.open()
        message = await rig.send()
        await cancel_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await log.write_rest()
        log.close()
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [(line["status"], line.get("by")) for line in lines] == [
        ("queued", "system"),
        ("canceled", "key:operator"),
    ]


async def test_the_opt_out_list_tells_who_put_a_number_there_and_who_took_it_off(rig):
    await rig.call("PUT", "/v1/suppressions/+8613800138000")
    await rig.call("DELETE", "/v1/suppressions/+8613800138000")
    events = await rig.store.read(partial(load_events, after_seq=0, limit=10))
    told = [(event.type, json.loads(event.data)["by"]) for event in events]
    assert told == [("subscription.opted_out", "key:admin"), ("subscription.opted_in", "key:admin")]


async def test_a_channel_tells_who_paused_resumed_drained_and_reset_it(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for pause in (PAUSE, RESUME, DRAIN):
            await rig.channels.pause("a", pause, by=OPERATOR)
        await rig.channels.reset("a", by=OPERATOR)
        told = [(e.type, json.loads(e.data)) for e in await rig.events("a")]
        by_somebody = [kind for kind, data in told if data.get("by") == "key:operator"]
        assert by_somebody == ["channel.paused", "channel.resumed", "channel.draining", "channel.reset"]
        assert all("by" not in data for kind, data in told if kind in {"channel.up", "channel.down"})


async def test_an_application_is_known_by_its_account(tmp_path: Path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        told = await accepted(esme, submit(schedule_delivery_time="000000020000000R"))
        assert (await esme.ask(CancelSm(message_id=told))).command_status == 0
        assert await doers(served.rig, told) == [
            ("scheduled", "account:smpp:hongyan"),
            ("canceled", "account:smpp:hongyan"),
        ]


async def _key_events(url: str) -> list[dict[str, Any]]:
    async with opened_store(url) as store:
        events = await store.read(partial(load_events, after_seq=0, limit=10))
        return [{"type": event.type, **json.loads(event.data)} for event in events]


def test_keys_tell_who_made_and_who_revoked_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    url = f"sqlite:///{tmp_path}/hongyan.db"
    config = tmp_path / "hongyan.toml"
    config.write_text(f'[store]\nurl = "{url}"\n')
    config.chmod(0o600)
    assert main(["keys", "create", "--name", "shop", "--config", str(config)]) == 0
    secret = capsys.readouterr().out.strip()
    assert main(["keys", "revoke", "shop", "--config", str(config)]) == 0
    events = asyncio.run(_key_events(url))
    me = f"cli:{pwd.getpwuid(os.geteuid()).pw_name}"
    assert [(e["type"], e["name"], e["by"]) for e in events] == [
        ("key.made", "shop", me),
        ("key.revoked", "shop", me),
    ]
    assert secret not in str(events)
