"""What a person may ask of their data: all of it comes out, and goes, but for what the law wants kept."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.base import Encoding, InboundPart
from drivers.codec.gsm7 import encode_gsm7
from gateway.consents.subjects import erase_subject, export_subject
from gateway.ids import make_id
from gateway.model.consent import ConsentState
from gateway.model.lines import subject_key
from gateway.model.message import Category
from gateway.model.msisdn import read_number
from gateway.pipeline.operator.consents import record_consent
from gateway.policy.subject import Subject
from gateway.store.audit import AuditQuery, list_audit
from gateway.store.events import load_events_before, load_timeline
from gateway.store.messages import find_message
from gateway.store.numbers import find_failures, note_failure
from gateway.store.outbox import Lane, Owed, save_owed
from gateway.store.outbox_gone import bury_some, list_dead
from gateway.store.ports import Row, Tx
from gateway.store.sealing.operator_key import OperatorKey
from gateway.store.touches import save_touches, touch_of
from tests.support.consents import MAY
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, Rig, running
from tests.support.people import OPERATOR

pytestmark = pytest.mark.integration

READING = read_number(PHONE, "CN")
SECRET = "my secret is 4711"


@pytest.fixture(params=["in clear", "encrypted"])
async def rig(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """A number that got two messages, wrote two, agreed and opted out; and somebody else's message."""
    if request.param == "encrypted":
        (tmp_path / "store.key").write_text(OperatorKey.make().write())
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        at = rig.clock.now()
        await rig.store.write(
            lambda tx: record_consent(
                tx, READING, ConsentState.GIVEN, source="form", at=at, by=OPERATOR, wording=MAY
            )
        )
        first = await rig.send(PHONE, SECRET)
        await rig.until_status(first, "sent")
        await rig.send("+8613900139000", "not theirs")
        for text in (SECRET, "TD"):
            await driver.report(InboundPart(sender=PHONE, encoding=Encoding.GSM7, payload=encode_gsm7(text)))
        await rig.settled()
        yield rig


async def test_all_that_is_kept_comes_out(rig: Rig):
    found = await export_subject(rig.store, rig.clock, READING, OPERATOR)
    assert [one.text for one in found.messages] == ["You are off the list.", SECRET]
    assert [one.text for one in found.inbound] == ["TD", SECRET]
    assert [one.number for one in found.suppressions] == [PHONE]
    assert [(one.state.value, one.wording) for one in found.consents] == [("given", MAY), ("withdrawn", None)]
    assert not found.truncated


async def test_what_need_not_be_kept_goes(rig: Rig):
    done = await erase_subject(rig.store, rig.clock, READING, OPERATOR)
    assert (done.messages, done.inbound) == (2, 2)
    assert {one.what: one.count for one in done.kept} == {"suppressions": 1, "consents": 2}
    left = await export_subject(rig.store, rig.clock, READING, OPERATOR)
    assert (left.messages, left.inbound) == ([], [])
    assert [one.state.value for one in left.consents] == ["given", "withdrawn"]
    deeds = await rig.store.read(lambda tx: list_audit(tx, AuditQuery(action="subject.erased"), limit=9))
    assert [deed.subject for deed in deeds] == [""]
    assert (await erase_subject(rig.store, rig.clock, READING, OPERATOR)).messages == 0


async def test_nothing_of_the_text_is_in_the_store_any_more(rig: Rig, tmp_path: Path):
    other = (await rig.send("+8613900139000", "still there")).id
    await erase_subject(rig.store, rig.clock, READING, OPERATOR)
    await rig.settled()
    database = tmp_path / "s.db"
    with sqlite3.connect(database) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            rows = json.dumps([[str(value) for value in row] for row in db.execute(f"SELECT * FROM {table}")])
            assert SECRET not in rows, table
    events = await rig.store.read(lambda tx: load_events_before(tx, 1_000, 1_000))
    told = [event.subject + event.data.decode() for event in events]
    assert not any(SECRET in one or PHONE in one for one in told)
    assert [event.seq for event in events] == list(range(len(events), 0, -1)), "numbers have no gaps"
    assert await rig.store.read(lambda tx: find_message(tx, other)) is not None
    assert await rig.states(other)


async def test_what_is_on_its_way_stays_and_is_named(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        message = await rig.send(PHONE, SECRET)
        done = await erase_subject(rig.store, rig.clock, READING, OPERATOR)
        assert [(one.what, one.count) for one in done.kept] == [("open_messages", 1)]
        await rig.start()
        await rig.until_status(message, "sent")
        assert (await erase_subject(rig.store, rig.clock, READING, OPERATOR)).messages == 1


async def test_what_was_learned_of_a_number_and_calls_that_were_given_up_go(rig: Rig):
    store, at = rig.store, rig.clock.now()
    message_id = (await export_subject(store, rig.clock, READING, OPERATOR)).messages[0].id

    async def learn(tx: Tx) -> None:
        await note_failure(tx, PHONE, "unknown", channel="a", message_id=message_id, now=at)
        for subject in (message_id, f"wh-1 {message_id}"):
            lane = Lane("door", "wh-1", "a.example")
            await save_owed(tx, [Owed(make_id(), lane, subject, SECRET.encode(), at, at)])
        await bury_some(tx, Lane("door", "wh-1", "a.example"), "given up", at)
        counted = Subject(PHONE, Category.MARKETING, at, SECRET, message_id=message_id)
        await save_touches(tx, [touch_of(counted, at, is_out=True)])

    await store.write(learn)
    done = await erase_subject(store, rig.clock, READING, OPERATOR)
    assert await store.read(lambda tx: find_failures(tx, [PHONE])) == {}
    assert await store.read(lambda tx: list_dead(tx, "door", limit=9)) == []
    assert {one.what: one.count for one in done.kept}["touches"] == 1


async def test_the_timeline_does_not_know_the_number_any_more(rig: Rig):
    told = await rig.store.read(lambda tx: load_timeline(tx, PHONE))
    assert told, "the opt-out is an event of the number"
    await erase_subject(rig.store, rig.clock, READING, OPERATOR)
    events = await rig.store.read(lambda tx: load_events_before(tx, 1_000, 1_000))
    assert not any(PHONE in event.subject + event.data.decode() for event in events)

    async def found(tx: Tx) -> list[Row]:
        keys = [subject_key(tx.veil(PHONE)), subject_key(PHONE)]
        return await tx.fetch("SELECT seq FROM event_subjects WHERE subject IN (?, ?)", keys)

    assert await rig.store.read(found) == []
