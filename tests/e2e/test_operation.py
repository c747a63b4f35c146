"""What operators and applications do to a running daemon over its life, on the real process."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.clock import SystemClock
from gateway.runtime.first_start import make_first_key
from gateway.runtime.stores import opened_store
from simulators.smsc.server import SimulatedSmsc
from tests.e2e.conftest import World
from tests.support.daemon import COMMAND, Daemon, modem_toml, smpp_toml, until
from tests.support.peers import need_peer
from tests.support.programs import run_program
from tests.support.timeline import logged_seqs

pytestmark = pytest.mark.e2e

DEADLINE_S = 60.0
PHONE = "+8613900139000"
OPT_OUT = '[opt_out]\nkeywords = ["TD"]\nreply = "bye"\n'


@pytest.fixture
async def daemon(world: World) -> AsyncIterator[Daemon]:
    """On one SMSC and one modem; paused and in a group of its own, the modem stays out of most tests."""
    channels = smpp_toml("smsc", world.smscs[0].port) + modem_toml(
        "sim-1", world.modems[0].port, groups='["sim"]'
    )
    daemon = world.make_daemon(channels, OPT_OUT)
    await daemon.start()
    yield daemon
    assert daemon.process is not None
    assert daemon.process.returncode is None
    assert await daemon.stop() == 0, daemon.log()


async def _send(daemon: Daemon, text: str, to: str = PHONE, **fields: object) -> str:
    status, message = await daemon.post("/v1/messages", {"to": to, "text": text, **fields})
    assert status == 202, message
    return str(message["id"])


async def _state(daemon: Daemon, name: str) -> str:
    _, channel = await daemon.get(f"/v1/channels/{name}")
    return str(channel["state"])


async def test_logrotate_loses_no_line(daemon: Daemon) -> None:
    assert daemon.process is not None
    ids: list[str] = []
    parts = [daemon.delivery.with_suffix(f".{n}") for n in range(1, 6)]
    for part in parts:  # rotated while lines are being written
        _, batch = await daemon.post("/v1/messages/batch", {"to": [PHONE] * 40, "text": part.name})
        ids += [item["id"] for item in batch["messages"]]
        await until(lambda: daemon.delivery.stat().st_size > 0)
        daemon.delivery.rename(part)
        daemon.process.send_signal(signal.SIGHUP)
        await until(daemon.delivery.exists)
    await daemon.wait_status(ids, {"delivered"}, DEADLINE_S)
    expected = logged_seqs(daemon.database)

    def written() -> list[int]:
        lines = b"".join(part.read_bytes() for part in [*parts, daemon.delivery]).splitlines()
        return [json.loads(line)["seq"] for line in lines]

    await until(lambda: len(written()) >= len(expected))
    assert written() == expected


async def test_sigterm_finishes_the_segment_on_the_wire_and_the_next_start_sends_the_rest(
    world: World,
) -> None:
    modem = world.modems[0]
    modem.device.network_time_s = 0.8
    channels = "".join(modem_toml(f"sim-{i}", world.modems[i - 1].port) for i in (1, 2))
    daemon = world.make_daemon(channels)
    await daemon.start()
    text = "".join(f"{i:03d} " for i in range(110))  # three segments of 153
    message_id = await _send(daemon, text, channel="sim-1")
    other_id = await _send(daemon, text, to="+8613900139001", channel="sim-1")

    async def second_is_out() -> bool:
        parts = (await daemon.message(message_id))["segments"]
        return [p["status"] for p in parts[1:]] == ["sending", "queued"]

    await until(second_is_out, DEADLINE_S)
    assert await daemon.stop() == 0
    assert [m.udh[-1] for m in world.network.accepted] == [1, 2]

    modem.device.network_time_s = 0.01
    await daemon.start()
    await daemon.wait_status([message_id, other_id], {"delivered"}, DEADLINE_S)
    whole = [(m.via, m.recipient, m.udh[-1]) for m in world.network.accepted]
    assert sorted(whole) == [("sim-1", to, part) for to in (PHONE, "+8613900139001") for part in (1, 2, 3)]
    assert world.network.add_handset(PHONE).inbox == [text]
    assert "uncertain" not in {line["status"] for line in daemon.delivery_lines()}


async def test_pause_and_drain_outlive_a_restart_and_resume_ends_them(daemon: Daemon) -> None:
    await daemon.post("/v1/channels/smsc/pause")
    await daemon.post("/v1/channels/sim-1/drain")
    waiting = [await _send(daemon, "waits"), await _send(daemon, "waits", sender="sim")]
    assert await daemon.stop() == 0
    await daemon.start(n_up=0)
    await until(lambda: _both_paused(daemon), DEADLINE_S)
    done = await _send(daemon, "by the way")
    assert {(await daemon.message(i))["status"] for i in [*waiting, done]} == {"queued"}
    for name in ("smsc", "sim-1"):
        await daemon.post(f"/v1/channels/{name}/resume")
    await daemon.wait_status([*waiting, done], {"delivered"}, DEADLINE_S)
    assert await daemon.stop() == 0
    await daemon.start()  # both come up again: the resume was kept, too


async def _both_paused(daemon: Daemon) -> bool:
    return [await _state(daemon, name) for name in ("smsc", "sim-1")] == ["paused", "paused"]


async def test_scheduled_canceled_and_expired_messages(world: World, daemon: Daemon) -> None:
    at = datetime.now(UTC) + timedelta(seconds=1.2)
    scheduled = await _send(daemon, "later", schedule_at=at.isoformat())
    recalled = await _send(daemon, "recalled", schedule_at=(at + timedelta(hours=1)).isoformat())
    assert (await daemon.message(scheduled))["status"] == "scheduled"
    status, answer = await daemon.post(f"/v1/messages/{recalled}/cancel")
    assert (status, answer["status"]) == (200, "canceled")
    await daemon.wait_status([scheduled], {"delivered"}, DEADLINE_S)
    sent_at = datetime.fromisoformat((await daemon.message(scheduled))["sent_at"])
    assert at - timedelta(milliseconds=1) <= sent_at

    await daemon.post("/v1/channels/smsc/pause")
    canceled = await _send(daemon, "taken back")
    expired = await _send(daemon, "too late", valid_for=1)
    status, answer = await daemon.post(f"/v1/messages/{canceled}/cancel")
    assert (status, answer["status"]) == (200, "canceled")
    status, problem = await daemon.post(f"/v1/messages/{canceled}/cancel")
    assert (status, problem["code"]) == (409, "conflict")
    assert "canceled" in problem["detail"]
    message = await daemon.message(expired)
    await until(lambda: datetime.now(UTC) > datetime.fromisoformat(message["expires_at"]), DEADLINE_S)
    await daemon.post("/v1/channels/smsc/resume")
    await daemon.wait_status([expired], {"expired"}, DEADLINE_S)
    assert (await daemon.message(expired))["error"]["code"] == "expired"
    await daemon.wait_status([await _send(daemon, "last")], {"delivered"}, DEADLINE_S)
    assert world.network.add_handset(PHONE).inbox == ["later", "last"]


async def test_an_uncertain_message_goes_out_again_only_when_somebody_says_so(world: World) -> None:
    slow = SimulatedSmsc(world.network, latency_s=60.0, number="10698")
    await slow.start()
    daemon = world.make_daemon(smpp_toml("smsc", slow.port))
    await daemon.start()
    message_id = await _send(daemon, "did it go out?")

    async def is_on_the_wire() -> bool:
        return slow.n_unanswered == 1

    await until(is_on_the_wire, DEADLINE_S)
    await slow.stop()
    await daemon.wait_status([message_id], {"uncertain"}, DEADLINE_S)
    async with SimulatedSmsc(world.network, port=slow.port, number="10697"):
        await until(lambda: _is_up(daemon, "smsc"), DEADLINE_S)
        other = await _send(daemon, "another")
        await daemon.wait_status([other], {"delivered"}, DEADLINE_S)
        assert (await daemon.message(message_id))["status"] == "uncertain"
        status, problem = await daemon.post(f"/v1/messages/{other}/resend")
        assert (status, problem["code"]) == (409, "conflict")
        status, _ = await daemon.post(f"/v1/messages/{message_id}/resend")
        assert status == 200
        await daemon.wait_status([message_id], {"delivered"}, DEADLINE_S)
    assert world.network.add_handset(PHONE).inbox == ["another", "did it go out?"]


async def _is_up(daemon: Daemon, name: str) -> bool:
    return await _state(daemon, name) == "up"


async def test_who_says_td_is_told_once_and_gets_no_marketing_any_more(world: World, daemon: Daemon) -> None:
    handset = world.network.add_handset(PHONE)
    number = world.smscs[0].number_of("hongyan")
    unasked = await _send(daemon, "sale?", category="marketing")
    await daemon.wait_status([unasked], {"blocked"}, DEADLINE_S)
    assert (await daemon.message(unasked))["error"]["code"] == "no_consent"
    await daemon.give_consent(PHONE)
    first = await _send(daemon, "sale!", category="marketing")
    await daemon.wait_status([first], {"delivered"}, DEADLINE_S)
    accepted_before = await _send(
        daemon,
        "sale again!",
        category="marketing",
        schedule_at=(datetime.now(UTC) + timedelta(seconds=1)).isoformat(),
    )
    for spelling in ("TD", " ＴＤ。", "td"):
        await handset.send(number, spelling)

    async def three_came() -> bool:
        _, page = await daemon.get("/v1/inbound")
        return [item["keyword"] for item in page["items"]] == ["opt_out"] * 3

    await until(three_came, DEADLINE_S)
    await until(lambda: "bye" in handset.inbox, DEADLINE_S)
    await daemon.wait_status([accepted_before], {"blocked"}, DEADLINE_S)
    refused = await _send(daemon, "sale for ever!", category="marketing")
    await daemon.wait_status([refused], {"blocked"}, DEADLINE_S)
    assert (await daemon.message(refused))["error"]["code"] == "opted_out"
    code = await _send(daemon, "your code", category="otp")
    await daemon.wait_status([code], {"delivered"}, DEADLINE_S)
    assert Counter(handset.inbox) == Counter(["sale!", "bye", "your code"])

    status, _ = await daemon.request("DELETE", f"/v1/suppressions/{PHONE}")
    assert status == 204
    # What they said holds, though somebody took them off the list.
    still = await _send(daemon, "welcome?", category="marketing")
    await daemon.wait_status([still], {"blocked"}, DEADLINE_S)
    assert (await daemon.message(still))["error"]["code"] == "consent_withdrawn"
    await daemon.give_consent(PHONE)
    again = await _send(daemon, "welcome back", category="marketing")
    await daemon.wait_status([again], {"delivered"}, DEADLINE_S)


async def _events(daemon: Daemon, n: int, after: str | None = None) -> list[tuple[str, Any]]:
    """The next ``n`` message events of the stream: id and data."""
    found: list[tuple[str, Any]] = []
    headers = {"Authorization": f"Bearer {daemon.secret}"} | ({"Last-Event-ID": after} if after else {})
    url = f"{daemon.base}/v1/events?to=%2B8613900139000"
    async with (
        asyncio.timeout(DEADLINE_S),
        aiohttp.ClientSession(headers=headers) as http,
        http.get(url) as stream,
    ):
        assert stream.status == 200
        event_id = ""
        async for line in stream.content:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                event_id = value
            elif name == "data":
                found.append((event_id, json.loads(value)["data"]))
                if len(found) == n:
                    break
    return found


async def test_a_stream_that_broke_goes_on_with_exactly_what_was_missed(daemon: Daemon) -> None:
    listening = asyncio.create_task(_events(daemon, 2))
    await until(lambda: _n_streams(daemon), DEADLINE_S)
    first = await _send(daemon, "one")
    seen = await listening
    await daemon.wait_status([first], {"delivered"}, DEADLINE_S)
    missed = [await _send(daemon, f"missed {i}") for i in range(3)]
    await daemon.wait_status(missed, {"delivered"}, DEADLINE_S)
    assert await daemon.stop() == 0
    await daemon.start()
    seen += await _events(daemon, 4 * 4 - 2, after=seen[-1][0])
    told: dict[str, list[str]] = {}
    for _, message in seen:
        told.setdefault(message["id"], []).append(message["status"])
    assert told == {i: ["queued", "sending", "sent", "delivered"] for i in [first, *missed]}
    assert [int(i) for i, _ in seen] == sorted({int(i) for i, _ in seen})


async def _n_streams(daemon: Daemon) -> bool:
    _, figures = await daemon.get("/metrics")
    return "hongyan_event_streams 1.0" in figures


async def test_a_repeated_post_gives_the_first_answer_also_after_a_crash(
    world: World, daemon: Daemon
) -> None:
    body = {"to": PHONE, "text": "once"}
    batch = {"messages": [body, {"to": "x", "text": "bad"}]}
    key, batch_key = {"Idempotency-Key": "k-1"}, {"Idempotency-Key": "k-2"}
    first = await daemon.post("/v1/messages", body, **key)
    first_batch = await daemon.post("/v1/messages/batch", batch, **batch_key)
    assert (first[0], first_batch[0]) == (202, 202)
    await daemon.kill()
    await daemon.start()
    assert await daemon.post("/v1/messages", body, **key) == first
    assert await daemon.post("/v1/messages/batch", batch, **batch_key) == first_batch
    status, problem = await daemon.post("/v1/messages", {**body, "text": "twice"}, **key)
    assert (status, problem["code"]) == (422, "idempotency_mismatch")
    ids = [first[1]["id"], first_batch[1]["messages"][0]["id"]]
    await daemon.wait_status(ids, {"delivered", "uncertain", "sent"}, DEADLINE_S)
    assert len(await daemon.messages()) == 2
    assert len(world.network.accepted) <= 2


async def test_https(world: World, tmp_path: Path) -> None:
    need_peer("openssl")
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    await run_program(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert),
    )  # fmt: skip
    daemon = world.make_daemon(smpp_toml("smsc", world.smscs[0].port))
    config = daemon.config.read_text().replace("[http]", f'[http]\ntls_cert = "{cert}"\ntls_key = "{key}"')
    daemon.config.write_text(config)
    async with opened_store(f"sqlite:///{daemon.database}") as store:
        secret = await make_first_key(store, SystemClock())
    with (tmp_path / "daemon.log").open("ab") as log:
        daemon.process = await asyncio.create_subprocess_exec(
            *COMMAND, "serve", "--config", str(daemon.config), stdout=log, stderr=log
        )
    base = daemon.base.replace("http:", "https:")
    trusting = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(cert)))
    headers = {"Authorization": f"Bearer {secret}"}
    async with aiohttp.ClientSession(base, connector=trusting, headers=headers) as http:

        async def ready() -> bool:
            try:
                async with http.get("/readyz") as answer:
                    return answer.status == 200
            except aiohttp.ClientConnectorError:
                return False

        await until(ready, DEADLINE_S)
        async with http.post("/v1/messages", json={"to": PHONE, "text": "in private"}) as answer:
            assert answer.status == 202
    async with aiohttp.ClientSession() as plain:
        with pytest.raises(aiohttp.ClientError):
            await plain.get(f"{daemon.base}/livez")
    await until(lambda: world.network.add_handset(PHONE).inbox == ["in private"], DEADLINE_S)
    assert await daemon.stop() == 0
