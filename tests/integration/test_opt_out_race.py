"""Opt-outs at random moments: once one is committed no segment of marketing to its number is handed to a channel."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.base import OutboundSegment, SubmitResult
from gateway.model.msisdn import read_number
from gateway.pipeline.operator.suppress import opt_out
from gateway.policy.rules.opt_out import OptOut
from gateway.store.ports import Store, Tx
from gateway.store.postgres.engine import PostgresStore
from gateway.store.target import Target
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import Rig, running
from tests.support.people import OPERATOR
from tests.support.stores import databases_for_files, open_at

pytestmark = pytest.mark.integration

N_NUMBERS = 40
N_EACH = 5
LONG = "promo " * 40
"""Of two segments."""


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """The engine that `open_at` opens."""
    if request.param == "postgres":
        with databases_for_files(request.getfixturevalue("postgres_cluster")):
            yield request.param
    else:
        yield request.param


class Slow(ScriptedDriver):
    """Answers after a few turns of the loop, so that much is under way at any time."""

    def __init__(self, name: str, note: Callable[[OutboundSegment], None], *, capacity: int):
        super().__init__(name, capacity=capacity)
        self._note = note
        self._dice = random.Random(name)

    async def submit(self, segment: OutboundSegment) -> SubmitResult:
        """From its first step on the segment is with the channel."""
        self._note(segment)
        for _ in range(self._dice.randrange(400)):
            await asyncio.sleep(0)
        return await super().submit(segment)


class Race:
    """What started when, and who had opted out by then.

    Attributes:
        late: recipients that something was started to although their opt-out was committed.
    """

    def __init__(self) -> None:
        self.out: set[str] = set()
        self.late: list[str] = []
        self.n_started = 0

    def note(self, segment: OutboundSegment) -> None:
        """A channel is given a segment."""
        self.n_started += 1
        if segment.recipient in self.out:
            self.late.append(segment.recipient)

    async def opt_out(self, store: Store, rig: Rig, number: str) -> None:
        """By a store of this process, or of another one."""
        await opt_out(store, rig.clock, read_number(number, "CN"), by=OPERATOR, source="api", rule=OptOut())
        self.out.add(number)


async def test_nothing_starts_to_a_number_once_its_opt_out_is_committed(tmp_path: Path, engine: str):
    race, dice = Race(), random.Random(engine)
    drivers = [Slow("smsc", race.note, capacity=10), Slow("sim", race.note, capacity=1)]
    numbers = [f"+86{13_700_000_000 + n}" for n in range(N_NUMBERS)]
    async with running(tmp_path / "s.db", *drivers, started=False, exclusive=False) as rig:
        other = await open_at(tmp_path / "s.db") if engine == "postgres" else rig.store
        try:
            sent = [
                await rig.send(number, dice.choice(["promo", LONG]), category="marketing")
                for number in dice.sample(numbers * N_EACH, N_NUMBERS * N_EACH)
            ]
            await rig.start()
            waiting = dice.sample(numbers, N_NUMBERS // 2)
            while waiting:
                for _ in range(dice.randrange(60)):
                    await asyncio.sleep(0)
                some = [waiting.pop() for _ in range(min(len(waiting), dice.randrange(1, 4)))]
                await asyncio.gather(
                    *(race.opt_out(dice.choice([rig.store, other]), rig, one) for one in some)
                )
            for message in sent:
                await rig.until(lambda one=message: is_over(rig, one.id))  # type: ignore[misc]
        finally:
            if other is not rig.store:
                await other.close()
        ended = [await rig.message(message.id) for message in sent]
    assert race.late == []
    assert race.n_started > N_NUMBERS
    stopped = [message for message in ended if message.status == "blocked"]
    assert stopped
    assert {message.recipient for message in stopped} <= race.out


async def is_over(rig: Rig, message_id: str) -> bool:
    return (await rig.message(message_id)).status in {"sent", "blocked"}


async def test_an_opt_out_of_another_process_waits_until_who_looked_has_started(postgres_url: str):
    looking, other = [await PostgresStore.open(Target(postgres_url)) for _ in range(2)]
    order: list[str] = []

    async def stop(tx: Tx) -> None:
        await tx.stop(["+8613700000001"])

    async def use(_found: None) -> None:
        stopping.append(asyncio.create_task(other.write(stop)))
        stopping[0].add_done_callback(lambda _: order.append("stopped"))
        while not await looking.read(find_waiting):
            pass
        order.append("started")

    async def find_waiting(tx: Tx) -> int:
        rows = await tx.fetch("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return int(rows[0][0])

    async def look(_tx: Tx) -> None:
        pass

    stopping: list[asyncio.Task[None]] = []
    await looking.read_steady(look, use)
    await stopping[0]
    assert order == ["started", "stopped"]
    for store in (looking, other):
        await store.close()
