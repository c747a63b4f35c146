"""Whose a final result code may be: the answers that sticks still owe. Pure.

A stick answers in order, with two exceptions, and both are kept here as *debts*:

* A command whose answer did not come in time. The stick may still give it, also after it has answered others.
* A command that is answered OK at once and refused later, when the network has spoken (`REFUSED_LATER`): the refusal
  is a lone error, and nothing in it says what it belongs to.

While a debt is open, a final of its kinds proves nothing about another command (`Doubt.is_open`). A debt ends when
its answer came for certain or when its time is over. A debt of a command with a payload *holds*: the next payload is
not sent before that debt has ended, or the two answers could not be told apart.

=====================  ======================================  ===========================================
after                  what may still come                     for how long
=====================  ======================================  ===========================================
a payload's time-out   its information line, any final         the resync, then `LATE_PAYLOAD_S`, or the
                                                               time that it had before if that is less
another time-out       any final                               `LATE_COMMAND_S`
``AT+CUSD=1``, ``ATD``  a lone ``ERROR`` or ``+CME ERROR``      `LATE_NETWORK_S`, or until its own news came
any of these, settled  the same once more                      `TWICE_S`, and not behind the next prompt
=====================  ======================================  ===========================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.at.result_codes import FinalResult, ResultKind
from drivers.at.unsolicited import expected_prefix

if TYPE_CHECKING:
    from drivers.at.events import Command

LATE_PAYLOAD_S = 60.0
"""At most; makers allow a segment's answer two minutes in all."""
LATE_COMMAND_S = 30.0
LATE_NETWORK_S = 120.0
TWICE_S = 0.5
"""Some sticks say a final twice. What they say next, such as a prompt, comes behind both."""

REFUSED_LATER = ("AT+CUSD=1", "ATD")
ANY = frozenset(ResultKind)
_LONE_ERRORS = frozenset({ResultKind.ERROR, ResultKind.CME})


@dataclass(slots=True)
class _Debt:
    """An answer that may still come.

    Args:
        command: whose.
        kinds: of final result codes that it may be.
        until: when it is not expected any more.
        prefix: of its information line or its news.
        holds: no payload goes out before.
        is_settled: it came; only its repetition may follow.
    """

    command: Command
    kinds: frozenset[ResultKind]
    until: float
    prefix: str | None
    holds: bool = False
    is_settled: bool = False


class Doubt:
    """The debts of one stick; they outlive the port when that is opened anew."""

    def __init__(self) -> None:
        self._debts: list[_Debt] = []
        self._last_final: tuple[FinalResult, float] | None = None

    def timed_out(self, command: Command, now: float, *, payload_left: bool) -> None:
        """No final came for a command."""
        until = now + (_patience_s(command) if payload_left else LATE_COMMAND_S)
        prefix = None if command.payload is not None and not payload_left else expected_prefix(command.text)
        self._debts.append(_Debt(command, ANY, until, prefix, holds=payload_left))

    def renew(self, command: Command | None, now: float) -> None:
        """A payload that got no final is still awaited: its time begins anew. Nothing for None."""
        for debt in self._debts:
            if debt.command is command and debt.holds:
                debt.until = now + _patience_s(debt.command)

    def answered(self, command: Command, final: FinalResult, now: float, *, has_news: bool) -> None:
        """A command was answered; its news may have come before that."""
        # What was the last command's final once more has not refused this one.
        is_taken = self.is_repeated(final, now) or final.kind is ResultKind.OK
        if is_taken and not has_news and command.text.upper().startswith(REFUSED_LATER):
            prefix = expected_prefix(command.text)
            self._debts.append(_Debt(command, _LONE_ERRORS, now + LATE_NETWORK_S, prefix))

    def is_repeated(self, final: FinalResult, now: float) -> bool:
        """Note a final, and whether it may be the last one once more."""
        last, self._last_final = self._last_final, (final, now)
        return last is not None and last[0] == final and now - last[1] < TWICE_S

    def clear(self) -> None:
        """The stick has restarted or is gone, and owes nothing."""
        self._debts.clear()

    def is_open(self, kind: ResultKind, now: float, *, or_twice: bool = True) -> bool:
        """Whether a final of this kind may be another's than the command's in flight.

        Args:
            or_twice: it may also be the repetition of one that came.
        """
        return any(kind in debt.kinds and (or_twice or not debt.is_settled) for debt in self._current(now))

    def held_until(self, now: float) -> float | None:
        """When a payload may go out again; None for now."""
        return max((debt.until for debt in self._current(now) if debt.holds), default=None)

    def settle(self, kind: ResultKind, now: float) -> Command | None:
        """A final came that is no running command's: the command that it belongs to; None when there are several."""
        debts = [debt for debt in self._current(now) if kind in debt.kinds]
        is_told = len(debts) == 1 and not debts[0].is_settled
        # What prompts for a payload is the message service, and +CMS ERROR comes from nowhere else. Another error is
        # too little to say that a payload was refused: it may answer the AT of a resync, or a toolkit's own command.
        if not is_told or (kind is not ResultKind.CMS and debts[0].holds):
            return None
        return self._end(debts[0], now)

    def settle_line(self, line: str, now: float) -> Command | None:
        """A line came that only one command's answer has: that command; None when none waits for it."""
        for debt in self._current(now):
            if not debt.is_settled and debt.prefix is not None and line.startswith(debt.prefix):
                return self._end(debt, now)
        return None

    def _end(self, debt: _Debt, now: float) -> Command:
        debt.until, debt.holds, debt.is_settled = now + TWICE_S, False, True
        return debt.command

    def _current(self, now: float) -> list[_Debt]:
        self._debts = [debt for debt in self._debts if now < debt.until]
        return self._debts


def _patience_s(command: Command) -> float:
    """How long a payload's answer is awaited once it is late."""
    return min(command.timeout_s, LATE_PAYLOAD_S)
