"""Serial ports as asyncio wires: the one file that imports the serial library.

`open_serial` can be swapped for any other `OpenWire`: a socket to a terminal server, a test's pipe.
"""

from __future__ import annotations

import asyncio
import errno
import os
import termios
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

import serial
import serial_asyncio

from drivers.errors import WireLost
from drivers.inflow import Inflow

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from typing_extensions import Buffer


_BITE = 512
"""Octets of a stick that are taken at once; a line may be as short as two."""
_NOT_OURS = frozenset({errno.EBUSY, errno.EACCES, errno.EPERM, errno.EAGAIN})


class PortBlocked(WireLost):
    """The port is there and not ours to open: held by another program, or not permitted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, by_peer=False)


class WireListener(Protocol):
    """Who hears the wire; called on the event loop."""

    def octets_received(self, octets: bytes) -> None:
        """Octets came in."""
        ...

    def wire_lost(self, reason: str) -> None:
        """The far end is gone; nothing more will come. Not called for our own close."""
        ...


class Wire(Protocol):
    """An open wire."""

    def write(self, octets: bytes) -> None:
        """Queue octets; after the wire was lost they are dropped."""
        ...

    async def close(self) -> None:
        """Close without waiting for unwritten octets; may be called twice."""
        ...


class OpenWire(Protocol):
    """Opens a wire; raises WireLost when it can't."""

    def __call__(self, path: str, baudrate: int, listener: WireListener) -> Awaitable[Wire]:
        """See `open_serial`."""
        ...


class _Device(serial.Serial):
    """A port whose reads and writes never wait and know no descriptor limit.

    The library's own read goes through select(), which fails for descriptors above 1023, and its
    write spins while the device takes nothing.
    """

    def read(self, size: int = 1, /) -> bytes:
        assert self.fd is not None
        try:
            octets = os.read(self.fd, size)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            raise serial.SerialException(f"read failed: {error.strerror}") from error
        if not octets:
            raise serial.SerialException("hung up")
        return octets

    def write(self, octets: Buffer, /) -> int:
        assert self.fd is not None
        try:
            return os.write(self.fd, octets)
        except (BlockingIOError, InterruptedError):
            raise
        except OSError as error:
            raise serial.SerialException(f"write failed: {error.strerror}") from error


class _SerialWire(asyncio.Protocol):
    """Joins the library's transport to our listener."""

    def __init__(self, listener: WireListener) -> None:
        self._listener = listener
        self._inflow = Inflow(listener.octets_received, _BITE)
        self._closing = False
        self._closed = asyncio.get_running_loop().create_future()
        self._transport: serial_asyncio.SerialTransport | None = None

    def attach(self, transport: serial_asyncio.SerialTransport) -> None:
        self._transport = transport
        self._inflow.attach(transport)

    def data_received(self, data: bytes) -> None:
        self._inflow.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closing:
            self._inflow.finish()  # the last answers may be in it
        if not self._closed.done():
            self._closed.set_result(None)
        if not self._closing:
            self._listener.wire_lost(str(exc) if exc else "closed")

    def write(self, octets: bytes) -> None:
        transport = self._transport
        if transport is None or self._closed.done():
            return
        if not transport.get_write_buffer_size() and not transport.is_closing():
            # The library would wait for the loop's next turn. What goes wrong here it finds out by itself.
            with suppress(BlockingIOError, InterruptedError, serial.SerialException):
                octets = octets[transport.serial.write(octets) :]
        if octets:
            transport.write(octets)

    async def close(self) -> None:
        self._closing = True
        transport = self._transport
        if transport is not None and not self._closed.done():
            # The library drains before it closes, which can last half a minute on a hung stick and would
            # stop the whole loop: throw the unwritten octets away first.
            with suppress(OSError, termios.error):
                transport.serial.reset_output_buffer()
            # A transport that closed itself with nothing left to write has its end already under way.
            if not transport.is_closing() or transport.get_write_buffer_size():
                transport.abort()
        await asyncio.shield(self._closed)


async def open_serial(path: str, baudrate: int, listener: WireListener) -> Wire:
    """Open a serial port, eight data bits, no parity, for ourselves alone.

    Raises:
        PortBlocked: it is busy or not ours to open.
        WireLost: it is missing, or something else is the matter.

    Cancel: a port that opens afterwards is closed again.
    """
    loop = asyncio.get_running_loop()
    # Opening a stick whose firmware hangs can block for seconds: not on the loop.
    opening = loop.run_in_executor(None, partial(_Device, path, baudrate=baudrate, exclusive=True))
    try:
        device = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_late)
        raise
    except (OSError, ValueError, termios.error) as error:
        reason = f"can't open {path}: {_reason(error)}"
        if isinstance(error, OSError) and error.errno in _NOT_OURS:
            raise PortBlocked(reason) from error
        raise WireLost(reason, by_peer=False) from error
    wire = _SerialWire(listener)
    transport, _ = await serial_asyncio.connection_for_serial(loop, lambda: wire, device)
    wire.attach(transport)
    return wire


def _close_late(opening: asyncio.Future[_Device]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
