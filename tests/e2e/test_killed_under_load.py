"""`kill -9` under load, thirty times; on PostgreSQL the server is killed, too: nothing lost, nothing doubled."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.killing import killing
from tests.support.postgres import running_cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

KILLS = 30
KILLS_ON_POSTGRES = 12


async def test_killed_thirty_times_on_sqlite(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    async with killing(tmp_path, seed) as run:
        for _ in range(KILLS):
            await run.kill_daemon()
        wrong = await run.settle()
        assert not wrong, (seed, run.describe(), wrong[:20])
        assert len(run.books.accepted) > 5 * KILLS, run.describe()


async def test_killed_on_postgres_daemon_and_server_in_turn(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    with running_cluster() as cluster:
        async with killing(tmp_path, seed, cluster) as run:
            for n in range(KILLS_ON_POSTGRES):
                await (run.kill_database() if n % 2 else run.kill_daemon())
            wrong = await run.settle()
            assert not wrong, (seed, run.describe(), wrong[:20])
            assert len(run.books.accepted) > 5 * KILLS_ON_POSTGRES, run.describe()
