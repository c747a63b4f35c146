"""One row a message: its first segment's state in it, what never changes in one value, fewer indexes.

Rows move in the order of their ids. What they meant stays: parts that wait, that are uncertain, that were sent; pauses,
schedules, budgets' use and references that receipts will name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from gateway.store.migration import Move, Moved, Sql, Stepwise

_BEFORE: Final = """
DROP INDEX messages_ready;
DROP INDEX messages_ready_urgent;
DROP INDEX messages_hidden;
DROP INDEX messages_waiting_expiry;
DROP INDEX messages_owned;
DROP INDEX messages_recipient;
DROP INDEX messages_reference;
DROP INDEX messages_batch;
DROP INDEX segments_reference;
DROP INDEX segments_submitted;
DROP INDEX segments_uncertain;
ALTER TABLE messages RENAME TO old_messages;
ALTER TABLE segments RENAME TO old_segments;

-- One row a message. Columns that begin with part_ are of its first segment. What never changes is in body.
CREATE TABLE messages (
    id                TEXT PRIMARY KEY,
    recipient         TEXT NOT NULL,
    status            TEXT NOT NULL,
    queue             TEXT NOT NULL,
    n_segments        INTEGER NOT NULL,
    report            INTEGER NOT NULL,
    channel           TEXT,
    -- Who is sending it: set while its status is 'sending', and only then.
    owner             TEXT,
    -- How often it was claimed: an owner's later writes name it.
    epoch             INTEGER NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    expires_at        BIGINT NOT NULL,
    sent_at           BIGINT,
    delivered_at      BIGINT,
    -- Code and sentence, joined by a colon.
    error             TEXT,
    reference         TEXT,
    batch_id          TEXT,
    tags              TEXT,
    -- 0 emergency, 1 otp, 2 transactional, 3 marketing.
    class             INTEGER NOT NULL,
    part_status       TEXT NOT NULL,
    part_channel      TEXT,
    part_reference    TEXT,
    part_attempts     INTEGER NOT NULL,
    part_submitted_at BIGINT,
    part_sent_at      BIGINT,
    part_delivered_at BIGINT,
    part_error        TEXT,
    body              BLOB NOT NULL,
    -- Its place in the queue, the smallest first.
    rank              BIGINT NOT NULL,
    has_options       INTEGER NOT NULL,
    -- Nobody may claim it before this instant: its schedule, or the pause before the next try.
    hidden_until      BIGINT,
    -- 1: it is over, and what it said is not kept any more.
    is_empty          INTEGER NOT NULL
) WITHOUT ROWID;

-- Segments behind the first.
CREATE TABLE segments (
    message_id    TEXT NOT NULL,
    part          INTEGER NOT NULL,
    status        TEXT NOT NULL,
    channel       TEXT,
    reference     TEXT,
    attempts      INTEGER NOT NULL,
    submitted_at  BIGINT,
    sent_at       BIGINT,
    delivered_at  BIGINT,
    error         TEXT,
    payload       BLOB NOT NULL,
    PRIMARY KEY (message_id, part)
) WITHOUT ROWID;
"""
_AFTER: Final = """
DROP TABLE old_messages;
DROP TABLE old_segments;
-- The work that is open. A message is in one or two of these at a time, and in none once it is over. They have what
-- they are narrowed by, too, so that counting reads no rows.
CREATE INDEX messages_ready ON messages (queue, rank, id, status, hidden_until)
    WHERE status = 'queued' AND hidden_until IS NULL;
