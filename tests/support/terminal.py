"""A person at a terminal program: raw file descriptors, no driver of ours, everything that comes is seen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_S = 60.0
HANGUP = "<hung up>"
"""What `Terminal.seen` shows when the port is gone."""


class Terminal:
    """An open port.

    Attributes:
        fd: the port's descriptor.
        seen: everything that came and that no `expect` has consumed yet.
    """

    def __init__(self, fd: int) -> None:
        self.seen = ""
        self.fd = fd
        self._arrived = asyncio.Event()

    def type(self, text: str) -> None:
        """Send characters as they are."""
        os.write(self.fd, text.encode("latin-1"))

    async def expect(self, pattern: str) -> re.Match[str]:
        """Wait until the pattern has come; what stands before its end is consumed."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not (match := re.search(pattern, self.seen)):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise AssertionError(f"no {pattern!r} in {self.seen!r}") from None
        self.seen = self.seen[match.end() :]
        return match

    async def ask(self, command: str, final: str = r"\r\n(OK|ERROR|\+CM[ES] ERROR: .*)\r\n") -> str:
        """Type a command line and return all that came up to the end of the answer."""
        before = len(self.seen)
        self.type(command + "\r")
        return (await self.expect(rf"(?s)\A.{{{before}}}.*?{final}"))[0]

    async def send_pdu(self, tpdu: bytes, n_octets: int | None = None) -> str:
        """AT+CMGS in PDU mode with an empty service centre; returns what came after the PDU."""
        self.type(f"AT+CMGS={len(tpdu) if n_octets is None else n_octets}\r")
        await self.expect("> ")
        self.type((b"\x00" + tpdu).hex().upper() + "\x1a")
        return (await self.expect(r"(?s).*?\r\n(OK|\+CM[ES] ERROR: \d+)\r\n"))[0]

    def read(self) -> None:
        """For the loop: take what is there."""
        with contextlib.suppress(BlockingIOError):
            octets = os.read(self.fd, 4_096)
            self.seen += octets.decode("latin-1") or HANGUP
            if not octets:
                asyncio.get_running_loop().remove_reader(self.fd)
        self._arrived.set()


@contextmanager
def open_terminal(port: str) -> Iterator[Terminal]:
    """Open a port as a program does, in raw mode."""
    fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(fd)
    terminal = Terminal(fd)
    loop = asyncio.get_running_loop()
    loop.add_reader(fd, terminal.read)
    try:
        yield terminal
    finally:
        loop.remove_reader(fd)
        os.close(fd)
