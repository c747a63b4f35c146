"""Which segment a receipt belongs to, and receipts that came before their segment's reference was known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from gateway.clock import format_ms, parse_instant, parse_ms
from gateway.store.messages import MESSAGE_ROW, Whole, add_further, load_whole, whole_of
from gateway.store.ports import Row, Tx, placeholders


class Match(NamedTuple):
    """A segment that carries one of a receipt's references.

    Args:
        status: of the segment.
        recipient: of its message.
        submitted_at: when the channel got it.
        sent_at: when the network's answer came.
        reference: as the network's answer gave it.
    """

    message_id: str
    part: int
    status: str
    recipient: str
    submitted_at: datetime | None = None
    sent_at: datetime | None = None
    reference: str | None = None


class EarlyReceipt(NamedTuple):
    """A kept receipt.

    Args:
        state: `drivers.base.ReceiptState` value.
        done_at: when, by the network's clock.
        word: the network's own for the state, where it is not the specification's.
        whole: it speaks of all parts of its message.
        octets: as it came; only read with `KeptReceipt`.
        certain: the reference by which it was found is no guess.
    """

    receipt_id: str
    recipient: str | None
    state: str
    code: str
    done_at: datetime | None
    word: str = ""
    whole: bool = False
    octets: bytes = b""
    certain: bool = False


_EARLY = "receipt_id, recipient, state, code, done_at, word, whole"


def _early(row: Row) -> EarlyReceipt:
    """From a row that begins with `_EARLY`."""
    return EarlyReceipt(row[0], row[1], row[2], row[3], parse_ms(row[4]), row[5], bool(row[6]))


_FIRST = (
    "SELECT m.id, 1, m.part_status, m.recipient, m.part_submitted_at, m.part_sent_at, m.part_reference,"
    " coalesce(m.part_sent_at, 0) FROM messages m WHERE "
)
_FURTHER = (
    "SELECT s.message_id, s.part, s.status, m.recipient, s.submitted_at, s.sent_at, s.reference,"
    " coalesce(s.sent_at, 0) FROM segments s JOIN messages m ON m.id = s.message_id WHERE "
)
_BY_ID, _BY_SENT = 1, 8
"""Columns of both to order by."""
_OF_ACCOUNT = (
    "(SELECT ? UNION SELECT b.channel FROM channel_accounts a JOIN channel_accounts b ON b.account = a.account"
    " WHERE a.channel = ?)"
)
"""The channels whose receipts may come on a channel: itself, and the binds of the same account. Takes it twice."""


async def _find_matches(
    tx: Tx, where: str, params: Sequence[Any], order: str = f"{_BY_ID} DESC", limit: int = 20
) -> list[Match]:
    """Segments, wherever they stand.

    Args:
        where: with ``{s}`` before each column of a segment, and ``m.`` before those of its message.
        params: for it.
        order: by columns of `_FIRST`.
    """
    first, further = _FIRST + where.format(s="m.part_"), _FURTHER + where.format(s="s.")
    sql = f"{first} UNION ALL {further} ORDER BY {order} LIMIT {limit}"
    return [_match(row) for row in await tx.fetch(sql, (*params, *params))]


async def save_account(tx: Tx, channel: str, account: str) -> None:
    """A channel belongs to an account from now on."""
    await tx.execute(
        "INSERT INTO channel_accounts (channel, account) VALUES (?, ?)"
        " ON CONFLICT (channel) DO UPDATE SET account = excluded.account",
        (channel, account),
    )


async def load_dialects(tx: Tx, account: str) -> dict[str, int]:
    """How often each dialect was spoken by an account."""
    rows = await tx.fetch("SELECT dialect, matches FROM receipt_dialects WHERE account = ?", (account,))
    return {row[0]: row[1] for row in rows}


async def count_dialect(tx: Tx, account: str, dialect: str) -> None:
    """It was spoken once more."""
    await tx.execute(
        "INSERT INTO receipt_dialects (account, dialect, matches) VALUES (?, ?, 1)"
        " ON CONFLICT (account, dialect) DO UPDATE SET matches = receipt_dialects.matches + 1",
        (account, dialect),
    )


async def find_by_reference(tx: Tx, channel: str, references: Sequence[str]) -> list[Match]:
    """Segments of a channel's account with one of these references, newest first, at most 20."""
    marks = placeholders(references)
    where = f"{{s}}channel IN {_OF_ACCOUNT} AND {{s}}reference IN ({marks})"
    return await _find_matches(tx, where, (channel, channel, *references), f"{_BY_SENT} DESC")


