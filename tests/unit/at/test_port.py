"""The owner of a port over a wire of our own: at once, in order, and an end for everything."""

from __future__ import annotations

import asyncio

import pytest

from drivers.at.port import AtPort
from drivers.at.transport import Wire, WireListener
from drivers.at.unsolicited import Urc
from drivers.errors import WireLost
from tests.support.eventually import eventually

pytestmark = pytest.mark.unit


class FakeWire:
    """Keeps what is written; what the stick says goes straight to the listener."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.listener: WireListener | None = None

    async def open(self, path: str, baudrate: int, listener: WireListener) -> Wire:
        self.listener = listener
        return self

    def write(self, octets: bytes) -> None:
        self.written.append(octets)

    async def close(self) -> None:
        pass

    def say(self, octets: bytes) -> None:
        assert self.listener is not None
        self.listener.octets_received(octets)


async def opened(wire: FakeWire, on_urc=lambda urc: None) -> tuple[AtPort, asyncio.Task[None]]:
    """A port that has found its stick."""
    port = AtPort("a", on_urc)
    await port.open("/dev/none", 115_200, wire.open)
    owner = asyncio.create_task(port.run())
    await asyncio.sleep(0)
    wire.say(b"\r\nOK\r\n")
    answer = asyncio.create_task(port.request("AT"))
    await eventually(lambda: wire.written[-1] == b"AT\r")
    wire.say(b"\r\nOK\r\n")
    await answer
    return port, owner


async def stop(owner: asyncio.Task[None]) -> None:
    owner.cancel()
    await asyncio.gather(owner, return_exceptions=True)


async def test_the_next_command_is_on_the_wire_before_the_answer_is_handed_out():
    wire = FakeWire()
    port, owner = await opened(wire)
    first = asyncio.create_task(port.request("AT+CSQ"))
    second = asyncio.create_task(port.request("AT+CREG?"))
    await asyncio.sleep(0)
    assert wire.written[-1] == b"AT+CSQ\r"
    wire.say(b"\r\n+CSQ: 20,99\r\n\r\nOK\r\n")
    assert wire.written[-1] == b"AT+CREG?\r"
    assert await first == ("+CSQ: 20,99",)
    await stop(owner)
    with pytest.raises(WireLost):
        await second


async def test_it_says_since_when_no_segment_is_on_its_way():
    wire = FakeWire()
    port, owner = await opened(wire)
    assert port.free_since is not None
    sending = asyncio.create_task(
        port.request_with_payload("AT+CMGS=3", b"00AABB", on_payload=lambda: None, timeout_s=10)
    )
    await asyncio.sleep(0)
    assert port.free_since is None
    wire.say(b"\r\n> ")
    assert wire.written[-1] == b"00AABB\x1a"
    before = asyncio.get_running_loop().time()
    wire.say(b"\r\n+CMGS: 7\r\n\r\nOK\r\n")
    assert port.free_since is not None
    assert port.free_since >= before
    assert await sending == ("+CMGS: 7",)
    await stop(owner)


async def test_a_listener_that_breaks_ends_the_owner_and_every_request():
    def break_down(urc: Urc) -> None:
        raise ZeroDivisionError

    wire = FakeWire()
    port, owner = await opened(wire, break_down)
    waiting = asyncio.create_task(port.request("AT+CSQ"))
    await asyncio.sleep(0)
    wire.say(b"\r\nRING\r\n")
    with pytest.raises(ZeroDivisionError):
        await owner
    with pytest.raises(WireLost):
        await waiting
