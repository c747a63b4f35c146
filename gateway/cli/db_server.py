"""`hongyan db` for a store on a PostgreSQL server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import typer

from gateway.cli.output import Failure

if TYPE_CHECKING:
    from gateway.store.migration import Progress
    from gateway.store.postgres.session import Session
    from gateway.store.target import Target

T = TypeVar("T")

_RISKS = {
    "fsync": "is off on the server: what was accepted is lost when its machine fails; set fsync = on",
    "full_page_writes": "is off on the server: a power cut may damage the store; set full_page_writes = on",
}


def migrate_server(target: Target, on_progress: Callable[[Progress], None]) -> None:
    """Bring its schema up to date; ``on_progress`` is told of each step."""
    from gateway.store.postgres.migrate import migrate, schema_version  # noqa: PLC0415 - the store takes a while to load

    async def run(session: Session) -> int:
        await migrate(session, target.shown, on_progress)
        return await schema_version(session)

    print(f"{target.shown}  schema {_ask(target, run)}")


def check_server(target: Target, config: Path | None) -> None:
    """Say whether it is what this program needs, whether the server keeps what it has taken, and what is due to go."""
    from gateway.cli.kept import show_kept  # noqa: PLC0415
    from gateway.store.migration import load_migrations  # noqa: PLC0415
    from gateway.store.postgres.migrate import schema_version  # noqa: PLC0415
    from gateway.store.postgres.transaction import PostgresTx  # noqa: PLC0415

    newest = load_migrations()[-1][0]

    async def run(session: Session) -> tuple[list[str], str, int]:
        faults = []
        version = await schema_version(session)
        if version != newest:
            advice = "run hongyan db migrate" if version < newest else "install the newer hongyan"
            faults.append(f"the schema is {version}, this program's {newest}; {advice}")
        for name, risk in _RISKS.items():
            ((value,),) = await session.fetch("SELECT current_setting(?)", (name,))
            if value == "off":
                faults.append(f"{name} {risk}")
        broken = await session.fetch(
            "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class c ON c.oid = indrelid"
            " WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace"
        )
        faults += [f"the index {name} is not valid; run REINDEX INDEX {name}" for (name,) in broken]
        ((server, n_octets),) = await session.fetch(
            "SELECT current_setting('server_version'), pg_database_size(current_database())"
        )
        return faults, str(server), int(n_octets)

    faults, server, n_octets = _ask(target, run)
    for fault in faults:
        print(f"{target.shown}: {fault}")
    if faults:
        raise typer.Exit(1)
    print(
        f"{target.shown}: good; schema {newest}, PostgreSQL {server}, {n_octets / 1e6:,.0f} MB;"
        " its pages are checked by pg_amcheck"
    )
    _ask(target, lambda session: show_kept(PostgresTx(session), config))


def refuse_backup(target: Target) -> NoReturn:
    """It is the server's own programs that copy it."""
    raise Failure(
        f"the store is on a server; copy it while it is in use with"
        f" pg_dump --format=custom --file=FILE '{target.shown}' (see docs/postgresql.md)"
    )


def _ask(target: Target, run: Callable[[Session], Awaitable[T]]) -> T:
    from gateway.store.postgres.errors import explain_open  # noqa: PLC0415
    from gateway.store.postgres.session import connect  # noqa: PLC0415

    async def ask() -> T:
        try:
            session = await connect(target)
            try:
                return await run(session)
            finally:
                await session.close()
        except Exception as error:
            raise explain_open(error, target.shown) from error

    return asyncio.run(ask())