async def find_named(tx: Tx, channel: str, references: Sequence[str]) -> list[tuple[Whole, int]]:
    """Segments of a channel's account with one of these references: each as its whole message and its part."""
    marks, params = placeholders(references), (channel, channel, *references)
    sql = (
        f"SELECT {MESSAGE_ROW} FROM messages m WHERE m.part_channel IN {_OF_ACCOUNT}"
        f" AND m.part_reference IN ({marks})"
    )
    by_first = [whole_of(row) for row in await tx.fetch(sql, params)]
    await add_further(tx, by_first)
    sql = f"SELECT message_id, part FROM segments WHERE channel IN {_OF_ACCOUNT} AND reference IN ({marks})"
    further = await tx.fetch(sql, params)
    wholes = {whole.message.id: whole for whole in by_first}
    others = list(dict.fromkeys(row[0] for row in further if row[0] not in wholes))
    wholes |= {whole.message.id: whole for whole in await load_whole(tx, others)}
    return [(whole, 1) for whole in by_first] + [(wholes[row[0]], row[1]) for row in further]


async def find_by_prefix(tx: Tx, channel: str, reference: str) -> list[Match]:
    """Segments of a channel's account whose reference goes on where this one ends, at most 20."""
    where = f"{{s}}channel IN {_OF_ACCOUNT} AND {{s}}reference > ? AND {{s}}reference < ?"
    # Ids are of digits, letters and dashes, all before this last character of ASCII.
    return await _find_matches(tx, where, (channel, channel, reference, f"{reference}\x7f"))


async def find_open_to(tx: Tx, channel: str, recipients: Sequence[str], since: datetime) -> list[Match]:
    """Segments of a channel's account to one of these that wait for a receipt, newest first, at most 20."""
    marks = placeholders(recipients)
    where = (
        f"{{s}}channel IN {_OF_ACCOUNT} AND m.recipient IN ({marks}) AND {{s}}status IN ('sent', 'uncertain')"
        " AND m.report = 1 AND {s}submitted_at >= ?"
    )
    return await _find_matches(tx, where, (channel, channel, *recipients, format_ms(since)))


async def find_uncertain(tx: Tx, channel: str) -> list[Match]:
    """Segments of a channel's account whose fate is unknown, newest first, at most 1,000."""
    where = f"{{s}}channel IN {_OF_ACCOUNT} AND {{s}}status = 'uncertain'"
    return await _find_matches(tx, where, (channel, channel), limit=1000)


async def find_unnamed_to(tx: Tx, channel: str, recipients: Sequence[str], since: datetime) -> list[Match]:
    """Segments to one of these that a channel's account took without naming them, first part first, at most 300."""
    marks = placeholders(recipients)
    where = (
        f"{{s}}channel IN {_OF_ACCOUNT} AND {{s}}status = 'sent' AND {{s}}reference IS NULL AND m.report = 1"
        f" AND m.recipient IN ({marks}) AND {{s}}submitted_at >= ?"
    )
    params = (channel, channel, *recipients, format_ms(since))
    return await _find_matches(tx, where, params, order="1, 2", limit=300)


async def was_sent_to(tx: Tx, recipients: Sequence[str]) -> bool:
    """Whether there is any message to one of these."""
    marks = placeholders(recipients)
    return bool(await tx.fetch(f"SELECT 1 FROM messages WHERE recipient IN ({marks}) LIMIT 1", recipients))


async def is_sending_to(tx: Tx, channel: str, recipient: str, *, beside: str) -> bool:
    """Whether another message than ``beside`` to this recipient is on a channel's wire, its reference still to come."""
    rows = await tx.fetch(
        f"SELECT 1 FROM messages WHERE recipient = ? AND channel IN {_OF_ACCOUNT} AND status = 'sending'"
        " AND id <> ? LIMIT 1",
        (recipient, channel, channel, beside),
    )
    return bool(rows)


def _match(row: Row) -> Match:
    return Match(row[0], row[1], row[2], row[3], parse_ms(row[4]), parse_ms(row[5]), row[6])


async def save_early(
    tx: Tx,
    receipt: EarlyReceipt,
    *,
    channel: str,
    references: Sequence[str],
    received_at: datetime,
    certain: Collection[str] = (),
) -> None:
    """Keep a receipt that fits nothing yet, under each of its spellings; under none, when it names no segment.

    Args:
        certain: the spellings that are no guess.
    """
    done_at = format_ms(receipt.done_at)
    await tx.execute_many(
        "INSERT INTO early_receipts (receipt_id, channel, reference, recipient, state, code, done_at, received_at,"
        " certain, word, whole, octets) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                receipt.receipt_id, channel, reference, receipt.recipient, receipt.state, receipt.code,
                done_at, format_ms(received_at), int(reference in certain), receipt.word, int(receipt.whole),
                receipt.octets if place == 0 else None,
            )
            for place, reference in enumerate(dict.fromkeys(references or ("",)))
        ],
    )  # fmt: skip


