"""Changes of a message: each names what it was judged by, and writes only what is not as before.

Who owns a message (it is on its wire) names owner and epoch: if the sweep or another instance has taken it meanwhile,
nothing is written. Everybody else names the status and the epoch that the judgement was made by. All name the state of
the segments that they change.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

import msgspec

from gateway.clock import format_ms
from gateway.errors import StaleWrite
from gateway.model.message import Message, MessageStatus, Segment
from gateway.routing.costs import charge
from gateway.routing.load import WAITING
from gateway.store.ports import Tx
from gateway.store.rows import message_changes, segment_changes
from gateway.store.sequences import is_done, leave_sequence
from gateway.store.touches import drop_touches

_WAITING = {MessageStatus.QUEUED, MessageStatus.SCHEDULED}


class Change(NamedTuple):
    """What becomes of a message.

    Args:
        before: as it was judged.
        after: as it is to be; the same value where nothing but segments change. Nobody owns it any more once it is
            not ``sending``.
        parts: segments that are not as before: ``(before, after)``.
        hidden_until: nobody may claim it before then; None for at once, where ``after`` is another value.
    """

    before: Message
    after: Message
    parts: Sequence[tuple[Segment, Segment]] = ()
    hidden_until: datetime | None = None


async def save_change(tx: Tx, change: Change) -> Message:
    """Write a change; the message as it is now.

    Raises:
        StaleWrite: the message is not as it was judged any more. Nothing was written.
    """
    (written,) = await save_changes(tx, [change])
    if not written:
        raise StaleWrite(f"message {change.before.id} was changed by somebody else meanwhile")
    return _disowned(change.after)


async def save_changes(tx: Tx, changes: Sequence[Change]) -> list[bool]:
    """Write changes of different messages; of each, whether it was written. One that was not changes nothing.

    Raises:
        StaleWrite: one of several was not written: which one is found where each is tried alone.
    """
    groups: dict[tuple[str, ...], list[list[Any]]] = {}
    for change in changes:
        columns = _columns(change)
        guard, values = _guard(change)
        params = [*columns.values(), change.before.id, *values]
        groups.setdefault((guard, *columns), []).append(params)
    n_written = 0
    for (guard, *names), rows in groups.items():
        n_written += await tx.change_many(_update_message(tuple(names), guard), rows)
    if n_written < len(changes) > 1:
        raise StaleWrite("one of several messages was changed by somebody else meanwhile")
    if n_written < len(changes):
        return [False]
    await _save_further(tx, changes)
    if tx.prices:
        _charge_for(tx, changes)
    for change in changes:
        if (change.before.status in WAITING) != (change.after.status in WAITING):
            tx.count_waiting(change.after, 1 if change.after.status in WAITING else -1)
        if _is_claimable(change):
            tx.claimable(change.after.queue)
        if change.after.sequence is not None and is_done(change.after.status):
            await leave_sequence(tx, change.after)
    await _uncount(tx, changes)
    return [True] * len(changes)


_NOT_SENT = {MessageStatus.CANCELED, MessageStatus.EXPIRED, MessageStatus.BLOCKED, MessageStatus.FAILED}


async def _uncount(tx: Tx, changes: Sequence[Change]) -> None:
    """What ended without having gone out leaves its place to others."""
    ended = [c for c in changes if c.after.status in _NOT_SENT and c.before.status is not c.after.status]
    if not ended:
        return
    for recalled in (False, True):
        ids = [c.before.id for c in ended if (c.before.status is MessageStatus.SENT) is recalled]
        await drop_touches(tx, ids, recalled=recalled)


def _charge_for(tx: Tx, changes: Sequence[Change]) -> None:
    for change in changes:
        for before, after in change.parts:
            if (charged := charge(tx.prices, change.before, before, after)) is not None:
                tx.charge(charged)


def _columns(change: Change) -> dict[str, Any]:
    """Column -> value of what a change writes into its message's row."""
    before, after, parts, hidden_until = change
    columns = message_changes(before, _disowned(after))
    for old, new in parts:
        if old.part == 1:
            columns |= segment_changes(old, new)
    if hidden_until is not None or (after is not before and before.status in _WAITING):
        columns["hidden_until"] = format_ms(hidden_until)
    return columns


_FIRST_IS = " AND part_status = ?"
_FURTHER_IS = (
    " AND EXISTS (SELECT 1 FROM segments WHERE message_id = messages.id AND part = ? AND status = ?)"
)


def _guard(change: Change) -> tuple[str, list[Any]]:
    """What must be so still, with the values for it: whose the message is or where it stands, and its segments."""
    before = change.before
    if before.owner is not None:
        guard, values = "epoch = ? AND owner = ?", [before.epoch, before.owner]
    else:
        guard, values = "epoch = ? AND status = ?", [before.epoch, before.status._value_]
    for old, _ in change.parts:
        guard += _FIRST_IS if old.part == 1 else _FURTHER_IS
        values += [old.status._value_] if old.part == 1 else [old.part, old.status._value_]
    return guard, values


async def _save_further(tx: Tx, changes: Sequence[Change]) -> None:
    groups: dict[tuple[str, ...], list[list[Any]]] = {}
    for change in changes:
        for old, new in change.parts:
            if old.part > 1 and (columns := segment_changes(old, new)):
                params = [*columns.values(), change.before.id, old.part]
                groups.setdefault(tuple(columns), []).append(params)
    for names, rows in groups.items():
        await tx.execute_many(_update_segment(names), rows)


def _disowned(message: Message) -> Message:
    if message.owner is None or message.status is MessageStatus.SENDING:
        return message
    return msgspec.structs.replace(message, owner=None)


def _is_claimable(change: Change) -> bool:
    is_queued = change.after is not change.before and change.after.status is MessageStatus.QUEUED
    return is_queued and change.hidden_until is None


@lru_cache(maxsize=1_000)
def _update_message(names: tuple[str, ...], guard: str) -> str:
    columns = ", ".join(f"{name} = ?" for name in names) or "epoch = epoch"
    return f"UPDATE messages SET {columns} WHERE id = ? AND {guard}"


@cache
def _update_segment(names: tuple[str, ...]) -> str:
    columns = ", ".join(f"{name} = ?" for name in names)
    return f"UPDATE segments SET {columns} WHERE message_id = ? AND part = ?"
