"""Schedule: claim what is due for the channels that have room, and hand it to dispatch.

What can be taken and how long to sleep are one answer, from one reading of the clock (`Scheduler.look`): the loop
sleeps only when no channel has room for what may wait, and never longer than until one may have.

One loop serves all channels: while a claim is being committed more messages and more room gather, so that
under load each commit moves many messages, and at rest one moves at once.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from drivers.broken import where_broke
from gateway.clock import Clock, read, truncate_ms
from gateway.errors import StoreError
from gateway.model.events import message_event
from gateway.model.lifecycle import Cause
from gateway.model.message import Message, Segment, SegmentStatus
from gateway.pipeline.sending.again import Counted, judge_again
from gateway.pipeline.sending.directory import rotate
from gateway.pipeline.sending.due import choose_for, find_for
from gateway.pipeline.sending.ending import EXPIRED, end_messages
from gateway.pipeline.sending.lane import Lane
from gateway.pipeline.sending.poison import SetAside
from gateway.pipeline.sending.switch import find_stuck
from gateway.pipeline.sending.turns_of_age import DEFAULT_PATIENCE, Patience, TurnsOfAge
from gateway.policy.chain import Chain
from gateway.policy.rules.order import ALWAYS
from gateway.routing.balancer import Taker, unfilled
from gateway.routing.budgets import URGENT, Need
from gateway.routing.order import FIRST_AFTER_EMERGENCY, split_rank
from gateway.routing.retry import DEFAULT_POLICY, RetryPolicy
from gateway.routing.shares import Shares
from gateway.routing.troubles import Held, Number, Troubles
from gateway.store.leases import find_held
from gateway.store.poison import find_ready_ids
from gateway.store.ports import Store, Tx
from gateway.store.queue import Due, claim_messages, find_due_among, hold_recipient
from gateway.store.routes import save_sticky
from gateway.store.shares import find_passed_over

_log = logging.getLogger(__name__)

MAX_CLAIM = 150
"""Messages claimed in one transaction."""
ON_WIRE_S = 5.0
"""So long others wait at first while one message tries a number in trouble; its outcome ends that, or prolongs it."""
STORE_RETRY_S = 1.0
"""Pause after the store failed (a full disk); what was accepted waits in it."""

_TO_SEND = {SegmentStatus.QUEUED, SegmentStatus.SENDING}


class Claim(NamedTuple):
    """A message given to a channel; its first waiting segment is marked as sending.

    Args:
        segments: all of the message's, by part.
    """

    message: Message
    segments: list[Segment]
    lane: Lane


class Scheduler:
    """Claims for all lanes; messages may come yet to those of ``claiming``.

    Args:
        lanes: every channel; asked again each time.
        start: takes each claim; must not block.
        instance: this daemon's id; owner of what it claims.
        troubles: the numbers whose messages fail.
        shares: told what is served, for those who join their lines.
        patience: when what waits behind others is helped.
        policy: of messages on which a claim breaks.
        sticky: the rules that remember the channel of each recipient, and for how many seconds.

    Attributes:
        chain: the rules that are asked again; may be replaced.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        lanes: Collection[Lane],
        start: Callable[[Claim], None],
        instance: str,
        troubles: Troubles,
        shares: Shares,
        patience: Patience = DEFAULT_PATIENCE,
        policy: RetryPolicy = DEFAULT_POLICY,
        sticky: Callable[[], Mapping[str, float]] = dict,
        chain: Chain = ALWAYS,
    ) -> None:
        self.chain = chain
        self._set_aside = SetAside(store, clock, policy)
        self._sticky = sticky
        self._shares = shares
        self._turns_of_age = TurnsOfAge(patience)
        self._store = store
        self._clock = clock
        self._lanes = lanes
        self._n_looks = 0
        self.claiming: frozenset[str] = frozenset()
        self._start = start
        self._instance = instance
        self._troubles = troubles
        self._wake = asyncio.Event()
        self._stopped = False

    def adopt(self, patience: Patience, policy: RetryPolicy) -> None:
        """Help what waits behind others by another measure from now on; and see `SetAside`."""
        self._turns_of_age.patience = patience
        self._set_aside.policy = policy

    def wake(self, queues: AbstractSet[str] | None = None) -> None:
        """Look at the lanes that serve these queues, by default at all.

        The store calls it for whatever became claimable (`gateway.store.ports.Store.on_claimable`); others only when a
        channel may take again what it could not.
        """
        for lane in self._lanes:
            lane.filled = lane.filled or queues is None or not queues.isdisjoint(lane.queues)
        self._wake.set()

    def release(self, lane: Lane) -> None:
        """A lane has finished a message; look again if the queue may hold more for it."""
        lane.filled = lane.filled or lane.budget is not None  # it kept back what was not used in the end
        if lane.filled:
            self._wake.set()

    def stop(self) -> None:
        """Claim no more; what is claimed goes on."""
        self._stopped = True
        self._wake.set()

    async def run(self) -> None:
        """Claim until stopped. Cancel: a claim may be committed and not started; the sweep finds it."""
        while not self._stopped:
            self._wake.clear()
            takers, pause_s = self.look()
            if takers:
                try:
                    await self._claim_for(takers)
                except StoreError as exc:
                    await self._wait_for_store(exc)
                except Exception as exc:  # noqa: BLE001 - a supervisor: one message must not stop the others
                    await self._claim_apart(exc)
                self.claiming = frozenset()
                # Give the tasks just started the loop, so that their results join the next commit.
                await asyncio.sleep(0)
            else:
                await self._sleep(pause_s)

    def look(self) -> tuple[list[Taker], float]:
        """The channels that have room for what may wait; when there are none, for how long to sleep.

        The pause ends when time may give a channel room. It is infinite only where nothing can change but by an event,
        and every event wakes the loop. A timer that is early finds what is left of the pause.
        """
        at = read(self._clock)
        self._n_looks += 1
        takers, pause_s = [], math.inf
        for lane in rotate(list(self._lanes), self._n_looks):  # equals take turns
            room = lane.room(at)
            lane.filled = lane.has_opened(at.monotonic) or lane.filled
            if not lane.filled:
                pause_s = min(pause_s, lane.changes_in_s(at))
            elif room.free > 0:
                ahead = lane.in_flight >= lane.driver.capacity
                takers.append((ahead, lane.taker(min(room.free, MAX_CLAIM), at)))
            else:
                pause_s = min(pause_s, room.again_in_s)
        # Those that would only claim ahead come last among equals.
        return [taker for _, taker in sorted(takers, key=itemgetter(0))], pause_s

    async def _wait_for_store(self, exc: StoreError) -> None:
        _log.warning("cannot claim messages, trying again in %g s: %s", STORE_RETRY_S, exc)
        await asyncio.sleep(STORE_RETRY_S)
        self.wake()

    async def _claim_apart(self, broke: Exception) -> None:
        """A claim broke: claim one message after the other, and put aside those that make it break."""
        _log.error("a claim broke; messages are claimed one by one: %s", where_broke(broke))
        queues = {queue for lane in self._lanes for queue in lane.queues}
        try:
            ids = await self._store.read(lambda tx: find_ready_ids(tx, queues, MAX_CLAIM))
            if not await self._set_aside.do_apart(dict.fromkeys(ids), self._claim_one, "claim"):
                await asyncio.sleep(STORE_RETRY_S)  # it is none of them: not again at full speed
            self.wake()
        except StoreError as exc:
            await self._wait_for_store(exc)
        except Exception as exc:  # noqa: BLE001 - it can't even be set aside; the others go on
            _log.error("a message could not be set aside: %s", where_broke(exc))
            await asyncio.sleep(STORE_RETRY_S)
            self.wake()

    async def _claim_one(self, message_id: str) -> None:
        self.wake()
        takers, _ = self.look()
        if takers and not self._stopped:
            await self._claim_for(takers, only=message_id)

    async def _sleep(self, pause_s: float) -> None:
        try:
            # Awake in the very next turn of the loop: the claim must join the commit that is being gathered.
            async with asyncio.timeout(pause_s if pause_s < math.inf else None):
                await self._wake.wait()
        except TimeoutError:
            self.note_time()

    def note_time(self) -> None:
        """Time has passed: a period of a budget may have begun, and what it refused may go now."""
        for lane in self._lanes:
            if lane.budget is not None:
                lane.filled = True
        self._wake.set()

    async def _claim_for(self, takers: list[Taker], only: str | None = None) -> None:
        lanes = {lane.name: lane for lane in self._lanes}
        self.claiming = frozenset(taker.name for taker in takers)
        for taker in takers:
            lanes[taker.name].filled = False  # before the claim: what is accepted meanwhile sets it again
        # A claim is made on the store's thread, where nothing of ours may be read.
        under_way = self._under_way()
        leases = {t.name: epoch for t in takers if (epoch := lanes[t.name].lease) is not None}
        wanted = self._turns_of_age.wanted({queue for taker in takers for queue in taker.queues})
        op = partial(
            self._claim,
            takers=takers,
            leases=leases,
            under_way=under_way,
            aged=wanted,
            sticky=self._sticky(),
            chain=self.chain,
            only=only,
        )
        claimed, stopped = await self._store.write(op, n_rows=sum(taker.free for taker in takers))
        self._note_served(claimed)
        given = dict.fromkeys((taker.name for taker in takers), 0)
        for message, segments, name, _ in claimed:
            lane = lanes[name]
            n_left = sum(s.status in _TO_SEND for s in segments)
            lane.begin(message.id, Need(message.recipient, n_left, message.category in URGENT))
            given[name] += 1
            self._start(Claim(message, segments, lane))
        for taker in takers:
            if given[taker.name] >= taker.free or stopped:
                lanes[taker.name].filled = True

    def _note_served(self, claimed: Iterable[tuple[Message, list[Segment], str, int]]) -> None:
        for message, _, _, rank in claimed:
            aged = rank == FIRST_AFTER_EMERGENCY
            self._turns_of_age.note(message.queue, aged=aged)
            if not aged:
                self._shares.note_served(message.queue, *split_rank(rank))

    async def find_claimable(self) -> Counter[str]:
        """Channel -> messages that it could be given now, whatever the loop believes; nothing is claimed."""
        at = read(self._clock)
        rooms = [(lane, lane.room(at).free) for lane in self._lanes]
        takers = [lane.taker(min(free, MAX_CLAIM), at) for lane, free in rooms if free > 0]
        if not takers:
            return Counter()
        due, _ = await self._store.read(lambda tx: find_for(tx, takers, at.wall))
        held = {hold.message_id for hold in self._held(due.values(), self._under_way())}
        return Counter(choose_for(due, held, takers, at.wall).values())

    async def _claim(
        self,
        tx: Tx,
        takers: list[Taker],
        leases: Mapping[str, int],
        under_way: AbstractSet[str],
        aged: Mapping[str, int],
        sticky: Mapping[str, float],
        chain: Chain,
        only: str | None = None,
    ) -> tuple[list[tuple[Message, list[Segment], str, int]], int]:
        """Claimed messages with their channels' names and their ranks, and how many were stopped or held instead.

        Only for channels that this instance runs: a lease may have been lost that its lane still believes in.

        Args:
            aged: how many of each queue may go before their turn because they have waited so long.
            only: the message that may be claimed; None for all.
        """
        now = truncate_ms(self._clock.now())
        held = await find_held(tx, self._instance, leases)
        takers = [taker for taker in takers if taker.name in held]
        if only is None:
            due, more = await find_for(tx, takers, now, to_claim=True)
        else:
            due, more = {one.message_id: one for one in await find_due_among(tx, [only], now)}, False
        if more and aged:
            due |= await self._find_aged(tx, aged, now)
        if not due:
            return [], 0
        counted = Counted()
        ended = await self._stop(tx, due.values(), now, under_way, chain, counted)
        channels = choose_for(due, ended, takers, now, may_avoid=more)
        if more and (short := unfilled(takers, channels)):
            # A budget refused what came first, or messages to it have just failed; others may wait behind.
            found, _ = await find_for(tx, short, now, behind=True, to_claim=True)
            behind = {i: d for i, d in found.items() if i not in due}
            due |= behind
            ended |= await self._stop(tx, behind.values(), now, under_way, chain, counted)
            channels = choose_for(due, ended, takers, now)
        claimed = []
        for message, parts in await claim_messages(tx, channels, self._instance, now):
            on_wire = next(s for s in parts if s.status is SegmentStatus.SENDING)
            tx.record(message_event(message, now, part=on_wire.part, attempt=on_wire.attempts))
            claimed.append((message, parts, channels[message.id], due[message.id].candidate.rank))
        await counted.keep(tx, [message.id for message, *_ in claimed])
        if sticky:
            await save_sticky(tx, find_stuck([message for message, *_ in claimed], sticky, now))
        return claimed, len(ended) if claimed else len(ended - counted.left)

    async def _find_aged(self, tx: Tx, wanted: Mapping[str, int], now: datetime) -> dict[str, Due]:
        """Those that others went before for too long, by id, with the rank that they have for once."""
        found: list[Due] = []
        for queue, n in wanted.items():
            since = now - timedelta(seconds=self._turns_of_age.patience.after_s)
            ids = await find_passed_over(tx, queue, since, n)
            found += await find_due_among(tx, ids, now)
        return {
            due.message_id: due._replace(candidate=due.candidate._replace(rank=FIRST_AFTER_EMERGENCY))
            for due in found
        }

    async def _stop(
        self,
        tx: Tx,
        due: Collection[Due],
        now: datetime,
        under_way: AbstractSet[str],
        chain: Chain,
        counted: Counted,
    ) -> set[str]:
        """End those that may no longer be sent, put off those that may not go now; the ids of both."""
        expired = [d.message_id for d in due if d.expired]
        await end_messages(tx, expired, Cause.EXPIRED, EXPIRED, self._clock)
        alive = [d for d in due if not d.expired]
        ended = {*expired, *await judge_again(tx, chain, alive, self._clock, counted)}
        held = self._held((d for d in due if d.message_id not in ended), under_way)
        for number, urgent, besides, for_s in {(h.number, h.urgent, h.besides, h.for_s) for h in held}:
            until = truncate_ms(now + timedelta(seconds=for_s))
            await hold_recipient(tx, number, now, until, urgent=urgent, besides=besides)
        return ended | {hold.message_id for hold in held}

    def _under_way(self) -> AbstractSet[str]:
        """Recipients that a message is being sent to; none while no number is in trouble."""
        return {r for lane in self._lanes for r in lane.recipients_under_way} if self._troubles else set()

    def _held(self, due: Iterable[Due], under_way: AbstractSet[str]) -> list[Held]:
        """Those whose number is in trouble, and must be left alone for a while or is being tried just now."""
        if not self._troubles:
            return []
        now, held = self._clock.monotonic(), []
        tries: dict[Number, str] = {}
        for d in sorted(due, key=lambda d: (d.candidate.rank, d.message_id)):
            urgent = d.category in URGENT
            number = Number(d.candidate.queue, d.recipient)
            for_s = self._troubles.left_s(number, now, urgent=urgent)
            if for_s == 0 and (d.recipient in under_way or number in tries):
                for_s = ON_WIRE_S
            if for_s:
                held.append(Held(d.message_id, number, urgent, tries.get(number), for_s))
            elif for_s is not None:
                tries[number] = d.message_id
        return held
