"""Numbers in trouble, and the room of a channel."""

from __future__ import annotations

import math

import pytest

from gateway.routing.room import LEAST_S, Hold, Room, find_room
from gateway.routing.troubles import FORGOTTEN_S, REMEMBERED, Number, Setback, Troubles

pytestmark = pytest.mark.unit

PHONE = Number("group:default", "+8613800138000")


def left(troubles: Troubles, now: float, *, urgent: bool = False) -> float | None:
    return troubles.left_s(PHONE, now, urgent=urgent)


def test_once_is_no_news_and_twice_is_trouble_that_grows():
    troubles, now, pauses = Troubles(15.0, 1_800.0), 100.0, []
    troubles.note_setback(PHONE, Setback.REFUSED, now)
    assert left(troubles, now) is None
    for _ in range(9):
        troubles.note_setback(PHONE, Setback.REFUSED, now)
        pauses.append(pause := left(troubles, now))
        now += pause or 0.0
        assert left(troubles, now) == 0
    assert pauses == [15, 30, 60, 120, 240, 480, 960, 1_800, 1_800]


@pytest.mark.parametrize(("setback", "first_s"), [(Setback.THROTTLED, 4), (Setback.MISPLACED, 1)])
def test_each_kind_has_its_pause(setback, first_s):
    troubles = Troubles(15.0, 1_800.0)
    for _ in range(2):
        troubles.note_setback(PHONE, setback, 100.0)
    assert left(troubles, 100.0) == first_s


def test_what_was_on_the_wire_together_counts_once():
    troubles = Troubles(15.0, 1_800.0)
    for _ in range(50):
        troubles.note_setback(PHONE, Setback.REFUSED, 100.0)
    assert left(troubles, 100.0) == 15


def test_a_success_ends_it_and_so_does_a_long_time():
    troubles = Troubles(15.0, 1_800.0)
    assert not troubles.note_success(PHONE)
    troubles.note_setback(PHONE, Setback.REFUSED, 100.0)
    assert not troubles.note_success(PHONE), "once was no trouble"
    for _ in range(2):
        troubles.note_setback(PHONE, Setback.REFUSED, 100.0)
    assert left(troubles, 115.0 + FORGOTTEN_S) is None
    assert troubles.note_success(PHONE)
    assert left(troubles, 100.0) is None
    assert not troubles


def test_something_urgent_waits_half_of_it_and_the_networks_own_wish_counts():
    troubles = Troubles(15.0, 1_800.0)
    for _ in range(2):
        troubles.note_setback(PHONE, Setback.REFUSED, 100.0, 50.0)
    assert left(troubles, 100.0) == 50
    assert left(troubles, 100.0, urgent=True) == pytest.approx(25.0)


def test_what_is_remembered_is_bounded():
    troubles = Troubles(15.0, 1_800.0)
    for n in range(REMEMBERED + 10):
        troubles.note_setback(Number("q", f"+{n}"), Setback.REFUSED, 100.0)
    assert len(troubles._known) == REMEMBERED


def test_room_is_what_the_strictest_hold_allows():
    assert find_room([Hold("busy", 7), Hold("rate", 3, 0.0)]) == Room(3, 0.0, None)


def test_without_room_the_longest_pause_counts_and_none_is_nothing():
    assert find_room([Hold("busy", 7), Hold("rate", 0, 2.0), Hold("breaker", 0, 5.0)]) == Room(
        0, 5.0, "breaker"
    )
    assert find_room([Hold("busy", -1)]) == Room(0, math.inf, "busy")
    assert find_room([Hold("rate", 0, 0.0)]) == Room(0, LEAST_S, "rate")


def test_what_one_queue_has_learned_is_nothing_to_another():
    troubles = Troubles(15.0, 1_800.0)
    for _ in range(2):
        troubles.note_setback(PHONE, Setback.REFUSED, 100.0)
    assert troubles.left_s(Number("channel:a", PHONE.recipient), 100.0, urgent=False) is None


def test_nothing_is_urgent_enough_to_have_a_channel_throttled_again_and_again():
    troubles = Troubles(15.0, 1_800.0)
    for _ in range(2):
        troubles.note_setback(PHONE, Setback.THROTTLED, 100.0)
    assert left(troubles, 100.0, urgent=True) == 4
