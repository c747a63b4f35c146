"""Inbound: parts stored and joined, keywords obeyed, the message stored; only then may the network forget it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import msgspec

from drivers.base import Encoding, InboundPart
from drivers.codec.reassembly import Joined, Moment, OpenSet, Part, choose_set, join_parts
from drivers.paced_log import PacedLog
from gateway.clock import Clock, truncate_ms
from gateway.ids import InboundId, make_id
from gateway.model.events import make_event
from gateway.model.message import InboundMessage
from gateway.model.msisdn import parse_address, read_number
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.operator.suppress import block_left
from gateway.pipeline.replies import KeywordPolicy, Replies, is_old
from gateway.pipeline.sending.lane import Lane
from gateway.pipeline.sending.waiting_for import Seek
from gateway.policy.rules.order import opt_out_of
from gateway.store.inbound import (
    PartSet,
    StoredPart,
    find_inbound,
    find_open_sets,
    find_repeated,
    find_stale_sets,
    finish_part,
    load_set,
    save_inbound,
    save_part,
    update_inbound,
)
from gateway.store.messages import find_latest_sent
from gateway.store.ports import Store, Tx
from gateway.telemetry.metrics import Metrics, labeled

T = TypeVar("T")

_log = PacedLog(__name__, most=100)

PART_WAIT = timedelta(hours=1)
"""How long a message waits for its missing parts; then it is given out as it is, and late parts still join it."""


STALE_SETS = 100
"""Sets of parts that are given out at a tick."""
STALE_AT_ONCE = 10
"""Sets of parts that are given out in one transaction; each has up to 255 parts."""


class Inbox:
    """Takes inbound parts of all channels.

    Args:
        region: how national numbers of senders are read.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        intake: Intake,
        policy: KeywordPolicy,
        region: str,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._replies = Replies(clock, intake, policy)
        self._region = region
        self._metrics = metrics

    def adopt(self, policy: KeywordPolicy) -> None:
        """Go by other keywords and replies from now on."""
        self._replies.policy = policy

    async def handle(self, lane: Lane, part: InboundPart) -> None:
        """Store one part and what it completes. Returns after the commit.

        Raises:
            StoreError: nothing was stored; the network must keep the part.
        """
        now = truncate_ms(self._clock.now())
        stored = self._stored(lane, part, now)
        n_messages, left = await self._store.write(lambda tx: self._with_rest(tx, self._take, stored))
        await self._block(left)
        lane.received += n_messages
        labeled(self._metrics.inbound, lane.name).inc(n_messages)

    def is_keyword(self, lane: Lane, part: InboundPart) -> bool:
        """Whether a part is a whole text that asks something of us."""
        stored = self._stored(lane, part, self._clock.now())
        return part.concat is None and self._replies.read(_join([stored]), complete=True).found is not None

    async def give_out_stale(self) -> int:
        """Give out messages whose missing parts did not come in time; how many."""
        before = self._clock.now() - PART_WAIT
        # Looked for beside the writers: all that waits is read for it, and a flood leaves much waiting.
        stale = await self._store.read(lambda tx: find_stale_sets(tx, before, STALE_SETS))
        n_given_out = 0
        for start in range(0, len(stale), STALE_AT_ONCE):
            some = stale[start : start + STALE_AT_ONCE]
            op = partial(self._with_rest, give=self._give_out_sets, what=some)
            n_messages, left = await self._store.write(op)
            n_given_out += n_messages
            await self._block(left)
        return n_given_out

    async def _with_rest(
        self, tx: Tx, give: Callable[[Tx, T, list[Seek]], Awaitable[int]], what: T
    ) -> tuple[int, list[Seek]]:
        """How many messages were given out, and what is left to be blocked by opt-outs among them."""
        left: list[Seek] = []
        return await give(tx, what, left), left

    async def _block(self, left: Sequence[Seek]) -> None:
        for seek in left:
            await block_left(self._store, self._clock, seek, opt_out_of(self._intake.settings.chain))

    async def _take(self, tx: Tx, part: StoredPart, left: list[Seek]) -> int:
        """Messages that were given out because of it, for the first time."""
        if part.concat_key is None:
            return await self._finish(tx, [part], left) if await save_part(tx, part) else 0
        sets = await find_open_sets(tx, part.concat_key, part.part)
        chosen = _choose(part, sets)
        part = part._replace(set_id=chosen.set_id if chosen else part.id)
        if not await save_part(tx, part):
            return 0  # the same part again: it is ours already
        n_given_out = 0 if chosen else await self._give_out(tx, part.concat_key, left)
        parts = await load_set(tx, part.set_id or "")
        if chosen and chosen.inbound_id is not None:
            return await self._amend(tx, chosen.inbound_id, parts, left)
        return n_given_out + (await self._finish(tx, parts, left) if len(parts) == part.total else 0)

    async def _give_out(self, tx: Tx, concat_key: str | None, left: list[Seek]) -> int:
        """Give out what has waited long enough under a key; how many messages."""
        before = self._clock.now() - PART_WAIT
        return await self._give_out_sets(
            tx, await find_stale_sets(tx, before, STALE_AT_ONCE, concat_key), left
        )

    async def _give_out_sets(self, tx: Tx, set_ids: Sequence[str], left: list[Seek]) -> int:
        n = 0
        for set_id in set_ids:
            parts = await load_set(tx, set_id, waiting=True)
            if not parts:
                continue  # its last part came meanwhile
            repeated = await find_repeated(tx, parts)
            if repeated is None:
                await self._finish(tx, parts, left)
                n += 1
            else:
                # The network repeated a piece of a message that we have. (Had all of it come twice, it would be two.)
                await finish_part(tx, parts[0], repeated)
        return n

    def _stored(self, lane: Lane, part: InboundPart, now: datetime) -> StoredPart:
        concat = part.concat
        recipient = parse_address(part.recipient, self._region) if part.recipient else lane.number
        key = None
        if concat is not None:
            sender, to = parse_address(part.sender, self._region), part.recipient or lane.number or ""
            key = f"{lane.name}|{sender}|{to}|{concat.width}|{concat.reference}|{concat.total}"
        return StoredPart(
            id=make_id(),
            channel=lane.name,
            sender=part.sender,  # as it came: what else it may mean can't be told from its one spelling
            recipient=recipient,
            encoding=part.encoding.value,
            payload=part.payload,
            concat_key=key,
            part=concat.part if concat else 1,
            total=concat.total if concat else 1,
            network_time=part.network_time,
            received_at=now,
            dedupe_key=part.dedupe_key,
            kind=part.kind,
        )

    async def _finish(self, tx: Tx, parts: Sequence[StoredPart], left: list[Seek]) -> int:
        """Give out the message that parts make, whole or not."""
        first = parts[0]
        complete = len(parts) == first.total
        said = self._replies.read(_join(parts), complete=complete, kind=parts[0].kind)
        reading = read_number(first.sender, self._region)
        answered = None
        if not first.kind and not is_old(first.network_time, first.received_at):
            answered = await find_latest_sent(tx, reading.spellings, first.channel)
        message = InboundMessage(
            id=InboundId(make_id()),
            sender=reading.number or first.sender,
            recipient=first.recipient,
            channel=first.channel,
            text=said.joined.text,
            data=said.joined.data,
            encoding=said.joined.encoding.value,
            parts=first.total,
            complete=complete,
            received_at=truncate_ms(self._clock.now()),
            network_time=first.network_time,
            keyword=said.found[0] if said.found else None,
            in_reply_to=answered.id if answered else None,
            kind=first.kind,
            flag=said.flag,
        )
        await save_inbound(tx, message)
        await finish_part(tx, first, message.id)
        tx.record(make_event("inbound.received", message.received_at, message.id, message))
        await self._replies.answer(tx, message, reading, said.found, left)
        return 1

    async def _amend(self, tx: Tx, inbound_id: str, parts: Sequence[StoredPart], left: list[Seek]) -> int:
        """Put a late part into the message that was given out without it."""
        message = await find_inbound(tx, inbound_id)
        if message is None:  # it was removed; what is known is news again
            return await self._finish(tx, parts, left)
        complete = len(parts) == message.parts
        said = self._replies.read(_join(parts), complete=complete, kind=parts[0].kind)
        message = msgspec.structs.replace(
            message,
            text=said.joined.text,
            data=said.joined.data,
            encoding=said.joined.encoding.value,
            complete=complete,
            keyword=said.found[0] if said.found else None,
            flag=said.flag,
        )
        await update_inbound(tx, message)
        await finish_part(tx, parts[0], message.id)
        tx.record(make_event("inbound.updated", truncate_ms(self._clock.now()), message.id, message))
        reading = read_number(parts[0].sender, self._region)
        await self._replies.answer(tx, message, reading, said.found, left)
        return 0


def _choose(part: StoredPart, sets: Sequence[PartSet]) -> PartSet | None:
    open_sets = [OpenSet(s.set_id, Moment(s.network_time, s.received_at)) for s in sets]
    set_id = choose_set(Moment(part.network_time, part.received_at), open_sets)
    return next((s for s in sets if s.set_id == set_id), None)


def _join(parts: Sequence[StoredPart]) -> Joined:
    return join_parts([Part(p.part, Encoding(p.encoding), p.payload) for p in parts], parts[0].total)
