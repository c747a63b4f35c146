"""Long random lives of a gateway over two moody channels; the promises hold at every moment of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count, pairwise
from pathlib import Path

import pytest

from drivers.base import Accepted, FaultKind, OutboundSegment, ReceiptState, SubmitResult, Uncertain
from gateway.errors import Conflict
from gateway.model.lifecycle import RESENDABLE, TERMINAL, TRANSITIONS
from gateway.model.message import Message
from gateway.model.message import MessageStatus as M
from gateway.pipeline.operator.verbs import cancel_message
from gateway.routing.retry import RetryPolicy
from gateway.store.messages import MessageFilter
from tests.support.fake_driver import ScriptedDriver, accepted, refused, uncertain
from tests.support.gateway import START, ManualClock, Rig, ScriptedChannel, receipt, running
from tests.support.optouts import opt_in, opt_out
from tests.support.people import OPERATOR
from tests.support.product import list_messages, resend_message

pytestmark = pytest.mark.property

PEOPLE = ["+8613800138000", "+8613800138001", "+8613900139002"]
N_STEPS = 80
RESENT = "resent"


class World:
    """What really happened: the memory that the gateway is held against.

    Attributes:
        history: per message, in order: ``(part, channel, result)`` of each submit, or ``RESENT``.
        suppressed: who wants no marketing.
        references: what receipts may name, with their channel and recipient.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = ManualClock()
        self.history: dict[str, list[tuple[int, str, SubmitResult] | str]] = {}
        self.marketing: set[str] = set()
        self.suppressed: set[str] = set()
        self.references: list[tuple[str, str, str]] = []
        self.kind = True
        self._n = count(1)

    def driver(self, name: str) -> ScriptedDriver:
        """A channel whose every answer is a throw of the dice."""
        driver = ScriptedDriver(name, capacity=3)
        driver.script = Dice(self, name)  # type: ignore[assignment]
        return driver

    def answer(self, channel: str, segment: OutboundSegment) -> SubmitResult:
        """Throw the dice for one segment, and remember."""
        message_id, _, part = segment.segment_id.partition(":")
        assert not (message_id in self.marketing and segment.recipient in self.suppressed)
        result = self._throw(channel, segment)
        self.history.setdefault(message_id, []).append((int(part), channel, result))
        return result

    def _throw(self, channel: str, segment: OutboundSegment) -> SubmitResult:
        mood = 0.0 if self.kind else self.rng.random()
        if mood < 0.6:
            # As on a SIM: a small number that comes round again.
            reference = str(next(self._n) % 50)
            self.references.append((channel, reference, segment.recipient))
            return accepted(reference)
        if mood < 0.7:
            return uncertain()
        kinds = [FaultKind.TEMPORARY, FaultKind.CHANNEL, FaultKind.THROTTLED, FaultKind.PERMANENT]
        return refused(self.rng.choice(kinds))


class Dice:
    """Stands in for a script: one more step, for ever."""

    def __init__(self, world: World, channel: str) -> None:
        self._world, self._channel = world, channel

    def popleft(self) -> object:
        return lambda segment: self._world.answer(self._channel, segment)


