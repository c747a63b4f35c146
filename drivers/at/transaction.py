"""One command at a time over an unreliable line of octets. Sans-IO: octets and ``now`` in, events and octets out.

Theory of operation. The dialogue is in one `Phase`:

* ``RESYNC``: we don't know what the stick is doing (the port was just opened, or an answer did not come).
  ESC leaves a prompt nobody answers, ``AT`` asks for a sign of life; everything but URCs is thrown away.
* ``SETTLE``: it answered; until the line has been still for `SETTLE_S` further answers are thrown away.
  Sticks answer in order, so a late final of the old command comes before that of the guard, never after.
* ``IDLE``: a command may be started; every line is unsolicited.
* ``COMMAND``: information lines are collected until a final result code.
* ``PROMPT``: as COMMAND, and the prompt is awaited; nothing has taken effect yet.
* ``PAYLOAD``: what belongs behind the prompt has been handed out; only a final tells what came of it.

Unsolicited lines are taken out first, in every phase. Each started command ends with exactly one of
`Answered`, `TimedOut`, `EchoBack` or, if nobody wants it any more, `AtDialogue.abandon`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from drivers.at.reader import Line, LineReader, Oversized, Prompt
from drivers.at.result_codes import FinalResult, ResultKind, parse_final
from drivers.at.unsolicited import Urc, expected_prefix, has_body, is_body, is_unsolicited
from drivers.errors import LocalProtocolError

GUARD_S = 3.0
"""Time for an answer to the guard before it is sent again."""
GUARD_TRIES = 5
"""Guards without an answer before the stick counts as hung."""
SETTLE_S = 0.2
"""Silence that ends a resync."""
BODY_S = 1.0
"""Time for the second line of an unsolicited message."""
GLUED_S = 0.5
"""Silence behind a line without an end that ends like a prompt before it is taken for one: noise came in front of it,
or an unsolicited line that lost its own end. The rest of an honest line comes within milliseconds."""
MAX_INFO_LINES = 2048
"""Lines of one answer: a full store of 255 messages has 510."""

_LISTING = "+CMGL:"
_ESC = b"\x1b"
_SUB = b"\x1a"


class Phase(StrEnum):
    """See the module's theory of operation."""

    RESYNC = "resync"
    SETTLE = "settle"
    IDLE = "idle"
    COMMAND = "command"
    PROMPT = "prompt"
    PAYLOAD = "payload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command line.

    Args:
        text: without line end.
        payload: octets for the prompt, without Ctrl-Z; None when the command has no prompt.
        timeout_s: from the start, or the last line of a listing, to the final; with a payload, from the
            payload to the final.
        prompt_timeout_s: from the start to the prompt.
    """

    text: str
    payload: bytes | None = None
    timeout_s: float = 10.0
    prompt_timeout_s: float = 10.0

    @property
    def label(self) -> str:
        """The command without its parameters: fit for logs and errors."""
        return self.text.partition("=")[0]


@dataclass(frozen=True, slots=True)
class Answered:
    """The command in flight ended with a final result code."""

    lines: tuple[str, ...]
    final: FinalResult


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The command in flight got no final; the dialogue resyncs by itself. ``lines`` came before."""

    after_s: float
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PayloadDue:
    """The prompt came; the next output is the payload."""


@dataclass(frozen=True, slots=True)
class EchoBack:
    """The stick repeats commands, which it did not do before; the payload was held back, the dialogue resyncs.

    It may have restarted and forgotten in which mode it is to be.
    """


@dataclass(frozen=True, slots=True)
class Stray:
    """A line that belongs to nothing, such as a late answer."""

    line: str


@dataclass(frozen=True, slots=True)
class Hung:
    """The stick does not answer at all: the port should be opened anew."""


AtEvent = Answered | TimedOut | PayloadDue | EchoBack | Urc | Stray | Hung


