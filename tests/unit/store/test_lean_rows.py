"""Old rows become lean ones: a store in which messages stand in every state comes up as it was."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import format_ms
from gateway.ids import make_id
from gateway.model.message import Category, MessageError, MessageStatus, SegmentStatus
from gateway.store.messages import MessageFilter, find_message
from gateway.store.migration import load_migrations
from gateway.store.queue import claim_messages, find_due, find_hidden_due, find_orphans
from gateway.store.receipts import find_by_reference, find_uncertain
from gateway.store.sqlite.engine import SqliteStore
from gateway.store.sqlite.migrate import migrate
from gateway.store.usage import Stay, Usage, find_hidden, load_usage
from tests.support.product import list_messages, load_segments

pytestmark = pytest.mark.unit

AT = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
MS = format_ms(AT) or 0
HOUR_MS = 3_600_000
TO = "+8613800138000"
QUEUE = "group:default"


class OldStore:
    """A database of schema 15 and what is written into it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        marks = ", ".join("?" * len(row))
        self._db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))

    def add(self, status: str, *parts: dict[str, Any], **fields: Any) -> str:
        """A message with its segments; its id."""
        message_id = make_id()
        plain = {
            "id": message_id, "recipient": TO, "text": "hello", "category": "transactional", "priority": 5,
            "encoding": "gsm7", "flash": 0, "report": 1, "tags": "[]", "status": status, "n_segments": len(parts),
            "queue": QUEUE, "created_at": MS, "updated_at": MS, "expires_at": MS + 72 * HOUR_MS,
        }  # fmt: skip
        self._insert("messages", plain | fields)
        for n, part in enumerate(parts, 1):
            usual = {
                "message_id": message_id,
                "part": n,
                "status": "queued",
                "payload": b"hello",
                "attempts": 0,
            }
            self._insert("segments", usual | part)
        return message_id


def sent(reference: str | None, status: str = "sent") -> dict[str, Any]:
    """A segment that went out."""
    return {
        "status": status, "channel": "a", "reference": reference, "attempts": 1, "submitted_at": MS,
        "sent_at": MS + 1,
    }  # fmt: skip


def fill(db: sqlite3.Connection) -> dict[str, str]:
    """Messages in every state; their ids by name."""
    old = OldStore(db)
    full: dict[str, Any] = {
        "data": b"\x00\xff", "udh": b"\x02\x70\x00", "category": "marketing", "sender": "otp", "channel": "a",
        "priority": 9, "encoding": "binary", "flash": 1, "schedule_at": MS + HOUR_MS, "valid_for_s": 60, "report": 0,
        "callback_url": "https://example.net/cb", "reference": "order-7",
        "tags": json.dumps(["a,b", "退订"], ensure_ascii=False),
        "concat_ref": 255, "batch_id": "batch", "key_id": "key", "source_address": "HONGYAN",
        "smpp_tlvs": '[[5122, "00"]]', "hidden_until": MS + HOUR_MS, "text": None,
    }  # fmt: skip
    uncertain = sent(None, "uncertain") | {"error_code": "lost", "error_detail": "No answer: it may be out."}
    delivered = sent("r2", "delivered") | {"delivered_at": MS + 2}
    failed = {"status": "failed", "attempts": 5, "error_code": "cms_38", "error_detail": "No."}
    return {
        "queued": old.add("queued", {}),
        "otp": old.add("queued", {}, category="otp", priority=0),
        "chinese": old.add("queued", {"payload": "退订".encode("utf-16-be")}, text="退订", encoding="ucs2"),
        "paused": old.add("queued", {"attempts": 1}, hidden_until=MS + HOUR_MS, error_code="x", error_detail="y: z"),
        "scheduled": old.add("scheduled", {}, **full),
        "sending": old.add("sending", {"status": "sending", "channel": "a", "attempts": 1, "submitted_at": MS},
                           owner="dead", channel="a"),
        "between": old.add("sending", sent("r5"), {"status": "sending", "channel": "a", "attempts": 1,
                                                   "submitted_at": MS}, {}, owner="dead", channel="a"),
        "sent": old.add("sent", sent("r1"), channel="a", sent_at=MS + 1),
        "delivered": old.add("delivered", delivered, channel="a", sent_at=MS + 1, delivered_at=MS + 2),
        "uncertain": old.add("uncertain", sent("r3"), uncertain, {}, channel="a"),
        "waiting part": old.add("queued", sent("r4"), {}, queue="channel:a", channel="a", concat_ref=7),
        "failed": old.add("failed", failed, error_code="cms_38", error_detail="No.", owner=None),
        "canceled while hidden": old.add("canceled", {}, hidden_until=None),
    }  # fmt: skip


