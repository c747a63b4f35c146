"""The ladder by which the segment of a receipt is looked for: the rarer the case, the later its rung.

Each rung says what it needs, what it looks at and when it refuses. The first that finds something ends the search, and
so does one that refuses what it found: then nobody can say which segment it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from drivers.base import Receipt
from gateway.pipeline.receipts.by_handset import (
    UNNAMED_FOR,
    find_alike,
    find_nameless,
    find_unnamed,
    is_awaited,
)
from gateway.pipeline.receipts.dialects import Dialects
from gateway.pipeline.receipts.match import Found, find_segment
from gateway.pipeline.receipts.reporter import Reporter
from gateway.pipeline.receipts.settle import IN_BETWEEN
from gateway.store.ports import Tx
from gateway.store.receipts import Match, find_by_reference, find_uncertain, find_unnamed_to, is_sending_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is known while the segment of a receipt is looked for.

    Args:
        lane: by which the receipt came.
        named: segments of the channel with one of its references, likeliest first.
        is_sure: its recipient is the handset for certain; else its id must name the segment.
        region: how national numbers are read.
    """

    tx: Tx
    lane: Reporter
    receipt: Receipt
    named: Sequence[Match]
    dialects: Dialects
    is_sure: bool
    region: str
    now: datetime

    @property
    def by_handset(self) -> bool:
        """Whether the handset may tell which segment it is, where the id alone does not."""
        repeats, is_unnamed = self.lane.traits.references_repeat, not self.receipt.references
        return self.is_sure and not (self.receipt.state in IN_BETWEEN and (repeats or is_unnamed))


async def _never(_search: Search, _match: Match) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One way to find the segment.

    Args:
        name: for people.
        needs, looks_at, refuses_when: the same, in words.
        applies: whether it is tried.
        find: looks; NOTHING leads to the next rung.
        refuses: whether what it found may be another one all the same.
    """

    name: str
    needs: str
    looks_at: str
    refuses_when: str = "never"
    applies: Callable[[Search], bool] = lambda _search: True
    find: Callable[[Search], Awaitable[Match | Found]]
    refuses: Callable[[Search, Match], Awaitable[bool]] = _never


async def _by_id(search: Search) -> Match | Found:
    return find_segment(search.named, (), search.receipt, search.now, traits=search.lane.traits)


async def _by_certain_id(search: Search) -> Match | Found:
    lane, receipt = search.lane, search.receipt
    if await is_awaited(search.tx, lane.name, receipt.recipient):
        return Found.NOTHING  # SMSCs give an id again: it may be that one's
    certain = search.dialects.certain(lane.account, receipt)
    return find_segment(search.named, (), receipt, search.now, traits=lane.traits, certain=certain)


async def _by_likeness(search: Search) -> Match | Found:
    alike = await find_alike(search.tx, search.lane, search.receipt, search.region, search.now)
    return Found.NOTHING if alike is None else alike


async def _by_handset_alone(search: Search) -> Match | Found:
    return await find_unnamed(search.tx, search.lane, search.receipt, search.region, search.now)


async def _by_unknown_fate(search: Search) -> Match | Found:
    uncertain = await find_uncertain(search.tx, search.lane.name)
    return find_segment(search.named, uncertain, search.receipt, search.now, traits=search.lane.traits)


async def _by_missing_name(search: Search) -> Match | Found:
    return await find_nameless(search.tx, search.lane, search.receipt, search.region, search.now)


async def _another_is_on_the_wire(search: Search, match: Match) -> bool:
    """Whether it may be that one's, whose answer will tell."""
    return await is_sending_to(search.tx, search.lane.name, match.recipient, beside=match.message_id)


async def _another_may_be_meant(search: Search, match: Match) -> bool:
    since = search.now - UNNAMED_FOR
    unnamed = await find_unnamed_to(search.tx, search.lane.name, (match.recipient,), since)
    return bool(unnamed) or await _another_is_on_the_wire(search, match)


RUNGS: tuple[Rung, ...] = (
    Rung(
        name="id",
        needs="nothing",
        looks_at="segments with one of its ids, and the same handset; where ids repeat (SIMs), fitting times, too",
        find=_by_id,
    ),
    Rung(
        name="certain id",
        needs="a segment with one of its ids",
        looks_at="open segments with an id that is no guess, whatever it writes for the handset;"
        " nothing while another message to that handset is on the wire",
        applies=lambda search: bool(search.named),
        find=_by_certain_id,
    ),
    Rung(
        name="nearly the id",
        needs="a network that spells ids in dialects",
        looks_at="the one open segment to the handset whose id begins with its id, or differs by signs and zeros",
        applies=lambda search: search.lane.traits.ids_in_dialects,
        find=_by_likeness,
    ),
    Rung(
        name="handset alone",
        needs="a handset that is certain, an end, no id at all",
        looks_at="the one segment that waits for a report from the handset",
        applies=lambda search: search.by_handset and not search.receipt.references,
        find=_by_handset_alone,
    ),
    Rung(
        name="unknown fate",
        needs="a handset that is certain, an unknown id; where ids repeat, an end",
        looks_at="the one uncertain segment to the handset",
        refuses_when="a segment without an id, or one on the wire, goes to the same handset",
        applies=lambda search: search.by_handset and bool(search.receipt.references),
        find=_by_unknown_fate,
        refuses=_another_may_be_meant,
    ),
    Rung(
        name="missing name",
        needs="the same, and ids that do not repeat",
        looks_at="the one message to the handset that the network took without giving an id",
        refuses_when="another message to the same handset is on the wire",
        applies=lambda search: (
            search.by_handset and bool(search.receipt.references) and not search.lane.traits.references_repeat
        ),
        find=_by_missing_name,
        refuses=_another_is_on_the_wire,
    ),
)
"""From the first to the last."""


async def find_by_rungs(
    tx: Tx,
    lane: Reporter,
    receipt: Receipt,
    dialects: Dialects,
    now: datetime,
    *,
    is_sure: bool,
    region: str,
) -> Match | Found:
    """The segment that a receipt speaks of, by the first rung that finds one; see `Search` for the arguments."""
    if lane.traits.ids_in_dialects:
        await dialects.load(tx, lane.account)
    named = await find_by_reference(tx, lane.name, receipt.references)
    search = Search(
        tx=tx,
        lane=lane,
        receipt=receipt,
        named=dialects.rank(lane.account, receipt, named),
        dialects=dialects,
        is_sure=is_sure,
        region=region,
        now=now,
    )
    for rung in RUNGS:
        found = await rung.find(search) if rung.applies(search) else Found.NOTHING
        if isinstance(found, Match) and await rung.refuses(search, found):
            return Found.NOTHING
        if found is not Found.NOTHING:
            return found
    return Found.NOTHING
