"""Receipts whose id tells too little: what the handset that they name adds.

What two segments fit settles neither: a message that is settled by another one's receipt is worse than one that waits.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import NamedTuple

from drivers.base import Receipt
from gateway.model.msisdn import read_number
from gateway.pipeline.receipts.dialects import AS_GIVEN, plain_id
from gateway.pipeline.receipts.match import Found, same_handset
from gateway.pipeline.receipts.reporter import Reporter
from gateway.store.ports import Tx
from gateway.store.receipts import (
    Match,
    find_by_prefix,
    find_by_reference,
    find_open_to,
    find_uncertain,
    find_unnamed_to,
    is_sending_to,
    was_sent_to,
)

_SHORTEST_CUT = 8
"""Characters of an id that may be another one's beginning by chance no more."""
UNNAMED_FOR = timedelta(days=3)
"""How long a segment is looked for by its handset alone."""


class Faced(NamedTuple):
    """A receipt with the handset as its recipient.

    Args:
        sure: that it is the handset; else the receipt's id must name the segment.
    """

    receipt: Receipt
    sure: bool = True


async def turn_round(tx: Tx, lane: Reporter, receipt: Receipt, region: str) -> Faced:
    """Find the handset: some SMSCs leave both addresses as the message had them.

    Our own number on the channel is never taken for the handset. Where it is neither address, the handset is the one
    that messages went to, if they went to but one of the two. That is likely and not sure: somebody else's receipt on
    our account may come to a number of ours that was sent something.
    """
    source, other = receipt.recipient, receipt.other
    if source is None or other is None or _is_number_of(lane, other):
        return Faced(receipt)
    turned = dataclasses.replace(receipt, recipient=other, other=source)
    if _is_number_of(lane, source):
        return Faced(turned)
    if not await was_sent_to(tx, _spell(source, region)) and await was_sent_to(tx, _spell(other, region)):
        return Faced(turned, sure=False)
    return Faced(receipt)


def _is_number_of(lane: Reporter, address: str) -> bool:
    return lane.number is not None and lane.number.lstrip("+0") == address.lstrip("+0")


async def is_ours(tx: Tx, lane: Reporter, receipt: Receipt, region: str, now: datetime) -> bool:
    """Whether what may be a report or a text of a person speaks of a message to the one who is named as its handset.

    One that gives an id must give that of such a message, unless it is understood and the id of one is still to come.
    One that gives none is a report only where a message waits for one; what it says is then for people to read.
    """
    if receipt.recipient is None:
        return False
    recipients = _spell(receipt.recipient, region)
    since = now - UNNAMED_FOR
    is_sending = any([await is_sending_to(tx, lane.name, recipient, beside="") for recipient in recipients])
    if not receipt.references:
        return is_sending or bool(await find_open_to(tx, lane.name, recipients, since))

    def is_his(match: Match) -> bool:
        return same_handset(match.recipient, receipt.recipient, strict=True)

    if any(map(is_his, await find_by_reference(tx, lane.name, receipt.references))):
        return True
    if not receipt.understood:
        return False
    return (
        is_sending
        or bool(await find_unnamed_to(tx, lane.name, recipients, since))
        or any(map(is_his, await find_uncertain(tx, lane.name)))
    )


async def find_nameless(
    tx: Tx, lane: Reporter, receipt: Receipt, region: str, now: datetime
) -> Match | Found:
    """The one message to the handset that the network took without naming it; of its parts, the first that waits."""
    if receipt.recipient is None:
        return Found.NOTHING
    recipients = _spell(receipt.recipient, region)
    found = await find_unnamed_to(tx, lane.name, recipients, now - UNNAMED_FOR)
    waiting = await find_open_to(tx, lane.name, recipients, now - UNNAMED_FOR)
    if not found or any(match.message_id != found[0].message_id for match in waiting):
        return Found.NOTHING  # one that was named waits, too: who knows under what name it is reported
    return found[0]


async def find_alike(tx: Tx, lane: Reporter, receipt: Receipt, region: str, now: datetime) -> Match | None:
    """The one segment to the handset whose reference begins with an id that was cut off, or is nearly the same."""
    given = [r for r, d in zip(receipt.references, receipt.dialects, strict=False) if d == AS_GIVEN]
    for reference in given:
        if len(reference) >= _SHORTEST_CUT:
            found = await find_by_prefix(tx, lane.name, reference)
            mine = [m for m in found if same_handset(m.recipient, receipt.recipient, strict=True)]
            if len(mine) == 1:
                return mine[0]
    if receipt.recipient is None:
        return None
    plain = {plain_id(reference) for reference in given} - {""}
    found = await find_open_to(tx, lane.name, _spell(receipt.recipient, region), now - UNNAMED_FOR)
    mine = [m for m in found if m.reference is not None and plain_id(m.reference) in plain]
    return mine[0] if len(mine) == 1 else None


async def find_unnamed(tx: Tx, lane: Reporter, receipt: Receipt, region: str, now: datetime) -> Match | Found:
    """The one segment that waits for a receipt from this handset; with two of them nobody can say which."""
    if receipt.recipient is None:
        return Found.NOTHING
    found = await find_open_to(tx, lane.name, _spell(receipt.recipient, region), now - UNNAMED_FOR)
    return found[0] if len(found) == 1 else Found.NOTHING


async def is_awaited(tx: Tx, channel: str, reported: str | None, *, beside: str = "") -> bool:
    """Whether another message than ``beside`` to a receipt's handset is on the wire: SMSCs give an id again."""
    return reported is not None and await is_sending_to(tx, channel, full_number(reported), beside=beside)


def full_number(reported: str) -> str:
    """A handset as a full number: many carriers write one, and do not say that it is one."""
    return f"+{reported.lstrip('+').removeprefix('00')}"


def _spell(reported: str, region: str) -> tuple[str, ...]:
    """How the store may spell a handset that a carrier wrote in full, or as people of the region write it."""
    return tuple(dict.fromkeys((reported, full_number(reported), *read_number(reported, region).people)))
