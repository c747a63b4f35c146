"""What waits for the network, counted as it comes and goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.load import PERIOD_S, Bounds, Coming, Excess, Load

NOW = datetime(2026, 6, 1, tzinfo=UTC)
VALID_S = 3_600


def one(owner: str = "a", sign: int = 1, octets: int = 100, waited_s: float = 0.0) -> Coming:
    began_at = NOW - timedelta(seconds=waited_s)
    return Coming(owner, sign, octets, began_at, began_at + timedelta(seconds=VALID_S), None)


def excess(load: Load, owner: str, most: int, most_octets: int, n: int = 0, octets: int = 0) -> Excess | None:
    return load.of(owner).excess(Bounds(most, most_octets), n, octets)


def is_too_old(load: Load, most_s: float) -> bool:
    return load.of("a").excess_of_age(most_s, NOW) is not None


def test_bounds_are_of_what_waits_and_of_what_is_to_come():
    load = Load(VALID_S)
    load.note([one(), one(), one("b", octets=900)])
    assert excess(load, "a", 2, 200) is None
    assert excess(load, "a", 2, 200, n=1, octets=1) == Excess("messages", 2, 2)
    assert excess(load, "a", 3, 200, n=1, octets=1) == Excess("octets", 200, 200)
    assert excess(load, "b", 2, 200) == Excess("octets", 900, 200)
    assert excess(load, "nobody", 0, 0) is None
    assert (load.all.messages, load.all.octets) == (3, 1_100)


def test_the_age_is_that_of_the_one_that_has_waited_longest():
    load = Load(VALID_S)
    load.note([one(waited_s=600), one(waited_s=30)])
    assert not is_too_old(load, 700)
    assert is_too_old(load, 300)
    load.note([one(sign=-1, waited_s=600)])
    assert not is_too_old(load, 300)


def test_what_is_scheduled_has_not_waited_yet():
    load = Load(VALID_S)
    load.note([one(waited_s=-86_400)])
    assert load.of("a").age_s(NOW.timestamp()) == 0.0


def test_a_code_with_its_own_validity_and_a_message_that_is_sent_again_have_their_age():
    load, hour = Load(VALID_S), timedelta(hours=1)
    load.note([Coming("code", 1, 1, NOW, NOW + timedelta(seconds=60), None)])
    load.note([Coming("again", 1, 1, NOW - 48 * hour, NOW + timedelta(seconds=VALID_S), None)])
    assert load.of("code").age_s(NOW.timestamp()) < PERIOD_S
    assert load.of("again").age_s(NOW.timestamp()) < PERIOD_S


OWNERS = st.sampled_from("abc")


@given(st.lists(st.tuples(OWNERS, st.integers(0, 10_000), st.integers(1, 999)), max_size=30), st.data())
def test_whatever_comes_and_goes_the_count_is_that_of_those_who_are_there(
    came: list[tuple[str, int, int]], data: st.DataObject
):
    load = Load(VALID_S)
    load.note([one(owner, 1, octets, waited) for owner, waited, octets in came])
    gone = data.draw(st.lists(st.integers(0, max(0, len(came) - 1)), unique=True, max_size=len(came)))
    load.note([one(came[i][0], -1, came[i][2], came[i][1]) for i in gone])
    left = [entry for i, entry in enumerate(came) if i not in gone]
    for owner in "abc":
        fill, mine = load.of(owner), [entry for entry in left if entry[0] == owner]
        assert (fill.messages, fill.octets) == (len(mine), sum(entry[2] for entry in mine))
        oldest = max((entry[1] for entry in mine), default=0)
        assert oldest - PERIOD_S <= fill.age_s(NOW.timestamp()) <= oldest + PERIOD_S
    assert load.all.messages == len(left)
    assert set(load.owners) == {entry[0] for entry in left}, "who has nothing waiting takes no memory"
