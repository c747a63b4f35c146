"""One command at a time over an unreliable line of octets. Sans-IO: octets and ``now`` in, events and octets out.

Theory of operation. The dialogue is in one `Phase`:

* ``RESYNC``: we don't know what the stick is doing (the port was just opened, or an answer did not come).
  ESC leaves a prompt nobody answers, ``AT`` asks for a sign of life; what comes is nobody's, or a late answer.
* ``SETTLE``: it answered; until the line has been still for `SETTLE_S` further answers are taken for the same.
  Sticks answer in order, so a late final of the old command comes before that of the guard; nearly always.
* ``IDLE``: a command may be started; every line is unsolicited.
* ``COMMAND``: information lines are collected until a final result code.
* ``PROMPT``: as COMMAND, and the prompt is awaited; nothing has taken effect yet.
* ``PAYLOAD``: what belongs behind the prompt has been handed out; only a final tells what came of it.

Unsolicited lines are taken out first, in every phase. Each started command ends with exactly one of
`Answered`, `TimedOut`, `EchoBack` or, if nobody wants it any more, `AtDialogue.abandon`.

A final says nothing of what it belongs to, and sticks may owe others than that of the command in flight
(`drivers.at.doubt`). While one is owed that looks like the one that came,

* a payload is not ended by it: its own answer may follow, and if none does it times out;
* a prompt is awaited on, as nothing has happened before it;
* any other command is ended by it, and a resync follows, so that no later answer is taken for the next one's.

A late answer that can belong to one command only is handed over: as `Answered` while the resync lasts, later as `Late`.
"""

from __future__ import annotations

from collections import deque

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
from drivers.at.reader import Line, LineReader, Oversized, Prompt
from drivers.at.result_codes import FinalResult, ResultKind, parse_final
from drivers.at.unsolicited import QuoteReader, UrcReader, expected_prefix, is_unsolicited
from drivers.errors import LocalProtocolError

GUARD_S = 3.0
"""Time for an answer to the guard before it is sent again."""
GUARD_TRIES = 5
"""Guards without an answer before the stick counts as hung."""
SETTLE_S = 0.2
"""Silence that ends a resync."""
GLUED_S = 0.5
"""Silence behind a line without an end that ends like a prompt before it is taken for one: noise came in front of it,
or an unsolicited line that lost its own end. The rest of an honest line comes within milliseconds."""
FINAL_S = 3.0
"""Time for the final behind a payload's own information line, which has said all."""
TWICE_SETTLE_S = 0.05
"""Silence behind each final of a stick that has said one twice."""
MAX_INFO_LINES = 2048
"""Lines of one answer: a full store of 255 messages has 510."""

_LISTING = "+CMGL:"
_ESC = b"\x1b"
_SUB = b"\x1a"
_OK = FinalResult(kind=ResultKind.OK)


