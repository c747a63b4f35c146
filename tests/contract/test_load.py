"""What waits, counted in the store at the start: on every engine, in pieces, whatever shares an end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.ids import KeyId, MessageId, make_id
from gateway.model.message import Message, MessageStatus, Segment
from gateway.routing.load import WAITING, Load, coming
from gateway.store import load as store_load
from gateway.store.load import count_load
from gateway.store.messages import save_messages
from gateway.store.ports import CommitFigures, Tx
from tests.support.stores import Database

pytestmark = pytest.mark.contract

AT = datetime(2026, 3, 14, 9, tzinfo=UTC)
VALID_S = 3_600.0


def make_message(n: int, status: MessageStatus) -> Message:
    starts_at = AT + timedelta(days=1) if status is MessageStatus.SCHEDULED else None
    return Message(
        id=MessageId(make_id()), recipient="+8613800138000", text="雁" * (n % 7), encoding="ucs2",
        status=status, n_segments=1, queue="group:default", created_at=AT, updated_at=AT, schedule_at=starts_at,
        expires_at=(starts_at or AT) + timedelta(seconds=VALID_S), key_id=KeyId(f"k{n % 3}"),
        owner="o" if status is MessageStatus.SENDING else None,
    )  # fmt: skip


async def test_all_that_waits_is_counted_and_nothing_else(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store_load, "AT_ONCE", 3)
    told: list[CommitFigures] = []
    store = await database.open(on_commit=told.append)
    statuses = [*MessageStatus] * 4
    messages = [make_message(n, status) for n, status in enumerate(statuses)]

    async def op(tx: Tx) -> None:
        await save_messages(
            tx,
            [
                (m, [Segment(part=1, payload=m.text.encode("utf-16-be"))])
                for m in messages
                if m.text is not None
            ],
        )

    await store.write(op)
    there, counted, heard = Load(VALID_S), Load(VALID_S), Load(VALID_S)
    there.note(coming(message, 1) for message in messages if message.status in WAITING)
    await count_load(store, counted)
    heard.note(change for figures in told for change in figures.coming)
    for load in (counted, heard):
        assert set(load.owners) == {"k0", "k1", "k2"}
        for owner in ("k0", "k1", "k2"):
            ours, theirs = load.of(owner), there.of(owner)
            assert (ours.messages, ours.octets, ours.since) == (theirs.messages, theirs.octets, theirs.since)
        assert load.all.messages == 12


def _payload(message: Message) -> bytes:
    return (message.text or "").encode("utf-16-be")
