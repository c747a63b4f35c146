"""Tests of a channel and probes, against a simulated SMSC behind a real daemon, and with scripted drivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Receipt, ReceiptState
from gateway.channels.probes import Probes
from gateway.model.channel_test import ProbeResult
from gateway.pipeline.channel_tests import ChannelTester
from gateway.pipeline.sending.directory import Lanes
from gateway.settings.config import SettingsErrors, load_settings
from gateway.settings.probes import ProbeSettings
from gateway.store.alarms import list_alarms
from gateway.store.probes import KEPT, load_probes
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.integration.test_reload import run_command
from tests.support.daemon import Daemon, smpp_toml, until
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, Rig, running
from tests.support.optouts import opt_out

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    network = Network(latency_s=0.05)
    network.add_handset(PHONE)
    async with SimulatedSmsc(network) as smsc:
        daemon = Daemon(tmp_path, smpp_toml("carrier", smsc.port))
        try:
            await daemon.start()
            yield daemon
        finally:
            await daemon.close()
            await network.close()


async def test_each_step_is_timed_and_the_rate_told(daemon):
    to = [PHONE, "13800138001"]
    status, test = await daemon.post("/v1/channels/carrier/test", {"to": to, "wait": 20})
    assert status == 200
    assert (test["n_answered"], test["n_delivered"], test["delivery_rate"]) == (2, 2, 1.0)
    for one in test["messages"]:
        assert one["status"] == "delivered"
        assert one["accepted_s"] >= 0
        assert one["answered_s"] >= 0
        assert one["delivered_s"] >= 0.05, "the network takes so long"
    message = await daemon.message(test["messages"][0]["id"])
    assert (message["tags"], message["channel"]) == (["channel-test"], "carrier")

    code, out, _ = await run_command(daemon, "channel", "carrier", "test", PHONE, "--text", "ping")
    assert code == 0
    assert "1 of 1 taken by the network, 1 of 1 delivered" in out


async def test_a_bad_number_or_an_opted_out_one_sends_nothing(daemon):
    await daemon.request("PUT", "/v1/suppressions/+8613800138009")
    body = {"to": [PHONE, "nonsense", "13800138009"]}
    status, problem = await daemon.post("/v1/channels/carrier/test", body)
    assert (status, problem["code"]) == (422, "invalid_request")
    assert {(e["pointer"], e["code"]) for e in problem["errors"]} == {
        ("/to/1", "invalid_number"),
        ("/to/2", "opted_out"),
    }
    assert await daemon.messages() == []


async def test_what_has_no_answer_yet_is_shown_as_it_is(daemon):
    await daemon.post("/v1/channels/carrier/pause")
    code, out, _ = await run_command(daemon, "channel", "carrier", "test", PHONE, "--wait", "0")
    assert code == 1
    assert "queued" in out
    assert "0 of 1 taken by the network, 0 of 1 delivered" in out


async def test_probes_run_by_themselves_and_are_shown(daemon):
    text = daemon.config.read_text("utf-8")
    probe = f'[[probes]]\nchannel = "carrier"\nto = "{PHONE}"\nevery = "1h"\nwithin = "20s"\n'
    daemon.config.write_text(text + probe, "utf-8")
    _, done = await daemon.post("/v1/reload")
    assert (done["adopted"], done["channels"]) == (["probes"], [])

    async def results() -> list[Any]:
        _, channel = await daemon.get("/v1/channels/carrier")
        return list(channel["probes"])

    await until(results, 30)
    [result] = await results()
    assert result["ok"]
    assert result["delivered_s"] >= 0.05
    _, metrics = await daemon.get("/metrics")
    assert 'hongyan_probes_total{channel="carrier",outcome="delivered"} 1.0' in metrics

    await daemon.stop()
    await daemon.start()
    assert len(await results()) == 1, "kept over a restart, and not probed again before its time"


# --- scripted: failures, alarms, bounds ---

PROBE = ProbeSettings(channel="a", to=PHONE, every_s=60.0, within_s=0.1)


def make_probes(rig: Rig, *probes: ProbeSettings) -> Probes:
    tester = ChannelTester(rig.store, rig.clock, rig.intake)
    return Probes(rig.store, rig.clock, tester, Lanes(rig.lanes.values()), rig.metrics, probes)


async def alarms(rig: Rig) -> list[tuple[str, str]]:
    return [(a.kind.value, a.subject) for a in await rig.store.read(lambda tx: list_alarms(tx, limit=9))]


async def probe_once(rig: Rig, probes: Probes) -> None:
    """Let one begin, let its time pass, and wait for its end."""
    n_before = len(await rig.store.read(lambda tx: load_probes(tx, "a")))
    await probes.look()

    async def is_over() -> bool:
        rig.clock.advance(0.05)
        return len(await rig.store.read(lambda tx: load_probes(tx, "a"))) > n_before

    await until(is_over, 20)


async def test_a_probe_that_does_not_arrive_raises_an_alarm_and_the_next_good_one_clears_it(tmp_path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        probes = make_probes(rig, PROBE)
        await probe_once(rig, probes)
        assert await alarms(rig) == [("probe", "a")]
        [result] = await rig.store.read(lambda tx: load_probes(tx, "a"))
        assert not result.ok
        assert "not delivered within 0.1 s" in result.detail
        assert PHONE not in result.detail

        await probes.look()
        await asyncio.sleep(0)
        assert len(driver.submitted) == 1, "not before its time"

        rig.clock.advance(60)
        await probes.look()
        await until(lambda: len(driver.submitted) == 2)
        await rig.settled()  # the network's answer is on disk, and with it the reference
        (reference,) = [s.reference for s in await rig.segments(await newest(rig)) if s.reference]
        await driver.report(
            Receipt(references=(reference,), recipient=PHONE, state=ReceiptState.DELIVERED, agreed=True)
        )
        await until(lambda: _has(rig, []), 20)
        assert [r.ok for r in await rig.store.read(lambda tx: load_probes(tx, "a"))] == [True, False]


async def newest(rig: Rig) -> str:
    found = await rig.store.read(lambda tx: tx.fetch("SELECT id FROM messages ORDER BY id DESC LIMIT 1"))
    return str(found[0][0])


async def _has(rig: Rig, expected: list[tuple[str, str]]) -> bool:
    return await alarms(rig) == expected


async def test_an_opted_out_number_is_no_probe(tmp_path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await opt_out(rig.store, rig.clock, PHONE, source="operator")
        await probe_once(rig, make_probes(rig, PROBE))
        assert driver.submitted == []
        [result] = await rig.store.read(lambda tx: load_probes(tx, "a"))
        assert "opted out" in result.detail


async def test_a_paused_channel_is_not_probed_and_alarms_of_probes_that_are_gone_are_cleared(tmp_path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        probes = make_probes(rig, PROBE)
        await probe_once(rig, probes)
        assert await alarms(rig) == [("probe", "a")]
        rig.clock.advance(60)
        rig.lanes["a"].paused = True
        await probes.look()
        await asyncio.sleep(0.05)
        assert len(driver.submitted) == 1

        probes.adopt(())
        await probes.look()
        assert await alarms(rig) == []


async def test_a_probe_that_ends_when_its_channel_is_not_probed_any_more_leaves_no_alarm(tmp_path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        probes = make_probes(rig, PROBE)
        await probes.look()
        probes.adopt(())
        await probes.look()
        await probes.take(PROBE, ProbeResult(at=rig.clock.now(), ok=False, detail="Too late."))
        assert await alarms(rig) == [], "nobody would ever clear it"


async def test_results_are_bounded(tmp_path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        probes = make_probes(rig, PROBE)
        for _ in range(KEPT + 3):
            await probes.take(PROBE, ProbeResult(at=rig.clock.now(), ok=True))
        assert len(await rig.store.read(lambda tx: load_probes(tx, "a"))) == KEPT


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('channel = "nobody"', "no channel that sends is called nobody"),
        ('to = "nonsense"', "probes[0].to"),
        ('every = "5s"', "too short"),
        ('every = "2m"\nwithin = "2m"', "not shorter than every"),
        ('[[probes]]\nchannel = "carrier"\nto = "13800138000"', "has a probe already"),
    ],
)
def test_faults_of_the_table_are_told(tmp_path, line, fault):
    good = {"channel": '"carrier"', "to": '"13800138000"'}
    for key in list(good):
        if line.startswith(key):
            del good[key]
    table = "[[probes]]\n" + "".join(f"{key} = {value}\n" for key, value in good.items()) + line + "\n"
    path = tmp_path / "hongyan.toml"
    path.write_text(smpp_toml("carrier", 2775) + table, "utf-8")
    with pytest.raises(SettingsErrors) as raised:
        load_settings(path)
    assert fault in str(raised.value)