async def test_what_was_stored_is_what_is_read_after_the_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "s.db"
    everything = load_migrations()
    with monkeypatch.context() as old:
        old.setattr(
            "gateway.store.sqlite.migrate.load_migrations", lambda: [m for m in everything if m.number < 16]
        )
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            migrate(db)
            ids = fill(db)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, limit=2)
    store = await SqliteStore.open(path)
    try:
        await _check(store, ids)
    finally:
        await store.close()


async def _check(store: SqliteStore, ids: dict[str, str]) -> None:
    names = {message_id: name for name, message_id in ids.items()}
    found = {
        names[m.id]: m
        for m in await store.read(lambda tx: list_messages(tx, MessageFilter(), limit=50, before=None))
    }
    segments = await store.read(lambda tx: load_segments(tx, list(names)))
    assert found.keys() == ids.keys()
    assert [s.status.value for s in segments[ids["uncertain"]]] == ["sent", "uncertain", "queued"]
    assert segments[ids["uncertain"]][1].error == MessageError(
        code="lost", detail="No answer: it may be out."
    )
    assert found["paused"].error == MessageError(code="x", detail="y: z")
    assert (found["queued"].text, found["chinese"].text) == ("hello", "退订")
    assert segments[ids["chinese"]][0].payload == "退订".encode("utf-16-be")
    assert segments[ids["delivered"]][0].status is SegmentStatus.DELIVERED
    full = found["scheduled"]
    assert (full.text, full.data, full.udh, full.category) == (
        None,
        b"\x00\xff",
        b"\x02\x70\x00",
        Category.MARKETING,
    )
    assert (full.schedule_at, full.valid_for_s, full.report, full.flash) == (LATER, 60, False, True)
    assert (full.sender, full.channel, full.priority, full.encoding) == ("otp", "a", 9, "binary")
    assert (full.tags, full.reference, full.batch_id, full.key_id) == (
        ("a,b", "退订"),
        "order-7",
        "batch",
        "key",
    )
    assert (full.callback_url, full.concat_ref) == ("https://example.net/cb", 255)
    assert (full.source_address, full.carrier_options) == ("HONGYAN", '[[5122, "00"]]')
    assert (full.created_at, full.expires_at) == (AT, AT + timedelta(hours=72))

    async def named(query: MessageFilter) -> set[str]:
        listed = await store.read(lambda tx: list_messages(tx, query, limit=50, before=None))
        return {names[m.id] for m in listed}

    for status in MessageStatus:
        expected = {name for name, m in found.items() if m.status is status}
        assert await named(MessageFilter(status=status.value)) == expected
    assert await named(MessageFilter(tag="退订")) == {"scheduled"}
    due = await store.read(lambda tx: find_due(tx, {QUEUE: 9, "channel:a": 9}, AT))
    assert [names[d.message_id] for d in due] == ["otp", "queued", "chinese", "waiting part"]
    hidden = await store.read(lambda tx: find_hidden_due(tx, LATER, 9))
    assert {names[i] for i, _ in hidden} == {"paused", "scheduled"}
    assert await store.read(lambda tx: find_hidden(tx, [ids["paused"]])) == {ids["paused"]: LATER}
    orphans = await store.read(lambda tx: find_orphans(tx, AT, 9, instance="me"))
    assert {names[i]: owner for i, owner in orphans.items()} == {"sending": "dead", "between": "dead"}
    named_so = await store.read(lambda tx: find_by_reference(tx, "a", ["r1", "r2", "r3", "r4", "r5"]))
    assert {(names[m.message_id], m.part, m.reference) for m in named_so} == {
        ("sent", 1, "r1"), ("delivered", 1, "r2"), ("uncertain", 1, "r3"), ("waiting part", 1, "r4"),
        ("between", 1, "r5"),
    }  # fmt: skip
    doubtful = await store.read(lambda tx: find_uncertain(tx, "a"))
    assert [(names[m.message_id], m.part) for m in doubtful] == [("uncertain", 2)]
    assert await store.read(lambda tx: load_usage(tx, [Stay("a")], AT)) == Usage(8, [TO])
    (claimed,) = await store.write(lambda tx: claim_messages(tx, {ids["waiting part"]: "a"}, "me", AT))
    assert [s.status.value for s in claimed.segments] == ["sent", "sending"]
    assert await store.read(lambda tx: find_message(tx, ids["waiting part"])) == claimed.message