class AtDialogue:
    """See the module. The owner calls `receive` and `tick`, then writes what `take_output` gives."""

    def __init__(self, now: float) -> None:
        self._reader = LineReader()
        self._events: deque[AtEvent] = deque()
        self._output = bytearray()
        self._command: Command | None = None
        self._expected: str | None = None
        self._info: list[str] = []
        self._pending_urc: str | None = None
        self._urc_deadline: float | None = None
        self._phase_deadline: float | None = None
        self._glued_deadline: float | None = None
        self._guards_left = 0
        self._echoed = False
        self._echoes = True
        self._echo_is_back = False
        self._resync(now)

    @property
    def phase(self) -> Phase:
        """Where the dialogue stands."""
        return self._phase

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to do; None for never."""
        due = (self._phase_deadline, self._urc_deadline, self._glued_deadline)
        return min((at for at in due if at is not None), default=None)

    @property
    def n_buffered(self) -> int:
        """Octets and lines kept, for whoever watches the bounds."""
        return self._reader.n_buffered + len(self._info)

    def start(self, command: Command, now: float) -> None:
        """Begin a command; only in IDLE.

        Raises:
            LocalProtocolError: another command is in flight, or the text would break the line.
        """
        if self._phase is not Phase.IDLE:
            raise LocalProtocolError(f"{command.label} started in phase {self._phase}")
        if not command.text.isprintable():
            raise LocalProtocolError(f"{command.label} holds control characters")
        if self._reader.ends_like_prompt:
            # What was there before the command is no prompt for its payload.
            self._events.append(Stray(self._reader.drop_line()))
        self._command = command
        self._expected = expected_prefix(command.text)
        self._info = []
        self._echoed = False
        self._output += command.text.encode() + b"\r"
        if command.payload is None:
            self._enter(Phase.COMMAND, now + command.timeout_s)
        else:
            self._enter(Phase.PROMPT, now + command.prompt_timeout_s)

    def abandon(self, now: float) -> None:
        """Call off the command in flight, for nobody waits for it any more.

        Before the payload that is done with ESC; otherwise the dialogue goes on, since the answer must
        not be taken for another's.
        """
        if self._phase is Phase.PROMPT:
            self._resync(now)

    def receive(self, octets: bytes, now: float) -> list[AtEvent]:
        """Take octets from the wire; the events they make, in order."""
        self._reader.feed(octets)
        while True:
            # The prompt counts only while awaited; the phase may change within one read.
            self._reader.awaiting_prompt = self._phase is Phase.PROMPT
            match self._reader.next_event():
                case None:
                    if octets:
                        self._watch_for_glued_prompt(now)
                    return self._take_events()
                case Prompt():
                    self._hand_out_payload(now)
                case Line(text):
                    self._take_line(text, now)
                case Oversized():
                    self._events.append(Stray("(oversized line dropped)"))

    def tick(self, now: float) -> list[AtEvent]:
        """Let time pass: do what is due at ``now``."""
        if self._urc_deadline is not None and now >= self._urc_deadline:
            self._end_pending_urc("")
        if self._glued_deadline is not None and now >= self._glued_deadline:
            self._take_glued_prompt(now)
        if self._phase_deadline is not None and now >= self._phase_deadline:
            self._phase_is_over(now)
        return self._take_events()

    def take_output(self) -> bytes:
        """Octets to be written now; afterwards they are the caller's."""
        octets = bytes(self._output)
        self._output.clear()
        return octets

    def _watch_for_glued_prompt(self, now: float) -> None:
        is_likely = self._phase is Phase.PROMPT and self._reader.ends_like_prompt
        self._glued_deadline = now + GLUED_S if is_likely else None

    def _take_glued_prompt(self, now: float) -> None:
        assert self._command is not None
        line = self._reader.drop_line()
        self._echoed |= self._command.text in line
        self._events.append(Stray(line))
        self._hand_out_payload(now)

    def _take_events(self) -> list[AtEvent]:
        events = list(self._events)
        self._events.clear()
        return events

    def _enter(self, phase: Phase, deadline: float | None) -> None:
        self._phase = phase
        self._glued_deadline = None
        self._phase_deadline = deadline

    def _phase_is_over(self, now: float) -> None:
        match self._phase:
            case Phase.RESYNC:
                self._send_guard(now)
            case Phase.SETTLE:
                self._enter(Phase.IDLE, None)
            case Phase.COMMAND | Phase.PROMPT | Phase.PAYLOAD:
                assert self._command is not None
                in_prompt = self._phase is Phase.PROMPT
                after_s = self._command.prompt_timeout_s if in_prompt else self._command.timeout_s
                self._events.append(TimedOut(after_s, tuple(self._info)))
                self._resync(now)
            case Phase.IDLE:
                self._enter(Phase.IDLE, None)

    def _resync(self, now: float) -> None:
        self._command = None
        self._expected = None
        self._info = []
        self._guards_left = GUARD_TRIES
        self._send_guard(now)

    def _send_guard(self, now: float) -> None:
        if self._guards_left == 0:
            self._events.append(Hung())
            self._guards_left = GUARD_TRIES
        self._guards_left -= 1
        self._output += _ESC + b"AT\r"
        self._enter(Phase.RESYNC, now + GUARD_S)

    def _hand_out_payload(self, now: float) -> None:
        command = self._command
        assert command is not None
        assert command.payload is not None
        if self._echo_is_back or (self._echoed and not self._echoes):
            # In text mode, which is how sticks start, the payload would be sent as a text.
            self._events.append(EchoBack())
            self._echo_is_back = False
            self._echoes = True
            self._resync(now)
            return
        self._events.append(PayloadDue())
        self._output += command.payload + _SUB
        self._enter(Phase.PAYLOAD, now + command.timeout_s)

    def _take_line(self, line: str, now: float) -> None:
        if self._pending_urc is not None:
            if is_body(line):
                self._end_pending_urc(line)
                return
            self._end_pending_urc("")
        if self._is_echo(line):
            return
        if is_unsolicited(line, self._expected):
            self._take_urc(line, now)
            return
        final = parse_final(line)
        match self._phase:
            case Phase.RESYNC | Phase.SETTLE if final is not None:
                self._enter(Phase.SETTLE, now + SETTLE_S)
            case Phase.RESYNC | Phase.SETTLE | Phase.IDLE:
                self._events.append(Stray(line))
            case Phase.COMMAND | Phase.PROMPT | Phase.PAYLOAD:
                if final is not None:
                    is_anothers = self._phase is Phase.PROMPT and final.kind is ResultKind.OK
                    self._finish(final)
                    if is_anothers:  # the prompt may come yet; what we say next is no text for a message
                        self._resync(now)
                elif len(self._info) < MAX_INFO_LINES:
                    if self._phase is Phase.PAYLOAD and not line.startswith(self._expected or ""):
                        self._events.append(Stray(line))
                    self._renew_deadline(line, now)
                    self._info.append(line)

    def _renew_deadline(self, line: str, now: float) -> None:
        """A long listing may take its time, line after line; nothing else that is said proves that an answer comes."""
        if self._phase is not Phase.COMMAND or self._command is None or self._expected != _LISTING:
            return
        if line.startswith(_LISTING) or (self._info and self._info[-1].startswith(_LISTING)):
            self._phase_deadline = now + self._command.timeout_s

    def _finish(self, final: FinalResult) -> None:
        self._events.append(Answered(tuple(self._info), final))
        self._echo_is_back |= self._echoed and not self._echoes
        self._echoes = self._echoed
        self._command = None
        self._expected = None
        self._info = []
        self._enter(Phase.IDLE, None)

    def _take_urc(self, line: str, now: float) -> None:
        if has_body(line):
            self._pending_urc = line
            self._urc_deadline = now + BODY_S
        else:
            self._events.append(Urc(line))

    def _end_pending_urc(self, body: str) -> None:
        assert self._pending_urc is not None
        self._events.append(Urc(self._pending_urc, body))
        self._pending_urc = None
        self._urc_deadline = None

    def _is_echo(self, line: str) -> bool:
        if self._command is None:
            return line.lstrip("\x1b") == "AT" and self._phase in {Phase.RESYNC, Phase.SETTLE}
        if line == self._command.text:
            self._echoed = True
            return True
        if self._phase is not Phase.PAYLOAD or self._command.payload is None:
            return False
        # Echo of the payload, with or without Ctrl-Z, and prompts that are repeated behind it.
        payload = self._command.payload.decode("latin-1")
        return line.strip("\x1a> ") in {payload, ""}
