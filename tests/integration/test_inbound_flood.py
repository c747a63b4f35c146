"""One sender, one reference, and first parts without end: what each costs does not grow with how many came before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.pipeline.inbound import PART_WAIT
from gateway.store.sqlite.engine import SqliteStore
from tests.integration.test_pipeline_inbound import part_of
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import START, Rig, running

pytestmark = pytest.mark.integration

_EVERY = 100


class Steps:
    """Counts what the store's engine works, in its own steps: the same on each machine."""

    def __init__(self, rig: Rig) -> None:
        self.n = 0
        assert isinstance(rig.store, SqliteStore)
        rig.store._db.set_progress_handler(self._note, _EVERY)

    def _note(self) -> int:
        self.n += _EVERY
        return 0

    async def of(self, job: Callable[[], Awaitable[object]]) -> int:
        before = self.n
        await job()
        return self.n - before


async def test_a_flood_of_first_parts_costs_each_time_the_same(tmp_path: Path):
    driver = ScriptedDriver("sim")
    async with running(tmp_path / "s.db", driver) as rig:
        steps = Steps(rig)

        async def more(n: int) -> None:
            for i in range(n):
                await driver.report(part_of(1, 2, f"part {steps.n} {i}", sent_at=START))

        await more(200)
        early = await steps.of(lambda: more(50))
        await more(400)
        assert await steps.of(lambda: more(50)) < 2 * early
        # Once they have waited long enough they are given out, a hundred at a time; and that costs no more each time.
        rig.clock.advance(PART_WAIT.total_seconds() + 1)
        for _ in range(3):
            await rig.inbox.give_out_stale()
        fourth = await steps.of(rig.inbox.give_out_stale)
        await rig.inbox.give_out_stale()
        assert await steps.of(rig.inbox.give_out_stale) < 2 * fourth
        assert len(await rig.inbound()) >= 100


async def test_the_other_part_still_finds_its_text_behind_a_flood(tmp_path: Path):
    driver = ScriptedDriver("sim")
    async with running(tmp_path / "s.db", driver) as rig:
        for i in range(150):
            await driver.report(part_of(1, 2, f"first {i} ", sent_at=START))
        await driver.report(part_of(2, 2, "second", sent_at=START))
        (message,) = await rig.inbound()
        assert message.complete
        assert (message.text or "").endswith(" second")
