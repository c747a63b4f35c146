"""Groups of operations that commit together: what both engines share."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from gateway.model.events import Event
from gateway.store.ports import JointOperation, Operation, Tx

T = TypeVar("T")

MAX_GROUP: Final = 500
"""Operations in one commit; more wait for the next, so that no caller waits for an endless one."""
MAX_ROWS: Final = 600
"""Rows that are known to be written in one commit; of larger operations there is one in a commit."""
NEWEST_ROWS: Final = (
    "SELECT * FROM messages ORDER BY id DESC LIMIT 1",
    "SELECT * FROM segments ORDER BY message_id DESC LIMIT 1",
    "SELECT * FROM event_groups ORDER BY seq DESC LIMIT 1",
)
"""Where the next ones go, too."""


class Waiting(NamedTuple):
    """One that waits for its commit."""

    op: JointOperation[Any, Any]
    item: Any
    done: asyncio.Future[Any]
    n_rows: int = 1


def take_group(waiting: deque[Waiting]) -> list[Waiting]:
    """Take from the front what is committed next: one that waits, and what else fits."""
    group = [waiting.popleft()]
    n_rows = group[0].n_rows
    while waiting and len(group) < MAX_GROUP and n_rows + waiting[0].n_rows <= MAX_ROWS:
        group.append(waiting.popleft())
        n_rows += group[-1].n_rows
    return group


class Ended(NamedTuple):
    """How a caller's wait ends."""

    done: asyncio.Future[Any]
    result: Any
    error: BaseException | None


class Committed(NamedTuple):
    """What became of a group.

    Args:
        ended: for each of its callers.
        last_seq: of the timeline after it; 0 when it got nothing.
        queues: where it left something claimable.
    """

    ended: list[Ended]
    last_seq: int = 0
    events: Sequence[Event] = ()
    queues: frozenset[str] = frozenset()


async def run_each(tx: Tx, ops: Sequence[Operation[T]]) -> list[T]:
    """The joint operation of those that are nothing but themselves."""
    return [await op(tx) for op in ops]


def by_operation(group: Iterable[Waiting]) -> Iterable[list[Waiting]]:
    """Those of one operation together, where its first one is; nobody waits for two of a group, one after the other."""
    found: dict[JointOperation[Any, Any], list[Waiting]] = {}
    for waiting in group:
        found.setdefault(waiting.op, []).append(waiting)
    return found.values()
