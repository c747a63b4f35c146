"""The watch over failures on a running pipeline: the alarm says what they have in common, and clears by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import FaultKind, ReceiptState
from gateway.errors import StoreError
from gateway.model.alarm import Alarm, AlarmKind
from gateway.model.events import make_event
from gateway.pipeline.alarms import raise_alarm
from gateway.settings.carriers import CarrierSettings
from gateway.store.alarms import list_alarms
from gateway.store.events import Lines, load_lines
from gateway.store.ports import Tx
from gateway.timeline import failures
from gateway.timeline.failures import FailureWatch
from tests.support.fake_driver import ScriptedDriver, refused
from tests.support.gateway import Rig, receipt, running

CARRIERS = CarrierSettings().load

pytestmark = pytest.mark.integration


async def alarms(rig: Rig) -> list[Alarm]:
    found = await rig.store.read(lambda tx: list_alarms(tx, limit=100))
    return [alarm for alarm in found if alarm.kind is AlarmKind.MASS_FAILURE]


async def look(rig: Rig, watch: FailureWatch, times: int = 1) -> list[Alarm]:
    for _ in range(times):
        await watch.look()
    return await alarms(rig)


def number(prefix: str, n: int) -> str:
    return f"+86{prefix}{n:08}"


async def test_the_alarm_says_what_failures_have_in_common_and_clears_by_itself(tmp_path: Path) -> None:
    good, bad = ScriptedDriver("carrier-b", capacity=50), ScriptedDriver("carrier-a", capacity=50)
    async with running(tmp_path / "s.db", good, bad) as rig:
        watch = FailureWatch(rig.store, rig.clock, CARRIERS)
        for n in range(25):
            for channel, prefix in (("carrier-a", "133"), ("carrier-a", "138"), ("carrier-b", "133")):
                if channel == "carrier-a" and prefix == "133" and n < 22:
                    bad.verdicts[number(prefix, n)] = refused(FaultKind.PERMANENT, "smpp_0x45")
                await rig.send(number(prefix, n), channel=channel)
        await rig.settled()
        assert await look(rig, watch) == []  # the first time it may be chance
        (alarm,) = await look(rig, watch)
        assert alarm.subject == "smpp_0x45 channel=carrier-a carrier=telecom"
        assert alarm.detail.startswith(
            "22 of 25 messages on channel carrier-a to carrier telecom failed with smpp_0x45"
            " in the last 10 minutes; elsewhere 0 of 50."
        )
        assert "The same messages" not in alarm.detail
        assert [again.id for again in await look(rig, watch, 3)] == [alarm.id]
        after_a_restart = FailureWatch(rig.store, rig.clock, CARRIERS)
        assert [again.id for again in await look(rig, after_a_restart)] == [alarm.id]
        rig.clock.advance(11 * 60)
        assert await look(rig, after_a_restart) == []
        events = [event.type for event in await rig.events(alarm.subject)]
        assert events == ["alarm.raised", "alarm.cleared"]


async def test_reports_of_what_did_not_arrive_count_and_the_networks_code_tells_kinds_apart(
    tmp_path: Path,
) -> None:
    driver = ScriptedDriver("carrier-a", capacity=50)
    async with running(tmp_path / "s.db", driver) as rig:
        watch = FailureWatch(rig.store, rig.clock)
        sent = [
            await rig.send(number("138", n), tags=["sale" if n < 20 else "bill"], text=f"{n}")
            for n in range(60)
        ]
        await rig.settled()
        for n, message in enumerate(sent):
            (segment,) = await rig.segments(message.id)
            state = ReceiptState.REJECTED if n < 20 else ReceiptState.DELIVERED
            assert segment.reference is not None
            await driver.report(receipt(segment.reference, to=message.recipient, state=state, code="err:027"))
        (alarm,) = await look(rig, watch, 2)
        assert alarm.subject == "receipt_rejected [err:027] tag=sale"
        assert alarm.detail.startswith('20 of 20 messages with the tag "sale" failed')
        assert "elsewhere 0 of 40. It is the content" in alarm.detail


async def test_an_alarm_from_before_the_start_that_does_not_go_on_is_cleared(tmp_path: Path) -> None:
    async with running(tmp_path / "s.db", ScriptedDriver("carrier-a")) as rig:

        async def leave(tx: Tx) -> None:
            await raise_alarm(tx, rig.clock, AlarmKind.MASS_FAILURE, "x channel=gone", "Long ago.")

        await rig.store.write(leave)
        assert await look(rig, FailureWatch(rig.store, rig.clock)) == []


async def test_what_was_counted_before_the_store_failed_is_not_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = ScriptedDriver("carrier-a", capacity=50)
    async with running(tmp_path / "s.db", driver) as rig:
        for n in range(30):
            driver.verdicts[number("133", n)] = refused(FaultKind.PERMANENT, "smpp_0x45")
            await rig.send(number("133", n))
        await rig.settled()
        n_read = 0

        async def load_some(tx: Tx, after_seq: int, limit: int) -> Lines | None:
            nonlocal n_read
            n_read += 1
            if n_read == 4:
                raise StoreError("the disk is full")
            return await load_lines(tx, after_seq, limit)

        monkeypatch.setattr(failures, "AT_ONCE", 25)
        monkeypatch.setattr(failures, "load_lines", load_some)
        watch = FailureWatch(rig.store, rig.clock, CARRIERS)
        with pytest.raises(StoreError):
            await watch.look()
        (alarm,) = await look(rig, watch, 2)
        assert alarm.detail.startswith("30 of 30 messages failed")


async def test_an_event_that_can_not_be_read_does_not_end_the_watch(tmp_path: Path) -> None:
    async with running(tmp_path / "s.db", ScriptedDriver("carrier-a")) as rig:

        async def leave(tx: Tx) -> None:
            tx.record(make_event("message.failed", rig.clock.now(), "x", {"id": "x"}))

        await rig.store.write(leave)
        assert await look(rig, FailureWatch(rig.store, rig.clock, CARRIERS), 2) == []
