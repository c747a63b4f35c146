"""How a store's schema is brought up to date, on either engine: scripts at once, large tables in pieces.

`advance` does one transaction's worth of what is due; an engine calls it until nothing is left, and commits between
calls. Scripts that follow one another run in one transaction, all or none. A `Stepwise` migration moves its rows in
many: its place is kept in the table ``migration_place``, in the same transaction as the rows, so that it may be
interrupted at any point and goes on there.

The schema has the number of a stepwise migration from its first transaction on: an older program refuses the store
from there. This file opens no database and knows no engine.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, NamedTuple, Protocol

from gateway.errors import MigrationError

PIECE: Final = 2_000
"""Rows that are moved in one transaction: some ten milliseconds of work, and what is done again after a kill."""
_PLACE: Final = """
CREATE TABLE migration_place (
    number        INTEGER PRIMARY KEY,
    move          INTEGER NOT NULL,
    after_row     TEXT NOT NULL,
    done          BIGINT NOT NULL,
    total         BIGINT NOT NULL
)"""
_SCRIPT = re.compile(r"(\d{4})_\w+\.sql")
_STEPWISE = re.compile(r"m(\d{4})_(\w+)\.py")


class Sql(Protocol):
    """Statements of one transaction, in portable SQL; `gateway.store.ports.Tx` can do as much."""

    async def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """All rows of a query."""
        ...

    async def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement; the number of rows it changed."""
        ...

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once per row of parameters."""
        ...


class Ground(Sql, Protocol):
    """What an engine gives to its migrations: one open transaction, and where it keeps the schema's number."""

    async def version(self) -> int:
        """The number of the schema; 0 for an empty database. Half done counts as done: see ``migration_place``."""
        ...

    async def set_version(self, number: int) -> None:
        """Keep the schema's number, in this transaction."""
        ...

    async def has_table(self, name: str) -> bool:
        """Whether there is a table of that name."""
        ...

    async def define(self, statement: str) -> None:
        """Run one statement of a script; the engine translates what it spells otherwise."""
        ...

    async def require_room(self, share: float) -> None:
        """See that there is room for ``share`` of what the store takes now.

        Raises:
            StoreFull: there is not; it says how much is missing and where.
        """
        ...


