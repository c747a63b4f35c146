"""How much of what peers send is worked off in one turn of the event loop; nothing of it is lost or turned round."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import inflow
from drivers.inflow import BITES_A_TURN, Inflow
from tests.support.eventually import eventually

pytestmark = pytest.mark.unit

BITE = 100


class Wire:
    """A transport that only remembers; `heard` are the bites."""

    def __init__(self, bite: int = BITE) -> None:
        self.reading = True
        self.aborted = False
        self.heard: list[bytes] = []
        self.inflow = Inflow(self.take, bite)
        self.inflow.attach(self)

    def take(self, octets: bytes) -> None:
        self.heard.append(octets)

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    @property
    def n_heard(self) -> int:
        return sum(map(len, self.heard))


async def turn() -> None:
    await asyncio.sleep(0)


async def test_a_flood_is_taken_in_bites_and_its_wire_is_not_read_meanwhile():
    wire = Wire()
    wire.inflow.received(b"x" * 50 * BITE)
    assert not wire.reading
    turns = 0
    while wire.n_heard < 50 * BITE:
        before = wire.n_heard
        await turn()
        turns += 1
        assert wire.n_heard - before <= BITE * BITES_A_TURN
    assert turns >= 50 / BITES_A_TURN
    assert wire.reading
    assert max(map(len, wire.heard)) == BITE


async def test_a_turn_is_shared_by_all_however_many_they_are():
    wires = [Wire() for _ in range(40)]
    quiet = Wire()
    for wire in wires:
        wire.inflow.received(b"x" * 10 * BITE)
    quiet.inflow.received(b"hello")
    for _ in range(40):
        before = sum(wire.n_heard for wire in wires)
        await turn()
        assert sum(wire.n_heard for wire in wires) - before <= BITE * (BITES_A_TURN + 1)
        if quiet.heard:
            break
    assert quiet.heard == [b"hello"]
    # It came after those before it, and before the second bite of more than this turn had room for.
    assert max(wire.n_heard for wire in wires) <= 2 * BITE


async def test_what_comes_when_there_is_room_is_taken_at_once():
    wire = Wire()
    wire.inflow.received(b"hello")
    assert wire.heard == [b"hello"]
    assert wire.reading


async def test_a_held_wire_is_read_on_only_until_a_bite_waits():
    wire = Wire()
    wire.inflow.hold("login", listening=True)
    assert wire.reading
    wire.inflow.received(b"x" * BITE)
    assert not wire.reading
    assert wire.heard == []
    wire.inflow.hold("writing")
    wire.inflow.release("login")
    await turn()
    assert wire.heard == []
    wire.inflow.release("writing")
    await turn()
    assert wire.heard == [b"x" * BITE]
    assert wire.reading


async def test_who_sends_what_can_only_be_refused_is_heard_less_often(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inflow, "NUISANCE_PAUSE_S", 0.0)
    wire = Wire()
    for _ in range(inflow.NUISANCES):
        assert not wire.inflow.held
        wire.inflow.note_nuisance()
    assert wire.inflow.held
    assert not wire.reading
    await eventually(lambda: wire.reading)


async def test_the_rest_is_taken_when_the_wire_is_gone():
    wire = Wire()
    wire.inflow.received(b"x" * 2 * BITE)
    wire.inflow.finish()
    await turn()
    assert b"".join(wire.heard) == b"x" * 2 * BITE


async def test_who_breaks_loses_his_wire_and_holds_up_nobody():
    broken, whole = Wire(), Wire()
    broken.inflow.received(b"x" * 3 * BITE)
    whole.inflow.received(b"y" * 3 * BITE)

    def fail(octets: bytes) -> None:
        raise RuntimeError

    broken.inflow._take = fail
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    for _ in range(4):
        await turn()
    assert broken.aborted
    assert b"".join(whole.heard) == b"y" * 3 * BITE


@given(
    cuts=st.lists(st.integers(0, 250), max_size=30),
    steps=st.lists(st.sampled_from(["hold", "listen", "release", "turn"]), max_size=30),
)
@settings(deadline=None, max_examples=60)
def test_any_cut_and_any_pause_gives_the_same_stream(cuts, steps):
    async def run() -> None:
        wire = Wire(bite=7)
        sent = bytearray()
        for i in range(max(len(cuts), len(steps))):
            match steps[i] if i < len(steps) else "turn":
                case "hold":
                    wire.inflow.hold("a")
                case "listen":
                    wire.inflow.hold("b", listening=True)
                case "release":
                    wire.inflow.release("a")
                    wire.inflow.release("b")
                case _:
                    await turn()
            if i < len(cuts):
                octets = bytes(n % 251 for n in range(len(sent), len(sent) + cuts[i]))
                sent += octets
                wire.inflow.received(octets)
        wire.inflow.release("a")
        wire.inflow.release("b")
        while wire.inflow.n_unread:
            await turn()
        await turn()
        assert b"".join(wire.heard) == sent
        assert wire.reading

    asyncio.run(run())
