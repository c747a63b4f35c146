"""`hongyan db`: the store's schema, health and copies. Works beside a running daemon."""

from __future__ import annotations

import asyncio
import math
import os
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import db_keys
from gateway.cli.db_server import check_server, migrate_server, refuse_backup
from gateway.cli.options import Config, example, make_app
from gateway.cli.output import Failure
from gateway.cli.serve import read_store
from gateway.files import why_unreadable
from gateway.settings.store import store_path, store_target

if TYPE_CHECKING:
    from gateway.store.migration import Progress


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = make_app("The store.", "hongyan db check")
    group.command("migrate", epilog=example("hongyan db migrate"))(migrate)
    group.command("check", epilog=example("hongyan db check"))(check)
    group.command("backup", epilog=example("hongyan db backup /backup/hongyan.db"))(backup)
    db_keys.register(group)
    app.add_typer(group, name="db")


def migrate(config: Config = None) -> None:
    """Bring the schema up to date.

    Not needed as a rule: `hongyan serve` does it at its start. It may be interrupted, and goes on where it was.
    """
    store = read_store(config)
    if (target := store_target(store)) is not None:
        migrate_server(target, _Shown().take)
        return
    from gateway.store.sqlite.file import connect, make_file, why_unusable  # noqa: PLC0415 - the store takes a while
    from gateway.store.sqlite.migrate import bring_up_to_date, schema_version  # noqa: PLC0415

    path = store_path(store)
    try:
        make_file(path)
        with closing(connect(path)) as db:
            bring_up_to_date(db, path, alone=False, on_progress=_Shown().take)
            print(f"{path}  schema {schema_version(db)}")
    except (sqlite3.Error, OSError) as error:
        raise Failure(f"cannot migrate {path}: {why_unusable(path, error)}") from error
    except KeyboardInterrupt:
        raise Failure(f"interrupted; {path} is migrated on from there at the next start") from None


class _Shown:
    """A migration on the terminal: one line that changes; elsewhere a line every few seconds."""

    def __init__(self) -> None:
        from gateway.store.migration import Pace  # noqa: PLC0415

        self._pace = Pace(time.monotonic())
        self._told_at = -math.inf
        self._end = "\r" if sys.stdout.isatty() else "\n"

    def take(self, progress: Progress) -> None:
        now = time.monotonic()
        pause = 0.1 if self._end == "\r" else 5.0
        if progress.title and now - self._told_at >= pause:
            self._told_at = now
            print(self._pace.describe(progress, now).ljust(100), end=self._end, flush=True)
        for name in progress.ran:
            print(f"ran {name}".ljust(100 if self._end == "\r" else 0))


def check(config: Config = None) -> None:
    """Read the whole store and say whether it is sound.

    Also says whether the schema is the one that this program needs, and what of old records is due to go.
    """
    if (target := store_target(read_store(config))) is not None:
        check_server(target, config)
        return
    from gateway.cli.kept import show_kept  # noqa: PLC0415 - the store takes a while to load
    from gateway.store.migration import load_migrations  # noqa: PLC0415
    from gateway.store.sqlite.file import why_unusable  # noqa: PLC0415
    from gateway.store.sqlite.migrate import schema_version, unfinished  # noqa: PLC0415
    from gateway.store.sqlite.transaction import SqliteTx  # noqa: PLC0415

    path = find_store(config)
    newest = load_migrations()[-1][0]
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            faults = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
            faults += [
                f"{row[0]} row {row[1]} points to nothing" for row in db.execute("PRAGMA foreign_key_check")
            ]
            version, half = schema_version(db), unfinished(db)
    except sqlite3.Error as error:
        raise Failure(f"cannot read {path}: {why_unusable(path, error, to_write=False)}") from error
    if version != newest:
        advice = "run hongyan db migrate" if version < newest else "install the newer hongyan"
        faults.append(f"the schema is {version}, this program's {newest}; {advice}")
    if half is not None:
        faults.append(
            f"migration {half.number:04} is half done; start hongyan, or run hongyan db migrate, to go on"
        )
    for fault in faults:
        print(f"{path}: {fault}")
    if faults:
        raise typer.Exit(1)
    print(f"{path}: sound; schema {version}")
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        asyncio.run(show_kept(SqliteTx(db), config))


def backup(
    file: Annotated[Path, typer.Argument(help="Where the copy goes; must not exist.", readable=False)],
    config: Config = None,
) -> None:
    """Copy the store while it is in use.

    The copy is a store of its own: put its path into store.url to use it.
    """
    if (target := store_target(read_store(config))) is not None:
        refuse_backup(target)
    from gateway.store.sqlite.file import MODE, why_unusable  # noqa: PLC0415

    path = find_store(config)
    if os.path.lexists(file):
        raise Failure(f"{file} exists; name a new file")
    partial = file.with_name(f"{file.name}.partial")  # under FILE's own name there is a whole copy or none
    try:
        partial.touch(mode=MODE)
        with closing(_open_source(path)) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
        partial.rename(file)
    except (sqlite3.Error, OSError) as error:
        raise Failure(f"cannot copy to {file}: {why_unusable(file, error)}") from error
    finally:
        partial.unlink(missing_ok=True)
    print(f"{file}  {file.stat().st_size} octets")


def _open_source(path: Path) -> sqlite3.Connection:
    """A connection that has read something: what fails later is the copy's fault."""
    from gateway.store.sqlite.file import why_unusable  # noqa: PLC0415

    try:
        source = sqlite3.connect(path)
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        raise Failure(f"cannot read {path}: {why_unusable(path, error)}") from error
    return source


def find_store(config: Path | None) -> Path:
    """The file of the store that the config names. Raises Failure where there is none: nothing is to be made."""
    path = store_path(read_store(config))
    try:
        path.stat()
    except PermissionError as error:
        raise Failure(f"cannot read {path}: {why_unreadable(path, error)}") from error
    except OSError:
        raise Failure(
            f"there is no store at {path}; `hongyan serve` makes it, or name the right --config"
        ) from None
    return path
