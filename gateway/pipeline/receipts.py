"""Receipts: which segment a delivery report speaks of, and what that makes of its message."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from drivers.base import Receipt, ReceiptState
from gateway.clock import Clock, truncate_ms
from gateway.ids import make_id
from gateway.model.message import Message, Segment, SegmentStatus
from gateway.pipeline.dialects import AS_GIVEN, Dialects, dialect_of
from gateway.pipeline.lane import Lane
from gateway.pipeline.matching import Found, find_segment, same_handset
from gateway.pipeline.settle import IN_BETWEEN, judge, save_settled, settle
from gateway.store.messages import find_message, load_segments
from gateway.store.ports import Store, Tx
from gateway.store.queue import save_segments
from gateway.store.receipts import (
    EarlyReceipt,
    Match,
    drop_early,
    find_by_prefix,
    find_by_reference,
    find_early,
    find_early_since,
    find_open_to,
    find_sent,
    find_uncertain,
    is_sending_to,
    save_account,
    save_early,
)
from gateway.telemetry.metrics import Metrics, labeled

_log = logging.getLogger(__name__)

_CLOCK_MARGIN = timedelta(seconds=1)
_SHORTEST_CUT = 8
"""Characters of an id that may be another one's beginning by chance no more."""
_UNNAMED_FOR = timedelta(days=3)
"""How long a segment is looked for by its handset alone."""


