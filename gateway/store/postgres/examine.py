"""What is true of a database and its server: whether it is what this program needs and keeps what it has taken."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.store.migration import load_migrations
from gateway.store.postgres.migrate import schema_version
from gateway.store.postgres.session import Session

_RISKS: Final = {
    "fsync": "what was accepted is lost when the server's machine fails",
    "full_page_writes": "a power cut may damage the store",
}


class Examined(NamedTuple):
    """What was found.

    Args:
        faults: each with what mends it.
        schema: its number.
        server: the server's version.
    """

    faults: list[str]
    schema: int
    server: str
    n_octets: int


async def examine(session: Session) -> Examined:
    """Look at the schema, the settings that commits rely on, and the indexes."""
    newest, schema = load_migrations()[-1][0], await schema_version(session)
    faults = []
    if schema != newest:
        advice = "run hongyan db migrate" if schema < newest else "install the newer hongyan"
        faults.append(f"the schema is {schema}, this program's {newest}; {advice}")
    for name, risk in _RISKS.items():
        ((value,),) = await session.fetch("SELECT current_setting(?)", (name,))
        if value == "off":
            faults.append(f"{name} is off: {risk}; set {name} = on in postgresql.conf")
    broken = await session.fetch(
        "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class c ON c.oid = indrelid"
        " WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace"
    )
    faults += [f"the index {name} is not valid; run REINDEX INDEX {name}" for (name,) in broken]
    ((server, n_octets),) = await session.fetch(
        "SELECT current_setting('server_version'), pg_database_size(current_database())"
    )
    return Examined(faults, schema, str(server), int(n_octets))
