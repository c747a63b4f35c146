"""A message that makes our own code fail is set aside after its attempts, and stops nobody else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.model.alarm import AlarmKind
from gateway.model.events import message_event
from gateway.pipeline import sweep
from gateway.pipeline.receipts.apply import Receipts
from gateway.pipeline.sending import dispatch, ending, schedule
from gateway.pipeline.sending.outcomes import record_all_accepted, record_refused
from gateway.pipeline.sending.segment import outbound_segment
from gateway.routing.retry import RetryPolicy
from gateway.store.alarms import list_alarms
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import START, Rig, receipt, running

pytestmark = pytest.mark.integration

POISON = "+8613800138050"
TEXT = "nobody else may read this"
POLICY = RetryPolicy(max_attempts=2, first_s=5.0)
CLEAN = [f"+86138001380{n:02}" for n in range(100) if n != 50]


class Broken(Exception):
    """As a bug would raise."""


def breaking(whole, is_poison):
    """A function of ours that fails for some arguments, and says what it must not."""

    def broken(*args, **kwargs):
        if is_poison(*args, **kwargs):
            raise Broken(f"{POISON} {TEXT}")
        return whole(*args, **kwargs)

    return broken


async def send_all(rig: Rig, **fields: object):
    """99 that are well and one that is poison, in the midst of them."""
    sent = [await rig.send(to=to, text=TEXT, **fields) for to in sorted([*CLEAN, POISON])]
    return next(m for m in sent if m.recipient == POISON), [m for m in sent if m.recipient != POISON]


async def assert_set_aside(rig: Rig, message_id: str, place: str, status: str = "failed") -> None:
    message = await rig.message(message_id)
    assert message.status == status
    assert message.error is not None
    assert message.error.code == "internal_error"
    assert "Broken at" in message.error.detail
    alarms = await rig.store.read(lambda tx: list_alarms(tx, limit=10))
    assert [(a.kind, a.subject) for a in alarms] == [(AlarmKind.INTERNAL_ERROR, place)]
    assert message_id in alarms[0].detail
    told = f"{message.error} {alarms}"
    assert TEXT not in told
    assert POISON not in told


async def pass_attempts(rig: Rig, message_id: str) -> None:
    for _ in range(POLICY.max_attempts):
        await rig.settled()
        await rig.advance(10.0)
    await rig.settled()


async def test_one_that_can_not_be_made_ready_for_the_wire_fails_and_99_go(
    tmp_path: Path, monkeypatch, caplog
):
    monkeypatch.setattr(
        dispatch, "outbound_segment", breaking(outbound_segment, lambda m, *_: m.recipient == POISON)
    )
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, policy=POLICY) as rig:
        poison, others = await send_all(rig)
        await driver.until_submitted(99)
        await pass_attempts(rig, poison.id)
        await assert_set_aside(rig, poison.id, "sending")
        assert sorted(driver.recipients()) == CLEAN
        assert {(await rig.message(m.id)).status for m in others} == {"sent"}
        assert rig.lanes["a"].snapshot().breaker == "closed"
        assert await rig.states(poison.id) == ["queued", "sending", "queued", "sending", "failed"]
    assert TEXT not in caplog.text
    assert POISON not in caplog.text


async def test_one_on_which_a_claim_breaks_fails_and_99_go(tmp_path: Path, monkeypatch):
    whole = message_event
    monkeypatch.setattr(
        schedule, "message_event", breaking(whole, lambda message, *_, **__: message.recipient == POISON)
    )
    driver = ScriptedDriver("a", capacity=10)
    async with running(tmp_path / "s.db", driver, policy=POLICY) as rig:
        poison, _ = await send_all(rig)
        await driver.until_submitted(99)
        await pass_attempts(rig, poison.id)
        await assert_set_aside(rig, poison.id, "claim")
        assert sorted(driver.recipients()) == CLEAN
        [part] = await rig.segments(poison.id)
        assert part.attempts == POLICY.max_attempts


async def test_one_that_can_not_even_be_read_is_ended_unread(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, policy=POLICY, started=False) as rig:
        poison, _ = await send_all(rig)
        await rig.store.write(
            lambda tx: tx.execute("UPDATE messages SET body = ? WHERE id = ?", (b"\xff\x00", poison.id))
        )
        await rig.start()
        await driver.until_submitted(99)
        await rig.settled()
        rows = await rig.store.read(
            lambda tx: tx.fetch("SELECT status, error FROM messages WHERE id = ?", (poison.id,))
        )
        assert rows[0][0] == "failed"
        assert rows[0][1].startswith("internal_error: ")
        assert (await rig.states(poison.id))[-1] == "failed"
        assert sorted(driver.recipients()) == CLEAN
        shown = await rig.message(poison.id)  # lists have to show it
        assert shown.text is None
        [(octets,)] = await rig.store.read(lambda tx: tx.fetch("SELECT octets FROM set_aside"))
        assert octets == b"\xff\x00"


async def test_one_whose_row_makes_no_sense_even_without_what_it_says_stops_nobody(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, policy=POLICY, started=False) as rig:
        poison, _ = await send_all(rig)
        await rig.store.write(
            lambda tx: tx.execute(
                "UPDATE messages SET body = ?, created_at = 'never' WHERE id = ?", (b"\xff\x00", poison.id)
            )
        )
        await rig.start()
        await driver.until_submitted(99)
        sql = "SELECT status FROM messages WHERE id = ?"
        assert await rig.store.read(lambda tx: tx.fetch(sql, (poison.id,))) == [("failed",)]
        later = await rig.send(to=CLEAN[0])
        await rig.until_status(later, "sent")


async def test_one_that_can_not_be_read_lets_go_of_those_behind_it_in_its_sequence(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, policy=POLICY, started=False) as rig:
        first, second = [await rig.send(sequence="s") for _ in range(2)]
        await rig.store.write(
            lambda tx: tx.execute("UPDATE messages SET body = ? WHERE id = ?", (b"\xff\x00", first.id))
        )
        await rig.start()
        await rig.until_status(second, "sent")


async def test_one_whose_time_can_not_come_does_not_hold_up_the_schedule(tmp_path: Path, monkeypatch):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, policy=POLICY) as rig:
        poison, _ = await send_all(rig, schedule_at=(START + timedelta(hours=1)).isoformat())
        whole = message_event
        monkeypatch.setattr(
            sweep, "message_event", breaking(whole, lambda message, *_, **__: message.recipient == POISON)
        )
        await rig.advance(3_601.0)
        await driver.until_submitted(99)
        await pass_attempts(rig, poison.id)
        await assert_set_aside(rig, poison.id, "schedule")


async def test_one_that_can_not_expire_does_not_keep_others_from_it(tmp_path: Path, monkeypatch):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, policy=POLICY, started=False) as rig:
        poison, others = await send_all(rig, valid_for=60)
        whole = message_event
        monkeypatch.setattr(
            ending, "message_event", breaking(whole, lambda message, *_, **__: message.recipient == POISON)
        )
        await rig.advance(61.0)
        await rig.advance(6.0)
        await rig.advance(11.0)
        assert {(await rig.message(m.id)).status for m in others} == {"expired"}
        await assert_set_aside(rig, poison.id, "expiry")


async def test_one_whose_answer_can_not_be_written_is_uncertain_and_99_are_sent(tmp_path: Path, monkeypatch):
    async def recorded(tx, taken):
        if any(one.message.recipient == POISON for one in taken):
            raise Broken(TEXT)
        return await record_all_accepted(tx, taken)

    monkeypatch.setattr(dispatch, "record_all_accepted", recorded)
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, policy=POLICY) as rig:
        poison, others = await send_all(rig)
        await driver.until_submitted(100)
        await rig.settled()
        await rig.sweeper.recover()
        assert (await rig.message(poison.id)).status == "uncertain", "it went out, and must not go again"
        assert {(await rig.message(m.id)).status for m in others} == {"sent"}
        [alarm] = await rig.store.read(lambda tx: list_alarms(tx, limit=10))
        assert alarm.subject == "dispatch"
        assert poison.id in alarm.detail


async def test_an_orphan_on_which_the_recovery_breaks_is_uncertain(tmp_path: Path, monkeypatch):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), policy=POLICY, started=False) as rig:
        poison, others = await send_all(rig)
        await rig.store.write(
            lambda tx: tx.execute(
                "UPDATE messages SET status = 'sending', part_status = 'sending', owner = 'dead'"
            )
        )

        async def record(tx, message, *args):
            if message.recipient == POISON:
                raise Broken(TEXT)
            await record_refused(tx, message, *args)

        monkeypatch.setattr(sweep, "record_refused", record)
        await rig.sweeper.recover()
        assert {(await rig.message(m.id)).status for m in others} == {"uncertain"}
        await assert_set_aside(rig, poison.id, "recovery", status="uncertain")


async def test_a_receipt_that_breaks_our_code_is_kept_and_acknowledged(tmp_path: Path, monkeypatch):
    driver = ScriptedDriver("a")
    whole = Receipts.handle

    async def handle(self, lane, report):
        if "poison" in report.references:
            raise Broken(TEXT)
        return await whole(self, lane, report)

    monkeypatch.setattr(Receipts, "handle", handle)
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send()
        await rig.until_status(message, "sent")
        [part] = await rig.segments(message.id)
        await driver.report(receipt("poison"))
        await driver.report(receipt(part.reference or ""))
        await rig.until_status(message, "delivered")
        rows = await rig.store.read(lambda tx: tx.fetch("SELECT channel, kind, octets, fault FROM set_aside"))
        [(channel, kind, octets, fault)] = rows
        assert (channel, kind) == ("a", "Receipt")
        assert b"poison" in octets
        assert fault.startswith("Broken at")
        [alarm] = await rig.store.read(lambda tx: list_alarms(tx, limit=10))
        assert alarm.subject == "Receipt of a"
