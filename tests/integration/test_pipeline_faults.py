"""When the store or a driver fails: nothing that was accepted or sent is forgotten, and work goes on afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drivers.base import Accepted, Encoding, FaultKind, InboundPart, OutboundSegment, SubmitResult
from gateway.errors import StoreBusy
from gateway.store.sqlite.engine import SqliteStore
from tests.support.fake_driver import ScriptedDriver, refused
from tests.support.gateway import PHONE, Rig, receipt, running

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.pipeline.sending.schedule.STORE_RETRY_S", 0.01)
    monkeypatch.setattr("gateway.pipeline.sending.dispatch.STORE_RETRY_S", 0.01)


@contextmanager
def locked(rig: Rig, path: Path) -> Iterator[None]:
    """Another process writes and does not end: each of our commits fails."""
    assert isinstance(rig.store, SqliteStore)
    rig.store._db.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_what_waits_is_claimed_once_the_store_works_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        message = await rig.send()
        await rig.settled()
        with locked(rig, tmp_path / "s.db"):
            await driver.come_up()
            await rig.until(lambda: "cannot claim" in caplog.text)
        await rig.until_status(message, "sent")
        assert len(driver.submitted) == 1


async def test_the_answer_of_the_network_is_written_once_the_store_works_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    driver = ScriptedDriver("a")
    driver.hold()
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send()
        await driver.until_submitted(1)
        with locked(rig, tmp_path / "s.db"):
            driver.release()
            await rig.until(lambda: "cannot record" in caplog.text)
            assert (await rig.message(message.id)).status == "sending"
        await rig.until_status(message, "sent")
        assert len(driver.submitted) == 1


async def test_what_could_not_be_stored_is_not_acknowledged(tmp_path: Path):
    driver = ScriptedDriver("a")
    part = InboundPart(sender=PHONE, encoding=Encoding.GSM7, payload=b"hello")
    async with running(tmp_path / "s.db", driver) as rig:
        sent = await rig.until_status(await rig.send(), "sent")
        with locked(rig, tmp_path / "s.db"):
            for event in (part, receipt("1")):
                with pytest.raises(StoreBusy):
                    await driver.report(event)
            with pytest.raises(StoreBusy):
                await rig.send()
        assert await rig.inbound() == []
        await driver.report(part)
        await driver.report(receipt("1"))
        assert [m.text for m in await rig.inbound()] == ["hello"]
        assert (await rig.message(sent.id)).status == "delivered"


async def test_a_driver_that_breaks_in_a_submit_leaves_the_message_uncertain(tmp_path: Path):
    def breaks(_segment: OutboundSegment) -> SubmitResult:
        raise ZeroDivisionError

    driver = ScriptedDriver("a", capacity=1)
    driver.script.append(breaks)
    async with running(tmp_path / "s.db", driver) as rig:
        broken, behind = await rig.send(), await rig.send("10010")
        held = await rig.until_status(broken, "uncertain")
        assert held.error is not None
        assert held.error.code == "driver_broke"
        await rig.until_status(behind, "sent")
        assert len(driver.submitted) == 2


async def test_a_message_whose_outcome_cannot_be_recorded_is_settled_by_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def breaks(*_args: object, **_kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("gateway.pipeline.sending.dispatch.record_all_accepted", breaks)
    driver = ScriptedDriver("a", capacity=1)
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send()
        await rig.until(lambda: "the sweep will settle it" in caplog.text)
        await rig.until(rig.sweeper._adopt_orphans)
        held = await rig.until_status(message, "uncertain")
        assert held.error is not None
        assert held.error.code == "interrupted"
        monkeypatch.undo()
        await rig.until_status(await rig.send("10010"), "sent")


async def test_a_driver_that_breaks_while_it_runs_is_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Fragile(ScriptedDriver):
        n_runs = 0

        async def run(self, sink):
            self.n_runs += 1
            if self.n_runs < 3:
                raise ZeroDivisionError
            await super().run(sink)

    monkeypatch.setattr("drivers.pacing.Backoff.next_s", lambda self: 0.0)
    driver = Fragile("a")
    async with running(tmp_path / "s.db", driver) as rig:
        assert driver.n_runs == 3
        await rig.until_status(await rig.send(), "sent")


async def test_a_throttled_channel_goes_on_at_a_pace_that_it_bears_and_shows_it(tmp_path: Path):
    slow, other = ScriptedDriver("slow"), ScriptedDriver("other")
    slow.script.append(refused(FaultKind.THROTTLED, "smpp_0x58"))
    async with running(tmp_path / "s.db", slow, other) as rig:
        message = await rig.send(channel="slow")
        await rig.until(lambda: "pace_per_s" in rig.lanes["slow"].snapshot().facts)
        await rig.until_status(await rig.send(channel="other"), "sent")
        assert "pace_per_s" not in rig.lanes["other"].snapshot().facts
        assert rig.lanes["slow"].standing().slowed_down
        assert not rig.lanes["other"].standing().slowed_down
        await rig.advance(10.0)
        await rig.until_status(message, "sent")
        assert (await rig.segments(message.id))[0].attempts == 1


async def test_a_peer_that_says_it_is_congested_is_slowed_down_for(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(Accepted(reference="1", congestion=89))
    driver.script.append(Accepted(reference="2", congestion=90))
    async with running(tmp_path / "s.db", driver) as rig:
        await rig.until_status(await rig.send(), "sent")
        assert "pace_per_s" not in rig.lanes["a"].snapshot().facts
        await rig.until_status(await rig.send(), "sent")
        assert "pace_per_s" in rig.lanes["a"].snapshot().facts