@pytest.mark.parametrize("seed", range(12))
async def test_the_promises_hold_whatever_happens(tmp_path: Path, seed: int):
    world = World(seed)
    world.kind = False
    for _ in range(3):  # lives of the daemon; each ends with whatever was under way
        async with open_rig(tmp_path / "s.db", world) as (rig, drivers):
            for _ in range(N_STEPS // 3):
                await step(world, rig, drivers)
            await rig.settled()
            await check(world, rig)
    world.kind = True
    async with open_rig(tmp_path / "s.db", world) as (rig, _):
        for _ in range(12):
            await rig.advance(2_000.0)
            await rig.settled()
        await check(world, rig)
        for message in await everything(rig):
            assert message.status in TERMINAL | {M.SENT, M.UNCERTAIN}, "nothing waits for ever"


@asynccontextmanager
async def open_rig(path: Path, world: World) -> AsyncIterator[tuple[Rig, dict[str, ScriptedDriver]]]:
    drivers = {name: world.driver(name) for name in ("sim", "bind")}
    channels = (ScriptedChannel(driver=drivers["sim"], kind="modem"), ScriptedChannel(driver=drivers["bind"]))
    async with running(path, *channels, policy=RetryPolicy(max_attempts=3), clock=world.clock) as rig:
        yield rig, drivers


async def everything(rig: Rig) -> list[Message]:
    return await rig.store.read(lambda tx: list_messages(tx, MessageFilter(), limit=1_000, before=None))


async def step(world: World, rig: Rig, drivers: dict[str, ScriptedDriver]) -> None:
    """One thing that may happen to a gateway."""
    happens = world.rng.choices(list(EVENTS), list(EVENTS.values()))[0]
    await happens(world, rig, drivers)
    if world.rng.random() < 0.3:
        await asyncio.sleep(0)
    else:
        await rig.settled()


async def a_message_comes(world: World, rig: Rig, _drivers: object) -> None:
    rng = world.rng
    fields: dict[str, object] = {
        "category": rng.choice(["otp", "marketing"]),
        "priority": rng.randrange(10),
        "channel": rng.choice(["sim", "bind", *[None] * 8]),
        "valid_for": rng.choice([600, *[None] * 8]),
        "schedule_at": rng.choice([world.clock.now() + (world.clock.now() - START) / 4, *[None] * 4]),
    }
    message = await rig.send(rng.choice(PEOPLE), "雁" * rng.choice([1, 100, 150]), **fields)
    if message.category == "marketing":
        world.marketing.add(message.id)


async def a_receipt_comes(world: World, _rig: Rig, drivers: dict[str, ScriptedDriver]) -> None:
    if world.references:
        channel, reference, to = world.rng.choice(world.references[-8:])
        state = world.rng.choice([*ReceiptState, *[ReceiptState.DELIVERED] * 4])
        await drivers[channel].report(receipt(reference, to=to, state=state))


async def time_goes_by(world: World, rig: Rig, _drivers: object) -> None:
    await rig.advance(world.rng.choice([1.0, 30.0, 2_000.0]))


async def somebody_cancels(world: World, rig: Rig, _drivers: object) -> None:
    with suppress(Conflict, IndexError):
        await cancel_message(rig.store, rig.clock, world.rng.choice(await everything(rig)).id, by=OPERATOR)


async def somebody_resends(world: World, rig: Rig, _drivers: object) -> None:
    await rig.settled()
    with suppress(Conflict, IndexError):
        chosen = world.rng.choice(await everything(rig)).id
        await resend_message(rig.store, rig.clock, chosen, by=OPERATOR)
        world.history.setdefault(chosen, []).append(RESENT)


async def somebody_opts_out_or_in(world: World, rig: Rig, _drivers: object) -> None:
    await rig.settled()
    who = world.rng.choice(PEOPLE)
    if who in world.suppressed:
        world.suppressed.discard(who)
        await opt_in(rig.store, rig.clock, who, source="api")
    else:
        await opt_out(rig.store, rig.clock, who, source="api")
        world.suppressed.add(who)


async def a_channel_comes_or_goes(world: World, _rig: Rig, drivers: dict[str, ScriptedDriver]) -> None:
    driver = world.rng.choice(list(drivers.values()))
    await (driver.come_up() if world.rng.random() < 0.6 else driver.go_down())


EVENTS = {
    a_message_comes: 4,
    a_receipt_comes: 4,
    time_goes_by: 2,
    somebody_cancels: 1,
    somebody_resends: 1,
    somebody_opts_out_or_in: 1,
    a_channel_comes_or_goes: 1,
}
"""What may happen, and how often."""


async def check(world: World, rig: Rig) -> None:
    """Hold the store against what really happened."""
    for message in await everything(rig):
        history = world.history.get(message.id, [])
        segments = await rig.segments(message.id)
        states = [M(state) for state in await rig.states(message.id)]
        assert states[-1] is message.status
        for old, new in pairwise(states):
            resent = new is M.QUEUED and old in RESENDABLE
            assert new in TRANSITIONS[old] or resent, f"{old} -> {new}"
        assert not any(old in TERMINAL and new is not M.QUEUED for old, new in pairwise(states))
        _check_submits(history)
        out = [s for s in segments if s.status in {"sent", "delivered"}]
        assert len({s.channel for s in out}) <= 1, "the handset joins parts by their sender"
        if message.status in {M.SENT, M.DELIVERED}:
            assert len(out) == message.n_segments
        if message.status is M.UNDELIVERED:
            assert message.error is not None
        for segment in out:
            results = [h[2] for h in history if not isinstance(h, str) and h[0] == segment.part]
            assert isinstance(results[-1], Accepted | Uncertain), "what is said to be out was handed over"


def _check_submits(history: list[tuple[int, str, SubmitResult] | str]) -> None:
    """No segment again that may be out, unless an operator said so; parts in order."""
    out: set[int] = set()
    for entry in history:
        if isinstance(entry, str):
            out.clear()
            continue
        part, _, result = entry
        assert part not in out, "a segment went out twice"
        if isinstance(result, Accepted | Uncertain):
            out.add(part)
