"""A scripted stick on a real pty: a table of command and reply, and switches for misbehaviour.

Not a simulator: it knows no network. What it says is what the test wrote into its tables.
"""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEADLINE_S = 60.0

GREETING: dict[str, tuple[str, ...]] = {
    "AT": ("OK",),
    "ATE0": ("OK",),
    "ATV1": ("OK",),
    "AT+CMEE=1": ("OK",),
    "AT+CPIN?": ("+CPIN: READY", "OK"),
    "AT+CREG?": ("+CREG: 0,1", "OK"),
    "AT+CMGF=0": ("OK",),
    "AT+CSMS=1": ("+CSMS: 1,1,1", "OK"),
    "AT+CPMS=?": ('+CPMS: ("SM"),("SM"),("SM")', "OK"),
    'AT+CPMS="SM","SM","SM"': ("+CPMS: 0,20,0,20,0,20", "OK"),
    'AT+CPMS="SM"': ("+CPMS: 0,20,0,20,0,20", "OK"),
    "AT+CNMI=2,1,0,2,0": ("OK",),
    "AT+COPS=3,0": ("OK",),
    "AT+COPS?": ('+COPS: 0,0,"CHINA MOBILE",7', "OK"),
    "AT+CSQ": ("+CSQ: 20,99", "OK"),
    "AT+CGMI": ("huawei", "OK"),
    "AT+CGMM": ("E173", "OK"),
    "AT+CGSN": ("861696001234567", "OK"),
    "AT+CCID": ("+CCID: 89860012345678901234", "OK"),
    "AT+CMMS=2": ("OK",),
    "AT+CNMA": ("OK",),
}
"""A stick in good order; what is not in the table is answered with ERROR."""

NEARLY_FULL = ('+CPMS: "SM",18,20,"SM",18,20,"SM",18,20', "OK")
"""What one says to AT+CPMS? when room must be made."""


def tpdu_octets(pdu: str) -> int:
    """What a stick announces: the octets in hex, without the service centre's address; 0 for what is no PDU."""
    try:
        octets = bytes.fromhex(pdu)
    except ValueError:
        return 0
    return max(0, len(octets) - 1 - octets[0])


class ScriptedModem:
    """One stick on one pty, reachable under a stable symlink.

    Attributes:
        replies: lines by command; a callable is called with the command.
        answers: what follows each PDU, first come first served; afterwards ``+CMGS`` with a running number.
        stored: PDU in hex by index, in the storage SM.
        status: of all of them; received and unread.
        commands: everything that was received, without prompts' payloads.
        payloads: what came behind prompts, in hex digits.
        echo: repeat what was received, also after ATE0.
        swallow: commands that get no answer; ``"prompt"`` and ``"payload"`` stand for those two.
        close_on: the command, ``"prompt"`` or ``"payload"`` at which the port disappears.
    """

    def __init__(self, link: Path) -> None:
        self.link = link
        self.replies: dict[str, tuple[str, ...] | Callable[[str], tuple[str, ...]]] = dict(GREETING)
        self.answers: deque[tuple[str, ...]] = deque()
        self.stored: dict[int, str] = {}
        self.status = 0
        self.commands: list[str] = []
        self.payloads: list[str] = []
        self.echo = False
        self.swallow: set[str] = set()
        self.close_on: str | None = None
        self.prompt = b"\r\n> "
        self._master = -1
        self._slave = -1
        self._line = bytearray()
        self._in_payload = False
        self._next_mr = 0
        self._changed = asyncio.Condition()
        self._notices: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self.appear()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.vanish()
        if self._notices:
            await asyncio.wait(self._notices)

    def appear(self) -> None:
        """Plug in: a new pty under the old link."""
        self._master, self._slave = pty.openpty()
        # Our own hold on the slave keeps the line alive while the driver is away.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.link.symlink_to(os.ttyname(self._slave))
        self._line.clear()
        self._in_payload = False
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def vanish(self) -> None:
        """Pull out: the pty is gone, and so is the link."""
        if self._master < 0:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = -1
        self.link.unlink()

    def say(self, *lines: str) -> None:
        """Send lines, unasked."""
        self._write("".join(f"\r\n{line}\r\n" for line in lines).encode())

    def store(self, index: int, pdu: str) -> None:
        """Put a message into the storage and tell of it."""
        self.stored[index] = pdu
        self.say(f'+CMTI: "SM",{index}')

    def prompt_for_payload(self) -> None:
        """Prompt, and take what comes as a payload up to Ctrl-Z or ESC."""
        self._in_payload = True
        self._write(self.prompt)

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; it is looked at after each command and payload."""
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(condition)

    async def wait_for_command(self, command: str, times: int = 1) -> None:
        """Wait until a command was received so many times in all."""
        await self.wait_for(lambda: self.commands.count(command) >= times)

    def _read(self) -> None:
        with suppress(BlockingIOError, OSError):
            octets = os.read(self._master, 4096)
            if self.echo:
                self._write(octets)
            for octet in octets:
                self._take(octet)

    def _take(self, octet: int) -> None:
        if octet == 0x1B:
            self._line.clear()
            self._in_payload = False
        elif self._in_payload and octet == 0x1A:
            self._take_payload(self._line.decode())
        elif not self._in_payload and octet == 0x0D:
            self._take_command(self._line.decode())
        else:
            self._line.append(octet)

    def _take_command(self, command: str) -> None:
        self._line.clear()
        if not command:
            return
        self.commands.append(command)
        self._notify()
        if self.close_on == command.partition("=")[0]:
            self.vanish()
        elif command.partition("=")[0] not in self.swallow and command not in self.swallow:
            self._answer(command)

    def _answer(self, command: str) -> None:
        if command.startswith("AT+CMGS=") and command not in self.replies:
            if self.close_on == "prompt":
                self.vanish()
            elif "prompt" not in self.swallow:
                self.prompt_for_payload()
            return
        name, _, argument = command.partition("=")
        match name if command not in self.replies else "":
            case "AT+CMGL":
                self.say(*self._list(), "OK")
            case "AT+CMGR":
                pdu = self.stored.get(int(argument))
                self.say(*([f"+CMGR: {self.status},,{tpdu_octets(pdu)}", pdu] if pdu else []), "OK")
            case "AT+CMGD":
                self.stored.pop(int(argument), None)
                self.say("OK")
            case _:
                reply = self.replies.get(command, ("ERROR",))
                self.say(*(reply(command) if callable(reply) else reply))

    def _list(self) -> list[str]:
        return [
            line
            for index, pdu in sorted(self.stored.items())
            for line in (f"+CMGL: {index},{self.status},,{tpdu_octets(pdu)}", pdu)
        ]

    def _take_payload(self, payload: str) -> None:
        self._line.clear()
        self._in_payload = False
        self.payloads.append(payload)
        self._notify()
        if self.close_on == "payload":
            self.vanish()
        elif "payload" not in self.swallow:
            self.say(*(self.answers.popleft() if self.answers else self._next_reference()))

    def _next_reference(self) -> tuple[str, ...]:
        self._next_mr += 1
        return f"+CMGS: {self._next_mr}", "OK"

    def _write(self, octets: bytes) -> None:
        if self._master >= 0:
            os.write(self._master, octets)

    def _notify(self) -> None:
        task = asyncio.get_running_loop().create_task(self._notify_all())
        self._notices.add(task)
        task.add_done_callback(self._notices.discard)

    async def _notify_all(self) -> None:
        async with self._changed:
            self._changed.notify_all()
