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
