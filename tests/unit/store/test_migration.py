"""Migrations in pieces: interrupted anywhere they go on, older programs keep off, and people see how far it is."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from gateway.errors import MigrationError, StoreBusy, StoreFull
from gateway.runtime.migrating import MigrationNotes
from gateway.store.migration import Migration, Move, Moved, Pace, Progress, Sql, Stepwise, load_migrations
from gateway.store.sqlite.engine import SqliteStore
from gateway.store.sqlite.file import lock
from gateway.store.sqlite.migrate import migrate, schema_version, unfinished

N_ROWS = 25
LIMIT = 4
BASE = load_migrations()
OLD = Migration(9001, "9001_old.sql", "CREATE TABLE words (id TEXT PRIMARY KEY, word TEXT NOT NULL);")


async def _count(sql: Sql) -> int:
    return int((await sql.fetch("SELECT count(*) FROM words"))[0][0])


async def _piece(sql: Sql, after: str, limit: int) -> Moved:
    rows = await sql.fetch("SELECT id, word FROM old_words WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
    await sql.execute_many("INSERT INTO words VALUES (?, ?, ?)", [(i, w, len(w)) for i, w in rows])
    await sql.execute_many("DELETE FROM old_words WHERE id = ?", [(i,) for i, _ in rows])
    return Moved(len(rows), rows[-1][0] if len(rows) == limit else None)


async def _count_other(sql: Sql) -> int:
    return 1


async def _piece_other(sql: Sql, after: str, limit: int) -> Moved:
    await sql.execute("INSERT INTO words VALUES ('other', 'other', 5)")
    return Moved(1, None)


STEPS = Stepwise(
    before="""ALTER TABLE words RENAME TO old_words;
    CREATE TABLE words (id TEXT PRIMARY KEY, word TEXT NOT NULL, n INTEGER NOT NULL);""",
    moves=(
        Move(what="words", count=_count, piece=_piece),
        Move(what="others", count=_count_other, piece=_piece_other),
    ),
    after="DROP TABLE old_words; CREATE INDEX words_n ON words (n);",
)
NEW = [
    Migration(9002, "9002_more.sql", "CREATE TABLE more (x INTEGER);"),
    Migration(9003, "9003_longer_words", STEPS),
    Migration(9004, "9004_last.sql", "CREATE TABLE last (x INTEGER);"),
]
ALL = [*BASE, OLD, *NEW]


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> list[Migration]:
    """The migrations that the program has; a test changes them."""
    migrations = [*BASE, OLD]
    monkeypatch.setattr("gateway.store.sqlite.migrate.load_migrations", lambda: migrations)
    return migrations


@pytest.fixture
def old(tmp_path: Path, known: list[Migration]) -> Path:
    """A store of the old version, with words in it; the program is the new one from here on."""
    path = tmp_path / "s.db"
    with closing(open_file(path)) as db:
        migrate(db)
        db.executemany("INSERT INTO words VALUES (?, ?)", [(f"{n:03}", "x" * n) for n in range(N_ROWS)])
    known[:] = ALL
    return path


def open_file(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def contents(path: Path) -> tuple[list[Any], dict[str, str], int]:
    with closing(open_file(path)) as db:
        assert unfinished(db) is None
        return (
            db.execute("SELECT * FROM words ORDER BY id").fetchall(),
            dict(db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name")),
            schema_version(db),
        )


def test_all_rows_are_moved_and_told(old: Path):
    told: list[Progress] = []
    with closing(open_file(old)) as db:
        assert migrate(db, told.append, LIMIT) == ["9002_more.sql", "9003_longer_words", "9004_last.sql"]
    words, schema, version = contents(old)
    assert words == [*[(f"{n:03}", "x" * n, n) for n in range(N_ROWS)], ("other", "other", 5)]
    assert {"words", "more", "last", "words_n"} <= schema.keys()
    assert not {"old_words", "migration_place"} & schema.keys()
    assert version == 9004
    steps = [(p.title, p.what, p.done, p.total) for p in told if p.title]
    assert steps[0] == ("9003 longer words", "words", 0, N_ROWS)
    assert ("9003 longer words", "words", 8, N_ROWS) in steps
    assert steps[-1] == ("9003 longer words", "others", 1, 1)


def test_killed_after_each_transaction_it_goes_on(old: Path):
    whole = None
    for n in range(1, 100):
        path = old.with_name(f"{n}.db")
        with closing(open_file(old)) as db, closing(open_file(path)) as copy:
            db.backup(copy)
        seen = 0

        def die(_: Progress, n: int = n) -> None:
            nonlocal seen
            seen += 1
            if seen == n:
                raise Killed

        with closing(open_file(path)) as db:
            try:
                migrate(db, die, LIMIT)
            except Killed:
                ended = False
            else:
                ended = True
        with closing(open_file(path)) as db:
            migrate(db, None, LIMIT)
        whole = whole or contents(path)
        assert contents(path) == whole, n
        if ended:
            break
    assert n > N_ROWS // LIMIT + 3


def test_a_fresh_store_takes_one_transaction(tmp_path: Path, known: list[Migration]):
    nothing_else = Stepwise(before=STEPS.before, moves=STEPS.moves[:1], after=STEPS.after)
    known[:] = [*BASE, OLD, Migration(9003, "9003_longer_words", nothing_else)]
    told: list[Progress] = []
    with closing(open_file(tmp_path / "s.db")) as db:
        migrate(db, told.append)
        assert len(told) == 1
        assert schema_version(db) == 9003
        assert unfinished(db) is None


def half_done(path: Path) -> None:
    """Leave it where a kill in the middle does."""

    def die(progress: Progress) -> None:
        if progress.done:
            raise Killed

    with closing(open_file(path)) as db, pytest.raises(Killed):
        migrate(db, die, LIMIT)


def test_an_older_program_refuses_a_half_migrated_store(old: Path, known: list[Migration]):
    half_done(old)
    known[:] = ALL[:-2]
    with (
        closing(open_file(old)) as db,
        pytest.raises(MigrationError, match="schema 9003, this program knows 9002"),
    ):
        migrate(db)


def test_a_half_migrated_store_is_no_sound_one(old: Path, monkeypatch, capsys):
    half_done(old)
    config = old.with_name("hongyan.toml")
    config.write_text(f'[store]\nurl = "sqlite:///{old}"\n')
    monkeypatch.setattr("gateway.store.migration.load_migrations", lambda: ALL)
    assert main(["db", "check", "--config", str(config)]) == 1
    assert "migration 9003 is half done" in capsys.readouterr().out
    assert main(["db", "migrate", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert "migrating the store: 9003 longer words, " in out
    assert "ran 9003_longer_words" in out
    assert len(contents(old)[0]) == N_ROWS + 1


def test_a_fault_in_the_middle_says_where_it_is(old: Path, known: list[Migration]):
    async def fail(sql: Sql, after: str, limit: int) -> Moved:
        if after > "010":
            await sql.execute("INSERT INTO no_such_table VALUES (1)")
        return await _piece(sql, after, limit)

    known[-2] = Migration(9003, "9003_longer_words", Stepwise(
        before=STEPS.before, moves=(Move(what="words", count=_count, piece=fail),), after=STEPS.after
    ))  # fmt: skip
    with (
        closing(open_file(old)) as db,
        pytest.raises(MigrationError, match="9003 stopped after 12 of 25 rows"),
    ):
        migrate(db, None, LIMIT)
    known[:] = ALL
    with closing(open_file(old)) as db:
        migrate(db, None, LIMIT)
    assert len(contents(old)[0]) == N_ROWS + 1


def test_no_room_is_told_before_anything_is_changed(old: Path, monkeypatch: pytest.MonkeyPatch):
    class Usage:
        free = 1_000_000

    with monkeypatch.context() as patched:
        patched.setattr("gateway.store.sqlite.migrate.shutil.disk_usage", lambda _: Usage)
        with closing(open_file(old)) as db, pytest.raises(StoreFull, match="there are 1 MB: make room"):
            migrate(db)
        with closing(open_file(old)) as db:
            assert schema_version(db) == 9002, "scripts that need no room ran; an older program may go on"
            assert db.execute("SELECT count(*) FROM words").fetchone() == (N_ROWS,)
    with closing(open_file(old)) as db:
        migrate(db)
    assert len(contents(old)[0]) == N_ROWS + 1


async def test_a_store_in_use_is_not_migrated_under_its_daemon(old: Path):
    handle = lock(old)
    try:
        with pytest.raises(StoreBusy, match="stop it first"):
            await SqliteStore.open(old)
    finally:
        os.close(handle)
    store = await SqliteStore.open(old)
    await store.close()
    assert contents(old)[2] == 9004


async def test_a_start_that_is_stopped_ends_after_a_piece(old: Path, known: list[Migration]):
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def endless(sql: Sql, after: str, limit: int) -> Moved:
        loop.call_soon_threadsafe(began.set)
        return Moved(0, after)  # would go on for ever

    def with_piece(piece: Any) -> Migration:
        move = Move(what="words", count=_count, piece=piece)
        return Migration(
            9003, "9003_longer_words", Stepwise(before=STEPS.before, moves=(move,), after=STEPS.after)
        )

    known[-2] = with_piece(endless)
    opening = asyncio.create_task(SqliteStore.open(old, exclusive=True))
    await began.wait()
    opening.cancel()
    async with asyncio.timeout(60):
        with pytest.raises(asyncio.CancelledError):
            await opening
    known[:] = ALL
    store = await SqliteStore.open(old, exclusive=True)
    await store.close()
    assert len(contents(old)[0]) == N_ROWS + 1


def test_the_time_that_is_left_is_told():
    pace = Pace(0.0)
    steps = [(0, 10.0), (340_000, 50.0), (1_200_000, 80.0)]
    lines = [pace.describe(Progress((), "0016 lean rows", "messages", n, 1_200_000), now) for n, now in steps]
    assert lines == [
        "migrating the store: 0016 lean rows, 0 of 1,200,000 messages",
        "migrating the store: 0016 lean rows, 340,000 of 1,200,000 messages, about 101 s left",
        "migrating the store: 0016 lean rows, 1,200,000 of 1,200,000 messages",
    ]


def test_the_service_manager_is_asked_for_patience(monkeypatch: pytest.MonkeyPatch, caplog):
    told: list[Sequence[str]] = []
    monkeypatch.setattr("gateway.runtime.migrating.notify", lambda *states: told.append(states))
    times = iter([0.0, 1.0, 2.0, 9.0])
    notes = MigrationNotes(lambda: next(times))
    with caplog.at_level("INFO"):
        for done in (0, 10, 20):
            notes.take(Progress((), "0016 lean rows", "messages", done, 100))
        notes.take(Progress(("0016_lean_rows",)))
    assert [states[0] for states in told] == ["EXTEND_TIMEOUT_USEC=600000000"] * 3
    assert told[2][1].startswith("STATUS=migrating the store: 0016 lean rows, 20 of 100 messages, about")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3, "not one a piece"
    assert lines[-1] == "the store was migrated: 0016_lean_rows"


def test_a_new_store_is_told_in_one_line(caplog):
    with caplog.at_level("INFO"):
        MigrationNotes().take(Progress(("0001_initial.sql", "0002_channel_budgets.sql")))
    assert [record.getMessage() for record in caplog.records] == ["a new store was made"]


def test_each_file_of_the_folder_is_known():
    folder = Path(__file__).parents[3] / "gateway" / "store" / "migrations"
    files = [f for f in folder.iterdir() if f.suffix in {".sql", ".py"} and f.name != "__init__.py"]
    assert len(load_migrations()) == len(files)


async def test_a_store_of_a_newer_program_is_refused(tmp_path: Path):
    await (await SqliteStore.open(tmp_path / "s.db")).close()
    with sqlite3.connect(tmp_path / "s.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(MigrationError, match="schema 99"):
        await SqliteStore.open(tmp_path / "s.db")


def test_no_two_migrations_have_one_number():
    numbers = [number for number, _, _ in load_migrations()]
    assert len(set(numbers)) == len(numbers), "the second would never run on a store that had the first"


async def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    broken = [
        *load_migrations(),
        (98, "0098_broken.sql", "CREATE TABLE half (x); CREATE TABLE messages (y);"),
    ]
    await (await SqliteStore.open(tmp_path / "s.db")).close()
    with monkeypatch.context() as patched:
        patched.setattr("gateway.store.sqlite.migrate.load_migrations", lambda: broken)
        with pytest.raises(MigrationError, match="nothing was changed"):
            await SqliteStore.open(tmp_path / "s.db")
    again = await SqliteStore.open(tmp_path / "s.db")
    tables = await again.read(lambda tx: tx.fetch("SELECT name FROM sqlite_master WHERE name = 'half'"))
    assert tables == []
    await again.close()