class Receipts:
    """Takes receipts of all channels."""

    def __init__(self, store: Store, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._dialects = Dialects()

    async def handle(self, lane: Lane, receipt: Receipt) -> None:
        """Apply a receipt, or keep it until its segment's reference is known; returns after the commit.

        Raises:
            StoreError: nothing was stored; the network must keep it.
        """
        labeled(self._metrics.receipts, lane.name, receipt.state.value).inc()
        dialect = await self._store.write_jointly(self._apply_all, (lane, receipt))
        if dialect is not None:
            self._dialects.note(lane.account, dialect)
        if lane.kind != "modem" and (learned := self._dialects.learned(lane.account)) is not None:
            lane.facts = {**lane.facts, "receipt_ids": learned}

    async def _apply_all(self, tx: Tx, heard: Sequence[tuple[Lane, Receipt]]) -> list[str | None]:
        """Apply receipts of many callers; what `_apply` returns, for each."""
        now = truncate_ms(self._clock.now())
        plain = await self._find_plain(tx, heard)
        settled = []
        for place, (message, segment) in plain.items():
            receipt = heard[place][1]
            kept = EarlyReceipt("", receipt.recipient, receipt.state.value, receipt.code, receipt.done_at)
            settled.append(judge(message, [segment], 1, kept, now))
        await save_settled(tx, settled)
        dialects = []
        for place, (lane, receipt) in enumerate(heard):
            if place not in plain:
                dialects.append(await self._apply(tx, lane, receipt))
                continue
            dialects.append(learned := self._dialects.learned(lane.account))
            if learned is not None:
                await self._dialects.count(tx, lane.account, learned)
        return dialects

    async def _find_plain(
        self, tx: Tx, heard: Sequence[tuple[Lane, Receipt]]
    ) -> dict[int, tuple[Message, Segment]]:
        """What `_apply` would find for receipts in the learned dialect of their account, by their places.

        Only those of which nothing else here speaks, and whose message has no other segment.
        """
        named: dict[Lane, dict[str, int]] = {}
        spoken_of: set[str] = set()
        for place, (lane, receipt) in enumerate(heard):
            if lane.kind != "modem" and spoken_of.isdisjoint(receipt.references):
                for reference in self._dialects.choose(lane.account, receipt):
                    named.setdefault(lane, {})[reference] = place
            spoken_of.update(receipt.references)
        found: dict[int, list[tuple[Message, Segment]]] = {}
        for lane, places in named.items():
            for message, segment in await find_sent(tx, lane.name, list(places)):
                found.setdefault(places[segment.reference or ""], []).append((message, segment))
        return {
            place: (message, segment)
            for place, [(message, segment), *others] in found.items()
            if not others
            and message.n_segments == 1
            and segment.status is SegmentStatus.SENT
            and same_handset(message.recipient, heard[place][1].recipient, strict=False)
        }

    async def _apply(self, tx: Tx, lane: Lane, receipt: Receipt) -> str | None:
        """Returns the dialect of the receipt's id when that was to be learned from it."""
        now = truncate_ms(self._clock.now())
        match = await self._find(tx, lane, receipt, now)
        if match is Found.REPEAT and lane.kind != "modem":
            return None
        early = EarlyReceipt(make_id(), receipt.recipient, receipt.state.value, receipt.code, receipt.done_at)
        if not isinstance(match, Match):  # of a SIM it may be the first of a segment whose answer is to come
            if lane.kind != "modem" or receipt.state not in IN_BETWEEN:
                await save_early(
                    tx,
                    early,
                    channel=lane.name,
                    references=receipt.references,
                    received_at=now,
                    certain=self._dialects.certain(lane.account, receipt),
                )
            return None
        message = await find_message(tx, match.message_id)
        assert message is not None  # the match was joined with it
        segments = (await load_segments(tx, [match.message_id]))[match.message_id]
        segment = segments[match.part - 1]
        if segment.reference is None and receipt.references:
            # It was uncertain; the same receipt again must find it, and with a reference it can be asked after.
            named = msgspec.structs.replace(segment, reference=receipt.references[0])
            await save_segments(tx, message.id, [named])
            segments[match.part - 1] = named
        await settle(tx, message, segments, match.part, early, now)
        dialect = dialect_of(receipt, match)
        if dialect is not None:
            await self._dialects.count(tx, lane.account, dialect)
        return dialect

    async def _find(self, tx: Tx, lane: Lane, receipt: Receipt, now: datetime) -> Match | Found:
        """The segment that a receipt speaks of; the rarer the case, the later it is looked for."""
        by_sim = lane.kind == "modem"
        if not by_sim:
            await self._dialects.load(tx, lane.account)
        named = await find_by_reference(tx, lane.name, receipt.references)
        named = self._dialects.rank(lane.account, receipt, named)
        match = find_segment(named, (), receipt, now, by_sim=by_sim)
        if match is Found.NOTHING and named and not await _is_awaited(tx, lane.name, receipt.recipient):
            certain = self._dialects.certain(lane.account, receipt)
            match = find_segment(named, (), receipt, now, by_sim=by_sim, certain=certain)
        if match is not Found.NOTHING:
            return match
        if not by_sim and (cut := await _find_cut(tx, lane, receipt)) is not None:
            return cut
        if receipt.state in IN_BETWEEN and (by_sim or not receipt.references):
            return Found.NOTHING
        if not receipt.references:
            return await _find_unnamed(tx, lane, receipt, now)
        match = find_segment(named, await find_uncertain(tx, lane.name), receipt, now, by_sim=by_sim)
        if isinstance(match, Match) and await is_sending_to(
            tx, lane.name, match.recipient, beside=match.message_id
        ):
            return Found.NOTHING  # or of that one: its answer will tell
        return match


async def save_accounts(tx: Tx, lanes: Sequence[Lane]) -> None:
    """Binds of one account hear of each other's segments from now on."""
    for lane in lanes:
        if lane.account != lane.name:
            await save_account(tx, lane.name, lane.account)


async def _find_cut(tx: Tx, lane: Lane, receipt: Receipt) -> Match | None:
    """The one segment to the handset whose reference begins with an id that the receipt cut off."""
    given = [r for r, d in zip(receipt.references, receipt.dialects, strict=False) if d == AS_GIVEN]
    for reference in given:
        if len(reference) >= _SHORTEST_CUT:
            found = await find_by_prefix(tx, lane.name, reference)
            mine = [m for m in found if same_handset(m.recipient, receipt.recipient, strict=True)]
            if len(mine) == 1:
                return mine[0]
    return None


async def _find_unnamed(tx: Tx, lane: Lane, receipt: Receipt, now: datetime) -> Match | Found:
    """The one segment that waits for a receipt from this handset; with two of them nobody can say which."""
    if receipt.recipient is None:
        return Found.NOTHING
    recipients = (receipt.recipient, _full(receipt.recipient))
    found = await find_open_to(tx, lane.name, recipients, now - _UNNAMED_FOR)
    return found[0] if len(found) == 1 else Found.NOTHING


def _full(reported: str) -> str:
    """A handset as a full number: many carriers write one, and do not say that it is one."""
    return f"+{reported.lstrip('+').removeprefix('00')}"


async def apply_early(
    tx: Tx,
    message: Message,
    segments: Sequence[Segment],
    part: int,
    *,
    since: datetime,
    now: datetime,
) -> Message:
    """Apply receipts that were faster than the answer to their submit.

    Args:
        segments: all of the message's, as stored.
        part: the segment whose reference has just become known.
        since: when it was submitted; an older receipt of the same reference speaks of another message.

    Returns:
        The message as it is now.
    """
    segment = segments[part - 1]
    if segment.channel is None or segment.reference is None:
        return message
    kept = await find_early(tx, segment.channel, segment.reference, since - _CLOCK_MARGIN)
    # Those of other handsets spell another segment's reference so; its answer is still to come.
    mine = [early for early in kept if same_handset(message.recipient, early.recipient, strict=False)]
    mine = mine or [
        early
        for early in kept
        if early.certain and not await _is_awaited(tx, segment.channel, early.recipient, beside=message.id)
    ]
    for early in mine:
        await drop_early(tx, early.receipt_id)
    for early in mine:
        message = await settle(tx, message, segments, part, early, now)
        if ReceiptState(early.state) not in IN_BETWEEN:
            break
    return message


async def _is_awaited(tx: Tx, channel: str, reported: str | None, *, beside: str = "") -> bool:
    """Whether another message than ``beside`` to a receipt's handset is on the wire: SMSCs give an id again."""
    return reported is not None and await is_sending_to(tx, channel, _full(reported), beside=beside)


async def apply_unnamed(
    tx: Tx, message: Message, segments: Sequence[Segment], part: int, now: datetime
) -> Message:
    """A segment has become uncertain: its receipts may have been faster than we gave up waiting for the answer.

    Args:
        segments: all of the message's, as stored.
        part: the uncertain one.

    Returns:
        The message as it is now.
    """
    segment = segments[part - 1]
    if segment.channel is None or segment.submitted_at is None:
        return message
    heard = [
        (reference, early)
        for reference, early in await find_early_since(tx, segment.channel, segment.submitted_at)
        if same_handset(message.recipient, early.recipient, strict=True)
        and not await _is_named(tx, segment.channel, reference, message.recipient)
    ]
    final = [one for one in heard if ReceiptState(one[1].state) not in IN_BETWEEN]
    mine = final or heard
    # One that was not acknowledged in time comes again, as it was.
    if len({reference for reference, _ in mine}) != 1 or len({early.state for _, early in final}) > 1:
        return message  # none, or nobody can say which
    rivals = [
        m
        for m in await find_uncertain(tx, segment.channel)
        if same_handset(m.recipient, message.recipient, strict=True)
    ]
    if len(rivals) != 1 or await is_sending_to(tx, segment.channel, message.recipient, beside=message.id):
        return message
    # What is no end at least tells the reference, by which the segment can be asked after.
    known = msgspec.structs.replace(segment, reference=mine[0][0])
    await save_segments(tx, message.id, [known])
    segments = [known if s is segment else s for s in segments]
    for _, early in mine:
        await drop_early(tx, early.receipt_id)
    for _, early in final[:1] or mine:
        message = await settle(tx, message, segments, part, early, now)
    return message


async def _is_named(tx: Tx, channel: str, reference: str, recipient: str) -> bool:
    """Whether a segment to this handset bears the reference: a receipt that was kept is then its repeat."""
    return any(
        same_handset(m.recipient, recipient, strict=True)
        for m in await find_by_reference(tx, channel, (reference,))
    )
