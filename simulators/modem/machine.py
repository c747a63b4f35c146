"""The line state machine between a serial port and a stick: bytes in, bytes out.

It echoes, finds command lines, runs handlers, asks for message texts and prints results. Unsolicited lines
wait until no command is being answered. It owns no file descriptor; tasks run only while the network is
asked.

Spec: ITU-T V.250 5.2 (lines), 5.7 (results); 3GPP TS 27.005 3.5.1, 4.3 (prompt).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from simulators.modem.commands import COMMANDS, TESTS, Answer, Prompt, accept
from simulators.modem.sms_commands import SMS_COMMANDS, SMS_TESTS
from simulators.modem.syntax import Command, Failed, Form, parse_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from simulators.modem.device import Device

MAX_LINE = 4_096
"""Bytes of one line or message text; what is longer loses its beginning."""
MAX_UNSOLICITED = 100
"""Unsolicited results kept while a command is being answered; the oldest give way."""
_CR, _LF, _ESC, _SUB = b"\r", b"\n", b"\x1b", b"\x1a"
TABLE = COMMANDS | SMS_COMMANDS
"""All handlers by the name of their command."""
_TESTS = TESTS | SMS_TESTS


class Machine:
    """One AT interpreter.

    Args:
        device: the stick behind it.
        write: takes bytes for the program.
    """

    def __init__(self, device: Device, write: Callable[[bytes], None]) -> None:
        self._device = device
        self._write = write
        self._input = bytearray()
        self._line = bytearray()
        self._prompt: Prompt | None = None
        self._running: asyncio.Future[None] | None = None
        self._answering = False  # from the end of a command line to its result, prompt and network included
        self._unsolicited: deque[list[str]] = deque(maxlen=MAX_UNSOLICITED)
        device.notify = self.notify

    def feed(self, data: bytes) -> None:
        """Take bytes from the program. While a command runs they wait, unechoed."""
        self._input += data
        while self._input and self._running is None:
            self._take(bytes(self._input[:1]))
            del self._input[:1]

    def notify(self, lines: list[str]) -> None:
        """Print an unsolicited result as soon as no command or prompt is open."""
        self._unsolicited.append(lines)
        self._flush()

    def abort(self) -> None:
        """Forget everything at once, as a stick does that loses its power."""
        self._input.clear()
        self._line.clear()
        self._unsolicited.clear()
        self._prompt = None
        self._answering = False
        if self._running is not None:
            self._running.cancel()
            self._running = None

    async def close(self) -> None:
        """Stop what runs: whether the network took it is open."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def _take(self, byte: bytes) -> None:
        if self._prompt is not None:
            self._take_text(byte, self._prompt)
        elif byte == _CR:
            line = self._line.decode("latin-1")
            self._line.clear()
            self._echo(byte)
            self._run_line(line)
        elif byte not in (_LF, _ESC, _SUB):
            self._echo(byte)
            self._keep(byte)

    def _take_text(self, byte: bytes, prompt: Prompt) -> None:
        if byte == _ESC:
            self._prompt = None
            self._line.clear()
            self._finish([], "OK")
        elif byte == _SUB:
            data = bytes(self._line)
            self._prompt = None
            self._line.clear()
            self._start(prompt.finish(data))
        else:
            self._echo(_CR + _LF + b"> " if byte == _CR else byte)
            self._keep(byte)

    def _keep(self, byte: bytes) -> None:
        self._line += byte
        del self._line[:-MAX_LINE]

    def _echo(self, octets: bytes) -> None:
        if self._device.settings.echo or self._device.faults.echo_stuck:
            self._write(octets)

    def _run_line(self, line: str) -> None:
        """Noise before AT is overlooked, as sticks do; a line without AT is nothing."""
        start = line.upper().find("AT")
        if start < 0:
            return
        self._answering = True
        lines: list[str] = []
        try:
            self._device.faults.on_line(line)
            for command in parse_line(line[start + 2 :]):
                answer = self._ask(command)
                if isinstance(answer, list):
                    lines += answer
                elif isinstance(answer, Prompt):
                    prompt = self._device.faults.prompt(self._device.dialect.prompt)
                    self._prompt = answer
                    self._write(prompt)
                    return
                else:
                    self._start(answer)
                    return
        except Failed as failure:
            self._finish(lines, failure.result_code(self._device.settings.cmee))
            return
        self._finish(lines, "OK")

    def _ask(self, command: Command) -> Answer:
        handler = TABLE.get(command.name)
        if handler is None:
            raise Failed
        if command.form is Form.TEST:
            handler = _TESTS.get(command.name, accept)
        return handler(self._device, command)

    def _start(self, answer: Awaitable[list[str]]) -> None:
        self._running = asyncio.ensure_future(self._run(answer))

    async def _run(self, answer: Awaitable[list[str]]) -> None:
        try:
            lines, final = await answer, "OK"
        except Failed as failure:
            lines, final = [], failure.result_code(self._device.settings.cmee)
        self._running = None
        self._finish(lines, final)
        self.feed(b"")

    def _finish(self, lines: list[str], final: str) -> None:
        if lines:
            self._print(lines)
        self._print([final])
        self._answering = False
        self._flush()

    def _flush(self) -> None:
        while self._unsolicited and not self._answering:
            self._print(self._unsolicited.popleft())

    def _print(self, lines: list[str]) -> None:
        self._write(("\r\n" + "\r\n".join(lines) + "\r\n").encode("latin-1", "replace"))
