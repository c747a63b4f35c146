"""What the contracts of the store are held against: one database of each engine, and two stores open on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.stores import Database, OpenStore, make_database


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """One database, on which a test opens stores."""
    database = make_database(request)
    yield database
    await database.close()


@pytest.fixture
async def store(database: Database) -> OpenStore:
    return await database.open()


@pytest.fixture
async def other(database: Database) -> OpenStore:
    return await database.open()
