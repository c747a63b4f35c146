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
from gateway.model.consent import ConsentState
from gateway.model.msisdn import read_number
from gateway.pipeline.operator.consents import record_consent
from gateway.store.audit import AuditQuery, list_audit
from gateway.store.events import load_events_before
from gateway.store.messages import find_message
from tests.support.consents import MAY
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, Rig, running
from tests.support.people import OPERATOR

pytestmark = pytest.mark.integration

READING = read_number(PHONE, "CN")
SECRET = "my secret is 4711"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A number that got two messages, wrote two, agreed and opted out; and somebody else's message."""
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
