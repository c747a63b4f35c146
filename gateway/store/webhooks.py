"""Who is called for events: rows of ``webhooks`` and ``webhook_callbacks``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from gateway.clock import format_ms, parse_instant, parse_ms
from gateway.errors import Conflict
from gateway.ids import WebhookId
from gateway.model.webhook import Webhook
from gateway.store.events import last_seq
from gateway.store.kannel import forget_marks
from gateway.store.ports import Row, Tx, placeholders
from gateway.store.readers import ensure_reader

READER = "webhooks"
"""Who reads the timeline for them. Its row is there as long as there is anybody to be called."""
MOST_WEBHOOKS = 1_000
_COLUMNS = (
    "id, name, url, types, tags, channels, batch, enabled, reason, disabled_at, failing_since, after_seq, created_at,"
    " updated_at"
)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, ...]).decode


async def load_webhooks(tx: Tx) -> list[Webhook]:
    """All of them, in the order in which they were made; there are at most `MOST_WEBHOOKS`."""
    return [_webhook(row) for row in await tx.fetch(f"SELECT {_COLUMNS} FROM webhooks ORDER BY id")]


async def find_webhook(tx: Tx, webhook_id: str) -> Webhook | None:
    """One."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM webhooks WHERE id = ?", (webhook_id,))
    return _webhook(rows[0]) if rows else None


async def save_webhook(tx: Tx, webhook: Webhook) -> None:
    """Keep a new one, or a changed one. It is told of what happens from now on, where it was not enabled before.

    Raises:
        Conflict: another has this name, or there are too many.
    """
    named = await tx.fetch("SELECT id FROM webhooks WHERE name = ? AND id <> ?", (webhook.name, webhook.id))
    if named:
        raise Conflict(f"a webhook named {webhook.name} exists; choose another name")
    before = await find_webhook(tx, webhook.id)
    if before is None:
        ((n,),) = await tx.fetch("SELECT count(*) FROM webhooks")
        if n >= MOST_WEBHOOKS:
            raise Conflict(f"there are {n} webhooks, and no more are allowed; delete some")
    after_seq = before.after_seq if before is not None and before.enabled else await last_seq(tx)
    webhook = msgspec.structs.replace(webhook, after_seq=after_seq)
    await tx.execute("DELETE FROM webhooks WHERE id = ?", (webhook.id,))
    await tx.execute(
        f"INSERT INTO webhooks ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(webhook)
    )
    await ensure_reader(tx, READER, webhook.updated_at)


async def delete_webhook(tx: Tx, webhook_id: str) -> bool:
    """Drop one; False where there is none. What it is owed goes bit by bit."""
    return await tx.execute("DELETE FROM webhooks WHERE id = ?", (webhook_id,)) > 0


async def mark_failing(tx: Tx, webhook_id: str, since: datetime | None) -> None:
    """Write down since when its calls fail; None for that they don't."""
    await tx.execute("UPDATE webhooks SET failing_since = ? WHERE id = ?", (format_ms(since), webhook_id))


async def disable_webhook(tx: Tx, webhook_id: str, reason: str, at: datetime) -> bool:
    """Call it no more; False where that is so already."""
    n = await tx.execute(
        "UPDATE webhooks SET enabled = 0, reason = ?, disabled_at = ?, updated_at = ? WHERE id = ? AND enabled = 1",
        (reason, format_ms(at), format_ms(at), webhook_id),
    )
    return n > 0


def _row(webhook: Webhook) -> Sequence[object]:
    w = webhook
    lists = [_encode(values).decode() for values in (w.types, w.tags, w.channels)]
    times = [format_ms(w.disabled_at), format_ms(w.failing_since)]
    made = [format_ms(w.created_at), format_ms(w.updated_at)]
    return [w.id, w.name, w.url, *lists, w.batch, int(w.enabled), w.reason, *times, w.after_seq, *made]


def _webhook(row: Row) -> Webhook:
    return Webhook(
        id=WebhookId(row[0]),
        name=row[1],
        url=row[2],
        types=_decode(row[3]),
        tags=_decode(row[4]),
        channels=_decode(row[5]),
        batch=row[6],
        enabled=bool(row[7]),
        reason=row[8],
        disabled_at=parse_ms(row[9]),
        failing_since=parse_ms(row[10]),
        after_seq=row[11],
        created_at=parse_instant(row[12]),
        updated_at=parse_instant(row[13]),
    )


# ---- messages that have a callback URL ----


async def save_callbacks(tx: Tx, message_ids: Collection[str], at: datetime) -> None:
    """Mark messages as having a callback URL, and see that somebody reads the timeline for them from here on."""
    await ensure_reader(tx, READER, at)
    await tx.execute_many(
        "INSERT INTO webhook_callbacks (message_id, created_at) VALUES (?, ?)",
        [(message_id, format_ms(at)) for message_id in message_ids],
    )


async def find_callbacks(tx: Tx, message_ids: Collection[str]) -> set[str]:
    """Those of some messages that have a callback URL."""
    ids = list(message_ids)
    if not ids:
        return set()
    rows = await tx.fetch(
        f"SELECT message_id FROM webhook_callbacks WHERE message_id IN ({placeholders(ids)})", ids
    )
    return {row[0] for row in rows}


async def forget_callbacks(tx: Tx, before: datetime, after: str, limit: int) -> tuple[int, str | None]:
    """Drop marks from before ``before`` whose message has ended before it; see `gateway.store.kannel.forget_marks`."""
    return await forget_marks(tx, "webhook_callbacks", before, after, limit)


async def has_callbacks(tx: Tx) -> bool:
    """Whether any message is marked."""
    return bool(await tx.fetch("SELECT 1 FROM webhook_callbacks LIMIT 1"))


async def begin_reading(tx: Tx) -> bool:
    """Whether anybody is to be called; if not, nobody reads the timeline for webhooks and nothing is kept for that."""
    if await has_callbacks(tx) or await tx.fetch("SELECT 1 FROM webhooks LIMIT 1"):
        return True
    await tx.execute("DELETE FROM timeline_readers WHERE name = ?", (READER,))
    return False
