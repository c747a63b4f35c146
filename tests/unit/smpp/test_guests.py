"""Who has to go when too many are connected: never who is bound, nor a newcomer for those that only sit there."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from drivers.smpp.server.guests import MOST_UNBOUND_FROM_ONE, Guests

pytestmark = pytest.mark.unit


@dataclass(eq=False)
class Peer:
    origin: str = "here"
    waits_for_login: bool = False


def enter(guests: Guests[Peer], *peers: Peer) -> list[Peer]:
    """Who had to go."""
    gone = []
    for peer in peers:
        out = guests.enter(peer)
        if out is not None:
            guests.leave(out)
            gone.append(out)
    return gone


def test_idle_ones_make_room_for_newcomers_of_their_address_oldest_first():
    guests: Guests[Peer] = Guests(1_000, 200)
    idle = [Peer() for _ in range(1_000)]
    assert enter(guests, *idle) == idle[:-MOST_UNBOUND_FROM_ONE]
    assert len(guests) == MOST_UNBOUND_FROM_ONE
    assert enter(guests, Peer("elsewhere")) == []


def test_who_waits_for_his_bind_goes_after_those_that_sit_there():
    guests: Guests[Peer] = Guests(2, 200)
    binding, idle = Peer("a", waits_for_login=True), Peer("b")
    assert enter(guests, binding, idle, Peer("c")) == [idle]
    guests = Guests(1, 200)
    assert enter(guests, binding, second := Peer("b", waits_for_login=True)) == [binding]
    assert list(guests) == [second]


def test_who_is_bound_stays_and_a_newcomer_finds_no_place():
    guests: Guests[Peer] = Guests(10, 3)
    bound = [Peer() for _ in range(3)]
    for peer in bound:
        enter(guests, peer)
        guests.bind(peer)
    newcomer = Peer()
    assert enter(guests, newcomer) == [newcomer]
    assert list(guests) == bound
    guests.leave(bound[0])
    assert enter(guests, newcomer) == []


def test_nothing_is_kept_of_those_that_left():
    guests: Guests[Peer] = Guests(100, 100)
    peers = [Peer(f"10.0.0.{n}") for n in range(50)]
    enter(guests, *peers)
    for peer in peers:
        guests.bind(peer)
        guests.leave(peer)
        guests.leave(peer)
    assert (len(guests), guests._unbound, guests._unbound_from, guests._n_from) == (0, {}, {}, {})