CREATE INDEX messages_hidden ON messages (hidden_until, status) WHERE hidden_until IS NOT NULL;
CREATE INDEX messages_waiting_expiry ON messages (expires_at) WHERE status IN ('queued', 'scheduled');
CREATE INDEX messages_owned ON messages (owner) WHERE owner IS NOT NULL;
-- Lists by a status; those that are delivered, nearly all, apart, so that they are written at the end only.
CREATE INDEX messages_delivered ON messages (id) WHERE status = 'delivered';
CREATE INDEX messages_not_delivered ON messages (status, id) WHERE status NOT IN ('queued', 'sending', 'delivered');
-- Look-ups.
CREATE INDEX messages_recipient ON messages (recipient, id);
CREATE INDEX messages_reference ON messages (reference, id) WHERE reference IS NOT NULL;
CREATE INDEX messages_batch ON messages (batch_id, id) WHERE batch_id IS NOT NULL;
-- Whose a receipt is, and which receipts are missing.
CREATE INDEX messages_part_reference ON messages (part_channel, part_reference) WHERE part_reference IS NOT NULL;
CREATE INDEX messages_unnamed ON messages (part_channel, part_submitted_at)
    WHERE part_reference IS NULL AND part_submitted_at IS NOT NULL AND owner IS NULL;
CREATE INDEX messages_unheard ON messages (part_channel, part_submitted_at)
    WHERE part_status = 'uncertain' OR (part_status = 'sent' AND report = 1);
