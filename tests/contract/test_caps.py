"""Caps on every engine, with two stores on one database: whatever happens, and in whatever order, none is passed."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from gateway.clock import truncate_ms
from gateway.errors import Conflict
from gateway.ids import KeyId
from gateway.model.lifecycle import Cause, PartCause, moved, part_moved
from gateway.model.message import ApiKey, Category, Message, MessageError, Scope, SegmentStatus
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.drafting import IntakeSettings
from gateway.pipeline.intake.drafts import AcceptedMessage
from gateway.pipeline.operator.verbs import cancel_message
from gateway.pipeline.sending.again import Counted, judge_again
from gateway.pipeline.sweep import Sweeper
from gateway.policy.chain import Chain, PersonRule
from gateway.policy.rules.frequency import Cap, Frequency
from gateway.policy.rules.opt_out import OptOut
from gateway.policy.rules.repeats import Repeats, RepeatsOf
from gateway.policy.subject import Subject
from gateway.routing.retry import RetryPolicy
from gateway.routing.shares import Shares
from gateway.settings.caps import parse_limit
from gateway.store.changes import Change, save_change
from gateway.store.messages import Whole, find_message, load_whole
from gateway.store.ports import Tx
from gateway.store.queue import claim_messages, find_due
from gateway.store.touches import (
    drop_touches,
    find_touches,
    forget_touches,
    put_off_touches,
    save_gone,
    save_touches,
    touch_of,
)
from tests.support.gateway import ManualClock
from tests.support.people import OPERATOR
from tests.support.stores import OpenStore

pytestmark = [pytest.mark.contract, pytest.mark.property]

A, B = "+8613800138000", "+8613800138001"
AT = datetime(2026, 12, 1, 12, tzinfo=UTC)
KEY = ApiKey(id=KeyId("k1"), name="shop", scopes=frozenset({Scope.SEND}), created_at=AT)


def subject(message_id: str, to: str = A, text: str | None = "x") -> Subject:
    return Subject(to, Category.MARKETING, AT, text, "acme", ("k1",), "sale", message_id=message_id)


async def ids(store: OpenStore, *, only_out: bool = False) -> set[str]:
    found = await store.read(lambda tx: find_touches(tx, [A, B], only_out=only_out))
    return {touch.message_id for touches in found.values() for touch in touches}


async def test_what_is_to_go_what_went_and_what_is_forgotten(store: OpenStore, other: OpenStore):
    to_go = [touch_of(subject(f"m{n}"), AT + timedelta(days=n), is_out=False) for n in range(3)]
    await store.write(lambda tx: save_touches(tx, to_go))
    found = await other.read(lambda tx: find_touches(tx, [A, B]))
    assert set(found) == {A}
    assert {touch.message_id: touch for touch in found[A]} == {
        one.touch.message_id: one.touch for one in to_go
    }
    # One had a touch before and one had none.
    gone = [touch_of(subject(i), AT, is_out=True) for i in ("m2", "new")]
    await other.write(lambda tx: save_gone(tx, gone))
    assert await ids(store, only_out=True) == {"m2", "new"}
    await store.write(
        lambda tx: put_off_touches(tx, [("m0", AT + timedelta(days=9)), ("m2", AT + timedelta(days=9))])
    )
    assert await store.write(lambda tx: forget_touches(tx, AT + timedelta(days=2), 10)) == 3
    assert await ids(store) == {"m0"}
    await store.write(lambda tx: drop_touches(tx, ["m0", "nobody"]))
    assert await ids(store) == set()


async def test_a_number_with_a_great_many_shows_its_latest_and_hides_nobody_elses(store: OpenStore):
    many = [touch_of(subject(f"m{n:05}"), AT + timedelta(seconds=n), is_out=True) for n in range(1_500)]
    await store.write(lambda tx: save_touches(tx, [*many, touch_of(subject("b", B), AT, is_out=True)]))
    found = await store.read(lambda tx: find_touches(tx, [A, B]))
    assert {touch.message_id for touch in found[A]} == {f"m{n:05}" for n in range(500, 1_500)}
    assert [touch.message_id for touch in found[B]] == ["b"]


class World:
    """Two gateways without channels on one database; the test is the network.

    Attributes:
        out: number and category -> when messages went out that the network did not refuse.
    """

    def __init__(
        self, stores: list[OpenStore], caps: tuple[Cap, ...], seed: int, repeats: tuple[RepeatsOf, ...] = ()
    ):
        self.rng = random.Random(seed)
        self.clock = ManualClock(AT)
        self.stores, self.caps = stores, caps
        persons: list[PersonRule] = [
            OptOut(),
            *([Repeats(kinds=repeats)] if repeats else []),
            Frequency(caps=caps),
        ]
        self.chain = Chain(persons=persons)
        settings = IntakeSettings("CN", {"c": ["default"]}, 600.0, chain=self.chain)
        self.intakes = [Intake(store, self.clock, settings) for store in stores]
        self.sweeper = Sweeper(
            stores[0],
            self.clock,
            None,  # type: ignore[arg-type]
            instance="i",
            policy=RetryPolicy(),
            shares=Shares(0),
        )
        self.accepted: dict[str, Message] = {}
        self.out: dict[tuple[str, Category], dict[str, datetime]] = defaultdict(dict)

    async def accept(self, to: str = A, *, on: int = 0, in_s: float = 0, **fields: object) -> Message:
        if in_s:
            fields["schedule_at"] = self.clock.now() + timedelta(seconds=in_s)
        request = msgspec.convert({"to": to, "text": "x", "category": "marketing", **fields}, MessageRequest)
        accepted = await self.intakes[on].accept(request, key=KEY)
        assert isinstance(accepted, AcceptedMessage)
        self.accepted[accepted.message.id] = accepted.message
        return accepted.message

    async def claim(self, *, on: int = 0, most: int = 10) -> list[str]:
        """What a channel is given; ids. Those that are due may be claimed by the other one at the same time."""
        await self.sweeper.promote_due()

        async def op(tx: Tx) -> list[Whole]:
            now, counted = truncate_ms(self.clock.now()), Counted()
            due = await find_due(tx, {"group:default": most}, now, to_claim=True)
            stopped = await judge_again(tx, self.chain, due, self.clock, counted)
            chosen = {one.message_id: "c" for one in due if one.message_id not in stopped}
            claimed = await claim_messages(tx, chosen, f"i{on}", now)
            await counted.keep(tx, [message.id for message, _ in claimed])
            return claimed

        claimed = await self.stores[on].write(op)
        for message, _ in claimed:
            self.out[message.recipient, message.category][message.id] = truncate_ms(self.clock.now())
        return [message.id for message, _ in claimed]

    async def refuse(self, message_id: str) -> None:
        """The network does not want it."""

        async def op(tx: Tx) -> None:
            ((message, segments),) = await load_whole(tx, [message_id], to_change=True)
            on_wire = next(s for s in segments if s.status is SegmentStatus.SENDING)
            error = MessageError(code="no", detail="No.")
            failed = part_moved(on_wire, PartCause.REFUSED, submitted_at=None, error=error)
            after = moved(message, Cause.REFUSED, error=error)
            await save_change(tx, Change(message, after, [(on_wire, failed)]))

        await self.stores[0].write(op)
        for times in self.out.values():
            times.pop(message_id, None)

    async def status(self, message_id: str) -> str:
        message = await self.stores[0].read(lambda tx: find_message(tx, message_id))
        assert message is not None
        return message.status.value

    def check(self) -> None:
        for (to, category), times in self.out.items():
            for cap in self.caps:
                if category not in cap.category:
                    continue
                ordered = sorted(times.values())
                for limit in cap.limits:
                    for first, last in zip(ordered, ordered[limit.most :], strict=False):
                        assert last - first >= timedelta(milliseconds=limit.per_ms), (to, category, limit)


def cap(limits: str, *, category: Category = Category.MARKETING, waits: bool = False) -> Cap:
    return Cap(limits=tuple(map(parse_limit, limits.split())), category=frozenset({category}), waits=waits)


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("seed", range(4))
async def test_no_stretch_has_too_many(store: OpenStore, other: OpenStore, seed: int, waits: bool):
    caps = (cap("2/60s 3/200s", waits=waits), cap("1/10s", category=Category.OTP, waits=waits))
    world = World([store, other], caps, seed)
    rng = world.rng

    async def accept() -> None:
        category = rng.choice(["marketing", "otp"])
        to, on, in_s = rng.choice([A, B]), rng.randrange(2), rng.choice([0, 0, 30, 90])
        await world.accept(to, on=on, in_s=in_s, category=category)

    async def cancel() -> None:
        if world.accepted:
            message_id = rng.choice(list(world.accepted))
            with suppress(Conflict):
                await cancel_message(rng.choice(world.stores), world.clock, message_id, by=OPERATOR)

    async def claim() -> None:
        for message_id in await world.claim(on=rng.randrange(2), most=rng.randint(1, 8)):
            if rng.random() < 0.2:
                await world.refuse(message_id)

    async def expire() -> None:
        await world.sweeper.expire()

    verbs: list[Callable] = [accept, accept, accept, claim, claim, cancel, expire]
    n_out = 0
    for _ in range(60):
        await asyncio.gather(*(rng.choice(verbs)() for _ in range(rng.randint(1, 5))))
        world.check()
        world.clock.advance(rng.choice([0, 0.5, 3, 11, 47]))
    n_out = sum(len(times) for times in world.out.values())
    assert n_out > 10, "the caps let as many go as they allow"


async def test_two_that_come_to_two_stores_at_once_are_one_too_many(store: OpenStore, other: OpenStore):
    world = World([store, other], (cap("1/h"),), 0)
    both = await asyncio.gather(world.accept(on=0), world.accept(on=1))
    assert sorted(message.status.value for message in both) == ["blocked", "queued"]
    (blocked,) = [message for message in both if message.status == "blocked"]
    assert blocked.error is not None
    assert blocked.error.code == "frequency_capped"


@pytest.mark.parametrize("how", ["canceled", "expired", "failed"])
async def test_the_place_of_one_that_never_went_out_is_free(store: OpenStore, other: OpenStore, how: str):
    world = World([store, other], (cap("1/d"),), 0)
    first = await world.accept(valid_for=60)
    assert (await world.accept(on=1)).status == "blocked"
    if how == "canceled":
        await cancel_message(other, world.clock, first.id, by=OPERATOR)
    elif how == "expired":
        world.clock.advance(61)
        await world.sweeper.expire()
    else:
        assert await world.claim() == [first.id]
        await world.refuse(first.id)
    assert await world.status(first.id) == how
    assert (await world.accept(on=1)).status == "queued"


async def test_what_went_out_counts_from_when_it_went(store: OpenStore, other: OpenStore):
    world = World([store, other], (cap("1/60s", waits=True),), 0)
    first, second = await world.accept(in_s=10), await world.accept(on=1, in_s=100)
    world.clock.advance(95)  # the first is late
    assert await world.claim() == [first.id]
    world.clock.advance(30)
    assert await world.claim(on=1) == []
    assert await world.status(second.id) == "queued"
    world.clock.advance(29)
    assert await world.claim(on=1) == []
    world.clock.advance(1)
    assert await world.claim(on=1) == [second.id]


async def test_of_several_in_one_claim_the_rest_is_left_for_the_next(store: OpenStore):
    world = World([store], (cap("1/60s", waits=True),), 0)
    first = await world.accept()
    second = await world.accept(in_s=1)
    await store.write(lambda tx: tx.execute("UPDATE messages SET hidden_until = NULL, status = 'queued'"))
    world.clock.advance(2)
    assert await world.claim() == [first.id]
    [(hidden,)] = await store.read(
        lambda tx: tx.fetch("SELECT hidden_until FROM messages WHERE id = ?", (second.id,))
    )
    assert hidden is None, "it would have its turn at once if the first could not go"
    await world.refuse(first.id)
    assert await world.claim() == [second.id]


async def test_a_repeated_text_is_refused_and_names_the_first(store: OpenStore, other: OpenStore):
    world = World([store, other], (), 0, repeats=(RepeatsOf(window_ms=60_000),))
    first = await world.accept(reference="a")
    second = await world.accept(reference="b", on=1)
    assert second.status == "blocked"
    assert second.error is not None
    assert second.error.code == "repeated_text"
    assert first.id in second.error.detail
    assert (await world.accept(text="another")).status == "queued"
    assert (await world.accept(B)).status == "queued"
    await world.claim()
    world.clock.advance(60)
    assert (await world.accept()).status == "queued"
