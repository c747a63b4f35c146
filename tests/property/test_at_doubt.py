"""Late, doubled and stray final result codes against segments: none may be told another's fate.

The stick of these tests answers in order but for what `drivers.at.doubt` knows: a segment's answer may come after we
have given it up, also when other commands were answered meanwhile; a USSD code is answered OK and refused later by a
lone error; any final may come twice, and the two are heard apart.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.at.doubt import LATE_COMMAND_S, LATE_NETWORK_S
from drivers.at.events import Answered, AtEvent, Command, EchoBack, Late, PayloadDue, Phase, TimedOut
from drivers.at.result_codes import FinalResult, ResultKind
from drivers.at.transaction import AtDialogue

pytestmark = pytest.mark.property

TIMEOUT_S = 10.0
PAYLOAD = b"0011000B91"
ERRORS = ("ERROR", "+CME ERROR: 258", "+CMS ERROR: 38")


@dataclass(eq=False)
class Step:
    """One thing that is asked of the stick, and how it takes it.

    Args:
        kind: ``segment``, ``ussd``, ``command`` or ``wait``.
        answer: the error; empty for none: a segment is taken, a command is answered OK.
        after_s: until the answer; for a USSD code, until the lone error behind its OK.
        is_silent: no answer comes at all.
        blocks: until then the stick answers nothing else.
        twice: finals come twice.
    """

    kind: str
    answer: str
    after_s: float
    is_silent: bool
    blocks: bool
    twice: bool
    reference: int = -1
    verdict: str = ""
    has_left: bool = False

    @property
    def is_taken(self) -> bool:
        return self.kind == "segment" and not self.answer and self.reference >= 0


def steps(kind: str, longest_s: float, *answers: str) -> st.SearchStrategy[Step]:
    return st.builds(
        Step, kind=st.just(kind), answer=st.sampled_from(answers), after_s=st.floats(0, longest_s),
        is_silent=st.booleans() if kind != "wait" else st.just(False), blocks=st.booleans(), twice=st.booleans(),
    )  # fmt: skip


PLANS = st.lists(
    st.one_of(
        steps("segment", 2 * TIMEOUT_S - 0.1, "", *ERRORS),
        steps("ussd", LATE_NETWORK_S - 5, *ERRORS[:2]),
        steps("command", LATE_COMMAND_S, "", *ERRORS),
        steps("wait", 60.0, ""),
    ),
    min_size=2,
    max_size=8,
)


class Stick:
    """Takes octets, and says lines at their time."""

    def __init__(self, plan: list[Step]) -> None:
        self.plan = {f"{number}": step for number, step in enumerate(plan)}
        if any(step.twice for step in plan):
            # Before it is known that finals come twice, the second one may end a command that was not answered yet.
            # Whose final comes then is known only of a stick that answers commands in order.
            for step in plan:
                step.blocks |= step.kind == "command"
        self.due: list[tuple[float, int, Step | None, tuple[str, ...]]] = []
        self._order = itertools.count()
        self._line = b""
        self._prompted: Step | None = None
        self._blocked_by: Step | None = None
        self._backlog: list[str] = []
        self._references = itertools.count(1)

    def hear(self, octets: bytes, now: float) -> None:
        for octet in octets:
            if octet == 0x1B:
                self._line, self._prompted = b"", None
            elif octet == 0x1A and self._prompted is not None:
                self._take_segment(self._prompted, now)
                self._line, self._prompted = b"", None
            elif octet == 0x0D and self._prompted is None:
                self._take_command(self._line.decode(), now)
                self._line = b""
            else:
                self._line += bytes([octet])

    def say(self, now: float) -> list[bytes]:
        """What is said next; each piece is heard by itself."""
        _, _, step, lines = heapq.heappop(self.due)
        if step is not None and step is self._blocked_by:
            self._blocked_by = None
            backlog, self._backlog = self._backlog, []
            for command in backlog:
                self._take_command(command, now)
        return [b"\r\n> " if line == ">" else f"\r\n{line}\r\n".encode() for line in lines]

    def _at(self, when: float, step: Step | None, *lines: str) -> None:
        final = lines[-1]
        if step is not None and step.twice and final != ">":
            lines = (*lines, final)
        heapq.heappush(self.due, (when, next(self._order), step, lines))

    def _take_command(self, command: str, now: float) -> None:
        if self._blocked_by is not None:
            self._backlog.append(command)
        elif command == "AT":
            self._at(now, None, "OK")
        elif command.startswith("AT+CMGS="):
            self._prompted = self.plan[command.rpartition("=")[2]]
            self._at(now, None, ">")
        elif command.startswith("AT+CUSD=1,"):
            step = self.plan[command.rpartition(",")[2]]
            self._at(now, step if step.blocks else None, "OK")
            if not step.is_silent:
                self._at(now + step.after_s, step, step.answer)
        else:
            self._answer(self.plan[command.rpartition("=")[2]], now, "OK")

    def _take_segment(self, step: Step, now: float) -> None:
        lines = ["OK"]
        if not step.answer:
            step.reference = next(self._references)
            lines = [f"+CMGS: {step.reference}", "OK"]
        self._answer(step, now, *lines)

    def _answer(self, step: Step, now: float, *good: str) -> None:
        if step.is_silent:
            return
        self._blocked_by = step if step.blocks else None
        self._at(now + step.after_s, step, *((step.answer,) if step.answer else good))


class Run:
    """A dialogue and its stick until all is over."""

    def __init__(self, plan: list[Step]) -> None:
        self.now = 0.0
        self.stick = Stick(plan)
        self.dialogue = AtDialogue(self.now)
        self.waiting = list(enumerate(plan))
        self.current: Step | None = None
        self.ends = 0

    def run(self) -> None:
        self._go_on([])
        while self.waiting or self.current is not None or self.stick.due:
            held_until = self.dialogue.held_until(self.now)
            times = [self.dialogue.deadline, held_until, self.stick.due[0][0] if self.stick.due else None]
            at = min((t for t in times if t is not None), default=self.now)
            self.now = max(self.now, at)
            if self.stick.due and self.stick.due[0][0] <= self.now:
                for piece in self.stick.say(self.now):
                    self._go_on(self.dialogue.receive(piece, self.now))
            self._go_on(self.dialogue.tick(self.now))

    def _go_on(self, events: list[AtEvent]) -> None:
        for event in events:
            self._note(event)
        while self.dialogue.phase is Phase.IDLE and self.waiting:
            number, step = self.waiting[0]
            if step.kind == "segment" and self.dialogue.held_until(self.now) is not None:
                break
            self.waiting.pop(0)
            if step.kind == "wait":
                heapq.heappush(self.stick.due, (self.now + step.after_s, -1, None, ("^RSSI: 1",)))
                continue
            self.current = step
            text = {
                "segment": f"AT+CMGS={number}",
                "ussd": f"AT+CUSD=1,{number}",
                "command": f"AT+X={number}",
            }
            payload = PAYLOAD if step.kind == "segment" else None
            command = Command(text=text[step.kind], payload=payload, timeout_s=TIMEOUT_S, owner=step)
            self.dialogue.start(command, self.now)
        self.stick.hear(self.dialogue.take_output(), self.now)

    def _note(self, event: AtEvent) -> None:
        match event:
            case PayloadDue():
                assert self.current is not None
                self.current.has_left = True
            case Answered(lines, final):
                assert self.current is not None
                self._end(verdict_of(lines, final, has_left=self.current.has_left))
            case TimedOut():
                assert self.current is not None
                self._end("uncertain" if self.current.has_left else "refused")
            case EchoBack():
                self._end("refused")
            case Late(command, lines, final):
                assert isinstance(command.owner, Step)
                if command.owner.has_left:
                    assert command.owner.verdict == "uncertain"
                    command.owner.verdict = verdict_of(lines, final, has_left=True)
            case _:
                pass

    def _end(self, verdict: str) -> None:
        assert self.current is not None
        assert not self.current.verdict
        self.current.verdict, self.current = verdict, None
        self.ends += 1


def verdict_of(lines: tuple[str, ...], final: FinalResult, *, has_left: bool) -> str:
    if final.kind is not ResultKind.OK or not has_left:
        return "refused"
    references = [line.rpartition(" ")[2] for line in lines if line.startswith("+CMGS:")]
    return f"accepted {references[0] if references else None}"


@settings(deadline=None, max_examples=400)
@given(PLANS)
def test_no_segment_is_told_what_became_of_another(plan):
    run = Run(plan)
    run.run()
    assert run.ends == sum(step.kind != "wait" for step in plan)
    for step in plan:
        if step.kind == "segment":
            if step.verdict == "refused":
                assert not step.is_taken, "it would be sent twice"
            elif step.verdict.startswith("accepted"):
                assert step.is_taken, "it would be lost"
                assert step.verdict in {f"accepted {step.reference}", "accepted None"}
