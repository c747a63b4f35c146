"""Receipts: which segment a delivery report speaks of, and what that makes of its message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from drivers.base import Receipt, ReceiptState
from gateway.clock import Clock, truncate_ms
from gateway.ids import make_id
from gateway.model.message import Message, Segment, SegmentStatus
from gateway.pipeline.receipts.by_handset import (
    UNNAMED_FOR,
    is_awaited,
    is_ours,
    turn_round,
)
from gateway.pipeline.receipts.dialects import Dialects, dialect_of
from gateway.pipeline.receipts.match import Found, same_handset
from gateway.pipeline.receipts.reporter import Reporter
from gateway.pipeline.receipts.rungs import find_by_rungs
from gateway.pipeline.receipts.settle import IN_BETWEEN, judge_all, save_settled, settle
from gateway.store.changes import Change, save_change
from gateway.store.messages import Whole, find_to_change
from gateway.store.ports import Store, Tx
from gateway.store.receipts import (
    EarlyReceipt,
    Match,
    drop_early,
    find_by_reference,
    find_early,
    find_early_named,
    find_early_since,
    find_named,
    find_uncertain,
    find_unnamed_to,
    is_sending_to,
    save_account,
    save_early,
)
from gateway.telemetry.metrics import Metrics, labeled

_CLOCK_MARGIN = timedelta(seconds=1)
_MOST_ODD = 1_000
"""Receipts of one channel that were not understood and are kept though their segment is known, of one run."""
_ROWS = 3
"""What a receipt writes: its segment, its message, an event."""


class _Heard(NamedTuple):
    """What became of a receipt.

    Args:
        dialect: of its id, when that was to be learned from it.
        taken: False where it is none, after all.
    """

    dialect: str | None = None
    taken: bool = True


class _Plain(NamedTuple):
    """A segment that a receipt speaks of, for certain.

    Args:
        whole: its message.
    """

    whole: Whole
    part: int


def _early(receipt: Receipt, receipt_id: str) -> EarlyReceipt:
    return EarlyReceipt(
        receipt_id,
        receipt.recipient,
        receipt.state.value,
        receipt.code,
        receipt.done_at,
        receipt.word,
        receipt.whole,
        receipt.octets,
    )


class Receipts:
    """Takes receipts of all channels.

    Args:
        region: how national numbers of handsets are read.
        dead_codes: codes and words that mean that nobody has the number, beside those of the standards.
    """

    def __init__(
        self, store: Store, clock: Clock, metrics: Metrics, region: str, dead_codes: Collection[str] = ()
    ) -> None:
        self.dead_codes = frozenset(dead_codes)
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._region = region
        self._dialects = Dialects()
        self._odd: Counter[str] = Counter()

    async def handle(self, lane: Reporter, receipt: Receipt) -> bool:
        """Apply a receipt, or keep it until its segment's reference is known; returns after the commit.

        Returns:
            False for one that may be something else, and speaks of no message of ours: nothing was done.

        Raises:
            StoreError: nothing was stored; the network must keep it.
        """
        heard = await self._store.write_jointly(self._apply_all, (lane, receipt), n_rows=_ROWS)
        if not heard.taken:
            return False
        labeled(self._metrics.receipts, lane.name, receipt.state.value).inc()
        if not receipt.understood:
            labeled(self._metrics.receipts_not_understood, lane.name).inc()
        if heard.dialect is not None:
            self._dialects.note(lane.account, heard.dialect)
        if (learned := self._dialects.learned(lane.account)) is not None:
            lane.facts = {**lane.facts, "receipt_ids": learned}
        return True

    def forget(self, account: str) -> None:
        """Trust nothing that was learned of an account in memory: another instance may have learned more."""
        self._dialects.forget(account)

    async def _apply_all(self, tx: Tx, heard: Sequence[tuple[Reporter, Receipt]]) -> list[_Heard]:
        """Apply receipts of many callers; what `_apply` returns, for each."""
        now = truncate_ms(self._clock.now())
        plain = await self._find_plain(tx, heard)
        told: dict[str, list[int]] = {}
        for place, (whole, _) in plain.items():
            told.setdefault(whole.message.id, []).append(place)
        settled = [
            judge_all(
                plain[places[0]].whole,
                [(plain[n].part, _early(heard[n][1], "")) for n in places],
                now,
                self.dead_codes,
            )
            for places in told.values()
        ]
        for places, written in zip(told.values(), await save_settled(tx, settled, now), strict=True):
            if not written:
                for place in places:
                    del plain[place]  # somebody changed it meanwhile: it is looked at anew
        outcomes = []
        for place, (lane, receipt) in enumerate(heard):
            if place not in plain:
                outcomes.append(await self._apply(tx, lane, receipt))
                continue
            learned = self._dialects.learned(lane.account)
            outcomes.append(_Heard(learned))
            if learned is not None:
                await self._dialects.count(tx, lane.account, learned)
        return outcomes

    async def _find_plain(self, tx: Tx, heard: Sequence[tuple[Reporter, Receipt]]) -> dict[int, _Plain]:
        """What `_apply` would find for receipts in the learned dialect of their account, by their places.

        Only those that speak of one segment, and name it as nothing else here does.
        """
        named: dict[Reporter, dict[str, int]] = {}
        spoken_of: set[str] = set()
        for place, (lane, receipt) in enumerate(heard):
            is_plain = receipt.understood and receipt.otherwise is None
            if lane.traits.ids_in_dialects and is_plain and spoken_of.isdisjoint(receipt.references):
                for reference in self._dialects.choose(lane.account, receipt):
                    named.setdefault(lane, {})[reference] = place
            spoken_of.update(receipt.references)
        found: dict[int, list[_Plain]] = {}
        wholes: dict[str, Whole] = {}
        for lane, places in named.items():
            for read, part in await find_named(tx, lane.name, list(places)):
                # One message may be spoken of on several channels: it is judged once, by one value.
                whole = wholes.setdefault(read.message.id, read)
                reference = whole.segments[part - 1].reference or ""
                found.setdefault(places[reference], []).append(_Plain(whole, part))
        return {
            place: one
            for place, [one, *others] in found.items()
            if not others
            and one.whole.segments[one.part - 1].status is SegmentStatus.SENT
            and (one.whole.message.n_segments == 1 or not heard[place][1].whole)
            and same_handset(one.whole.message.recipient, heard[place][1].recipient, strict=False)
        }

    async def _apply(self, tx: Tx, lane: Reporter, receipt: Receipt) -> _Heard:
        """Settle, keep or pass by one receipt."""
        now = truncate_ms(self._clock.now())
        receipt, sure = await turn_round(tx, lane, receipt, self._region)
        if receipt.otherwise is not None and not await is_ours(tx, lane, receipt, self._region, now):
            return _Heard(taken=False)
        match = await find_by_rungs(tx, lane, receipt, self._dialects, now, is_sure=sure, region=self._region)
        if match is Found.REPEAT and not lane.traits.references_repeat:
            return _Heard()
        early = _early(receipt, make_id())
        if not isinstance(
            match, Match
        ):  # where references repeat: perhaps of a segment whose answer is to come
            if not lane.traits.references_repeat or receipt.state not in IN_BETWEEN:
                await self._keep(tx, lane, receipt, early, receipt.references, now)
            return _Heard()
        whole = await find_to_change(tx, match.message_id)
        assert whole is not None  # the match was joined with it
        message, segments = whole
        segment = segments[match.part - 1]
        if segment.reference is None and receipt.references:
            # It was uncertain; the same receipt again must find it, and with a reference it can be asked after.
            nameless, segment = segment, msgspec.structs.replace(segment, reference=receipt.references[0])
            await save_change(tx, Change(message, message, [(nameless, segment)]))
            segments[match.part - 1] = segment
        if waits_for_parts(early, segments):
            await self._keep(tx, lane, receipt, early, [segment.reference or ""], now)
            return _Heard()
        if not receipt.understood and self._odd[lane.name] < _MOST_ODD:
            # Whoever reads its octets may know better, and match it by hand.
            self._odd[lane.name] += 1
            await self._keep(tx, lane, receipt, early, receipt.references[:1], now)
        await settle(tx, message, segments, match.part, early, now, dead_codes=self.dead_codes)
        dialect = dialect_of(receipt, match)
        if dialect is not None:
            await self._dialects.count(tx, lane.account, dialect)
        return _Heard(dialect)

    async def _keep(
        self,
        tx: Tx,
        lane: Reporter,
        receipt: Receipt,
        early: EarlyReceipt,
        references: Sequence[str],
        now: datetime,
    ) -> None:
        certain = self._dialects.certain(lane.account, receipt)
        await save_early(
            tx, early, channel=lane.name, references=references, received_at=now, certain=certain
        )


async def save_accounts(tx: Tx, lanes: Sequence[Reporter]) -> None:
    """Binds of one account hear of each other's segments from now on."""
    for lane in lanes:
        if lane.account != lane.name:
            await save_account(tx, lane.name, lane.account)


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
    if segment.channel is None:
        return message
    if segment.reference is None:
        return await apply_unnamed(tx, message, segments, part, now)
    kept = await find_early(tx, segment.channel, segment.reference, since - _CLOCK_MARGIN)
    # Those of other handsets spell another segment's reference so; its answer is still to come.
    mine = [early for early in kept if same_handset(message.recipient, early.recipient, strict=False)]
    mine = mine or [
        early
        for early in kept
        if early.certain and not await is_awaited(tx, segment.channel, early.recipient, beside=message.id)
    ]
    mine = [early for early in mine if not waits_for_parts(early, segments)]
    for early in mine:
        await drop_early(tx, early.receipt_id)
    for early in mine:
        message = await settle(tx, message, segments, part, early, now)
        if ReceiptState(early.state) not in IN_BETWEEN:
            break
    return message


