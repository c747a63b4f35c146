"""Which lines come unasked, as a table of prefixes.

A prefix that the command in flight asks for (``AT+CREG?`` asks for ``+CREG:``) is an answer, not news.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WITH_BODY = ("+CMT:", "+CDS:", "+CBM:")
"""A second line of hex digits belongs to these (3GPP TS 27.005 3.4.1, PDU mode)."""

PREFIXES = (
    *WITH_BODY,
    "+CMTI:", "+CDSI:", "+CBMI:", "+CREG:", "+CGREG:", "+CEREG:", "+CUSD:", "+CRING:", "+CLIP:", "+CCWA:",
    "+CIEV:", "+CTZV:", "+CTZE:", "+CTZDST:", "+CGEV:", "+CPIN:", "+CFUN:", "+QIND:", "+QUSIM:", "+QSTAT:",
    "+CSQ:", "+CCLK:", "+NITZ:", "+SMS FULL", "+PACSP", "+SIM:", "+ZUSIMR:", "+ZDONR:", "+ZPASR:",
)  # fmt: skip
"""What sticks say by themselves: 27.005, 27.007, SIMCom, Quectel, ZTE."""

WHOLE_LINES = frozenset({
    "RING", "RDY", "Call Ready", "SMS Ready", "SMS DONE", "PB DONE", "NORMAL POWER DOWN", "POWERED DOWN",
    "UNDER-VOLTAGE WARNNING", "START", "*ATREADY: 1", "APP RDY",
    "NO CARRIER", "NO ANSWER", "NO DIALTONE", "NO DIAL TONE", "BUSY",
})  # fmt: skip
"""Spoken while a stick boots or dies (the misspelling is SIMCom's own), and when a caller gives up: that must not pass
for the network's answer to a segment."""

RESTART_LINES = frozenset({
    "RDY", "START", "APP RDY", "*ATREADY: 1", "NORMAL POWER DOWN", "POWERED DOWN", "+CPIN: SIM PIN",
})  # fmt: skip
"""After these a stick has forgotten, or is about to forget, all that was set; or its SIM has."""

BODY_S = 1.0
"""Time for the second line of an unsolicited message."""

MAX_TEXT_LINES = 40
"""A USSD text has 182 characters at most."""

_OPEN_QUOTE = re.compile(r'\+CUSD:[^"]*"')
_CLOSED_QUOTE = re.compile(r'"\s*(?:,\s*[0-9]*\s*)?$')
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_COMMAND_NAME = re.compile(r"AT([+^*#$%&][A-Z0-9]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Urc:
    """One unsolicited message.

    Args:
        line: as it came.
        body: its second line in hex digits, for those of `WITH_BODY`; empty for none.
    """

    line: str
    body: str = ""


class UrcReader:
    """Joins unsolicited lines with the second lines that belong to some of them.

    Attributes:
        deadline: when a second line is not awaited any more; None while none is.
    """

    def __init__(self) -> None:
        self.deadline: float | None = None
        self._pending = ""

    def take(self, line: str, now: float) -> list[Urc]:
        """Take an unsolicited line."""
        if not has_body(line):
            return [Urc(line)]
        self._pending, self.deadline = line, now + BODY_S
        return []

    def take_body(self, line: str) -> tuple[list[Urc], bool]:
        """Offer any line: what it completes, and whether it was a second line."""
        if self.deadline is None:
            return [], False
        fits = is_body(line)
        return self._end(line if fits else ""), fits

    def tick(self, now: float) -> list[Urc]:
        """Let time pass."""
        return self._end("") if self.deadline is not None and now >= self.deadline else []

    def _end(self, body: str) -> list[Urc]:
        self.deadline = None
        return [Urc(self._pending, body)]


class QuoteReader:
    """Joins the lines of a text that has line breaks within its quotes: a USSD menu.

    Such a line could pass for anything else, also for a final result code. When the quotes do not close in time,
    the lines are given back one by one.

    Attributes:
        deadline: when the end of the text is not awaited any more; None while none is.
    """

    def __init__(self) -> None:
        self.deadline: float | None = None
        self._pending: list[str] = []

    def take(self, line: str, now: float) -> list[str]:
        """Take any line: the lines that are complete by it."""
        if self.deadline is None and not _OPEN_QUOTE.match(line):
            return [line]
        self._pending.append(line)
        if len(self._pending) == 1 and not _CLOSED_QUOTE.search(line, line.index('"') + 1):
            self.deadline = now + BODY_S
            return []
        if _CLOSED_QUOTE.search(line) or len(self._pending) == 1:
            return self._end(["\n".join(self._pending)])
        return self._end(self._pending) if len(self._pending) >= MAX_TEXT_LINES else []

    def tick(self, now: float) -> list[str]:
        """Let time pass."""
        return self._end(self._pending) if self.deadline is not None and now >= self.deadline else []

    def _end(self, lines: list[str]) -> list[str]:
        self.deadline, self._pending = None, []
        return lines


def expected_prefix(command: str) -> str | None:
    """The prefix of the information lines a command asks for; None when it has no name of that form.

    >>> expected_prefix("AT+CREG?")
    '+CREG:'
    """
    match = _COMMAND_NAME.match(command)
    return f"{match[1].upper()}:" if match else None


def is_unsolicited(line: str, expected: str | None) -> bool:
    """Whether a line came unasked while ``expected`` (or nothing in particular) was asked for."""
    if expected is not None and line.startswith(expected):
        return False
    # Vendor noise such as Huawei's ^RSSI: and ^BOOT: is too rich to be listed.
    return line.startswith((*PREFIXES, "^", "*")) or line in WHOLE_LINES


def has_body(line: str) -> bool:
    """Whether the next line belongs to this one."""
    return line.startswith(WITH_BODY)


def is_body(line: str) -> bool:
    """Whether a line can be the second one: whole octets in hex."""
    return _HEX.fullmatch(line) is not None