async def find_early(tx: Tx, channel: str, reference: str, since: datetime) -> list[EarlyReceipt]:
    """Receipts kept under a reference since an instant, oldest first."""
    rows: list[Any] = await tx.fetch(
        f"SELECT {_EARLY}, certain FROM early_receipts"
        f" WHERE channel IN {_OF_ACCOUNT} AND reference = ? AND received_at >= ? ORDER BY received_at, receipt_id",
        (channel, channel, reference, format_ms(since)),
    )
    return [_early(row)._replace(certain=bool(row[7])) for row in rows]


async def find_early_named(tx: Tx, channel: str, references: Sequence[str]) -> set[str]:
    """Those of some references under which receipts of a channel's account are kept."""
    marks = placeholders(references)
    sql = f"SELECT reference FROM early_receipts WHERE channel IN {_OF_ACCOUNT} AND reference IN ({marks})"
    return {row[0] for row in await tx.fetch(sql, (channel, channel, *references))}


async def find_early_since(tx: Tx, channel: str, since: datetime) -> list[tuple[str, EarlyReceipt]]:
    """``(reference, receipt)`` of what a channel's receipts left since an instant, one for each, oldest first."""
    rows: list[Any] = await tx.fetch(
        f"SELECT {_EARLY}, min(reference) FROM early_receipts"
        f" WHERE channel IN {_OF_ACCOUNT} AND received_at >= ? GROUP BY {_EARLY} ORDER BY receipt_id",
        (channel, channel, format_ms(since)),
    )
    return [(row[7], _early(row)) for row in rows]


async def drop_early(tx: Tx, receipt_id: str) -> None:
    """A kept receipt has found its segment."""
    await tx.execute("DELETE FROM early_receipts WHERE receipt_id = ?", (receipt_id,))


class KeptReceipt(NamedTuple):
    """A receipt that has found no segment yet.

    Args:
        references: its spellings, in no order.
    """

    early: EarlyReceipt
    channel: str
    references: tuple[str, ...]
    received_at: datetime


_KEPT = f"SELECT {_EARLY}, channel, received_at, reference, octets FROM early_receipts WHERE receipt_id IN "


async def list_kept(tx: Tx, *, channel: str | None, limit: int, before: str | None) -> list[KeptReceipt]:
    """Receipts without a segment, newest first; cursor = last id."""
    sql = (
        f"{_KEPT} (SELECT DISTINCT receipt_id FROM early_receipts WHERE (CAST(? AS TEXT) IS NULL OR channel = ?)"
        " AND (CAST(? AS TEXT) IS NULL OR receipt_id < ?) ORDER BY receipt_id DESC LIMIT ?)"
        " ORDER BY receipt_id DESC, length(reference), reference"
    )
    return _group_kept(await tx.fetch(sql, (channel, channel, before, before, limit)))


async def find_kept(tx: Tx, receipt_id: str) -> KeptReceipt | None:
    """One of them."""
    found = _group_kept(await tx.fetch(f"{_KEPT} (?) ORDER BY length(reference), reference", (receipt_id,)))
    return found[0] if found else None


async def count_kept(tx: Tx) -> int:
    """How many there are."""
    return int((await tx.fetch("SELECT count(DISTINCT receipt_id) FROM early_receipts"))[0][0])


def _group_kept(rows: Sequence[Row]) -> list[KeptReceipt]:
    grouped: dict[str, KeptReceipt] = {}
    for row in rows:
        known = grouped.setdefault(row[0], KeptReceipt(_early(row), row[7], (), parse_instant(row[8])))
        if row[9]:
            known = known._replace(references=(*known.references, row[9]))
        if row[10]:
            known = known._replace(early=known.early._replace(octets=bytes(row[10])))
        grouped[row[0]] = known
    return list(grouped.values())


async def forget_early(tx: Tx, before: datetime, limit: int) -> int:
    """Drop the oldest receipts that nothing claimed since ``before``, at most ``limit`` rows; how many rows."""
    return await tx.execute(
        "DELETE FROM early_receipts WHERE (receipt_id, reference) IN (SELECT receipt_id, reference"
        " FROM early_receipts WHERE received_at < ? ORDER BY received_at LIMIT ?)",
        (format_ms(before), limit),
    )
