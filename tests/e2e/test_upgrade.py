"""A store that 0.1.0 left when it was killed comes up in the real daemon: all of it is there, and the queue goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from drivers.base import Encoding, ReceiptState
from drivers.smpp.wire.pdus import DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp
from drivers.smpp.wire.receipt import parse_receipt
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from simulators.traffic import NetworkMessage, NetworkReceipt
from tests.fixtures.store_0_1_0 import APPLICATION, CHANNELS, HASH, PASSWORD
from tests.support.daemon import Daemon, free_port, modem_toml, smpp_toml, until
from tests.support.esme import connected_esme
from tests.support.old_store import OldStore, differences, keyed, unpack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

AGO = timedelta(seconds=5)
"""When 0.1.0 was killed: parts of a text still wait for the others."""


@dataclass
class Upgraded:
    """The daemon of today on the store of 0.1.0."""

    old: OldStore
    daemon: Daemon
    network: Network
    smscs: dict[str, SimulatedSmsc]
    calls: list[dict[str, str]]
    esme_port: int

    @property
    def truth(self) -> dict[str, Any]:
        return self.old.truth

    def ids(self, *statuses: str) -> set[str]:
        """Messages that had one of these when 0.1.0 was killed."""
        return {m["id"] for m in self.truth["messages"] if m["status"] in statuses}


@pytest.fixture
async def upgraded(tmp_path: Path) -> AsyncIterator[Upgraded]:
    async with AsyncExitStack() as stack:
        network = Network(receipt_delay_s=0.01, seed=1)  # references of its own, as after years
        stack.push_async_callback(network.close)
        smscs = {
            name: await stack.enter_async_context(SimulatedSmsc(network, number=f"1069000{place}", name=name))
            for place, name in enumerate(CHANNELS)
        }
        modem = SimulatedModem(network, number="+8613800138000", link=tmp_path / "sim-1")
        await modem.start()
        stack.push_async_callback(modem.stop)
        calls: list[dict[str, str]] = []
        await _serve_application(stack, calls)
        old = unpack(tmp_path / "hongyan.db", AGO, retry=True)
        port = free_port()
        daemon = Daemon(
            tmp_path, _channels(smscs, tmp_path / "sim-1"), _extra(port), secret=old.truth["secrets"][0]
        )
        stack.push_async_callback(daemon.close)
        await daemon.start(n_up=4)  # one is paused, and stays so
        yield Upgraded(old, daemon, network, smscs, calls, port)


async def _serve_application(stack: AsyncExitStack, calls: list[dict[str, str]]) -> None:
    async def take(request: web.Request) -> web.Response:
        query = parse_qs(urlsplit(request.raw_path).query)
        calls.append({key: values[0] for key, values in query.items()})
        return web.Response(text="")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    host, port = APPLICATION.split(":")
    await web.TCPSite(runner, host, int(port)).start()


def _channels(smscs: dict[str, SimulatedSmsc], port: Path) -> str:
    groups = {name: f'["{name}"]' for name in CHANNELS} | {"good": '["default", "good"]'}
    binds = [
        smpp_toml(name, smsc.port, groups=groups[name], account=f'"{name}"') for name, smsc in smscs.items()
    ]
    modem = modem_toml("sim-1", str(port), groups='["sim"]', number='"+8613800138000"', quota='"500/day"')
    return "\n".join([*binds, modem])


def _extra(port: int) -> str:
    # 0.1.0 knew of no consents: who has none on record says so, as the list of changes tells before an upgrade.
    return (
        "[consent]\nrequired = false\n"
        f'[webhooks]\nallow_targets = ["{APPLICATION.split(":")[0]}"]\n[[smpp_server]]\nlisten = "127.0.0.1:{port}"\n'
        f'[[smpp_accounts]]\nsystem_id = "app"\npassword_hash = "{HASH}"\ngroups = ["default", "later"]\n'
        'inbound = ["good"]\n[[kannel_accounts]]\nusername = "shop"\npassword = "pw"\n'
    )


async def test_what_0_1_0_knew_is_there_and_goes_on(upgraded: Upgraded) -> None:
    await _check_messages(upgraded)
    await _check_lists(upgraded)
    await _check_keys_and_answers(upgraded)
    await _check_late_parts(upgraded)
    await _check_application(upgraded)
    await _check_receipts(upgraded)
    await _check_queue(upgraded)
    await _check_kannel(upgraded)
    await _check_books(upgraded)
    assert await upgraded.daemon.stop() == 0


async def _check_messages(upgraded: Upgraded) -> None:
    """Each message as it was; those that were on the wire are uncertain, with the segments that were."""
    wrong = []
    for was in upgraded.old.moved(upgraded.truth["messages"]):
        del was["waiting_for"]
        found = await upgraded.daemon.message(was["id"])
        match was["status"]:
            case "sending":
                events = found.pop("events")
                assert [e["type"] for e in events][-1] == "message.uncertain", events
                wrong += differences(was.pop("events"), events[:-1], was["id"])
                for segment in was["segments"]:
                    if segment.pop("error") is None and segment["status"] == "sending":
                        segment["status"] = "uncertain"
                for key in ("updated_at", "error"):
                    del was[key]
                was["status"] = "uncertain"
            case "queued" if was["channel"] != "later":
                continue  # sent by now, perhaps
        wrong += differences(was, found, was["id"])
    assert not wrong, "\n".join(wrong[:20])


async def _check_lists(upgraded: Upgraded) -> None:
    daemon, truth = upgraded.daemon, upgraded.old.moved(upgraded.truth)
    _, page = await daemon.get("/v1/inbound?limit=1000")
    assert not differences(keyed(truth["inbound"]), keyed(page["items"]))
    assert len(page["items"]) == len(truth["inbound"])
    _, page = await daemon.get("/v1/suppressions?limit=1000")
    assert not differences(keyed(truth["suppressions"], "number"), keyed(page["items"], "number"))
    _, later = await daemon.get("/v1/channels/later")
    assert later["state"] == "paused"
    _, sim = await daemon.get("/v1/channels/sim-1")
    was = keyed(truth["channels"], "name")["sim-1"]["budgets"][0]["used"]
    same_day = (datetime.now(UTC) - AGO).date() == datetime.now(UTC).date()
    assert sim["budgets"][0]["used"] >= was * same_day
    _, page = await daemon.get("/v1/messages?reference=order-7&limit=100")
    assert len(page["items"]) == 8


async def _check_keys_and_answers(upgraded: Upgraded) -> None:
    """Every secret still opens, and a request that is repeated does nothing again."""
    other = {"Authorization": f"Bearer {upgraded.truth['secrets'][1]}"}
    status, _ = await upgraded.daemon.request("GET", "/v1/messages?limit=1", headers=other)
    assert status == 200
    before = len(await upgraded.daemon.messages())
    for kept in upgraded.truth["requests"]:
        status, answer = await upgraded.daemon.post(
            kept["path"], kept["body"], **{"Idempotency-Key": kept["key"]}
        )
        assert (status, answer) == (202, kept["answer"])
        changed = {**kept["body"], "reference": "another"}
        status, _ = await upgraded.daemon.post(kept["path"], changed, **{"Idempotency-Key": kept["key"]})
        assert status == 422
    assert len(await upgraded.daemon.messages()) == before


async def _check_late_parts(upgraded: Upgraded) -> None:
    """Parts that waited are joined with the one that comes now."""
    for part in upgraded.truth["late_parts"]:
        message = NetworkMessage(
            sender=part["sender"], recipient=part["to"], encoding=Encoding.UCS2,
            payload=bytes.fromhex(part["payload"]), udh=bytes.fromhex(part["udh"]), via="handset",
        )  # fmt: skip
        await upgraded.network.submit(message, upgraded.network.add_handset(part["sender"]))
    senders = {part["sender"] for part in upgraded.truth["late_parts"]}
    assert len(senders) == 2

    async def joined() -> bool:
        _, page = await upgraded.daemon.get("/v1/inbound?limit=1000")
        texts = {item["from"]: item["text"] for item in page["items"] if item["complete"]}
        return all(texts.get(sender) == upgraded.truth["late_text"] for sender in senders)

    await until(joined)


async def _check_application(upgraded: Upgraded) -> None:
    """An SMPP application gets what it was owed, and the last part of its text joins the others."""
    kept = upgraded.truth["esme"]
    async with connected_esme(upgraded.esme_port) as esme:
        assert (await esme.bind(system_id="app", password=PASSWORD)).command_status == 0
        esme.send(SubmitSm(
            source_addr="10690000", dest_addr_ton=1, dest_addr_npi=1, destination_addr="8613755550000",
            short_message=bytes.fromhex(kept["part_2"]), registered_delivery=1, data_coding=8, esm_class=0x40,
        ))  # fmt: skip
        told, receipts, texts = "", set[str](), list[bytes]()
        while not told or not set(kept["delivered"]) <= receipts:
            pdu = await esme.receive()
            if isinstance(pdu.body, SubmitSmResp):
                assert pdu.command_status == 0
                told = pdu.body.message_id
            elif isinstance(pdu.body, DeliverSm):
                esme.send(DeliverSmResp(), sequence_number=pdu.sequence_number)
                if pdu.body.esm_class & 0x04:
                    receipts.add(parse_receipt(pdu.body.short_message).message_id)
                else:
                    texts.append(pdu.body.short_message)
    assert len(texts) >= 5, "what had come in for it: three texts, one of them in three parts"
    await upgraded.daemon.wait_status(await _sent_to(upgraded, "+8613755550000"), {"delivered"})


async def _sent_to(upgraded: Upgraded, number: str) -> list[str]:
    found: list[str] = []

    async def one() -> bool:
        _, page = await upgraded.daemon.get(f"/v1/messages?to={number.replace('+', '%2B')}")
        found[:] = [item["id"] for item in page["items"] if item["text"] == upgraded.truth["esme"]["text"]]
        return bool(found)

    await until(one)
    return found


async def _check_receipts(upgraded: Upgraded) -> None:
    """Receipts of what 0.1.0 had sent are matched by the references that it kept."""
    waiting = [m for m in upgraded.truth["messages"] if m["status"] == "sent"]
    account = upgraded.smscs["good"]._accounts["hongyan"]
    for message in waiting:
        for segment in message["segments"]:
            about = NetworkMessage(
                sender="10690000", recipient=message["to"], encoding=Encoding.UCS2, payload=b"", via="hongyan"
            )
            await account.report(NetworkReceipt(
                reference=segment["ref"], message=about, state=ReceiptState.DELIVERED, done_at=datetime.now(UTC)
            ))  # fmt: skip
    await upgraded.daemon.wait_status([m["id"] for m in waiting], {"delivered"})


async def _check_queue(upgraded: Upgraded) -> None:
    """All that waited goes out, once the channel that was paused may."""
    status, _ = await upgraded.daemon.post("/v1/channels/later/resume")
    assert status == 200
    await upgraded.daemon.wait_status(upgraded.ids("queued"), {"delivered"})


async def _check_kannel(upgraded: Upgraded) -> None:
    """Each of Kannel's messages was reported as sent and as delivered."""
    kept = upgraded.truth["kannel"]

    def told() -> bool:
        by_state = Counter((call["to"], call["d"]) for call in upgraded.calls)
        states = Counter(state for _, state in by_state)
        return states["8"] == states["1"] == kept["later"] + kept["good"]

    await until(told)


async def _check_books(upgraded: Upgraded) -> None:
    """No segment was in a network twice, and all of those that are said to be delivered were in one of the two."""
    both = [(m["to"], m["udh"], m["payload"]) for m in upgraded.truth["accepted"]]
    both += [
        (m.recipient, m.udh.hex(), m.payload.hex()) for m in upgraded.network.accepted if m.via != "handset"
    ]
    both = [(to.removeprefix("+"), udh, payload) for to, udh, payload in both]
    assert [one for one, n in Counter(both).items() if n > 1] == []
    taken = Counter(to for to, _, _ in both)
    messages = await upgraded.daemon.messages()
    assert {m["id"] for m in upgraded.truth["messages"]} <= {m["id"] for m in messages}
    for message in messages:
        segments = [s["status"] for s in message["segments"]]
        out = sum(s in {"sent", "delivered", "undelivered"} for s in segments)
        unknown = segments.count("uncertain")
        assert out <= taken[message["to"].removeprefix("+")] <= out + unknown, message
    assert Counter(m["status"] for m in messages)["uncertain"] == len(upgraded.ids("uncertain", "sending"))
