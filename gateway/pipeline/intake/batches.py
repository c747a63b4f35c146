"""Batches: many messages of one call, committed in pieces, so that nobody waits for the whole of somebody else's.

Pieces of different batches take turns. With an Idempotency-Key each piece is committed together with a note of how
far the batch has come: repeated after a crash, the call goes on from there and sends nothing twice. A piece is stored
only where the note is the one that it builds on. So two that take the same batch at once, in whatever process, store
each item once; who comes too late reads the note again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Final, NamedTuple

import msgspec

from gateway.clock import Breath, Clock
from gateway.errors import InvalidRequest, QuotaExceeded, StoreError
from gateway.ids import BatchId, make_id
from gateway.model.message import ApiKey, MessageStatus
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.accept import Idempotency, Intake, once_of
from gateway.pipeline.intake.drafts import Draft, save_drafts
from gateway.pipeline.intake.plan import Planner
from gateway.pipeline.once import Once, find_kept
from gateway.store.keys import begin_answer, put_answer, replace_answer
from gateway.store.messages import list_batch
from gateway.store.ports import Place, Store, Tx

PIECE_MESSAGES: Final = 150
PIECE_SEGMENTS: Final = 150
"""Of one commit: some milliseconds of the writer's work, for which everybody else's single message waits."""
MOST_SEGMENTS: Final = 100_000
"""Of one call: 10,000 messages of 10 segments."""
_LET_OTHERS_S: Final = (0.05, 0.5)
"""So long who was too late lets the other one go on."""
_NOTE: Final = b"\0"
"""How a note begins; an answer is JSON."""

_encode = msgspec.json.Encoder().encode


class Rejected(msgspec.Struct, frozen=True):
    """A batch item that was not taken.

    Args:
        index: in the request, from 0.
    """

    index: int
    code: str
    detail: str


class BatchItem(msgspec.Struct, frozen=True):
    """A batch item that is on disk.

    Args:
        index: in the request, from 0.
        segments: how many it has.
    """

    index: int
    id: str
    to: str
    status: MessageStatus
    segments: int


class AcceptedBatch(NamedTuple):
    """What became of a batch."""

    batch_id: BatchId
    items: list[BatchItem]
    rejected: list[Rejected]


_Wanted = MessageRequest | Rejected


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """How far a batch has come.

    Args:
        following: index of the first item that is not decided.
        rejected: those before it that were not taken; all others before it are on disk.
    """

    batch_id: str
    following: int
    rejected: list[Rejected]


_decode_note = msgspec.json.Decoder(_Note).decode


@dataclass(slots=True, kw_only=True)
class _Work:
    """A batch on its way."""

    key: ApiKey | None
    idempotency: Idempotency | None
    now: datetime
    noted: bytes | None = None
    batch: AcceptedBatch
    following: int = 0
    n_segments: int = 0
    n_in_piece: int = 0
    drafts: list[tuple[int, Draft]] = field(default_factory=list)

    def forget_piece(self) -> None:
        """Begin another one."""
        self.drafts.clear()
        self.n_in_piece = 0


class Batches:
    """Takes batches.

    Args:
        intake: the one door; it makes the drafts.
    """

    def __init__(self, store: Store, clock: Clock, intake: Intake) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._turn = asyncio.Lock()

    async def accept(
        self,
        requests: Iterable[MessageRequest | Rejected],
        *,
        key: ApiKey | None,
        idempotency: Idempotency | None = None,
    ) -> AcceptedBatch | bytes:
        """Take many messages; a bad one never spoils the others.

        What can't be stored after a part of the batch was, or is above a limit of what may wait, is rejected with that
        reason. A batch that may begin is not held up by its key's rate: who comes behind it pays for it.

        Args:
            requests: in the order of the request, read one by one as they are wanted; those that were already refused
                keep their place.
            key: who sends them.
            idempotency: for the batch as a whole.

        Returns:
            What became of it, or the first answer's body when the Idempotency-Key came before.

        Raises:
            IdempotencyMismatch: the key came before with another body.
            QuotaExceeded: the key comes too fast, or has too much waiting; nothing of this call was stored.
            StoreError: nothing of this call was stored.

        Cancel: what was committed is taken.
        """
        work = self._begin(key, idempotency)
        if idempotency is not None and (answer := await self._catch_up(work, once_of(key, idempotency))):
            return answer
        self._intake.limits.admit(key)
        return await self._take(requests, work)

    def _begin(self, key: ApiKey | None, idempotency: Idempotency | None) -> _Work:
        batch = AcceptedBatch(BatchId(make_id()), [], [])
        return _Work(key=key, idempotency=idempotency, now=self._clock.now(), batch=batch)

    async def _catch_up(self, work: _Work, once: Once) -> bytes | None:
        """Read how far a batch has come: its answer, if it has one."""
        kept = await self._store.read(lambda tx: find_kept(tx, once))
        if kept is not None and not kept.startswith(_NOTE):
            return kept
        if kept is not None:
            await self._go_on(work, _decode_note(kept[len(_NOTE) :]))
        work.noted = kept
        return None

    async def _go_on(self, work: _Work, note: _Note) -> None:
        """Take up a batch where a crash, a store that failed, or another who takes it, left it."""
        rows = await self._store.read(lambda tx: list_batch(tx, note.batch_id))
        refused = {rejected.index for rejected in note.rejected}
        taken = [index for index in range(note.following) if index not in refused]
        items = [BatchItem(index, *row) for index, row in zip(taken, rows, strict=False)]
        work.batch = AcceptedBatch(BatchId(note.batch_id), items, list(note.rejected))
        work.following = note.following
        work.n_segments = sum(item.segments for item in items)

    async def _take(self, requests: Iterable[_Wanted], work: _Work) -> AcceptedBatch | bytes:
        planner = self._intake.make_planner()
        waiting: Iterator[tuple[int, _Wanted]] = iter(enumerate(requests))
        breath = Breath()
        while True:
            piece: list[tuple[int, _Wanted]] = []
            # One piece at a time, from whichever batch: who posts a single message waits for no more than that.
            async with self._turn:
                more = False
                for index, request in waiting:
                    await breath.take()
                    if index < work.following:
                        continue
                    piece.append((index, request))
                    more = self._add(work, index, request, planner)
                    if more:
                        break
                try:
                    is_stored = await self._store_piece(work, ended=not more)
                except (StoreError, QuotaExceeded) as error:
                    if not work.batch.items:
                        raise
                    self._give_up(work, error, waiting)
                    more, is_stored = False, True
            if not is_stored:  # somebody else takes this batch, too, and was faster
                assert work.idempotency is not None
                work.forget_piece()
                await asyncio.sleep(random.uniform(*_LET_OTHERS_S))
                if (answer := await self._catch_up(work, once_of(work.key, work.idempotency))) is not None:
                    return answer
                waiting = chain(piece, waiting)
            elif not more:
                return work.batch

    def _add(self, work: _Work, index: int, request: MessageRequest | Rejected, planner: Planner) -> bool:
        """Decide on one item; whether the piece is full with it."""
        work.following = index + 1
        if isinstance(request, Rejected):
            work.batch.rejected.append(request)
            return False
        try:
            draft = self._intake.draft(
                request, key=work.key, now=work.now, batch_id=work.batch.batch_id, planner=planner
            )
        except InvalidRequest as exc:
            first = exc.errors[0]
            work.batch.rejected.append(Rejected(index, first.code, f"{first.pointer}: {first.detail}"))
            return False
        n_segments = work.n_segments + len(draft.segments)
        if n_segments > MOST_SEGMENTS:
            detail = f"one call may have {MOST_SEGMENTS} segments in all; send this in another"
            work.batch.rejected.append(Rejected(index, "too_many_segments", detail))
            return False
        work.n_segments = n_segments
        work.n_in_piece += len(draft.segments)
        work.drafts.append((index, draft))
        return len(work.drafts) >= PIECE_MESSAGES or work.n_in_piece >= PIECE_SEGMENTS

    async def _store_piece(self, work: _Work, *, ended: bool) -> bool:
        """Commit what is ready, and with it how far the batch has come, or its answer.

        Returns:
            False when the batch has come further by another way: nothing was stored.

        Raises:
            StoreError, QuotaExceeded: nothing of this piece was stored.
        """
        drafts, idempotency = [draft for _, draft in work.drafts], work.idempotency
        if not drafts and idempotency is None:
            return True
        note = _make_note(work)

        async def op(tx: Tx) -> list[BatchItem] | None:
            once = None if idempotency is None else once_of(work.key, idempotency)
            if once is not None and not await _move_note(tx, once, work.noted, note, work.now):
                return None
            saved = [accepted.message for accepted in await save_drafts(tx, drafts)]
            items = [
                BatchItem(index, message.id, message.recipient, message.status, message.n_segments)
                for (index, _), message in zip(work.drafts, saved, strict=True)
            ]
            if once is not None and idempotency is not None and ended:
                batch = work.batch._replace(items=work.batch.items + items)
                await put_answer(tx, *once, idempotency.render(batch), work.now)
            return items

        with self._intake.hold(work.key, drafts):
            stored = await self._store.write(
                op, n_rows=sum(len(draft.segments) for draft in drafts), place=Place.PIECE
            )
        if stored is None:
            return False
        work.batch.items.extend(stored)
        work.noted = note
        work.forget_piece()
        return True

    def _give_up(
        self,
        work: _Work,
        error: StoreError | QuotaExceeded,
        waiting: Iterable[tuple[int, MessageRequest | Rejected]],
    ) -> None:
        """No more of it is taken: what is on disk is, and the rest is rejected."""
        left = [index for index, _ in work.drafts]
        for index, request in waiting:
            if isinstance(request, Rejected):
                work.batch.rejected.append(request)
            else:
                left.append(index)
        work.batch.rejected.extend(Rejected(index, error.code, str(error)) for index in left)
        work.batch.rejected.sort(key=lambda rejected: rejected.index)


async def _move_note(tx: Tx, once: Once, before: bytes | None, note: bytes, at: datetime) -> bool:
    """Put a note where the one before stands; False when another one does."""
    if before is None:
        return await begin_answer(tx, *once, note, at)
    return await replace_answer(tx, once.owner, once.key, before, note)


def _make_note(work: _Work) -> bytes:
    note = _Note(batch_id=work.batch.batch_id, following=work.following, rejected=work.batch.rejected)
    return _NOTE + _encode(note)
