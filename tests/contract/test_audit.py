"""The audit trail on every engine: one chain, whoever adds to it, and no deed without its entry."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.model.actor import SYSTEM, Actor, ActorKind
from gateway.model.audit import AuditEntry, Break, ChainCheck, Head
from gateway.store.audit import (
    AuditQuery,
    Extent,
    count_old_audit,
    erase_audit_subject,
    find_audit_before,
    forget_audit,
    list_audit,
    load_audit,
    load_extent,
    record_audit,
)
from gateway.store.ports import Tx
from tests.support.stores import Database, OpenStore

pytestmark = pytest.mark.contract

AT = datetime(2026, 11, 30, 12, 0, 0, 123_456, tzinfo=UTC)
BILLING = Actor(ActorKind.KEY, "billing", "api 203.0.113.7")


async def deed(store: OpenStore, subject: str = "modem1", at: datetime = AT) -> AuditEntry:
    return await store.write(
        lambda tx: record_audit(tx, BILLING, "channel.paused", subject, {"n": 1, "was": "up"}, at=at)
    )


async def whole(store: OpenStore) -> tuple[Extent, list[AuditEntry]]:
    async def op(tx: Tx) -> tuple[Extent, list[AuditEntry]]:
        extent = await load_extent(tx)
        return extent, await load_audit(tx, extent.dropped.seq, 10_000, extent.head.seq)

    return await store.read(op)


async def fault_of(store: OpenStore, remembered: Head | None = None) -> Break | None:
    extent, entries = await whole(store)
    check = ChainCheck(extent.dropped, remembered)
    return check.take_all(entries) or check.end(extent.head)


async def test_what_is_recorded_is_read_again_as_it_was(store: OpenStore):
    made = await deed(store)
    (found,) = (await whole(store))[1]
    assert found == made
    assert (found.seq, found.actor, found.origin) == (1, "key:billing", "api 203.0.113.7")
    assert bytes(found.details) == b'{"n":1,"was":"up"}'
    assert await fault_of(store) is None


async def test_a_deed_that_is_rolled_back_leaves_no_entry_and_no_gap(store: OpenStore):
    async def fails(tx: Tx) -> None:
        await record_audit(tx, BILLING, "key.revoked", "k", at=AT)
        raise KeyError

    await deed(store)
    with pytest.raises(KeyError):
        await store.write(fails)
    await deed(store)
    assert [(e.seq, e.action) for e in (await whole(store))[1]] == [
        (1, "channel.paused"),
        (2, "channel.paused"),
    ]
    assert await fault_of(store) is None


async def test_two_stores_that_add_at_once_make_one_chain(database: Database):
    stores = [await database.open(), await database.open()]
    await asyncio.gather(*(deed(stores[n % 2], f"s{n}") for n in range(200)))
    extent, entries = await whole(stores[0])
    assert [e.seq for e in entries] == list(range(1, 201))
    assert {e.subject for e in entries} == {f"s{n}" for n in range(200)}
    assert extent.head == Head(200, entries[-1].hash)
    assert await fault_of(stores[1]) is None


async def test_what_no_store_can_hold_is_spelled_alike_and_what_is_long_is_cut(store: OpenStore):
    strange = Actor(ActorKind.KEY, "a\0b", "x" * 1_000)
    await store.write(
        lambda tx: record_audit(tx, strange, "key.made", "\0\U0001f600", {"names": ["n\0"] * 500}, at=AT)
    )
    (found,) = (await whole(store))[1]
    assert (found.actor, found.subject) == ("key:a\u2400b", "\u2400\U0001f600")
    assert len(found.origin) == 300
    assert len(bytes(found.details)) < 2_000
    assert await fault_of(store) is None


@pytest.mark.parametrize(
    ("sql", "seq"),
    [
        ("UPDATE audit SET action = 'channel.resumed' WHERE seq = 3", 3),
        ("UPDATE audit SET actor = 'key:other' WHERE seq = 3", 3),
        ("UPDATE audit SET origin = '' WHERE seq = 3", 3),
        ("UPDATE audit SET at = at + 1 WHERE seq = 3", 3),
        ("""UPDATE audit SET details = '{"n":2,"was":"up"}' WHERE seq = 3""", 3),
        ("UPDATE audit SET subject = 'modem9' WHERE seq = 3", 3),
        ("UPDATE audit SET salt = '' WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 5", 5),
        ("UPDATE audit SET seq = seq + 10 WHERE seq = 5", 5),
        ("UPDATE audit_head SET dropped_seq = 1", 2),
    ],
)
async def test_what_was_changed_or_removed_is_found(store: OpenStore, sql: str, seq: int):
    for n in range(5):
        await deed(store, f"modem{n}")
    assert await fault_of(store) is None
    await store.write(lambda tx: tx.execute(sql))
    broken = await fault_of(store)
    assert broken is not None
    assert broken.seq == seq


async def test_a_remembered_head_tells_of_an_end_that_was_cut_off_with_the_head(store: OpenStore):
    entries = [await deed(store) for _ in range(5)]
    remembered = Head(5, entries[4].hash)

    async def cut(tx: Tx) -> None:
        await tx.execute("DELETE FROM audit WHERE seq > 3")
        await tx.execute("UPDATE audit_head SET last_seq = 3, last_hash = ?", (entries[2].hash,))

    assert await fault_of(store, remembered) is None
    await store.write(cut)
    assert await fault_of(store) is None
    broken = await fault_of(store, remembered)
    assert broken is not None
    assert broken.seq == 4
    for _ in range(4):
        await deed(store, "another history")
    broken = await fault_of(store, remembered)
    assert broken is not None
    assert broken.seq == 5


async def test_a_subject_can_be_erased_and_the_chain_holds(store: OpenStore):
    for subject in ("+8613800138000", "modem1", "+8613800138000"):
        await deed(store, subject)
    assert await store.write(lambda tx: erase_audit_subject(tx, "+8613800138000")) == 2
    entries = (await whole(store))[1]
    assert [(e.subject, bool(e.salt)) for e in entries] == [("", False), ("modem1", True), ("", False)]
    assert await fault_of(store) is None


async def test_the_oldest_are_dropped_and_the_rest_can_be_checked_still(store: OpenStore):
    entries = [await deed(store, f"s{n}", AT + timedelta(days=n)) for n in range(10)]
    before = AT + timedelta(days=6, hours=1)
    assert await store.read(lambda tx: count_old_audit(tx, before)) == (entries[0].at, 7)
    assert await store.write(lambda tx: forget_audit(tx, before, 4)) == 4
    assert await store.write(lambda tx: forget_audit(tx, before, 100)) == 3
    assert await store.write(lambda tx: forget_audit(tx, before, 100)) == 0
    extent, kept = await whole(store)
    assert extent.dropped == Head(7, entries[6].hash)
    assert [(e.seq, e.action) for e in kept][:3] == [(n, "channel.paused") for n in (8, 9, 10)]
    assert [(e.actor, e.action) for e in kept][3:] == [(str(SYSTEM), "audit.dropped")] * 2
    assert await fault_of(store) is None
    assert await fault_of(store, Head(9, entries[8].hash)) is None
    assert await fault_of(store, Head(7, entries[6].hash)) is None
    assert await fault_of(store, Head(3, entries[2].hash)) is not None
    await store.write(lambda tx: tx.execute("DELETE FROM audit WHERE seq = 8"))
    assert await fault_of(store) is not None


async def test_a_beginning_that_was_cut_off_by_hand_was_not_dropped(store: OpenStore):
    entries = [await deed(store) for _ in range(5)]

    async def cut(tx: Tx) -> None:
        await tx.execute("DELETE FROM audit WHERE seq <= 3")
        await tx.execute("UPDATE audit_head SET dropped_seq = 3, dropped_hash = ?", (entries[2].hash,))

    await store.write(cut)
    broken = await fault_of(store)
    assert broken is not None
    assert broken.seq == 3


async def test_entries_are_found_by_who_what_and_when(store: OpenStore):
    async def op(tx: Tx) -> None:
        for n in range(6):
            actor = BILLING if n % 2 else SYSTEM
            action = ("channel.paused", "channel.resumed", "channels.strange")[n % 3]
            await record_audit(tx, actor, action, f"s{n}", at=AT + timedelta(hours=n))

    async def seqs(query: AuditQuery, limit: int = 10, before: int | None = None) -> list[int]:
        return [e.seq for e in await store.read(lambda tx: list_audit(tx, query, limit, before))]

    await store.write(op)
    assert await seqs(AuditQuery()) == [6, 5, 4, 3, 2, 1]
    assert await seqs(AuditQuery(), 2, 5) == [4, 3]
    assert await seqs(AuditQuery(actor="key:billing")) == [6, 4, 2]
    assert await seqs(AuditQuery(action="channel.paused")) == [4, 1]
    assert await seqs(AuditQuery(action="channel.*")) == [5, 4, 2, 1]
    assert await seqs(AuditQuery(subject="s3")) == [4]
    assert await seqs(AuditQuery(subject="")) == []
    window = AuditQuery(since=AT + timedelta(hours=1), until=AT + timedelta(hours=3))
    assert await seqs(window) == [3, 2]
    head = await store.read(lambda tx: find_audit_before(tx, AT + timedelta(hours=2)))
    assert head is not None
    assert head.seq == 2
    assert await store.read(lambda tx: find_audit_before(tx, AT)) is None