class Moved(NamedTuple):
    """What one piece did.

    Args:
        n: rows moved.
        place: where the next piece goes on: any text, such as the last row's key; None when no row is left.
    """

    n: int
    place: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Rows that go from one form to another.

    Args:
        what: they are, in the plural, for people: ``messages``.
        count: how many there are; asked when its turn comes. Where all are 0, a migration is done at once.
        piece: moves at most so many rows, from a place on ("" at first). It takes the old rows away, so that the
            store does not double; it looks at nothing but the database and its arguments, for it may be run again.
    """

    what: str
    count: Callable[[Sql], Awaitable[int]]
    piece: Callable[[Sql, str, int], Awaitable[Moved]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepwise:
    """A migration in three parts: a script, rows that move in pieces, a script.

    Args:
        before: makes the new tables, beside the old ones under another name; one transaction.
        moves: one after the other.
        after: drops the old tables, makes indexes that would have slowed the move; one transaction.
        room: needed on the disk at the same time, as a share of what the store takes.
    """

    before: str
    moves: Sequence[Move]
    after: str = ""
    room: float = 0.2


class Migration(NamedTuple):
    """One numbered file."""

    number: int
    name: str
    work: str | Stepwise


class Progress(NamedTuple):
    """What one transaction did.

    Args:
        ran: names of migrations that are done with it.
        title: of the migration that is on, for people: ``0016 lean rows``; "" where there is none.
        what: its rows.
        done: of them, with this transaction.
        total: of them, about.
    """

    ran: Sequence[str]
    title: str = ""
    what: str = ""
    done: int = 0
    total: int = 0


def load_migrations() -> list[Migration]:
    """All migrations, ascending."""
    found = []
    for entry in (resources.files("gateway.store") / "migrations").iterdir():
        if match := _SCRIPT.fullmatch(entry.name):
            found.append(Migration(int(match[1]), entry.name, entry.read_text(encoding="utf-8")))
        elif match := _STEPWISE.fullmatch(entry.name):
            module = importlib.import_module(f"gateway.store.migrations.{entry.name.removesuffix('.py')}")
            found.append(Migration(int(match[1]), f"{match[1]}_{match[2]}", module.MIGRATION))
    return sorted(found, key=lambda migration: migration.number)


def split_script(sql: str) -> list[str]:
    """Statements of a script; our files keep ``;`` out of literals and comments."""
    lines = [line for line in sql.splitlines() if not line.lstrip().startswith("--")]
    return [statement for part in "\n".join(lines).split(";") if (statement := part.strip())]


async def is_due(ground: Ground, migrations: Sequence[Migration]) -> bool:
    """Whether `advance` would do anything.

    Raises:
        MigrationError: the schema is newer than this program.
    """
    version, newest = await ground.version(), migrations[-1][0]
    if version > newest:
        raise MigrationError(
            f"the database has schema {version}, this program knows {newest}: install the newer hongyan",
        )
    return version < newest or await find_place(ground) is not None


async def advance(ground: Ground, migrations: Sequence[Migration], limit: int = PIECE) -> Progress | None:
    """Do what the next transaction has to do; None when the schema is up to date.

    Args:
        ground: the open transaction; the caller commits it, or rolls it back when this raises.
        migrations: as `load_migrations` gives them.
        limit: rows of one piece.

    Raises:
        MigrationError: the schema is newer than this program.
        StoreFull: a migration needs more room than there is.
    """
    if not await is_due(ground, migrations):
        return None
    if (place := await find_place(ground)) is not None:
        return await _go_on(ground, migrations, place, limit)
    version = await ground.version()
    ran: list[str] = []
    for number, name, work in migrations:
        if number <= version:
            continue
        if isinstance(work, str):
            await _run_script(ground, work)
        elif any(totals := [await move.count(ground) for move in work.moves]):
            if ran:  # the scripts before it commit first
                return Progress(ran)
            return await _begin(ground, number, name, work, totals[0])
        else:
            await _run_script(ground, work.before)
            await _run_script(ground, work.after)
        await ground.set_version(number)
        ran.append(name)
    return Progress(ran)


class Place(NamedTuple):
    """How far a stepwise migration has come: a row of the table ``migration_place``, which is there only meanwhile."""

    number: int
    move: int
    after: str
    done: int
    total: int

    def __str__(self) -> str:
        """Where it stopped, for people."""
        return (
            f"migration {self.number:04} stopped after {self.done:,} of {self.total:,} rows and goes on from there"
            " at the next start"
        )


async def find_place(ground: Ground) -> Place | None:
    """The migration that is half done."""
    if not await ground.has_table("migration_place"):
        return None
    rows = await ground.fetch("SELECT number, move, after_row, done, total FROM migration_place")
    return Place(*rows[0]) if rows else None


async def _run_script(ground: Ground, script: str) -> None:
    for statement in split_script(script):
        await ground.define(statement)


async def _begin(ground: Ground, number: int, name: str, work: Stepwise, total: int) -> Progress:
    """The first transaction of a stepwise migration."""
    await ground.require_room(work.room)
    await _run_script(ground, _PLACE)
    await _run_script(ground, work.before)
    await ground.set_version(number)
    await ground.execute("INSERT INTO migration_place VALUES (?, 0, '', 0, ?)", (number, total))
    return Progress((), _title(name), work.moves[0].what, 0, total)


async def _go_on(ground: Ground, migrations: Sequence[Migration], place: Place, limit: int) -> Progress:
    """One piece more, or what comes after the last one."""
    _, name, work = next(m for m in migrations if m[0] == place.number)
    if isinstance(work, str):
        raise MigrationError(
            f"{name} is no migration that could be half done: install the hongyan that began it"
        )
    if place.move == len(work.moves):
        await _run_script(ground, work.after)
        await ground.define("DROP TABLE migration_place")
        return Progress((name,))
    move = work.moves[place.move]
    n, after = await move.piece(ground, place.after, limit)
    done = place.done + n
    if after is not None:
        await ground.execute("UPDATE migration_place SET after_row = ?, done = ?", (after, done))
    else:
        upcoming = work.moves[place.move + 1 : place.move + 2]
        total = await upcoming[0].count(ground) if upcoming else 0
        await ground.execute(
            "UPDATE migration_place SET move = ?, after_row = '', done = 0, total = ?",
            (place.move + 1, total),
        )
    return Progress((), _title(name), move.what, done, max(done, place.total))


def _title(name: str) -> str:
    return name.replace("_", " ")


class Pace:
    """Turns progress into a line for people, with the time that is left.

    Args:
        now: monotonic seconds, when the migration begins.
    """

    def __init__(self, now: float) -> None:
        self._began = now
        self._first: tuple[str, str, int] | None = None

    def describe(self, progress: Progress, now: float) -> str:
        """Such as ``migrating the store: 0016 lean rows, 340,000 of 1,200,000 messages, about 40 s left``."""
        if self._first is None or self._first[:2] != (progress.title, progress.what):
            self._first, self._began = (progress.title, progress.what, progress.done), now
        line = (
            f"migrating the store: {progress.title}, {progress.done:,} of {progress.total:,} {progress.what}"
        )
        moved, passed = progress.done - self._first[2], now - self._began
        if moved <= 0 or passed <= 0 or progress.done >= progress.total:
            return line
        return f"{line}, about {_spell((progress.total - progress.done) / moved * passed)} left"


def _spell(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
