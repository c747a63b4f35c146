"""AT command lines into commands, and failures into result codes. Pure.

Spec: ITU-T V.250 5.2, 5.4; 3GPP TS 27.007 4, 9.2; 3GPP TS 27.005 3.2.5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """How a command is used."""

    EXECUTE = ""
    READ = "?"
    TEST = "=?"
    SET = "="


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a line.

    Args:
        name: upper case, such as ``+CMGS``, ``E`` or ``&F``.
        form: how it is used.
        args: parameters, without their quotes; an omitted one is empty.
    """

    name: str
    form: Form
    args: tuple[str, ...] = ()

    def text(self, place: int) -> str:
        """The parameter at this place.

        Raises:
            Failed: it is missing.
        """
        if place >= len(self.args):
            raise Failed.cme(CME_INCORRECT_PARAMETERS)
        return self.args[place]

    def number(self, place: int, default: int | None = None) -> int:
        """The parameter at this place as a number.

        Raises:
            Failed: it is missing without a default, or not a number.
        """
        text = self.args[place] if place < len(self.args) else ""
        if not text and default is not None:
            return default
        if not text.isdecimal():
            raise Failed.cme(CME_INCORRECT_PARAMETERS)
        return int(text)


CME_NOT_ALLOWED = 3
CME_NOT_SUPPORTED = 4
CME_SIM_PIN = 11
CME_SIM_PUK = 12
CME_SIM_FAILURE = 13
CME_INCORRECT_PASSWORD = 16
CME_INVALID_INDEX = 21
CME_NO_NETWORK = 30
CME_INCORRECT_PARAMETERS = 50
CMS_SIM_PIN = 311
CMS_SIM_FAILURE = 313
CMS_SIM_PUK = 316
CMS_NOT_ALLOWED = 302
CMS_NOT_SUPPORTED = 303
CMS_INVALID_PDU = 304
CMS_INVALID_TEXT = 305
CMS_INVALID_INDEX = 321
CMS_MEMORY_FULL = 322
CMS_NO_NETWORK = 331
CMS_NO_CNMA_EXPECTED = 340

_CME_TEXTS = {
    CME_NOT_ALLOWED: "operation not allowed",
    CME_NOT_SUPPORTED: "operation not supported",
    CME_SIM_PIN: "SIM PIN required",
    CME_SIM_PUK: "SIM PUK required",
    CME_SIM_FAILURE: "SIM failure",
    CME_INCORRECT_PASSWORD: "incorrect password",
    CME_INVALID_INDEX: "invalid index",
    CME_NO_NETWORK: "no network service",
    CME_INCORRECT_PARAMETERS: "incorrect parameters",
}


class Failed(Exception):
    """A command ends with an error.

    Args:
        kind: ``CME``, ``CMS`` or empty for a bare ERROR.
        code: of the error.
    """

    def __init__(self, kind: str = "", code: int = 0) -> None:
        super().__init__(f"+{kind} ERROR: {code}" if kind else "ERROR")
        self.kind = kind
        self.code = code

    @classmethod
    def cme(cls, code: int) -> Failed:
        """An error of the equipment."""
        return cls("CME", code)

    @classmethod
    def cms(cls, code: int) -> Failed:
        """An error of the message service."""
        return cls("CMS", code)

    def result_code(self, cmee: int) -> str:
        """The final line, as AT+CMEE asks for."""
        if self.kind == "CMS":
            return f"+CMS ERROR: {self.code}"
        if not self.kind or cmee == 0:
            return "ERROR"
        return f"+CME ERROR: {_CME_TEXTS.get(self.code, self.code) if cmee == 2 else self.code}"


_EXTENDED = re.compile(r"([+^$*%][A-Z][A-Z0-9]*)(?:(=\?)|(\?)|(=)(.*))?", re.IGNORECASE | re.DOTALL)
_BASIC = re.compile(r"(S[0-9]+)(?:(\?)|=([0-9]*))|(&?[A-Z])([0-9]*)", re.IGNORECASE)
_SEPARATOR = re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*$)')
_COMMA = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')


def parse_line(line: str) -> list[Command]:
    """Split the rest of a line after ``AT`` into commands.

    Raises:
        Failed: it is no command line.
    """
    commands = []
    for piece in (piece.strip() for piece in _SEPARATOR.split(line)):
        rest = piece
        while rest and (basic := _BASIC.match(rest)):
            commands.append(_basic(basic))
            rest = rest[basic.end() :]
        if rest:
            commands.append(_extended(rest))
    return commands


def _basic(match: re.Match[str]) -> Command:
    register, read, register_value, letter, value = match.groups()
    if register is not None:
        form = Form.READ if read else Form.SET
        return Command(name=register.upper(), form=form, args=(register_value or "",))
    return Command(name=letter.upper(), form=Form.EXECUTE, args=(value,))


def _extended(text: str) -> Command:
    match = _EXTENDED.fullmatch(text)
    if match is None:
        raise Failed
    name, test, read, assign, raw = match.groups()
    form = Form(test or read or assign or "")
    args = (
        tuple(arg.strip().removeprefix('"').removesuffix('"') for arg in _COMMA.split(raw)) if assign else ()
    )
    return Command(name=name.upper(), form=form, args=args)
