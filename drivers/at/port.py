"""The asyncio owner of one serial port: one task owns the wire, others send it requests.

The owner feeds octets, time and requests to `drivers.at.transaction.AtDialogue` and does what it says.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from drivers.at.doubt import Doubt
from drivers.at.events import (
    Answered,
    AtEvent,
    Command,
    EchoBack,
    Hung,
    Late,
    Overdue,
    PayloadDue,
    Phase,
    Stray,
    TimedOut,
)
from drivers.at.request import EchoReturned, Request
from drivers.at.stray import StrayLog
from drivers.at.transaction import AtDialogue
from drivers.at.transport import open_serial
from drivers.at.unsolicited import Urc
from drivers.errors import DriverError, LocalProtocolError, WireLost, WireTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.at.request import OnLate
    from drivers.at.result_codes import FinalResult
    from drivers.at.trace import Trace
    from drivers.at.transport import OpenWire, Wire

COMMAND_TIMEOUT_S = 10.0
"""For a command that asks nothing of the network."""
MAX_WAITING = 32
"""Requests that may wait for the port; its users are few, more is a bug."""
MAX_UNREAD = 65_536
"""Octets that may wait for the owner; a stick that says more has lost its mind."""


class StickSilent(WireLost):
    """The port is open and the stick does not even answer AT."""

    def __init__(self) -> None:
        super().__init__("the stick does not answer", by_peer=True)


class AtPort:
    """One open serial port.

    `run` must be running for anything to happen. Requests are answered in the order they were made.

    Args:
        name: for logs.
        on_urc: called on the loop with each unsolicited message, in order; must not block.
        on_silence: called on the loop with True when an answer did not come, and with False when the stick answers
            again and no payload's answer is owed any more; must not block.
        on_stray: called on the loop with each line that belongs to nothing; must not block.
        command_timeout_s: for requests that name no other.
        trace: hears every octet.
        doubt: what the stick still owes from the last time its port was open; is kept up to date.
    """

    def __init__(
        self,
        name: str,
        on_urc: Callable[[Urc], None],
        *,
        on_silence: Callable[[bool], None] | None = None,
        on_stray: Callable[[str], None] | None = None,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
        trace: Trace | None = None,
        doubt: Doubt | None = None,
    ) -> None:
        self._strays = StrayLog(name)
        self._on_silence = on_silence
        self._on_stray = on_stray
        self._silent = False
        self._trace = trace
        self._command_timeout_s = command_timeout_s
        self._on_urc = on_urc
        self._loop = asyncio.get_running_loop()
        self._doubt = doubt or Doubt()
        self._dialogue = AtDialogue(self._loop.time(), self._doubt)
        self._wire: Wire | None = None
        self._waiting: deque[Request] = deque()
        self._current: Request | None = None
        self._unread = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._ended: asyncio.Future[None] | None = None
        self._stepping = False
        self._lost: WireLost | None = None
        self._is_gone = False
        self._payload_ended = -math.inf

    @property
    def free_since(self) -> float | None:
        """Since when, by the loop's clock, no command with a payload is in flight or waits; None while one is."""
        busy = self._current is not None and self._current.command.payload is not None
        if busy or any(request.command.payload is not None for request in self._waiting):
            return None
        return self._payload_ended

    async def open(self, path: str, baudrate: int, open_wire: OpenWire = open_serial) -> None:
        """Open the wire. Raises WireLost. Cancel: nothing stays open."""
        self._wire = await open_wire(path, baudrate, self)

    async def run(self) -> None:
        """Own the wire until it is lost or the task is cancelled.

        Raises:
            WireLost: the port died or the stick hangs.

        Cancel: the wire is closed; each request ends with WireLost.
        """
        ended = self._ended = self._loop.create_future()
        try:
            self._go_on()
            await ended
        finally:
            self._ended = None
            if ended.done() and not ended.cancelled():
                ended.exception()  # seen, also when we were cancelled at the same moment
            if self._timer is not None:
                self._timer.cancel()
            await self.close()

    async def close(self) -> None:
        """Close the wire and end each request with WireLost; may be called twice."""
        if self._lost is None:
            self._lost = WireLost("port closed", by_peer=False)
        if self._current is not None and not self._is_gone:
            self._dialogue.close(self._loop.time())
        self._fail_requests(self._lost)
        if self._wire is not None:
            await self._wire.close()

    async def request(
        self, text: str, *, timeout_s: float | None = None, on_late: OnLate | None = None
    ) -> tuple[str, ...]:
        """Send a command and wait for its end.

        Args:
            text: the command line, without line end.
            timeout_s: from its start, not from this call; None for the port's own.
            on_late: see `drivers.at.request.Request`; must not block.

        Returns:
            The information lines.

        Raises:
            AtError, CmeError, CmsError: what the stick answered.
            WireTimeout: no final result code came.
            WireLost: the port is gone.

        Cancel: a command not yet started is dropped; one in flight goes on, its answer is thrown away.
        """
        timeout_s = self._command_timeout_s if timeout_s is None else timeout_s
        return await self._enqueue(Command(text=text, timeout_s=timeout_s), on_late=on_late)

    async def request_with_payload(
        self,
        text: str,
        payload: bytes,
        *,
        on_payload: Callable[[], None],
        timeout_s: float,
        prompt_timeout_s: float | None = None,
        on_late: OnLate | None = None,
    ) -> tuple[str, ...]:
        """Send a command that prompts, then its payload and Ctrl-Z. Waits while an earlier payload's answer is owed.

        Args:
            on_payload: called just before the first octet of the payload is written.
            timeout_s: from the payload to the final result code.
            prompt_timeout_s: for the prompt; None, or more than the port's own for any answer, for that.
            on_late: see `drivers.at.request.Request`; must not block.

        Raises:
            EchoReturned: the stick echoes again: the payload was held back.
            RemoteProtocolError: the stick said OK without ever prompting.
            (others): as for `request`.

        Cancel: before the payload the prompt is left with ESC; after it the exchange goes on.
        """
        prompt_s = self._command_timeout_s
        if prompt_timeout_s is not None:
            prompt_s = min(prompt_s, prompt_timeout_s)
        command = Command(text=text, payload=payload, timeout_s=timeout_s, prompt_timeout_s=prompt_s)
        return await self._enqueue(command, on_payload, on_late)

    def octets_received(self, octets: bytes) -> None:
        """Hear the wire (`drivers.at.transport.WireListener`)."""
        if self._trace is not None:
            self._trace.heard(octets)
        self._unread += octets
        if len(self._unread) > MAX_UNREAD:
            self._lost = self._lost or WireLost("the stick floods the port", by_peer=True)
        self._go_on()

    def wire_lost(self, reason: str) -> None:
        """Hear that the wire is gone (`drivers.at.transport.WireListener`)."""
        self._is_gone = True
        self._doubt.clear()  # what it owed died with it
        self._lose(WireLost(reason, by_peer=True))

    def _lose(self, lost: WireLost) -> None:
        if self._lost is None:
            self._lost = lost
        self._go_on()

    async def _enqueue(
        self,
        command: Command,
        on_payload: Callable[[], None] | None = None,
        on_late: OnLate | None = None,
    ) -> tuple[str, ...]:
        if self._lost is not None:
            raise self._lost
        if len(self._waiting) >= MAX_WAITING:
            raise LocalProtocolError(f"{MAX_WAITING} requests wait for the port already")
        request = Request(command, self._loop.create_future(), on_payload, on_late)
        self._waiting.append(request)
        self._go_on()
        try:
            return await request.answer
        except asyncio.CancelledError:
            self._withdraw(request)
            raise

    def _withdraw(self, request: Request) -> None:
        with suppress(ValueError):
            self._waiting.remove(request)
        self._go_on()

    def _go_on(self) -> None:
        """Do at once what octets, time or a request have made due; nothing while `run` is not running."""
        if self._ended is None or self._ended.done() or self._stepping:
            return  # in mid-step: what a listener asked for is seen before that ends, or has ended the wire
        self._stepping = True
        try:
            self._step(self._loop.time())
        except Exception as error:  # noqa: BLE001 - a listener broke: `run` raises it, and not the event loop
            self._ended.set_exception(error)
            return
        finally:
            self._stepping = False
        if self._lost is not None:
            self._ended.set_exception(self._lost)
        else:
            self._watch_time()

    def _watch_time(self) -> None:
        """Have a timer no later than the dialogue's deadline; one that is early costs less than one a command."""
        due = (self._dialogue.deadline, self._dialogue.held_until(self._loop.time()))
        deadline = min((at for at in due if at is not None), default=None)
        if deadline is None or (self._timer is not None and self._timer.when() <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._time_passed)

    def _time_passed(self) -> None:
        self._timer = None
        self._go_on()

    def _step(self, now: float) -> None:
        self._abandon_unwanted(now)
        octets = bytes(self._unread)
        self._unread.clear()
        self._handle(self._dialogue.receive(octets, now))
        self._handle(self._dialogue.tick(now))
        is_held = self._dialogue.held_until(now) is not None
        if self._silent and self._dialogue.phase is Phase.IDLE and not is_held and self._lost is None:
            self._note_silence(silent=False)
        while self._dialogue.phase is Phase.IDLE and self._lost is None:
            request = next((r for r in self._waiting if not is_held or r.command.payload is None), None)
            if request is None:
                break
            self._waiting.remove(request)
            self._start(request, now)
        output = self._dialogue.take_output()
        if output and self._wire is not None:
            if self._trace is not None:
                self._trace.said(output)
            self._wire.write(output)

    def _abandon_unwanted(self, now: float) -> None:
        # Looked at before the octets are: they may hold the prompt, and then it would be too late.
        if self._current and self._current.is_over and self._dialogue.phase is Phase.PROMPT:
            self._dialogue.abandon(now)
            self._current = None

    def _start(self, request: Request, now: float) -> None:
        if request.is_over:
            return
        try:
            self._dialogue.start(request.command, now)
        except LocalProtocolError as error:
            request.fail(error)
            return
        self._current = request

    def _handle(self, events: list[AtEvent]) -> None:
        for event in events:
            match event:
                case Urc():
                    self._strays.note_others(event.line)
                    self._on_urc(event)
                case PayloadDue():
                    assert self._current is not None
                    self._current.leave_payload()
                case Answered(lines, final):
                    self._end_current(lines, final)
                case Overdue():
                    self._note_silence(silent=True)
                case Late(command, lines, final):
                    assert isinstance(command.owner, Request)
                    command.owner.end_late(lines, final)
                case TimedOut(after_s, lines):
                    self._strays.note_others(*lines)
                    self._note_silence(silent=True)
                    self._fail_current(partial(_timeout_of, after_s, lines))
                case EchoBack():
                    self._fail_current(lambda _command: EchoReturned())
                case Stray(line):
                    self._strays.note(line)
                    if self._on_stray is not None:
                        self._on_stray(line)
                case Hung():
                    self._lose(StickSilent())

    def _end_current(self, lines: tuple[str, ...], final: FinalResult) -> None:
        request = self._release_current()
        if request is not None:
            request.end(lines, final)

    def _note_silence(self, *, silent: bool) -> None:
        if silent is not self._silent and self._on_silence is not None:
            self._silent = silent
            self._on_silence(silent)

    def _fail_current(self, make_error: Callable[[Command], DriverError]) -> None:
        request = self._release_current()
        if request is not None:
            request.fail(make_error(request.command))

    def _release_current(self) -> Request | None:
        request, self._current = self._current, None
        if request is not None and request.command.payload is not None:
            self._payload_ended = self._loop.time()
        return request

    def _fail_requests(self, lost: WireLost) -> None:
        requests = [self._current, *self._waiting] if self._current else [*self._waiting]
        self._current = None
        self._waiting.clear()
        for request in requests:
            request.fail(lost)


def _timeout_of(after_s: float, lines: tuple[str, ...], command: Command) -> WireTimeout:
    return WireTimeout(command.label, after_s, lines)
