"""Large batches: stored in pieces, bounded, gone on with after a crash, and never in the way of others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.codec.segment import Plan
from gateway.errors import IdempotencyMismatch, Overloaded, StoreFull
from gateway.model.request import MessageRequest
from gateway.pipeline.intake import batches
from gateway.pipeline.intake.accept import Idempotency
from gateway.pipeline.intake.admission import Room
from gateway.pipeline.intake.batches import AcceptedBatch, Batches, Rejected
from gateway.policy.text import TextRules, plan_text
from gateway.store.messages import MessageFilter
from gateway.store.ports import CommitFigures
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import Rig, running
from tests.support.product import list_messages

pytestmark = pytest.mark.integration

PIECE = batches.PIECE_MESSAGES

NUMBERS = [f"+86{13_700_000_000 + n}" for n in range(10)]


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(batches, "PIECE_MESSAGES", 3)
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as made:
        yield made


def requests(*texts: str) -> list[MessageRequest | Rejected]:
    return [MessageRequest(to=to, text=text) for to, text in zip(NUMBERS, texts, strict=False)]


def idempotency(name: str, body: bytes = b"body") -> Idempotency:
    return Idempotency(name, body, lambda batch: msgspec.json.encode([item.index for item in batch.items]))


async def texts(rig: Rig) -> list[str | None]:
    stored = await rig.store.read(lambda tx: list_messages(tx, MessageFilter(), limit=1_000, before=None))
    return [message.text for message in reversed(stored)]


def fail_at(rig: Rig, monkeypatch: pytest.MonkeyPatch, n_writes: int) -> None:
    """The store has room for so many operations."""
    write, left = rig.store.write, [n_writes]

    async def full(op: Any, **about: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise StoreFull("no room")
        return await write(op, **about)

    monkeypatch.setattr(rig.store, "write", full)


async def test_no_commit_holds_more_than_a_piece(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    n_stored: list[int] = []
    write = rig.store.write

    async def note(op: Any, **about: Any) -> Any:
        before = len(await texts(rig))
        result = await write(op, **about)
        n_stored.append(len(await texts(rig)) - before)
        return result

    monkeypatch.setattr(rig.store, "write", note)
    batch = await rig.batches.accept(requests(*"abcdefgh"), key=None)
    assert isinstance(batch, AcceptedBatch)
    assert await texts(rig) == list("abcdefgh")
    assert n_stored == [3, 3, 2]
    assert [item.index for item in batch.items] == list(range(8))
    monkeypatch.setattr(batches, "PIECE_SEGMENTS", 4)
    n_stored.clear()
    await rig.batches.accept(requests(*["x" * 450] * 4), key=None)  # three segments each
    assert n_stored == [2, 2]


async def test_items_are_read_as_they_are_wanted(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    """A batch is never in memory as a whole."""
    n_read = n_stored = 0
    write = rig.store.write

    async def note(op: Any, **about: Any) -> Any:
        nonlocal n_stored
        result = await write(op, **about)
        n_stored = n_read
        return result

    def items() -> Iterator[MessageRequest | Rejected]:
        nonlocal n_read
        for request in requests(*"abcdefgh"):
            assert n_read - n_stored < 3
            n_read += 1
            yield request

    monkeypatch.setattr(rig.store, "write", note)
    await rig.batches.accept(items(), key=None)
    assert n_read == 8


@pytest.mark.parametrize("n_pieces", [0, 1, 2])
async def test_a_batch_that_a_crash_cut_off_is_gone_on_with(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, n_pieces: int
):
    """The crash: the process ends between two commits, and the client repeats its call."""

    class Crash(BaseException):
        pass

    write, left = rig.store.write, [n_pieces]

    async def crashing(op: Any, **about: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Crash
        return await write(op, **about)

    wanted: list[MessageRequest | Rejected] = [*requests(*"abcdefgh")]
    wanted[1] = Rejected(1, "wrong", "no")
    monkeypatch.setattr(rig.store, "write", crashing)
    with pytest.raises(Crash):
        await rig.batches.accept(wanted, key=None, idempotency=idempotency("k"))
    assert await texts(rig) == list("acdefgh")[: 3 * n_pieces]
    monkeypatch.setattr(rig.store, "write", write)
    anew = Batches(rig.store, rig.clock, rig.intake)
    if n_pieces:
        with pytest.raises(IdempotencyMismatch):
            await anew.accept(wanted, key=None, idempotency=idempotency("k", b"other"))
    batch = await anew.accept(wanted, key=None, idempotency=idempotency("k"))
    assert isinstance(batch, AcceptedBatch)
    assert await texts(rig) == list("acdefgh")
    assert [item.index for item in batch.items] == [0, 2, 3, 4, 5, 6, 7]
    assert [r.index for r in batch.rejected] == [1]
    assert {(await rig.message(item.id)).batch_id for item in batch.items} == {batch.batch_id}
    assert await anew.accept(wanted, key=None, idempotency=idempotency("k")) == b"[0,2,3,4,5,6,7]"


async def test_a_batch_that_comes_twice_at_once_is_stored_once(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As two processes on one store take it: each with a store, and all else, of its own."""
    monkeypatch.setattr(batches, "_LET_OTHERS_S", (0.0, 0.01))
    wanted: list[MessageRequest | Rejected] = [*requests(*"abcdefgh")]
    wanted[1] = Rejected(1, "wrong", "no")
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False, exclusive=False) as other:
        taken = await asyncio.gather(
            *(one.batches.accept(wanted, key=None, idempotency=idempotency("k")) for one in (rig, other) * 2)
        )
    assert await texts(rig) == list("acdefgh")
    first = next(one for one in taken if isinstance(one, AcceptedBatch))
    assert [item.index for item in first.items] == [0, 2, 3, 4, 5, 6, 7]
    assert [r.index for r in first.rejected] == [1]
    assert len({(await rig.message(item.id)).id for item in first.items}) == 7
    answers = {one if isinstance(one, bytes) else idempotency("k").render(one) for one in taken}
    assert answers == {b"[0,2,3,4,5,6,7]"}


