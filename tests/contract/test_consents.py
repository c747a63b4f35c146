"""Consents on either engine: what holds is what was said last, and nothing that was said is lost."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest

from gateway.clock import format_ms
from gateway.model.consent import Consent, ConsentFile, ConsentState, Evidence, Standing, hash_wording
from gateway.store.consents import (
    ConsentFilter,
    find_standings,
    forget_consents,
    list_consents,
    load_files,
    load_history,
    load_holding,
    load_wordings,
    record_consents,
    save_file,
)
from gateway.store.ports import Tx
from tests.support.consents import AT, MAY, brought, record
from tests.support.stores import Database, OpenStore

pytestmark = pytest.mark.contract

ONE, TWO = "+8613800138000", "+8613900139000"


async def states(store: OpenStore, *numbers: str) -> list[str]:
    return [one.state.value for one in await store.read(lambda tx: load_holding(tx, numbers))]


async def history(store: OpenStore, *numbers: str) -> list[Consent]:
    return await store.read(lambda tx: load_history(tx, numbers))


async def test_a_consent_comes_back_as_it_was_recorded(store):
    evidence = Evidence(reference="order-7", form="https://shop.example/join", note="with a tick")
    one = brought(
        ONE, wording=hash_wording(MAY), evidence=evidence, expires_at=AT + timedelta(days=9), by="key:shop"
    )
    (result,) = await record(store, one, wordings=[MAY])
    assert result.verdict == "new"
    (found,) = await history(store, ONE)
    assert found == result.consent
    assert found.evidence == evidence
    assert await store.read(lambda tx: load_wordings(tx, [hash_wording(MAY), "no"])) == {
        hash_wording(MAY): MAY
    }
    standings = await store.read(lambda tx: find_standings(tx, [ONE, TWO]))
    assert standings == {ONE: (Standing("default", "marketing", ConsentState.GIVEN, one.consent.expires_at),)}


async def test_what_was_said_last_holds_in_whatever_order_it_is_brought(store):
    results = await record(
        store, brought(ONE, "withdrawn", 5), brought(ONE, "given", 1), brought(ONE, "given", 9), brought(TWO)
    )
    assert [one.verdict.value for one in results] == ["new", "older", "changed", "new"]
    assert await states(store, ONE, TWO) == ["given", "given"]
    assert [one.state.value for one in await history(store, ONE)] == ["given", "withdrawn", "given"]


async def test_what_is_said_now_holds_though_a_clock_was_ahead(store):
    await record(store, brought(ONE, "given", 60))
    (result,) = await record(store, brought(ONE, "withdrawn", 0, dated=False))
    assert result.verdict == "changed"
    assert await states(store, ONE) == ["withdrawn"]


@pytest.mark.parametrize("no", ["withdrawn", "refused"])
async def test_a_line_of_a_list_without_a_time_takes_no_no_back(store, no):
    await record(store, brought(ONE, no, 5))
    (kept,) = await record(store, brought(ONE, "given", 9, dated=False, file="ab" * 32, row=2))
    assert (kept.verdict, kept.consent.state) == ("said_no", no)
    assert await states(store, ONE) == [no]
    assert len(await history(store, ONE)) == 1
    (dated,) = await record(store, brought(ONE, "given", 9, file="ab" * 32, row=2))
    assert dated.verdict == "changed"
    (again,) = await record(store, brought(ONE, "withdrawn", 9, dated=False, file="ab" * 32, row=3))
    assert again.verdict == "changed"


async def test_a_line_that_is_brought_twice_at_once_is_recorded_once(store):
    line = brought(ONE, file="ab" * 32, row=2)
    results = await record(store, line, line)
    assert [result.verdict for result in results] == ["new", "unchanged"]
    assert len(await history(store, ONE)) == 1


async def test_two_gateways_import_the_same_file(database: Database):
    stores = await database.open(), await database.open()
    note = ConsentFile(sha256="ab" * 32, name="may.csv", statement="true", created_at=AT, by="key:a")
    lines = [brought(f"+86138{n:08d}", dated=False, file=note.sha256, row=n + 2) for n in range(60)]
    await stores[0].write(lambda tx: save_file(tx, note))

    async def bring(store: OpenStore, start: int) -> int:
        async def piece(tx: Tx) -> int:
            await save_file(tx, note)
            results = await record_consents(tx, lines[start : start + 20])
            return sum(result.verdict.is_recorded for result in results)

        return await store.write(piece)

    n_recorded = await asyncio.gather(*(bring(store, start) for start in (0, 20, 40) for store in stores))
    assert sum(n_recorded) == 60
    assert len(await history(stores[0], *(line.consent.number for line in lines))) == 60


async def test_nothing_is_recorded_twice(store):
    again = brought(ONE, dated=False)
    assert [r.verdict.value for r in await record(store, again, again)] == ["new", "unchanged"]
    assert [r.verdict.value for r in await record(store, brought(ONE, "pending", 3))] == ["unchanged"]
    line = brought(TWO, file="f" * 64, row=2)
    await record(store, line)
    await record(store, brought(TWO, "withdrawn", 7))
    assert [r.verdict.value for r in await record(store, line)] == ["unchanged"]
    assert len(await history(store, ONE, TWO)) == 3
    assert await states(store, ONE, TWO) == ["given", "withdrawn"]


async def test_a_dry_run_says_the_same_and_records_nothing(store):
    wanted = [brought(ONE), brought(ONE, "withdrawn", 1), brought(ONE, "given", -1)]
    dry = [one.verdict for one in await record(store, *wanted, wordings=[MAY], dry_run=True)]
    assert await history(store, ONE) == []
    assert await store.read(lambda tx: load_wordings(tx, [hash_wording(MAY)])) == {}
    assert [one.verdict for one in await record(store, *wanted)] == dry


async def test_lists_are_in_order_and_go_on_where_they_stopped(store):
    await record(store, *(brought(ONE, brand=brand) for brand in "cab"), brought(TWO, "refused"))
    whole = await store.read(lambda tx: list_consents(tx, ConsentFilter(), limit=9, after=None))
    assert [one.brand for one in whole] == ["a", "b", "c", "default"]
    rest = await store.read(lambda tx: list_consents(tx, ConsentFilter(), limit=9, after=whole[1].key))
    assert rest == whole[2:]
    wanted = ConsentFilter(
        numbers=[TWO, ONE], state=ConsentState.REFUSED, purpose="marketing", brand="default"
    )
    assert await store.read(lambda tx: list_consents(tx, wanted, limit=9, after=None)) == whole[3:]


async def test_the_first_note_of_a_file_stays(store):
    first = ConsentFile(
        sha256="a" * 64, name="may.csv", statement="from the shop", created_at=AT, by="cli:me"
    )
    await store.write(lambda tx: save_file(tx, first))
    again = ConsentFile(sha256="a" * 64, name="x.csv", statement="?", created_at=AT, by="cli:you")
    await store.write(lambda tx: save_file(tx, again))
    assert await store.read(lambda tx: load_files(tx, ["a" * 64, "b" * 64])) == [first]


async def test_only_what_was_replaced_long_ago_is_forgotten(store):
    day = 24 * 60.0
    await record(store, *(brought(ONE, state, at * day) for state, at in (("given", 0), ("withdrawn", 10))))
    await record(store, brought(TWO, "given", 0))

    async def forget(days: float) -> int:
        before = AT + timedelta(days=days)
        n, after = await store.write(lambda tx: forget_consents(tx, before, "", 100))
        assert after is None
        return n

    assert await forget(9) == 0  # it held until the tenth day, and proves what was sent until then
    assert await forget(11) == 1
    assert await forget(10_000) == 0
    assert await states(store, ONE, TWO) == ["withdrawn", "given"]


async def test_retention_walks_through_all_of_them(store):
    await record(store, *(brought(f"+86138{n:08d}", "given", 0) for n in range(25)))
    await record(store, *(brought(f"+86138{n:08d}", "refused", 1) for n in range(25)))
    after, gone = "", 0
    while after is not None:
        step = after
        n, after = await store.write(lambda tx, s=step: forget_consents(tx, AT + timedelta(days=1), s, 7))
        gone += n
    assert gone == 25


async def test_two_stores_at_once_lose_nothing_and_agree_on_the_last_word(database: Database):
    one, other = await database.open(), await database.open()
    rng = random.Random(11)
    numbers = [f"+86138{n:08d}" for n in range(5)]
    jobs = []
    for _ in range(120):
        some = [
            brought(
                rng.choice(numbers),
                rng.choice(["given", "withdrawn", "refused"]),
                rng.randrange(50),
                dated=rng.random() < 0.7,
                evidence=Evidence(reference=str(rng.random())),
            )
            for _ in range(rng.randrange(1, 4))
        ]
        jobs.append(record(rng.choice((one, other)), *some))
    results = [result for some in await asyncio.gather(*jobs) for result in some]
    events = await history(one, *numbers)
    assert sorted(e.id for e in events) == sorted(r.consent.id for r in results)
    for held in await other.read(lambda tx: load_holding(tx, numbers)):
        of_it = [e for e in events if e.key == held.key]
        assert held == max(of_it, key=lambda e: (format_ms(e.at) or 0, e.id))
