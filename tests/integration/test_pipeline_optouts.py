"""An opt-out holds for every number that its writer may have, at accept and again before the wire."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from drivers.base import Encoding, InboundPart
from drivers.codec.gsm7 import encode_gsm7
from gateway.clock import format_ms
from gateway.http.query import spell_sought
from gateway.model.message import Suppression
from gateway.model.msisdn import read_number
from gateway.pipeline.operator.suppress import find_entry, read_older_entries
from gateway.store.inbound import list_inbound
from gateway.store.migration import load_migrations
from gateway.store.ports import Tx
from gateway.store.sqlite.migrate import migrate
from gateway.store.sqlite.transaction import SqliteTx
from gateway.store.suppressions import find_suppressed, list_suppressions
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import OPT_OUT_REPLY, START, Rig, running
from tests.support.optouts import opt_in, opt_out

pytestmark = pytest.mark.integration

UK, UK_BARE, UK_OF_OLD = "+447700900123", "447700900123", "+86447700900123"
BOTH, GERMAN, AMERICAN = "16012345678", "+4916012345678", "+16012345678"


def said(sender: str, text: str = "STOP") -> InboundPart:
    return InboundPart(sender=sender, encoding=Encoding.GSM7, payload=encode_gsm7(text))


async def entries(rig: Rig) -> list[Suppression]:
    return await rig.store.read(lambda tx: list_suppressions(tx, limit=100, after=("", "")))


async def is_stopped(rig: Rig, to: str) -> bool:
    """Whether marketing is stopped when it is accepted."""
    return (await rig.send(to, "promo", category="marketing")).status == "blocked"


@pytest.mark.parametrize(
    ("region", "sender", "stopped"),
    [
        ("CN", UK_BARE, {UK, UK_OF_OLD}),
        ("CN", "447911123456", {"+447911123456"}),
        ("CN", "12025550123", {"+12025550123"}),
        ("CN", "13800138000", {"+8613800138000"}),
        ("CN", "+13800138000", {"+8613800138000"}),  # a network that calls national numbers international
        ("CN", "13802345678", {"+8613802345678", "+13802345678"}),
        ("CN", "8613802345678", {"+8613802345678"}),
        ("DE", BOTH, {GERMAN, AMERICAN}),
        ("GB", "07700900123", {UK}),
        ("GB", "8613800138000", {"+8613800138000"}),
        ("US", "2025550123", {"+12025550123"}),
        ("US", "+2025550123", {"+12025550123"}),
        ("US", UK_BARE, {UK}),
        ("IT", "390612345678", {"+390612345678"}),
        ("BR", "11987654321", {"+5511987654321", "+551187654321"}),
        ("IN", "9876543210", {"+919876543210"}),
        ("HK", "91234567", {"+85291234567"}),
        ("MX", "5215512345678", {"+525512345678"}),
    ],
)
async def test_who_writes_stop_gets_no_marketing(tmp_path: Path, region: str, sender: str, stopped: set[str]):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, region=region) as rig:
        await driver.report(said(sender))
        (entry,) = await entries(rig)
        assert stopped <= set(entry.readings)
        for number in stopped:
            assert await is_stopped(rig, number)
        assert not await is_stopped(rig, "+8613900139000")


async def test_what_was_accepted_before_is_stopped_before_the_wire(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    async with running(tmp_path / "s.db", driver, region="DE", started=False) as rig:
        waiting = [await rig.send(number, "promo", category="marketing") for number in (GERMAN, AMERICAN)]
        other = await rig.send("+4915112345678", "promo", category="marketing")
        await opt_out(rig.store, rig.clock, BOTH, source="api", region="DE")
        await rig.start()
        await rig.until_status(other, "sent")
        for message in waiting:
            assert (await rig.until_status(message, "blocked")).error is not None
        assert [segment.recipient for segment in driver.submitted] == ["+4915112345678"]


async def test_a_doubtful_sender_is_shown_as_it_came_and_tied_to_what_we_sent(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(UK), "sent")
        await driver.report(said(UK_BARE, "hello yourself"))
        (inbound,) = await rig.inbound()
        assert (inbound.sender, inbound.in_reply_to) == (UK_BARE, message.id)


@pytest.mark.parametrize("asked", [BOTH, GERMAN, AMERICAN])
async def test_a_doubtful_sender_is_found_under_every_number_that_he_may_have(tmp_path: Path, asked: str):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, region="DE") as rig:
        await driver.report(said(BOTH, "hello"))
        await driver.report(said("+4915112345678", "hello, too"))
        senders = spell_sought(asked, "DE")
        found = await rig.store.read(lambda tx: list_inbound(tx, senders=senders, limit=10))
        assert [inbound.sender for inbound in found] == [BOTH]


async def test_a_reply_is_tied_to_what_was_sent_under_the_old_reading(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(UK_OF_OLD), "sent")
        await driver.report(said(UK, "hello yourself"))
        assert [inbound.in_reply_to for inbound in await rig.inbound()] == [message.id]


async def test_a_doubtful_sender_is_answered_where_we_wrote_to_him_before(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, region="DE") as rig:
        await driver.report(said(BOTH))
        await rig.settled()
        assert driver.submitted == [], "nobody knows whose number that is"
        await rig.until_status(await rig.send(AMERICAN), "sent")
        await driver.report(said(BOTH, "START"))
        await driver.until_submitted(2)
        assert driver.submitted[1].recipient == AMERICAN


async def test_a_second_stop_is_neither_listed_nor_answered_again(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for sender in ("447911123456", "+447911123456", "00447911123456"):
            await driver.report(said(sender))
        await rig.settled()
        assert [segment.payload for segment in driver.submitted] == [encode_gsm7(OPT_OUT_REPLY)]
        assert [entry.number for entry in await entries(rig)] == ["+447911123456"]


@pytest.mark.parametrize(
    "sender", [UK_BARE, "447911123456", "13802345678", "+13800138000", "13800138000", "10086"]
)
async def test_start_from_the_same_number_takes_all_of_it_back(tmp_path: Path, sender: str):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(said(sender))
        stopped = (await entries(rig))[0].readings
        await driver.report(said(sender, "START"))
        assert await entries(rig) == []
        assert await rig.store.read(lambda tx: find_suppressed(tx, stopped)) == set()


@pytest.mark.parametrize(("stop", "start"), [(UK, UK_BARE), (UK_BARE, UK), (UK_OF_OLD, UK), (UK, UK_OF_OLD)])
async def test_start_of_the_same_person_in_another_spelling_counts(tmp_path: Path, stop: str, start: str):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(said(stop))
        await driver.report(said(start, "START"))
        assert await entries(rig) == []
        assert not await is_stopped(rig, UK)


async def test_start_of_one_of_two_possible_persons_leaves_the_other_stopped(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, region="DE") as rig:
        await driver.report(said(BOTH))
        await driver.report(said(GERMAN, "START"))
        assert not await is_stopped(rig, GERMAN)
        assert await is_stopped(rig, AMERICAN)
        (entry,) = await entries(rig)
        assert (entry.number, entry.readings) == (BOTH, (AMERICAN,))


async def test_start_that_may_be_another_persons_takes_nothing_off(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, region="DE") as rig:
        await driver.report(said(GERMAN))
        await driver.report(said(BOTH, "START"))
        assert await is_stopped(rig, GERMAN)


async def test_two_entries_for_one_number_are_both_taken_off(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), region="DE") as rig:
        for number in (GERMAN, BOTH):
            await opt_out(rig.store, rig.clock, number, source="api", region="DE")
        assert [entry.number for entry in await entries(rig)] == [GERMAN, BOTH]
        assert await opt_in(rig.store, rig.clock, GERMAN, source="api", region="DE")
        assert not await is_stopped(rig, GERMAN)
        assert await is_stopped(rig, AMERICAN)


async def test_a_second_stop_after_start_of_one_holds_for_both_again(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, region="DE") as rig:
        for sender, text in ((BOTH, "STOP"), (GERMAN, "START"), (BOTH, "STOP")):
            await driver.report(said(sender, text))
        assert await is_stopped(rig, GERMAN)
        assert await is_stopped(rig, AMERICAN)


async def test_entries_of_older_versions_hold_for_the_right_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "s.db"
    with monkeypatch.context() as old:
        old.setattr(
            "gateway.store.sqlite.migrate.load_migrations",
            lambda: [m for m in load_migrations() if m[0] < 13],
        )
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            migrate(db)
            for number in (UK_OF_OLD, "33612345678", "+8613800138000", "HONGYAN"):
                await _save_as_before(SqliteTx(db), number=number)
    async with running(path, ScriptedDriver("a")) as rig:
        for number, stopped in ((UK_OF_OLD, True), ("+8613800138000", True), (UK, False)):
            assert await is_stopped(rig, number) is stopped, "as it was"
        await read_older_entries(rig.store, "CN")
        for number in (UK, UK_OF_OLD, "+33612345678", "+8613800138000"):
            assert await is_stopped(rig, number)
        listed = [entry.number for entry in await entries(rig)]
        assert listed == ["+8613800138000", UK_OF_OLD, "33612345678", "HONGYAN"], "no more than there were"
        found = await rig.store.read(lambda tx: find_entry(tx, read_number(UK, "CN")))
        assert found == Suppression(
            number=UK_OF_OLD, source="inbound", keyword="td", created_at=START, readings=(UK_OF_OLD, UK)
        )
        assert await opt_in(rig.store, rig.clock, UK, source="api")
        await read_older_entries(rig.store, "CN")
        assert not await is_stopped(rig, UK), "what was taken off does not come back with the next start"


async def _save_as_before(tx: Tx, number: str) -> None:
    await tx.execute(
        "INSERT INTO suppressions (number, source, keyword, created_at) VALUES (?, 'inbound', 'td', ?)",
        (number, format_ms(START)),
    )