CREATE INDEX messages_uncertain ON messages (part_channel) WHERE part_status = 'uncertain';
CREATE INDEX segments_reference ON segments (channel, reference) WHERE reference IS NOT NULL;
CREATE INDEX segments_submitted ON segments (channel, submitted_at) WHERE submitted_at IS NOT NULL;
CREATE INDEX segments_uncertain ON segments (channel) WHERE status = 'uncertain';
"""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLASSES: Final = ("emergency", "otp", "transactional", "marketing")
_DIGITS: Final = str.maketrans("0123456789abcdefghjkmnpqrstvwxyz", "0123456789abcdefghijklmnopqrstuv")
_OLD: Final = (
    "id", "recipient", "text", "data", "udh", "category", "sender", "channel", "priority", "encoding", "flash",
    "schedule_at", "valid_for_s", "report", "callback_url", "reference", "tags", "status", "n_segments", "concat_ref",
    "queue", "error_code", "error_detail", "created_at", "updated_at", "sent_at", "delivered_at", "expires_at",
    "batch_id", "key_id", "source_address", "smpp_tlvs", "hidden_until", "owner",
)  # fmt: skip
_OLD_SEGMENT: Final = (
    "message_id", "part", "status", "payload", "channel", "reference", "attempts", "sent_at", "delivered_at",
    "error_code", "error_detail", "submitted_at",
)  # fmt: skip
_STATE: Final = (
    "status", "channel", "reference", "attempts", "submitted_at", "sent_at", "delivered_at", "error",
)  # fmt: skip
_NEW: Final = (
    "id", "recipient", "status", "queue", "n_segments", "report", "channel", "owner", "epoch", "created_at",
    "updated_at", "expires_at", "sent_at", "delivered_at", "error", "reference", "batch_id", "tags", "class",
    *(f"part_{name}" for name in _STATE), "body", "rank", "has_options", "hidden_until",
    "is_empty",
)  # fmt: skip
_NEW_SEGMENT: Final = ("message_id", "part", *_STATE, "payload")
_LOST: Final = {
    "status": "failed",
    "attempts": 0,
    "payload": b"",
    "error_code": "lost",
    "error_detail": "Not stored.",
}
"""Of a message whose first segment is not there: it was never written so."""


async def _count(sql: Sql) -> int:
    """How many messages there are to move."""
    return int((await sql.fetch("SELECT count(*) FROM messages"))[0][0])


async def _move(sql: Sql, place: str, limit: int) -> Moved:
    """Move the next messages, by id, with their segments."""
    rows = await sql.fetch(
        f"SELECT {', '.join(_OLD)} FROM old_messages WHERE id > ? ORDER BY id LIMIT ?", (place, limit)
    )
    if not rows:
        return Moved(0, None)
    first, last = rows[0][0], rows[-1][0]
    parts: dict[str, dict[int, dict[str, Any]]] = {}
    for row in await sql.fetch(
        f"SELECT {', '.join(_OLD_SEGMENT)} FROM old_segments WHERE message_id >= ? AND message_id <= ?",
        (first, last),
    ):
        segment = dict(zip(_OLD_SEGMENT, row, strict=True))
        parts.setdefault(segment["message_id"], {})[segment["part"]] = segment
    messages, further = [], []
    for row in rows:
        old = dict(zip(_OLD, row, strict=True))
        mine = parts.get(old["id"], {})
        messages.append(_message(old, mine.pop(1, _LOST)))
        further += [_segment(segment) for _, segment in sorted(mine.items())]
    await sql.execute_many(_insert("messages", _NEW), messages)
    await sql.execute_many(_insert("segments", _NEW_SEGMENT), further)
    await sql.execute_many(
        "DELETE FROM old_segments WHERE message_id >= ? AND message_id <= ?", [(first, last)]
    )
    await sql.execute_many("DELETE FROM old_messages WHERE id >= ? AND id <= ?", [(first, last)])
    return Moved(len(rows), last)


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _message(old: dict[str, Any], first: dict[str, Any]) -> list[Any]:
    status, kind = old["status"], _CLASSES.index(old["category"])
    new = old | {
        "owner": (old["owner"] or "") if status == "sending" else None,
        "epoch": 0,
        "error": _error(old),
        "tags": None if old["tags"] == "[]" else old["tags"],
        "class": kind,
        "rank": kind << 60 | (9 - old["priority"]) << 56 | int(old["id"][:10].translate(_DIGITS), 32),
        "has_options": int(old["smpp_tlvs"] is not None),
        "hidden_until": _hidden_until(old),
        "is_empty": int(old["text"] is None and old["data"] is None),
        "body": _body(old, bytes(first["payload"])),
        **{f"part_{name}": value for name, value in _state(first).items()},
    }
    return [new[name] for name in _NEW]


def _hidden_until(old: dict[str, Any]) -> Any:
    match old["status"]:
        case "queued":
            return old["hidden_until"]
        case "scheduled":
            return old["hidden_until"] or old["schedule_at"] or old["created_at"]
        case _:
            return None


def _segment(old: dict[str, Any]) -> list[Any]:
    new = {"message_id": old["message_id"], "part": old["part"], **_state(old), "payload": old["payload"]}
    return [new[name] for name in _NEW_SEGMENT]


def _state(old: dict[str, Any]) -> dict[str, Any]:
    return {name: _error(old) if name == "error" else old.get(name) for name in _STATE}


def _error(old: dict[str, Any]) -> str | None:
    code = old.get("error_code")
    return None if code is None else f"{code}: {old['error_detail'] or ''}"


def _body(old: dict[str, Any], payload: bytes) -> bytes:
    """As `gateway.store.body` had it first: what is as always is left out."""
    text_is = _read_as(old, payload)
    schedule_at = None if old["schedule_at"] is None else _EPOCH + timedelta(milliseconds=old["schedule_at"])
    fields = {
        "p": (payload, b""),
        "t": (None if text_is else old["text"], None),
        "i": (text_is, ""),
        "d": (old["data"], None),
        "u": (old["udh"], None),
        "s": (old["sender"], None),
        "e": (old["encoding"], "gsm7"),
        "f": (bool(old["flash"]), False),
        "at": (schedule_at, None),
        "v": (old["valid_for_s"], None),
        "cb": (old["callback_url"], None),
        "c": (old["concat_ref"], None),
        "k": (old["key_id"], None),
        "sa": (old["source_address"], None),
        "o": (old["smpp_tlvs"], None),
        "pr": (old["priority"], 5),
    }
    return msgspec.msgpack.encode({key: value for key, (value, usual) in fields.items() if value != usual})


def _read_as(old: dict[str, Any], payload: bytes) -> str:
    """How the payload tells the text."""
    text = old["text"]
    if old["n_segments"] > 1 or not text:
        return ""
    if text.isascii():
        return "a" if text.encode() == payload else ""
    return "u" if text.encode("utf-16-be", "surrogatepass") == payload else ""


MIGRATION: Final = Stepwise(
    before=_BEFORE, moves=[Move(what="messages", count=_count, piece=_move)], after=_AFTER, room=0.2
)
