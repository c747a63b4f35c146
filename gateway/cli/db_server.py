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


def migrate_server(target: Target, on_progress: Callable[[Progress], None]) -> None:
    """Bring its schema up to date; ``on_progress`` is told of each step."""
    from gateway.store.postgres.migrate import migrate, schema_version  # noqa: PLC0415 - the store takes a while to load

    async def run(session: Session) -> int:
        await migrate(session, target.shown, on_progress)
        return await schema_version(session)

    print(f"{target.shown}  schema {ask_server(target, run)}")


def check_server(target: Target, config: Path | None) -> None:
    """Say whether it is what this program needs, whether the server keeps what it has taken, and what is due to go."""
    from gateway.cli.kept import show_kept  # noqa: PLC0415
    from gateway.store.postgres.examine import examine  # noqa: PLC0415
    from gateway.store.postgres.transaction import PostgresTx  # noqa: PLC0415

    found = ask_server(target, examine)
    for fault in found.faults:
        print(f"{target.shown}: {fault}")
    if found.faults:
        raise typer.Exit(1)
    print(
        f"{target.shown}: good; schema {found.schema}, PostgreSQL {found.server}, {found.n_octets / 1e6:,.0f} MB;"
        " its pages are checked by pg_amcheck"
    )
    ask_server(target, lambda session: show_kept(PostgresTx(session), config))


def refuse_backup(target: Target) -> NoReturn:
    """It is the server's own programs that copy it."""
    raise Failure(
        f"the store is on a server; copy it while it is in use with"
        f" pg_dump --format=custom --file=FILE '{target.shown}' (see docs/postgresql.md)"
    )


def ask_server(target: Target, run: Callable[[Session], Awaitable[T]]) -> T:
    """What ``run`` finds out on one connection."""
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