async def test_what_the_store_has_no_room_for_is_rejected_and_can_be_sent_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        fail_at(rig, patch, 1)
        batch = await rig.batches.accept(requests(*"abcdefgh"), key=None, idempotency=idempotency("k"))
    assert isinstance(batch, AcceptedBatch)
    assert [item.index for item in batch.items] == [0, 1, 2]
    assert [(r.index, r.code) for r in batch.rejected] == [(n, "storage_full") for n in range(3, 8)]
    batch = await rig.batches.accept(requests(*"abcdefgh"), key=None, idempotency=idempotency("k"))
    assert isinstance(batch, AcceptedBatch)
    assert ([item.index for item in batch.items], batch.rejected) == ([*range(8)], [])
    assert await texts(rig) == list("abcdefgh")


async def test_where_nothing_was_stored_the_call_fails(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    fail_at(rig, monkeypatch, 0)
    with pytest.raises(StoreFull):
        await rig.batches.accept(requests(*"abcdefgh"), key=None)
    assert await texts(rig) == []


async def test_one_content_is_planned_once_however_many_get_it(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    planned = []

    def note(text: str, encoding: str, rules: TextRules, *, smart: bool | None = None) -> Plan:
        planned.append(text)
        return plan_text(text, encoding, rules, smart=smart)

    monkeypatch.setattr("gateway.pipeline.intake.plan.plan_text", note)
    await rig.batches.accept(requests(*["hello"] * 8), key=None)
    assert planned == ["hello"]
    await rig.batches.accept(requests("a", "b", "a"), key=None)
    assert planned == ["hello", "a", "b", "a"]


async def test_a_text_too_long_is_refused_without_being_encoded(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    def never(*_: object, **__: object) -> object:
        raise AssertionError("encoded")

    monkeypatch.setattr("gateway.pipeline.intake.plan.plan_text", never)
    batch = await rig.batches.accept(requests(*["x" * 39_000] * 8), key=None)
    assert isinstance(batch, AcceptedBatch)
    assert [r.code for r in batch.rejected] == ["text_too_long"] * 8


async def test_a_call_has_a_bounded_number_of_segments(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "MOST_SEGMENTS", 5)
    batch = await rig.batches.accept(requests("a", "x" * 450, "x" * 450, "b"), key=None)
    assert isinstance(batch, AcceptedBatch)
    assert [item.index for item in batch.items] == [0, 1, 3]
    assert [(r.index, r.code) for r in batch.rejected] == [(2, "too_many_segments")]


async def test_who_comes_beside_a_batch_waits_for_a_piece_of_it_at_most(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
):
    """No commit has more than a piece of a batch in it, and what waits with it."""
    monkeypatch.setattr(batches, "PIECE_MESSAGES", PIECE)
    commits: list[CommitFigures] = []
    rig.store._on_commit = commits.append
    many = [MessageRequest(to="10086", text="雁" * 150) for _ in range(450)]
    await asyncio.gather(rig.batches.accept(many, key=None), *(rig.send() for _ in range(50)))
    assert sum(len(figures.events) for figures in commits) == 500
    assert max(len(figures.events) for figures in commits) <= 200
    assert len(commits) >= 4


async def test_what_waits_for_the_writer_is_bounded(rig: Rig):
    rig.intake.room = Room(most_octets=5_000)
    draft = rig.intake.draft(MessageRequest(to="10086", text="x"), key=None)
    with rig.intake.room.hold([draft] * 4):  # one request alone finds room, however large it is
        with pytest.raises(Overloaded):
            await rig.send()
        with pytest.raises(Overloaded):
            await rig.batches.accept(requests("a"), key=None)
    await rig.send()
