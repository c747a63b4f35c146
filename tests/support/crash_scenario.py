"""A small life of the gateway that dies at one of its commits: run as a program, for every one of them.

``python -m tests.support.crash_scenario FOLDER LIFE ON_UNCERTAIN [SOCKETS PORT]``, with one of `LIVES`, makes
``FOLDER/1``, ``FOLDER/2`` ... each with the store and the journal of a run that was killed: the odd ones right before
a commit began, the even ones right after it had become durable and before anybody was told. The last one ran to its
end. With the socket folder and the port of a PostgreSQL server, each has a database of its own there.

Each run is a fork of this process, so that Python is started once only.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from drivers.base import Accepted, Concat, Encoding, InboundPart, OutboundSegment, SubmitResult
from gateway.pipeline.operator.verbs import cancel_message
from gateway.routing.prices import Price, PriceRule, Prices
from gateway.routing.retry import OnUncertain, RetryPolicy
from gateway.store.postgres.engine import PostgresStore
from gateway.store.postgres.writer import GroupWriter as PostgresWriter
from gateway.store.sqlite.writer import GroupWriter as SqliteWriter
from gateway.store.target import Target
from tests.support import stores
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import receipt, running
from tests.support.people import OPERATOR
from tests.support.postgres import Cluster

KILLED = 137
MAX_MOMENTS = 120
TWO_PARTS = "雁" * 100
PRICES = Prices([PriceRule(Price(45_000, "CNY"))])
HASTY = "+8613800138009"
"""Of what goes there, the receipt comes before the answer."""


class JournalingDriver(ScriptedDriver):
    """Writes down each segment before it answers, as a network would that is not ours to forget.

    Args:
        journal: the file; one segment's id a line.
    """

    def __init__(self, name: str, journal: Path) -> None:
        super().__init__(name)
        self._journal = journal

    async def submit(self, segment: OutboundSegment) -> SubmitResult:
        """Journal, then accept under the segment's own id; a hasty network reports before that."""
        write_down(self._journal, segment.segment_id)
        if segment.recipient == HASTY:
            await self.report(receipt(segment.segment_id, to=HASTY))
        await super().submit(segment)
        return Accepted(reference=segment.segment_id)


def write_down(journal: Path, line: str) -> None:
    """Append one line that survives the process."""
    handle = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, line.encode() + b"\n")
    os.close(handle)


def die_at(moment: int) -> None:
    """Let this process die before or after one of the commits to come."""
    moments = count(1)
    on_sqlite, on_postgres = SqliteWriter.commit, PostgresWriter.commit

    def step() -> None:
        if next(moments) == moment:
            os._exit(KILLED)

    def dying_on_sqlite(self: SqliteWriter, group: Any) -> Any:
        step()
        committed = on_sqlite(self, group)
        step()
        return committed

    async def dying_on_postgres(self: PostgresWriter, group: Any) -> Any:
        step()
        committed = await on_postgres(self, group)
        step()
        return committed

    SqliteWriter.commit = dying_on_sqlite  # type: ignore[method-assign]
    PostgresWriter.commit = dying_on_postgres  # type: ignore[method-assign]


async def live(folder: Path, on_uncertain: OnUncertain) -> None:
    """Accept a message of two parts, send it, take its receipts."""
    driver = JournalingDriver("a", folder / "submitted")
    policy = RetryPolicy(on_uncertain=on_uncertain, first_s=1.0)
    async with running(folder / "s.db", driver, policy=policy, prices=PRICES) as rig:
        message = await rig.send(text=TWO_PARTS)
        write_down(folder / "answered", message.id)
        await rig.until_status(message, "sent")
        for part in (1, 2):
            await driver.report(receipt(f"{message.id}:{part}"))
            write_down(folder / "receipts", f"{message.id}:{part}")


async def live_more(folder: Path, on_uncertain: OnUncertain) -> None:
    """A receipt before its answer, a text that comes in in two parts, and a message that is taken back."""
    driver = JournalingDriver("a", folder / "submitted")
    async with running(
        folder / "s.db", driver, policy=RetryPolicy(on_uncertain=on_uncertain, first_s=1.0)
    ) as rig:
        hasty = await rig.send(to=HASTY)
        write_down(folder / "answered", hasty.id)
        for part in INBOUND:
            await driver.report(part)
            write_down(folder / "acknowledged", str(part.dedupe_key))
        later = await rig.send(schedule_at=rig.clock.now() + timedelta(hours=1))
        write_down(folder / "answered", later.id)
        await cancel_message(rig.store, rig.clock, later.id, by=OPERATOR)
        write_down(folder / "canceled", later.id)
        await rig.until_status(hasty, "delivered")


INBOUND = [
    InboundPart(
        sender=HASTY,
        encoding=Encoding.UCS2,
        payload=text.encode("utf-16-be"),
        concat=Concat(reference=7, total=2, part=part),
        dedupe_key=f"part {part}",
    )
    for part, text in enumerate(("鸿", "雁"), 1)
]
LIVES = {"message": live, "more": live_more}


ON_POSTGRES = hasattr(stores, "open_at")
"""Whether `running` can open a database in the place of a file."""


def databases_in_use(databases: DatabasesByFolder) -> AbstractContextManager[object]:
    """Let `running` open these, as long as the block."""
    return patch.object(stores, "_in_use", databases)


class DatabasesByFolder:
    """As `tests.support.stores.Databases`, for the program and for the test that looks at what it left."""

    def __init__(self, sockets: Path, port: int, prefix: str) -> None:
        self._server = Cluster(sockets)
        self._server.port = port
        self._prefix = prefix

    async def make_template(self) -> None:
        """A database that has its tables, and of which the others are copies."""
        name = f"{self._prefix}_template"
        self._server.run_sql(f"CREATE DATABASE {name} OWNER hongyan TEMPLATE template0")
        await (await PostgresStore.open(Target(self._server.url(name)))).close()

    def make(self, folder: Path) -> None:
        """The database of a folder."""
        template = f"{self._prefix}_template"
        self._server.run_sql(f"CREATE DATABASE {self._name(folder)} OWNER hongyan TEMPLATE {template}")

    async def target(self, path: Path) -> Target:
        """The database that stands for a file."""
        return Target(self._server.url(self._name(path.parent)))

    def _name(self, folder: Path) -> str:
        return f"{self._prefix}_{folder.name}"


def main() -> None:
    """Fork for k = 1, 2 ... until a run reaches its end."""
    root, life, on_uncertain = Path(sys.argv[1]), LIVES[sys.argv[2]], OnUncertain(sys.argv[3])
    databases = None
    if len(sys.argv) > 4:
        databases = DatabasesByFolder(Path(sys.argv[4]), int(sys.argv[5]), root.name.replace("-", "_"))
        asyncio.run(databases.make_template())
    for moment in range(1, MAX_MOMENTS):
        folder = root / str(moment)
        folder.mkdir()
        if databases is not None:
            databases.make(folder)
        child = os.fork()
        if child == 0:
            try:
                die_at(moment)
                with databases_in_use(databases) if databases else nullcontext():
                    asyncio.run(life(folder, on_uncertain))
            except BaseException:  # noqa: BLE001 - a fork must never go on as its parent
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return
        if code != KILLED:
            sys.exit(code)
    sys.exit(f"the scenario did not end within {MAX_MOMENTS} moments")


if __name__ == "__main__":
    main()
