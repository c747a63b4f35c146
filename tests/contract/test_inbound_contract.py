"""What every engine keeps of parts that came in: which belong together, what waits, what is a repeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.ids import make_id
from gateway.store.inbound import (
    StoredPart,
    find_open_sets,
    find_repeated,
    find_stale_sets,
    finish_part,
    load_set,
    save_part,
)
from tests.support.stores import OpenStore

pytestmark = pytest.mark.contract

AT = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)
KEY = "a|+8613800138000||8|7|3"


def make_part(part: int, set_id: str | None = None) -> StoredPart:
    part_id = make_id()
    return StoredPart(
        id=part_id,
        channel="a",
        sender="+8613800138000",
        recipient=None,
        encoding="gsm7",
        payload=b"part %d" % part,
        concat_key=KEY,
        part=part,
        total=3,
        network_time=AT,
        received_at=AT,
        dedupe_key=None,
        set_id=set_id or part_id,
    )


async def save(store: OpenStore, *parts: StoredPart) -> None:
    for part in parts:
        assert await store.write(lambda tx, part=part: save_part(tx, part))  # type: ignore[misc]


async def test_a_set_is_open_for_the_parts_that_it_lacks(store: OpenStore):
    first = make_part(1)
    await save(store, first, make_part(3, first.id))
    (found,) = await store.read(lambda tx: find_open_sets(tx, KEY, 2))
    assert (found.set_id, found.inbound_id, found.received_at) == (first.id, None, AT)
    assert await store.read(lambda tx: find_open_sets(tx, KEY, 3)) == []
    assert [part.part for part in await store.read(lambda tx: load_set(tx, first.id))] == [1, 3]


async def test_what_waits_too_long_is_found_until_it_is_given_out(store: OpenStore):
    first = make_part(1)
    await save(store, first)
    later = AT + timedelta(seconds=1)
    for key in (None, KEY):
        assert await store.read(lambda tx, key=key: find_stale_sets(tx, AT, 10, key)) == []  # type: ignore[misc]
        found = await store.read(lambda tx, key=key: find_stale_sets(tx, later, 10, key))  # type: ignore[misc]
        assert found == [first.id]
    await store.write(lambda tx: finish_part(tx, first, "message"))
    assert await store.read(lambda tx: find_stale_sets(tx, later, 10)) == []


async def test_a_piece_that_is_repeated_is_known_by_what_it_says(store: OpenStore):
    first = make_part(1)
    await save(store, first, make_part(2, first.id), make_part(3, first.id))
    await store.write(lambda tx: finish_part(tx, first, "message"))
    again, other = make_part(2), make_part(2)._replace(payload=b"other")
    await save(store, again, other)
    assert await store.read(lambda tx: find_repeated(tx, [again])) == "message"
    assert await store.read(lambda tx: find_repeated(tx, [other])) is None