def waits_for_parts(receipt: EarlyReceipt, segments: Sequence[Segment]) -> bool:
    """Whether a receipt that speaks of a whole message must be kept, as not all of its parts are out."""
    is_final = ReceiptState(receipt.state) not in IN_BETWEEN
    return receipt.whole and is_final and any(s.status in _TO_COME for s in segments)


_TO_COME = {SegmentStatus.QUEUED, SegmentStatus.SENDING}


async def apply_whole(tx: Tx, message: Message, segments: Sequence[Segment], now: datetime) -> Message:
    """All parts of a message are out: apply a receipt of the whole that was kept under one of them.

    Args:
        segments: all of the message's, as stored.
    """
    named = {s.reference: s for s in segments if s.reference is not None and s.channel is not None}
    for channel in {s.channel for s in named.values()}:
        for reference in await find_early_named(tx, channel or "", list(named)):
            segment = named[reference]
            since = segment.submitted_at or message.created_at
            told = await apply_early(tx, message, segments, segment.part, since=since, now=now)
            if told.status is not message.status:
                return told
    return message


async def apply_unnamed(
    tx: Tx, message: Message, segments: Sequence[Segment], part: int, now: datetime
) -> Message:
    """A segment has no reference: its receipts may have come before we gave up waiting for the answer, or got one.

    Args:
        segments: all of the message's, as stored.
        part: the one whose submit had no answer, or an answer without a reference.

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
    nameless = await find_unnamed_to(tx, segment.channel, (message.recipient,), now - UNNAMED_FOR)
    rivals = [
        m
        for m in (*await find_uncertain(tx, segment.channel), *nameless)
        if same_handset(m.recipient, message.recipient, strict=True)
        and (m.message_id, m.part) != (message.id, part)
    ]
    if rivals or await is_sending_to(tx, segment.channel, message.recipient, beside=message.id):
        return message
    # What is no end at least tells the reference, by which the segment can be asked after.
    known = msgspec.structs.replace(segment, reference=mine[0][0] or None)
    await save_change(tx, Change(message, message, [(segment, known)]))
    segments = [known if s is segment else s for s in segments]
    if any(waits_for_parts(early, segments) for _, early in mine):
        return message
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