class AtDialogue:
    """See the module. The owner calls `receive` and `tick`, then writes what `take_output` gives."""

    def __init__(self, now: float, doubt: Doubt | None = None) -> None:
        self._doubt = doubt or Doubt()
        self._reader = LineReader()
        self._events: list[AtEvent] = []
        self._output = bytearray()
        self._command: Command | None = None
        self._expected: str | None = None
        self._info: list[str] = []
        self._quotes, self._urcs = QuoteReader(), UrcReader()
        self._phase_deadline: float | None = None
        self._glued_deadline: float | None = None
        self._guards_left = 0
        self._settle_s = SETTLE_S
        self._overdue: Command | None = None
        self._in_doubt: deque[FinalResult] = deque(maxlen=4)
        self._says_finals_twice = False
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
        due = (self._phase_deadline, self._quotes.deadline, self._urcs.deadline, self._glued_deadline)
        return min((at for at in due if at is not None), default=None)

    def held_until(self, now: float) -> float | None:
        """Until when no payload may start, for an earlier one may still be answered; None for now."""
        return self._doubt.held_until(now)

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
        if command.payload is not None and self.held_until(now) is not None:
            raise LocalProtocolError(f"{command.label} started while the answer to another is owed")
        if self._reader.ends_like_prompt:
            # What was there before the command is no prompt for its payload.
            self._events.append(Stray(self._reader.drop_line()))
        self._command = command
        self._expected = expected_prefix(command.text)
        self._info, self._echoed = [], False
        self._in_doubt.clear()
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
            assert self._command is not None
            self._doubt.timed_out(self._command, now, payload_left=False)
            self._resync(now)

    def close(self, now: float) -> None:
        """The port is being closed, and opened anew later: what a payload's answer is owed for is kept."""
        if self._phase is Phase.PAYLOAD and self._command is not None:
            self._doubt.timed_out(self._command, now, payload_left=True)

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
                    self._take_lines(self._quotes.take(text, now), now)
                case Oversized():
                    self._events.append(Stray("(oversized line dropped)"))

    def tick(self, now: float) -> list[AtEvent]:
        """Let time pass: do what is due at ``now``."""
        self._take_lines(self._quotes.tick(now), now)
        self._events.extend(self._urcs.tick(now))
        if self._glued_deadline is not None and now >= self._glued_deadline:
            self._take_glued_prompt(now)
        if self._phase_deadline is not None and now >= self._phase_deadline:
            self._phase_is_over(now)
        return self._take_events()

    def take_output(self) -> bytes:
        """Octets to be written now; afterwards they are the caller's."""
        octets, self._output = bytes(self._output), bytearray()
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
        events, self._events = self._events, []
        return events

    def _enter(self, phase: Phase, deadline: float | None) -> None:
        self._phase = phase
        self._glued_deadline = None
        self._phase_deadline = deadline

    def _phase_is_over(self, now: float) -> None:
        match self._phase:
            case Phase.RESYNC:
                self._send_guard(now)
            case Phase.SETTLE | Phase.IDLE:
                if (overdue := self._overdue) is not None:
                    self._doubt.renew(overdue, now)
                    self._overdue = None
                    self._events.append(TimedOut(overdue.timeout_s))
                self._enter(Phase.IDLE, None)
            case Phase.PAYLOAD if self._has_own_line():
                self._finish(_OK, now)
                self._resync(now)
            case Phase.PAYLOAD:
                assert self._command is not None
                self._overdue = self._command
                self._doubt.timed_out(self._command, now, payload_left=True)
                self._events.append(Overdue())
                self._resync(now)
            case Phase.COMMAND | Phase.PROMPT:
                assert self._command is not None
                command, in_prompt = self._command, self._phase is Phase.PROMPT
                self._doubt.timed_out(command, now, payload_left=False)
                after_s = command.prompt_timeout_s if in_prompt else command.timeout_s
                self._events.append(TimedOut(after_s, tuple(self._info)))
                self._resync(now)

    def _resync(self, now: float) -> None:
        self._command = self._expected = None
        self._info = []
        self._guards_left = GUARD_TRIES
        self._settle_s = SETTLE_S
        self._send_guard(now)

    def _send_guard(self, now: float) -> None:
        if self._guards_left == 0:
            self._events.append(Hung())
            self._guards_left = GUARD_TRIES
        self._guards_left -= 1
        self._doubt.renew(self._overdue, now + GUARD_S)
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
        self._give_back_doubtful(now)  # they came instead of the prompt, and there it is
        self._events.append(PayloadDue())
        self._output += command.payload + _SUB
        self._enter(Phase.PAYLOAD, now + command.timeout_s)

    def _take_lines(self, lines: list[str], now: float) -> None:
        for line in lines:
            self._take_line(line, now)

    def _take_line(self, line: str, now: float) -> None:
        urcs, is_body = self._urcs.take_body(line)
        self._events.extend(urcs)
        if is_body or self._is_echo(line):
            return
        if is_unsolicited(line, self._expected):
            self._doubt.settle_line(line, now)
            self._events.extend(self._urcs.take(line, now))
            return
        final = parse_final(line)
        if final is not None:
            self._take_final(final, line, now)
        elif self._is_late(line, now):
            pass  # handed over
        elif self._command is not None:
            self._take_info(line, now)
        else:
            self._events.append(Stray(line))

    def _take_info(self, line: str, now: float) -> None:
        if len(self._info) >= MAX_INFO_LINES:
            return
        self._info.append(line)
        if self._phase is Phase.COMMAND and self._command is not None:
            # A long listing may take its time, line after line; nothing else that is said proves that an answer comes.
            if self._expected == _LISTING and any(heard.startswith(_LISTING) for heard in self._info[-2:]):
                self._phase_deadline = now + self._command.timeout_s
        elif self._phase is Phase.PAYLOAD and self._is_own(line):
            self._phase_deadline = now + FINAL_S
        elif self._phase is Phase.PAYLOAD:
            self._events.append(Stray(line))

    def _take_final(self, final: FinalResult, line: str, now: float) -> None:
        if self._command is None:
            self._take_lone_final(final, line, now)
        elif self._is_believed(final, now):
            # The prompt may come yet, or the answer that this was not; no later command is to get it.
            may_go_on = self._phase is Phase.PAYLOAD or not self._may_be_anothers(final, now)
            may_go_on &= self._phase is not Phase.PROMPT
            self._finish(final, now)
            if not may_go_on:
                self._resync(now)
        else:
            self._in_doubt.append(final)
            self._events.append(Stray(line))

    def _is_believed(self, final: FinalResult, now: float) -> bool:
        """Whether it ends the command in flight; if not, that is awaited on."""
        is_ok = final.kind is ResultKind.OK
        match self._phase:
            case Phase.PAYLOAD if self._has_own_line():
                return is_ok
            case Phase.PAYLOAD:
                return not self._doubt.is_open(final.kind, now, or_twice=False)
            case Phase.PROMPT if self._doubt.is_repeated(final, now):
                self._says_finals_twice = True
                return False
            case _:
                assert self._command is not None
                is_query = is_ok and self._command.text.endswith("?")
                can_wait = self._phase is Phase.PROMPT or is_query or self._has_own_line()
                return not (can_wait and self._may_be_anothers(final, now))

    def _may_be_anothers(self, final: FinalResult, now: float) -> bool:
        is_sure = final.kind is ResultKind.OK and self._has_own_line()
        return not is_sure and self._doubt.is_open(final.kind, now)

    def _take_lone_final(self, final: FinalResult, line: str, now: float) -> None:
        if self._phase is Phase.IDLE:
            self._events.append(Stray(line))
        else:
            self._enter(Phase.SETTLE, now + self._settle_s)
        if self._doubt.is_repeated(final, now):
            self._says_finals_twice |= self._phase is Phase.IDLE
        elif final.kind is not ResultKind.OK:
            self._end_late(self._doubt.settle(final.kind, now), (), final)

    def _is_late(self, line: str, now: float) -> bool:
        """Whether the line answers a command that is over; then it is handed over. Its OK follows and says no more."""
        command = None if self._is_own(line) else self._doubt.settle_line(line, now)
        self._end_late(command, (line,), _OK)
        return command is not None

    def _end_late(self, command: Command | None, lines: tuple[str, ...], final: FinalResult) -> None:
        if command is None:
            return
        if command is self._overdue:
            self._overdue = None
            self._events.append(Answered(lines, final))
        else:
            self._events.append(Late(command, lines, final))

    def _give_back_doubtful(self, now: float) -> None:
        """The command in flight has had its own answer: what was in doubt is another's."""
        for final in self._in_doubt:
            self._end_late(self._doubt.settle(final.kind, now), (), final)
        self._in_doubt.clear()

    def _is_own(self, line: str) -> bool:
        return self._expected is not None and line.startswith(self._expected)

    def _has_own_line(self) -> bool:
        return any(map(self._is_own, self._info))

    def _finish(self, final: FinalResult, now: float) -> None:
        assert self._command is not None
        self._events.append(Answered(tuple(self._info), final))
        self._give_back_doubtful(now)
        self._doubt.answered(self._command, final, now, has_news=self._has_own_line())
        self._echo_is_back |= self._echoed and not self._echoes
        self._echoes = self._echoed
        self._command = self._expected = None
        self._info = []
        self._settle_s = TWICE_SETTLE_S
        deadline = now + self._settle_s if self._says_finals_twice else None
        self._enter(Phase.IDLE if deadline is None else Phase.SETTLE, deadline)

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
